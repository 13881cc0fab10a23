#include "daemon/pacer_inside.h"

#include "common/memory.h"

#include <math.h>
#include <string.h>

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
#define MEASURE_S 0.4
/* Lags come in steps of a pulse, and of what a replica takes to report. */
#define CALM_MS 15000
#define SAME_MS 250.0
#define DRIFT_MS 100.0
#define HARDLY 0.1
/* A report that is late by half again stands for a replica that stands still. */
#define OVERDUE 1.5
#define GAP_MOST_MS 600.0
#define GAP_WEIGHT 0.1
/* What the fills write is next to nothing: lag is not theirs. */
#define SHOWN_S 1.0
#define LITTLE (256.0 * 1024.0)
#define UNUSUAL 2.0
/* Nobody is starved by a capacity measured at zero during a stall. */
#define LEAST_CAPACITY (64.0 * 1024.0)

static struct pacer_replica *find(
	struct pacer *pacer, const struct signals_replica *seen, const struct pacer_judgement *now)
{
	struct pacer_replica *replica;

	for (size_t i = 0; i < pacer->replicas_count; i++) {
		replica = &pacer->replicas[i];
		if (replica->source == seen->source && strcmp(replica->name, seen->name) == 0)
			return replica;
	}
	pacer->replicas =
		memory_resize(pacer->replicas, (pacer->replicas_count + 1) * sizeof(pacer->replicas[0]));
	replica = &pacer->replicas[pacer->replicas_count++];
	*replica = (struct pacer_replica){
		.name = memory_text(seen->name),
		.source = seen->source,
		.replayed = seen->replayed,
		.reported_ms = now->at_ms,
		.gap_ms = GAP_MOST_MS,
		.mark_ms = now->at_ms,
	};
	for (int count = 0; count < PACER_COUNTS; count++) {
		double at = pacer_position(pacer, count, seen->replayed);

		replica->taken[count] =
			(struct pacer_taken){.replayed = at, .mark = at, .capacity = INFINITY, .allowance = INFINITY};
	}
	return replica;
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

		taken->capacity = fmax(pacer_smooth(taken->capacity, seen, seconds, MEASURE_S), LEAST_CAPACITY);
	}
}

/* Little besides what others write, or next to nothing. */
static bool hardly_writes(const struct pacer_flow *bytes)
{
	return bytes->own < LITTLE && (bytes->own < HARDLY * bytes->all || bytes->own < 2.0 * LEAST_CAPACITY);
}

/* Whether the lag has been the same for a while though hardly anything is written. */
static bool is_calm(const struct pacer *pacer, struct pacer_replica *replica, double lag_ms,
	const struct pacer_judgement *now)
{
	double least_ms = fmin(replica->calm_least_ms, lag_ms);
	double most_ms = fmax(replica->calm_most_ms, lag_ms);

	if (!hardly_writes(&pacer->flows[PACER_BYTES])) {
		replica->calm_since_ms = 0;
		return false;
	}
	if (replica->calm_since_ms == 0 || most_ms - least_ms > SAME_MS) {
		replica->calm_since_ms = now->at_ms;
		replica->calm_first_ms = least_ms = most_ms = lag_ms;
	}
	replica->calm_least_ms = least_ms;
	replica->calm_most_ms = most_ms;
	return now->at_ms - replica->calm_since_ms >= CALM_MS &&
		   fabs(lag_ms - replica->calm_first_ms) <= DRIFT_MS;
}

static void learn_base(const struct pacer *pacer, struct pacer_replica *replica, double lag_ms,
	const struct pacer_judgement *now)
{
	if (is_calm(pacer, replica, lag_ms, now) || lag_ms < replica->far_ms)
		replica->far_ms = lag_ms;
	if (lag_ms < replica->base_ms || pacer->flows[PACER_BYTES].own < LITTLE)
		replica->base_ms = lag_ms;
	/* By the target as it is now. */
	replica->base_ms = fmin(replica->base_ms, BASE_MOST * now->lag_target_ms);
	replica->base_ms = fmax(replica->base_ms, replica->far_ms);
}

/* Whatever it has once replayed in a second it can. */
static void note_shown(struct pacer_replica *replica, const struct pacer_judgement *now)
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

static void probe(struct pacer *pacer, struct pacer_replica *replica, const struct pacer_judgement *now)
{
	double seconds = (double)(now->at_ms - replica->reported_ms) / 1000.0;

	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_taken *taken = &replica->taken[count];

		if (now->used_up[count] && taken->capacity < PROBE_AHEAD * pacer->flows[count].all)
			taken->capacity = pacer_climb(taken->capacity, PACER_PROBE, fmin(seconds, 1.0));
	}
}

/* Then it may take more than is thought; what it is held behind on purpose tells nothing of that. One that
 * reports seldom is found with what was written since. */
static bool is_near(const struct pacer_replica *replica, double lag_ms, const struct pacer_judgement *now)
{
	return lag_ms - replica->base_ms <= PROBE_UNTIL * now->lag_target_ms + replica->gap_ms / 2.0;
}

/* A count that was hardly used lately may be wrong about what the replica takes by it. */
static bool is_used(const struct pacer *pacer, int count, const struct pacer_taken *taken)
{
	return pacer->flows[count].all >= USED_FROM * taken->capacity;
}

/* What it has still to replay. Behind a disk that hangs more gathers than is usual, and comes at once. */
static double backlog_of(
	const struct pacer *pacer, int count, const struct pacer_taken *taken, const struct pacer_judgement *now)
{
	double sent = fmax(0.0, pacer_position(pacer, count, now->flushed) - taken->replayed);
	double gathered = pacer_unflushed(pacer, count, now) - UNUSUAL * pacer->flows[count].unflushed;

	return sent + fmax(0.0, gathered);
}

/* Of one that reports seldom less would be found to be nothing, and corrections would not be seen in time. */
static void allow(const struct pacer *pacer, struct pacer_replica *replica, const struct pacer_judgement *now)
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
		double at = pacer_position(pacer, count, lsn);

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
	const struct signals_replica *seen, const struct pacer_judgement *now)
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
	struct pacer_replica *replica, const struct signals_replica *seen, const struct pacer_judgement *now)
{
	double since_ms = (double)(now->at_ms - replica->reported_ms);

	if (seen->replayed != replica->replayed)
		replica->gap_ms =
			fmin(GAP_MOST_MS, fmax(since_ms, replica->gap_ms + GAP_WEIGHT * (since_ms - replica->gap_ms)));
	else if (now->flushed > seen->replayed && since_ms < OVERDUE * replica->gap_ms)
		return false;
	return true;
}

void pacer_judge_replica(
	struct pacer *pacer, const struct signals_replica *seen, const struct pacer_judgement *now)
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
