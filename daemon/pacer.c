#include "daemon/pacer.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JUDGE_EVERY_MS 100
#define PROBE_EVERY_MS 250.0
#define PROBE 1.06 /* each PROBE_EVERY_MS */
#define FIRST_PROBE 1.5
#define FIRST_ALLOWANCE (8.0 * 1024.0 * 1024.0)
/* While it climbs so fast, what the fills wrote lately is six tenths of what they may write now. */
#define FIRST_WHEN_USED 0.5
#define LATELY_S 0.4
#define PROBE_WHEN_USED 0.8
/* After an overload, while the replicas keep up. */
#define RAMP_PROBE 1.25
/* Nobody is believed to do much more than it has shown: another replica may have been what was in the way. */
#define PROBE_AHEAD 1.1
#define BACKLOG_AT 0.19
#define USED_FROM 0.35
#define CORRECT_MS 180.0
#define BEHIND_AT 0.4
#define PROBE_UNTIL 0.25
/* By both counts: then it is the replica that has become slower, not another kind of WAL. */
#define SLOWER 0.7
#define STRAINED_AT 0.15
#define BASE_MOST 0.3
/* What is left of a capacity beside a VACUUM of ours: a replica on 15 % of a processor replayed 8 MB/s before
 * and 3.6 beside it. */
#define BESIDE_VACUUM 0.5
#define SMOOTH_S 1.0
#define MEASURE_S 0.4
/* A report that is late by half again stands for a replica that stands still. */
#define OVERDUE 1.5
#define GAP_MOST_MS 600.0
#define GAP_WEIGHT 0.1
/* What the fills write is next to nothing: lag is not theirs. */
#define SHOWN_S 1.0
#define LITTLE (256.0 * 1024.0)
/* At first: half of what the WAL writer leaves by default (wal_writer_flush_after). */
#define FIRST_UNFLUSHED (512.0 * 1024.0)
#define UNFLUSHED_S 5.0
#define UNUSUAL 2.0
/* The WAL writer flushes five times a second by default, and we commit four times. */
#define HANGS_AFTER_MS 500
/* Nobody is starved by a capacity measured at zero during a stall. */
#define LEAST_CAPACITY (64.0 * 1024.0)

/* One judgement's inputs. */
struct judgement {
	int64_t at_ms;
	double seconds; /* since the one before */
	uint64_t written;
	uint64_t flushed;
	int lag_target_ms;
	bool used_up[PACER_COUNTS]; /* the fills wrote what they were allowed to */
	bool climbing;              /* by one count or the other they use what the climb lets them */
};

void pacer_start(struct pacer *pacer)
{
	*pacer = (struct pacer){.first_climb = true};
	for (int count = 0; count < PACER_COUNTS; count++)
		pacer->flows[count] = (struct pacer_flow){
			.unflushed = FIRST_UNFLUSHED,
			.allowance = FIRST_ALLOWANCE,
			.capacity = INFINITY,
			.ramp = FIRST_ALLOWANCE,
		};
}

void pacer_free(struct pacer *pacer)
{
	for (size_t i = 0; i < pacer->replicas_count; i++)
		free(pacer->replicas[i].name);
	free(pacer->replicas);
	*pacer = (struct pacer){0};
}

static double smooth(double old, double seen, double seconds, double over_s)
{
	return old + (seen - old) * (1.0 - exp(-seconds / over_s));
}

static double climb(double value, double step, double seconds)
{
	return value * pow(step, seconds * 1000.0 / PROBE_EVERY_MS);
}

static double position(const struct pacer *pacer, int count, uint64_t lsn)
{
	return count == PACER_BYTES ? (double)lsn : plain_at(&pacer->map, lsn);
}

static struct pacer_replica *find(
	struct pacer *pacer, const struct signals_replica *seen, const struct judgement *now)
{
	struct pacer_replica *replica;

