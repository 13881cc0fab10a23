#include "tests/sim/plant.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

#define WAL_WRITER_MS 200
#define WAL_WRITER_BYTES 1e6
#define REPORT_AT_LEAST_EVERY_MS 10000
/* The foreground has touched most of its pages again after that much WAL, the fill most pages of the indexes
 * after that many of the table. */
#define FOREGROUND_PAGES_BYTES 50e6
#define INDEX_PAGES 20000.0

static void track_add(struct track *track, double value)
{
	if ((track->count & (track->count - 1)) == 0)
		track->values = memory_resize(
			track->values, (track->count == 0 ? 1 : 2 * track->count) * sizeof(track->values[0]));
	track->values[track->count++] = value;
}

static double track_before(const struct plant *plant, const struct track *track, double ago_ms)
{
	size_t steps = (size_t)(ago_ms / plant->step_ms);

	return steps < track->count ? track->values[track->count - 1 - steps] : PLANT_FIRST_LSN;
}

void plant_start(struct plant *plant, const struct scenario *scenario)
{
	*plant = (struct plant){
		.scenario = scenario,
		.step_ms = scenario->step_ms > 0 ? scenario->step_ms : 5,
		.dice.state = scenario->seed + 1,
		.written = PLANT_FIRST_LSN,
		.flushed = PLANT_FIRST_LSN,
		.work = PLANT_FIRST_LSN,
		.flushed_work = PLANT_FIRST_LSN,
		.written_alone = PLANT_FIRST_LSN,
		.checkpoint_written = PLANT_FIRST_LSN,
		.foreground_since = 1e12,
		.pages_since = 1e12,
	};
	for (size_t i = 0; i < PLAN_REPLICAS && scenario->replicas[i].name; i++)
		plant->replicas[plant->replicas_count++] = (struct plant_replica){.plan = &scenario->replicas[i]};
}

void plant_free(struct plant *plant)
{
	free(plant->track.values);
	free(plant->track_work.values);
	free(plant->track_alone.values);
	for (size_t i = 0; i < plant->replicas_count; i++)
		free(plant->replicas[i].alone_ms.values);
}

static bool hangs(const struct plant *plant)
{
	return curve_at(&plant->scenario->hangs, plant->ms / 1e3) >= 1;
}

static void flush(struct plant *plant)
{
	if (hangs(plant))
		return;
	plant->flushed = plant->written;
	plant->flushed_work = plant->work;
	plant->flushed_ms = plant->ms;
}

void plant_write(struct plant *plant, double bytes, double work, bool flush_it)
{
	plant->written += bytes;
	plant->work += work;
	if (flush_it || plant->written - plant->flushed >= WAL_WRITER_BYTES)
		flush(plant);
}

double plant_index_bytes(const struct plant *plant)
{
	return plant->scenario->fill.index_bytes * exp(-plant->pages_since / INDEX_PAGES);
}

static void checkpoint(struct plant *plant)
{
	const struct scenario *scenario = plant->scenario;
	bool due = scenario->checkpoint_s > 0 && plant->ms - plant->checkpoint_ms >= 1e3 * scenario->checkpoint_s;
	bool asked = scenario->max_wal_mb > 0 &&
				 plant->written - plant->checkpoint_written >= PLAN_MB * scenario->max_wal_mb;

	if (!due && !asked)
		return;
	plant->epoch++;
	plant->checkpoint_ms = plant->ms;
	plant->checkpoint_written = plant->written;
	plant->foreground_since = 0;
	plant->pages_since = 0;
	plant->checkpoints_asked += asked && !due;
}

static void foreground(struct plant *plant)
{
	const struct scenario *scenario = plant->scenario;
	double bytes = PLAN_MB * curve_at(&scenario->foreground, plant->ms / 1e3) * plant->foreground_noise *
				   plant->step_ms / 1e3;

	if (hangs(plant))
		bytes = 0;
	if (scenario->image_factor > 1)
		bytes *= 1 + (scenario->image_factor - 1) * exp(-plant->foreground_since / FOREGROUND_PAGES_BYTES);
	plant->foreground_bytes = bytes;
	plant->foreground_since += bytes;
	plant->written_alone += bytes;
	plant_write(plant, bytes, bytes, bytes > 0);
	if (plant->ms - plant->flushed_ms >= WAL_WRITER_MS)
		flush(plant);
	track_add(&plant->track, plant->flushed);
	track_add(&plant->track_work, plant->flushed_work);
	track_add(&plant->track_alone, plant->written_alone);
}

static void connect(struct plant *plant, struct plant_replica *replica)
{
	bool connected = curve_at(&replica->plan->absent, plant->ms / 1e3) < 1;
	double behind = PLAN_MB * replica->plan->behind_mb;

	if (replica->connected && !connected)
		replica->gone_since_ms = plant->ms;
	replica->connected = connected;
	if (!connected || replica->seen)
		return;
	replica->seen = true;
	replica->received = replica->at.replayed = replica->told.replayed = plant->flushed - behind;
	replica->done = plant->flushed_work - behind;
	replica->alone.replayed = plant->written_alone - behind;
	replica->ideal_backlog = behind;
}

static void report(struct plant *plant, struct plant_replica *replica)
{
	bool all = replica->at.replayed >= replica->received;
	double since_ms = plant->ms - replica->reported_ms;
	size_t slot = replica->reports_sent % PLANT_REPORTS;

	if (replica->reports_sent - replica->reports_arrived == PLANT_REPORTS)
		return;
	if (since_ms < REPORT_AT_LEAST_EVERY_MS && !(all && !replica->replayed_all_at_report) &&
		!(replica->received > replica->received_at_report && since_ms >= replica->plan->report_ms))
		return;
	replica->reports[slot].arrives_ms = plant->ms + replica->plan->transport_ms;
	replica->reports[slot].replayed = replica->at.replayed;
	replica->reports_sent++;
	replica->reported_ms = plant->ms;
	replica->received_at_report = replica->received;
	replica->replayed_all_at_report = all;
}

