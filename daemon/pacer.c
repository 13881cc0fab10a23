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
/* Of what was written a second ago, while it climbs so fast. */
#define FIRST_WHEN_USED 0.3
#define PROBE_WHEN_USED 0.8
/* After an overload, while the replicas keep up. */
#define RAMP_PROBE 1.25
/* Nobody is believed to do much more than it has shown: another replica may have been what was in the way. */
#define PROBE_AHEAD 1.1
#define BACKLOG_AT 0.5
#define CORRECT_S 0.5
#define BEHIND_AT 0.4
#define STRAINED_AT 0.15
#define BASE_MOST 0.3
#define SMOOTH_S 1.0
#define MEASURE_S 0.4
/* A report that is late by half again stands for a replica that stands still. */
#define OVERDUE 1.5
#define GAP_MOST_MS 600.0
#define GAP_WEIGHT 0.1
/* What the fills write is next to nothing: lag is not theirs. */
#define SHOWN_S 1.0
#define LITTLE (256.0 * 1024.0)
/* Nobody is starved by a capacity measured at zero during a stall. */
#define LEAST_CAPACITY (64.0 * 1024.0)

/* One judgement's inputs. */
struct judgement {
	int64_t at_ms;
	double seconds; /* since the one before */
	uint64_t flushed;
	int lag_target_ms;
	bool used_up; /* the fills wrote what they were allowed to */
};

void pacer_start(struct pacer *pacer)
{
	*pacer = (struct pacer){
		.allowance = FIRST_ALLOWANCE, .capacity = INFINITY, .ramp = FIRST_ALLOWANCE, .first_climb = true};
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
		.capacity = INFINITY,
		.allowance = INFINITY,
		.gap_ms = GAP_MOST_MS,
		.mark_ms = now->at_ms,
		.mark = seen->replayed,
	};
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

/* What a replica replays while it is behind is all that it can. */
static void measure_capacity(struct pacer_replica *replica, double seen, double seconds)
{
	if (isinf(replica->capacity))
		replica->capacity = seen;
	else
		replica->capacity = smooth(replica->capacity, seen, seconds, MEASURE_S);
	if (replica->capacity < LEAST_CAPACITY)
		replica->capacity = LEAST_CAPACITY;
}

static void learn_base(
	const struct pacer *pacer, struct pacer_replica *replica, double lag_ms, const struct judgement *now)
{
	double most = BASE_MOST * now->lag_target_ms;

	if (lag_ms < replica->base_ms)
		replica->base_ms = lag_ms;
	else if (pacer->own < LITTLE)
		replica->base_ms = fmin(lag_ms, most);
}

/* Whatever it has once replayed in a second it can. */
static void note_shown(
	struct pacer_replica *replica, const struct signals_replica *seen, const struct judgement *now)
{
	double seconds = (double)(now->at_ms - replica->mark_ms) / 1000.0;
	double shown = seen->replayed > replica->mark ? (double)(seen->replayed - replica->mark) / seconds : 0.0;

	if (seconds < SHOWN_S)
		return;
	if (shown > replica->capacity)
		replica->capacity = shown;
	replica->mark_ms = now->at_ms;
	replica->mark = seen->replayed;
}

static void judge_report(struct pacer *pacer, struct pacer_replica *replica,
	const struct signals_replica *seen, const struct judgement *now)
{
	double seconds = (double)(now->at_ms - replica->reported_ms) / 1000.0;
	double replayed = seen->replayed > replica->replayed ? (double)(seen->replayed - replica->replayed) : 0.0;
	double backlog = now->flushed > seen->replayed ? (double)(now->flushed - seen->replayed) : 0.0;
	double lag_ms = (double)seen->lag_ms;
	bool behind;

	learn_base(pacer, replica, lag_ms, now);
	behind = lag_ms - replica->base_ms > BEHIND_AT * now->lag_target_ms;
	if (behind && replica->behind && seconds > 0)
		measure_capacity(replica, replayed / seconds, seconds);
	else if (!behind && now->used_up && replica->capacity < PROBE_AHEAD * pacer->all)
		replica->capacity = climb(replica->capacity, PROBE, fmin(seconds, 1.0));
	if (!behind)
		note_shown(replica, seen, now);
	pacer->strained = pacer->strained || lag_ms - replica->base_ms > STRAINED_AT * now->lag_target_ms;
	replica->behind = behind;
	replica->replayed = seen->replayed;
	replica->reported_ms = now->at_ms;
	replica->allowance = replica->capacity;
	if (isinf(replica->capacity))
		return;
	backlog = fmax(0.0, backlog - replica->base_ms / 1000.0 * replica->capacity);
	replica->allowance = replica->capacity - pacer->foreground +
						 (BACKLOG_AT * now->lag_target_ms / 1000.0 * replica->capacity - backlog) / CORRECT_S;
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
	if (!isinf(replica->capacity))
		pacer->first_climb = false;
	if (replica->allowance >= pacer->allowance)
		return;
	pacer->allowance = fmax(replica->allowance, 0.0);
	pacer->capacity = replica->capacity;
	pacer->slowest = replica->name;
}