	for (size_t i = 0; i < pacer->replicas_count; i++) {
		if (strcmp(pacer->replicas[i].name, seen->name) == 0)
			return &pacer->replicas[i];
	}
	pacer->replicas =
		memory_resize(pacer->replicas, (pacer->replicas_count + 1) * sizeof(pacer->replicas[0]));
	replica = &pacer->replicas[pacer->replicas_count++];
	*replica = (struct pacer_replica){
		.name = memory_text(seen->name),
		.replayed = seen->replayed,
		.reported_ms = now->at_ms,
		.gap_ms = GAP_MOST_MS,
		.mark_ms = now->at_ms,
	};
	for (int count = 0; count < PACER_COUNTS; count++) {
		double at = position(pacer, count, seen->replayed);

		replica->taken[count] =
			(struct pacer_taken){.replayed = at, .mark = at, .capacity = INFINITY, .allowance = INFINITY};
	}
	return replica;
}

static void forget_unseen(struct pacer *pacer, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < pacer->replicas_count; i++) {
		if (pacer->replicas[i].seen_ms == now_ms)
			pacer->replicas[kept++] = pacer->replicas[i];
		else
			free(pacer->replicas[i].name);
	}
	pacer->replicas_count = kept;
}

/* A batch's images are known when it ends: what was taken for more until then is made up for by none at all
 * (plain_note()). */
static bool tells_rates(const double replayed[PACER_COUNTS])
{
	return replayed[PACER_PLAIN] > 0.0 || replayed[PACER_BYTES] <= 0.0;
}

/* What a replica replays while it is behind is all that it can, by the count in which that was nearer to what
 * it was thought to take; by the other it may take more, unless it is so much slower altogether. */
static void measure_capacity(const struct pacer *pacer, struct pacer_replica *replica,
	const double replayed[PACER_COUNTS], double seconds)
{
	double used[PACER_COUNTS], most = 0.0;

	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];

		if (isinf(taken->capacity)) /* what it has shown may be long ago */
			taken->capacity = fmax(fmin(taken->shown, PROBE_AHEAD * pacer->flows[count].all),
				fmax(replayed[count], LEAST_CAPACITY));
		used[count] = replayed[count] / taken->capacity;
		most = fmax(most, used[count]);
	}
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];
		bool tells = used[count] >= fmin(most, 1.0);
		double seen = taken->capacity * (tells ? used[count] : most < SLOWER ? most : 1.0);

		taken->capacity = fmax(smooth(taken->capacity, seen, seconds, MEASURE_S), LEAST_CAPACITY);
	}
}

static void learn_base(
	const struct pacer *pacer, struct pacer_replica *replica, double lag_ms, const struct judgement *now)
{
	double most = BASE_MOST * now->lag_target_ms;

	if (lag_ms < replica->base_ms)
		replica->base_ms = lag_ms;
	else if (pacer->flows[PACER_BYTES].own < LITTLE)
		replica->base_ms = fmin(lag_ms, most);
}

/* Whatever it has once replayed in a second it can. */
static void note_shown(struct pacer_replica *replica, const struct judgement *now)
{
	double seconds = (double)(now->at_ms - replica->mark_ms) / 1000.0;

	if (seconds < SHOWN_S)
		return;
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];
		double replayed = (taken->replayed - taken->mark) / seconds;

		taken->shown = fmax(taken->shown, replayed);
		if (!isinf(taken->capacity))
			taken->capacity = fmax(taken->capacity, replayed);
		taken->mark = taken->replayed;
	}
	replica->mark_ms = now->at_ms;
}

static void probe(struct pacer *pacer, struct pacer_replica *replica, const struct judgement *now)
{
	double seconds = (double)(now->at_ms - replica->reported_ms) / 1000.0;

	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];

		if (now->used_up[count] && taken->capacity < PROBE_AHEAD * pacer->flows[count].all)
			taken->capacity = climb(taken->capacity, PROBE, fmin(seconds, 1.0));
	}
}

/* Then it may take more than is thought; what it is held behind on purpose tells nothing of that. One that
 * reports seldom is found with what was written since. */
static bool is_near(const struct pacer_replica *replica, double lag_ms, const struct judgement *now)
{
	return lag_ms - replica->base_ms <= PROBE_UNTIL * now->lag_target_ms + replica->gap_ms / 2.0;
}

