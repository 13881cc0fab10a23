#include "daemon/pacer_inside.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

#define JUDGE_EVERY_MS 100
#define PROBE_EVERY_MS 250.0
#define FIRST_PROBE 1.5
#define FIRST_ALLOWANCE (8.0 * 1024.0 * 1024.0)
/* While it climbs so fast, what the fills wrote lately is six tenths of what they may write now. */
#define FIRST_WHEN_USED 0.5
#define LATELY_S 0.4
#define PROBE_WHEN_USED 0.8
/* After an overload, while the replicas keep up. */
#define RAMP_PROBE 1.25
/* What is left of a capacity beside a VACUUM of ours: a replica on 15 % of a processor replayed 8 MB/s before
 * and 3.6 beside it. */
#define BESIDE_VACUUM 0.5
#define SMOOTH_S 1.0
/* At first: half of what the WAL writer leaves by default (wal_writer_flush_after). */
#define FIRST_UNFLUSHED (512.0 * 1024.0)
#define UNFLUSHED_S 5.0
/* The WAL writer flushes five times a second by default, and beside replicas we commit four times. */
#define HANGS_AFTER_MS 500

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

double pacer_smooth(double old, double seen, double seconds, double over_s)
{
	return old + (seen - old) * (1.0 - exp(-seconds / over_s));
}

double pacer_climb(double value, double step, double seconds)
{
	return value * pow(step, seconds * 1000.0 / PROBE_EVERY_MS);
}

double pacer_position(const struct pacer *pacer, int count, uint64_t lsn)
{
	return count == PACER_BYTES ? (double)lsn : plain_at(&pacer->map, lsn);
}

double pacer_unflushed(const struct pacer *pacer, int count, const struct pacer_judgement *now)
{
	return fmax(0.0, pacer_position(pacer, count, now->written) - pacer_position(pacer, count, now->flushed));
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

static void judge_rates(struct pacer_flow *flow, double written, double filled, double seconds)
{
	double own = fmax(filled - flow->filled, 0.0) / seconds;
	double all = fmax(written - flow->written, 0.0) / seconds;

	/* A batch tells its bytes when it ends, and has written them before: only over some time do both agree.
	 */
	flow->own = pacer_smooth(flow->own, own, seconds, SMOOTH_S);
	flow->own_lately = pacer_smooth(flow->own_lately, own, seconds, LATELY_S);
	flow->all = pacer_smooth(flow->all, all, seconds, SMOOTH_S);
	flow->foreground = fmax(flow->all - flow->own, 0.0);
}

/* Not of a disk that hangs: that is not to become usual. */
static void learn_unflushed(struct pacer *pacer, const struct pacer_judgement *now)
{
	if (now->flushed != pacer->flushed) {
		pacer->flushed = now->flushed;
		pacer->flushed_ms = now->at_ms;
	}
	if (now->at_ms - pacer->flushed_ms >= HANGS_AFTER_MS)
		return;
	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		flow->unflushed =
			pacer_smooth(flow->unflushed, pacer_unflushed(pacer, count, now), now->seconds, UNFLUSHED_S);
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
static void judge_first_climb(
	const struct pacer *pacer, struct pacer_flow *flow, const struct pacer_judgement *now)
{
	if (pacer->strained && now->climbing)
		flow->ramp = fmin(flow->ramp, fmax(flow->own_lately, FIRST_ALLOWANCE));
	else if (!pacer->strained && uses_ramp(flow))
		flow->ramp =
			pacer_climb(flow->ramp, FIRST_PROBE, now->seconds * PROBE_EVERY_MS / slowest_report_ms(pacer));
}

static void judge_ramp(const struct pacer *pacer, struct pacer_flow *flow, const struct pacer_judgement *now)
{
	if (isinf(flow->ramp))
		return;
	if (pacer->first_climb) {
		judge_first_climb(pacer, flow, now);
		return;
	}
	flow->ramp = pacer_climb(flow->ramp, keeps_up(pacer) ? RAMP_PROBE : PACER_PROBE, now->seconds);
	if (flow->ramp > 2.0 * flow->before) {
		flow->ramp = INFINITY;
		flow->before = 0.0;
	}
}

static void judge_replicas(
	struct pacer *pacer, const struct signals *signals, const struct pacer_judgement *now)
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
			pacer_judge_replica(pacer, seen, now);
	}
	forget_unseen(pacer, now->at_ms);
}

static void judge(struct pacer *pacer, const struct signals *signals, const double filled[PACER_COUNTS],
	int lag_target_ms, int64_t now_ms)
{
	struct pacer_judgement now = {
		.at_ms = now_ms,
		.seconds = (double)(now_ms - pacer->judged_ms) / 1000.0,
		.written = signals->written,
		.flushed = signals->flushed,
		.lag_target_ms = lag_target_ms,
	};

	for (int count = 0; count < PACER_COUNTS; count++) {
		struct pacer_flow *flow = &pacer->flows[count];

		judge_rates(flow, pacer_position(pacer, count, signals->written), filled[count], now.seconds);
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
		flow->written = pacer_position(pacer, count, signals->written);
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