static void judge_rates(struct pacer *pacer, const struct signals *signals, int64_t own_bytes, double seconds)
{
	double own = (double)(own_bytes - pacer->own_bytes) / seconds;
	double all =
		signals->written > pacer->written ? (double)(signals->written - pacer->written) / seconds : 0.0;

	/* A batch tells its bytes when it ends, and has written them before: only over some time do both agree.
	 */
	pacer->own = smooth(pacer->own, own, seconds, SMOOTH_S);
	pacer->all = smooth(pacer->all, all, seconds, SMOOTH_S);
	pacer->foreground = fmax(pacer->all - pacer->own, 0.0);
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

static void judge_ramp(struct pacer *pacer, const struct judgement *now)
{
	if (isinf(pacer->ramp))
		return;
	if (pacer->first_climb) {
		if (pacer->own >= FIRST_WHEN_USED * pacer->ramp && !pacer->strained)
			pacer->ramp =
				climb(pacer->ramp, FIRST_PROBE, now->seconds * PROBE_EVERY_MS / slowest_report_ms(pacer));
		return;
	}
	pacer->ramp = climb(pacer->ramp, keeps_up(pacer) ? RAMP_PROBE : PROBE, now->seconds);
	if (pacer->ramp > 2.0 * pacer->before) {
		pacer->ramp = INFINITY;
		pacer->before = 0.0;
	}
}

static void judge_replicas(struct pacer *pacer, const struct signals *signals, const struct judgement *now)
{
	pacer->allowance = signals->replicas_count > 0 || !pacer->first_climb ? pacer->ramp : INFINITY;
	pacer->capacity = INFINITY;
	pacer->slowest = NULL;
	pacer->strained = false;
	for (size_t i = 0; i < signals->replicas_count; i++) {
		const struct signals_replica *seen = &signals->replicas[i];

		if (seen->vanished_ago == 0 && seen->lag_ms >= 0)
			judge_replica(pacer, seen, now);
	}
	forget_unseen(pacer, now->at_ms);
}

static void judge(
	struct pacer *pacer, const struct signals *signals, int64_t own_bytes, int lag_target_ms, int64_t now_ms)
{
	struct judgement now = {
		.at_ms = now_ms,
		.seconds = (double)(now_ms - pacer->judged_ms) / 1000.0,
		.flushed = signals->flushed,
		.lag_target_ms = lag_target_ms,
	};

	judge_rates(pacer, signals, own_bytes, now.seconds);
	now.used_up = pacer->own >= PROBE_WHEN_USED * pacer->allowance;
	judge_ramp(pacer, &now);
	judge_replicas(pacer, signals, &now);
}

void pacer_sample(
	struct pacer *pacer, const struct signals *signals, int64_t own_bytes, int lag_target_ms, int64_t now_ms)
{
	if (signals->pulse_ms == 0 || (pacer->judged_ms != 0 && now_ms - pacer->judged_ms < JUDGE_EVERY_MS))
		return;
	if (pacer->judged_ms != 0)
		judge(pacer, signals, own_bytes, lag_target_ms, now_ms);
	else if (signals->replicas_count == 0)
		pacer->allowance = INFINITY;
	pacer->judged_ms = now_ms;
	pacer->written = signals->written;
	pacer->own_bytes = own_bytes;
}

void pacer_overloaded(struct pacer *pacer)
{
	if (pacer->own <= 0.0)
		return;
	pacer->before = fmax(pacer->before, pacer->own);
	pacer->ramp = pacer->before / 2.0;
	pacer->first_climb = false;
}

void pacer_stand(struct pacer *pacer)
{
	if (pacer->before > 0.0 && isinf(pacer->capacity))
		pacer->ramp = pacer->before / 2.0;
}