/* A count that was hardly used lately may be wrong about what the replica takes by it. */
static bool is_used(const struct pacer *pacer, int count, const struct pacer_taken *taken)
{
	return pacer->flows[count].all >= USED_FROM * taken->capacity;
}

/* What is written and not on disk: no replica has been sent it. */
static double unflushed(const struct pacer *pacer, int count, const struct judgement *now)
{
	return fmax(0.0, position(pacer, count, now->written) - position(pacer, count, now->flushed));
}

/* What it has still to replay. Behind a disk that hangs more gathers than is usual, and comes at once. */
static double backlog_of(
	const struct pacer *pacer, int count, const struct pacer_taken *taken, const struct judgement *now)
{
	double sent = fmax(0.0, position(pacer, count, now->flushed) - taken->replayed);
	double gathered = unflushed(pacer, count, now) - UNUSUAL * pacer->flows[count].unflushed;

	return sent + fmax(0.0, gathered);
}

/* Of one that reports seldom less would be found to be nothing, and corrections would not be seen in time. */
static void allow(const struct pacer *pacer, struct pacer_replica *replica, const struct judgement *now)
{
	double held_ms =
		fmin(fmax(BACKLOG_AT * now->lag_target_ms, replica->gap_ms / 2.0), now->lag_target_ms / 2.0);
	double correct_ms = fmax(CORRECT_MS, replica->gap_ms);

	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];
		double backlog = backlog_of(pacer, count, taken, now);
		double more;

		taken->allowance = taken->capacity;
		if (isinf(taken->capacity))
			continue;
		backlog = fmax(0.0, backlog - replica->base_ms / 1000.0 * taken->capacity);
		more = (held_ms / 1000.0 * taken->capacity - backlog) * 1000.0 / correct_ms;
		if (more > 0.0 && !is_used(pacer, count, taken))
			more = 0.0;
		taken->allowance = taken->capacity - pacer->flows[count].foreground + more;
	}
}

/* Sets where it is now. */
static void replayed_since(const struct pacer *pacer, struct pacer_replica *replica, uint64_t lsn,
	double seconds, double ret_rates[PACER_COUNTS])
{
	for (int count = 0; count < PACER_COUNTS; count++) {
		double at = position(pacer, count, lsn);

		ret_rates[count] = seconds > 0.0 ? fmax(0.0, at - replica->taken[count].replayed) / seconds : 0.0;
		replica->taken[count].replayed = at;
	}
}

/* It has replayed the last VACUUM: what it took before, it takes again; of one that was known to have no
 * limit then, what it has shown. */
static void recall_capacity(const struct pacer *pacer, struct pacer_replica *replica, uint64_t replayed)
{
	if (pacer->vacuums > 0 || pacer->vacuumed == 0 || replayed < pacer->vacuumed)
		return;
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];

		taken->capacity = fmax(taken->capacity, fmin(taken->before, taken->shown));
		taken->before = 0.0;
	}
}

static void judge_report(struct pacer *pacer, struct pacer_replica *replica,
	const struct signals_replica *seen, const struct judgement *now)
{
	double seconds = (double)(now->at_ms - replica->reported_ms) / 1000.0;
	double lag_ms = (double)seen->lag_ms;
	double replayed[PACER_COUNTS];
	bool behind;

	replayed_since(pacer, replica, seen->replayed, seconds, replayed);
	learn_base(pacer, replica, lag_ms, now);
	behind = lag_ms - replica->base_ms > BEHIND_AT * now->lag_target_ms;
	if (behind && (replica->behind || pacer->first_climb) && tells_rates(replayed) && seconds > 0)
		measure_capacity(pacer, replica, replayed, seconds);
	if (!behind && is_near(replica, lag_ms, now))
		probe(pacer, replica, now);
	if (!behind)
		note_shown(replica, now);
	recall_capacity(pacer, replica, seen->replayed);
	pacer->strained = pacer->strained || lag_ms - replica->base_ms > STRAINED_AT * now->lag_target_ms;
	replica->behind = behind;
	replica->replayed = seen->replayed;
	replica->reported_ms = now->at_ms;
	allow(pacer, replica, now);
}

