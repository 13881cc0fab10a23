#include "daemon/pacer.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JUDGE_EVERY_MS 250
#define PROBE 1.06 /* each JUDGE_EVERY_MS */
#define PROBE_WHEN_USED 0.9
#define BACKLOG_AT 0.6
#define SMOOTH_S 1.0
/* A replica that does not follow shows within two judgements; so far and no farther it can be overrun. */
#define FIRST_RATE (16.0 * 1024.0 * 1024.0)
#define FIRST_CLIMB 2.0 /* each JUDGE_EVERY_MS */
#define NO_LIMIT (1024.0 * 1024.0 * 1024.0)
/* A replica that could take so many times what it gets, for so long, sets no limit. */
#define AMPLE 4.0
#define AMPLE_FOR_MS 10000
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
	*pacer = (struct pacer){.allowance = FIRST_RATE, .capacity = INFINITY, .ramp = FIRST_RATE};
}

void pacer_free(struct pacer *pacer)
{
	for (size_t i = 0; i < pacer->replicas_count; i++)
		free(pacer->replicas[i].name);
	free(pacer->replicas);
	*pacer = (struct pacer){0};
}

static double smooth(double old, double seen, double seconds)
{
	return old + (seen - old) * (1.0 - exp(-seconds / SMOOTH_S));
}

static double climb(double value, double step, double seconds)
{
	return value * pow(step, seconds * 1000.0 / JUDGE_EVERY_MS);
}

static struct pacer_replica *find(struct pacer *pacer, const struct signals_replica *seen, int64_t now_ms)
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
		.capacity = INFINITY,
		.kept_up_since_ms = now_ms,
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
		replica->capacity = smooth(replica->capacity, seen, seconds);
	if (replica->capacity < LEAST_CAPACITY)
		replica->capacity = LEAST_CAPACITY;
}

static void probe_capacity(
	const struct pacer *pacer, struct pacer_replica *replica, const struct judgement *now)
{
	if (isinf(replica->capacity))
		return;
	if (now->used_up)
		replica->capacity = climb(replica->capacity, PROBE, now->seconds);
	if (replica->capacity > AMPLE * (pacer->own + pacer->foreground) &&
		now->at_ms - replica->kept_up_since_ms > AMPLE_FOR_MS)
		replica->capacity = INFINITY;
}

static void learn_capacity(const struct pacer *pacer, struct pacer_replica *replica,
	const struct signals_replica *seen, const struct judgement *now)
{
	bool behind = seen->lag_ms > now->lag_target_ms / 2;
	uint64_t replayed = seen->replayed > replica->replayed ? seen->replayed - replica->replayed : 0;

	if (behind && replica->behind)
		measure_capacity(replica, (double)replayed / now->seconds, now->seconds);
	if (behind)
		replica->kept_up_since_ms = now->at_ms;
	else
		probe_capacity(pacer, replica, now);
	replica->behind = behind;
	replica->replayed = seen->replayed;
	replica->seen_ms = now->at_ms;
}

static void judge_replica(
	struct pacer *pacer, const struct signals_replica *seen, const struct judgement *now)
{
	struct pacer_replica *replica = find(pacer, seen, now->at_ms);
	double backlog = now->flushed > seen->replayed ? (double)(now->flushed - seen->replayed) : 0.0;
	double allowance;

	learn_capacity(pacer, replica, seen, now);
	if (isinf(replica->capacity))
		return;
	allowance = replica->capacity - pacer->foreground - backlog +
				BACKLOG_AT * now->lag_target_ms / 1000.0 * replica->capacity;
	if (allowance >= pacer->allowance)
		return;
	pacer->allowance = fmax(allowance, 0.0);
	pacer->capacity = replica->capacity;
	pacer->slowest = replica->name;
}

static void judge_rates(struct pacer *pacer, const struct signals *signals, int64_t own_bytes, double seconds)
{
	double own = (double)(own_bytes - pacer->own_bytes) / seconds;
	double all =
		signals->written > pacer->written ? (double)(signals->written - pacer->written) / seconds : 0.0;

	pacer->own = smooth(pacer->own, own, seconds);
	pacer->foreground = smooth(pacer->foreground, fmax(all - own, 0.0), seconds);
}

/* Faster at first, when nothing speaks against it, than after an overload. */
static void judge_ramp(struct pacer *pacer, double seconds)
{
	bool overloaded = pacer->before > 0.0;

	if (isinf(pacer->ramp))
		return;
	pacer->ramp = climb(pacer->ramp, overloaded ? PROBE : FIRST_CLIMB, seconds);
	if (pacer->ramp < (overloaded ? 2.0 * pacer->before : NO_LIMIT))
		return;
	pacer->ramp = INFINITY;
	pacer->before = 0.0;
}

static void judge_replicas(struct pacer *pacer, const struct signals *signals, const struct judgement *now)
{
	pacer->allowance = pacer->ramp;
	pacer->capacity = INFINITY;
	pacer->slowest = NULL;
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
	if (signals->replicas_count == 0)
		pacer->ramp = INFINITY;
	judge_ramp(pacer, now.seconds);
	judge_replicas(pacer, signals, &now);
}

void pacer_sample(
	struct pacer *pacer, const struct signals *signals, int64_t own_bytes, int lag_target_ms, int64_t now_ms)
{
	if (signals->pulse_ms == 0 || (pacer->judged_ms != 0 && now_ms - pacer->judged_ms < JUDGE_EVERY_MS))
		return;
	if (pacer->judged_ms != 0)
		judge(pacer, signals, own_bytes, lag_target_ms, now_ms);
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
}