/* Where `value` of the one track is on the other, which began at the same; `step` goes forward with it. */
static double along(const struct track *from, const struct track *to, size_t *step, double value)
{
	double low, high;

	while (*step < from->count && from->values[*step] <= value)
		(*step)++;
	if (*step == 0 || *step == from->count)
		return value - (*step == 0 ? from->values[0] - to->values[0]
								   : from->values[*step - 1] - to->values[*step - 1]);
	low = from->values[*step - 1];
	high = from->values[*step];
	return to->values[*step - 1] + (to->values[*step] - to->values[*step - 1]) * (value - low) / (high - low);
}

static double replay_work(struct plant *plant, struct plant_replica *replica, double work)
{
	double most = along(&plant->track, &plant->track_work, &replica->received_at, replica->received);

	replica->done = fmax(replica->done, fmin(most, replica->done + work));
	if (replica->done >= most)
		return replica->received;
	return along(&plant->track_work, &plant->track, &replica->done_at, replica->done);
}

static void replay(struct plant *plant, struct plant_replica *replica)
{
	const struct replica_plan *plan = replica->plan;
	double step_s = plant->step_ms / 1e3;
	double sent = track_before(plant, &plant->track, plan->transport_ms);

	if (plan->feed_mb_per_s > 0)
		sent = fmin(sent, replica->received + PLAN_MB * plan->feed_mb_per_s * step_s);
	replica->received = fmax(replica->received, sent);
	replica->at.replayed = fmax(replica->at.replayed, replay_work(plant, replica, replica->rate * step_s));
	sent = track_before(plant, &plant->track_alone, plan->transport_ms);
	replica->alone.replayed =
		fmax(replica->alone.replayed, fmin(sent, replica->alone.replayed + replica->rate * step_s));
	report(plant, replica);
}

static void step_replica(struct plant *plant, struct plant_replica *replica, bool new_noise)
{
	if (new_noise || replica->drift.at == 0)
		replica->rate = PLAN_MB * curve_at(&replica->plan->replay, plant->ms / 1e3) *
						drift_next(&replica->drift, &plant->dice, plant->scenario->noise);
	connect(plant, replica);
	if (replica->connected)
		replay(plant, replica);
	if (replica->connected && replica->rate > 0)
		replica->awake_ms += plant->step_ms;
	while (replica->reports_arrived < replica->reports_sent &&
		   replica->reports[replica->reports_arrived % PLANT_REPORTS].arrives_ms <= plant->ms) {
		replica->told.replayed = replica->reports[replica->reports_arrived % PLANT_REPORTS].replayed;
		replica->reports_arrived++;
	}
}

void plant_step(struct plant *plant)
{
	bool new_noise = plant->ms >= plant->next_noise_ms;

	if (new_noise) {
		plant->next_noise_ms += 100;
		plant->foreground_noise = drift_next(&plant->drift, &plant->dice, plant->scenario->noise);
	}
	plant->ms += plant->step_ms;
	checkpoint(plant);
	foreground(plant);
	for (size_t i = 0; i < plant->replicas_count; i++)
		step_replica(plant, &plant->replicas[i], new_noise);
}

/* Bytes a second that network and replay carry at most. */
static double takes(const struct plant_replica *replica)
{
	double feed = PLAN_MB * replica->plan->feed_mb_per_s;

	return feed > 0 ? fmin(feed, replica->rate) : replica->rate;
}

void plant_fill_ideally(struct plant *plant, double most, double grace_ms)
{
	double spare = most;

	for (size_t i = 0; i < plant->replicas_count; i++) {
		struct plant_replica *replica = &plant->replicas[i];

		if (!replica->seen)
			continue;
		replica->ideal_backlog += plant->foreground_bytes;
		if (replica->connected) {
			replica->ideal_backlog -= takes(replica) * plant->step_ms / 1e3;
			spare = fmin(spare, -replica->ideal_backlog);
			replica->ideal_backlog = fmax(0, replica->ideal_backlog);
		} else if (plant->ms - replica->gone_since_ms <= grace_ms) {
			spare = 0;
		}
	}
	spare = fmax(0, spare);
	plant->ideal_work += spare;
	for (size_t i = 0; i < plant->replicas_count; i++) {
		if (!plant->replicas[i].connected)
			plant->replicas[i].ideal_backlog += spare;
	}
}

static bool has_passed(const struct track *track, const struct replica_place *place)
{
	return place->behind < track->count && track->values[place->behind] <= place->replayed + 1;
}

bool plant_next_delay(struct plant *plant, struct plant_replica *replica, double *ret_ms)
{
	while (has_passed(&plant->track_alone, &replica->alone)) {
		track_add(&replica->alone_ms, replica->awake_ms);
		replica->alone.behind++;
	}
	if (!has_passed(&plant->track, &replica->at) || replica->at.behind >= replica->alone_ms.count)
		return false;
	*ret_ms = replica->awake_ms - replica->alone_ms.values[replica->at.behind++];
	return true;
}

double plant_lag_ms(const struct plant *plant, const struct track *track, struct replica_place *place)
{
	while (has_passed(track, place))
		place->behind++;
	return (double)(track->count - place->behind) * plant->step_ms;
}