/* Between two reports nothing new is known, until one is overdue. */
static bool tells_something(
	struct pacer_replica *replica, const struct signals_replica *seen, const struct judgement *now)
{
	double since_ms = (double)(now->at_ms - replica->reported_ms);

	if (seen->replayed != replica->replayed)
		replica->gap_ms =
			fmin(GAP_MOST_MS, fmax(since_ms, replica->gap_ms + GAP_WEIGHT * (since_ms - replica->gap_ms)));
	else if (now->flushed > seen->replayed && since_ms < OVERDUE * replica->gap_ms)
		return false;
	return true;
}

static void judge_replica(
	struct pacer *pacer, const struct signals_replica *seen, const struct judgement *now)
{
	struct pacer_replica *replica = find(pacer, seen, now);

	replica->seen_ms = now->at_ms;
	if (tells_something(replica, seen, now))
		judge_report(pacer, replica, seen, now);
	for (int count = 0; count < PACER_COUNTS; count++) {
		const struct pacer_taken *taken = &replica->taken[count];
		struct pacer_flow *flow = &pacer->flows[count];

		if (!isinf(taken->capacity))
			pacer->first_climb = false;
		if (taken->allowance >= flow->allowance)
			continue;
		flow->allowance = fmax(taken->allowance, 0.0);
		flow->capacity = taken->capacity;
		flow->slowest = replica->name;
	}
}

static void judge_rates(struct pacer_flow *flow, double written, double filled, double seconds)
{
	double own = fmax(filled - flow->filled, 0.0) / seconds;
	double all = fmax(written - flow->written, 0.0) / seconds;

	/* A batch tells its bytes when it ends, and has written them before: only over some time do both agree.
	 */
	flow->own = smooth(flow->own, own, seconds, SMOOTH_S);
	flow->own_lately = smooth(flow->own_lately, own, seconds, LATELY_S);
	flow->all = smooth(flow->all, all, seconds, SMOOTH_S);
	flow->foreground = fmax(flow->all - flow->own, 0.0);
}

/* Not of a disk that hangs: that is not to become usual. */
static void learn_unflushed(struct pacer *pacer, const struct judgement *now)
{
	if (now->flushed != pacer->flushed) {
		pacer->flushed = now->flushed;
		pacer->flushed_ms = now->at_ms;
	}
	if (now->at_ms - pacer->flushed_ms >= HANGS_AFTER_MS)
		return;
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		flow->unflushed = smooth(flow->unflushed, unflushed(pacer, count, now), now->seconds, UNFLUSHED_S);
	}
}

static double slowest_report_ms(const struct pacer *pacer)
{
	double slowest_ms = PROBE_EVERY_MS;

	for (size_t i = 0; i < pacer->replicas_count; i++)
		slowest_ms = fmax(slowest_ms, pacer->replicas[i].gap_ms);
	return slowest_ms;
}

/* Then its backlog shows early enough whether it is too much. */
static bool keeps_up(const struct pacer *pacer)
{
	return pacer->replicas_count > 0 && !pacer->strained;
}

static bool uses_ramp(const struct pacer_flow *flow)
{
	return flow->own_lately >= FIRST_WHEN_USED * flow->ramp;
}

/* Until lag begins: where that may be the fills', they stay at what they wrote. */
static void judge_first_climb(const struct pacer *pacer, struct pacer_flow *flow, const struct judgement *now)
{
	if (pacer->strained && now->climbing)
		flow->ramp = fmin(flow->ramp, fmax(flow->own_lately, FIRST_ALLOWANCE));
	else if (!pacer->strained && uses_ramp(flow))
		flow->ramp = climb(flow->ramp, FIRST_PROBE, now->seconds * PROBE_EVERY_MS / slowest_report_ms(pacer));
}

static void judge_ramp(const struct pacer *pacer, struct pacer_flow *flow, const struct judgement *now)
{
	if (isinf(flow->ramp))
		return;
	if (pacer->first_climb) {
		judge_first_climb(pacer, flow, now);
		return;
	}
	flow->ramp = climb(flow->ramp, keeps_up(pacer) ? RAMP_PROBE : PROBE, now->seconds);
	if (flow->ramp > 2.0 * flow->before) {
		flow->ramp = INFINITY;
		flow->before = 0.0;
	}
}

static void judge_replicas(struct pacer *pacer, const struct signals *signals, const struct judgement *now)
{
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		flow->allowance = signals->replicas_count > 0 || !pacer->first_climb ? flow->ramp : INFINITY;
		flow->capacity = INFINITY;
		flow->slowest = NULL;
	}
	pacer->strained = false;
	for (size_t i = 0; i < signals->replicas_count; i++) {
		const struct signals_replica *seen = &signals->replicas[i];

		if (seen->vanished_ago == 0 && seen->lag_ms >= 0)
			judge_replica(pacer, seen, now);
	}
	forget_unseen(pacer, now->at_ms);
}

static void judge(struct pacer *pacer, const struct signals *signals, const double filled[PACER_COUNTS],
	int lag_target_ms, int64_t now_ms)
{
	struct judgement now = {
		.at_ms = now_ms,
		.seconds = (double)(now_ms - pacer->judged_ms) / 1000.0,
		.written = signals->written,
		.flushed = signals->flushed,
		.lag_target_ms = lag_target_ms,
	};

	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		judge_rates(flow, position(pacer, count, signals->written), filled[count], now.seconds);
		now.used_up[count] = flow->own >= PROBE_WHEN_USED * flow->allowance;
		now.climbing = now.climbing || uses_ramp(flow);
	}
	learn_unflushed(pacer, &now);
	for (int count = 0; count < PACER_COUNTS; count++)
		judge_ramp(pacer, &pacer->flows[count], &now);
	judge_replicas(pacer, signals, &now);
}

void pacer_sample(struct pacer *pacer, const struct signals *signals, const double filled[PACER_COUNTS],
	int lag_target_ms, int64_t now_ms)
{
	if (signals->pulse_ms == 0 || (pacer->judged_ms != 0 && now_ms - pacer->judged_ms < JUDGE_EVERY_MS))
		return;
	/* Others write what counts as it is. */
	plain_note(
		&pacer->map, signals->written, (double)signals->written - filled[PACER_BYTES] + filled[PACER_PLAIN]);
	if (pacer->vacuums == 0 && pacer->vacuumed == 0)
		pacer->vacuumed = signals->written;
	if (pacer->judged_ms != 0)
		judge(pacer, signals, filled, lag_target_ms, now_ms);
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		if (pacer->judged_ms == 0 && signals->replicas_count == 0)
			flow->allowance = INFINITY;
		flow->written = position(pacer, count, signals->written);
		flow->filled = filled[count];
	}
	pacer->judged_ms = now_ms;
}

static void expect_vacuum(struct pacer_replica *replica)
{
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];

		/* Of one that is still at the last VACUUM's nothing newer is known. */
		taken->before = fmax(taken->before, taken->capacity);
		taken->capacity *= BESIDE_VACUUM;
	}
}

void pacer_accompany(struct pacer *pacer, bool began)
{
	pacer->vacuums += began ? 1 : -1;
	pacer->vacuumed = 0;
	if (!began || pacer->vacuums > 1)
		return;
	for (size_t i = 0; i < pacer->replicas_count; i++)
		expect_vacuum(&pacer->replicas[i]);
}

void pacer_overloaded(struct pacer *pacer)
{
	if (pacer->flows[PACER_BYTES].own <= 0.0)
		return;
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		flow->before = fmax(flow->before, flow->own);
		flow->ramp = flow->before / 2.0;
	}
	pacer->first_climb = false;
}

void pacer_stand(struct pacer *pacer)
{
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		if (flow->before > 0.0 && isinf(flow->capacity))
			flow->ramp = flow->before / 2.0;
	}
}
