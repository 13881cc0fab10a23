#include "daemon/pace.h"

#include <stdlib.h>
#include <string.h>

#define GROWTH_MOST 1.5
#define EMERGENCY 5.0
#define NO_GROWTH_MS 10000

void pace_sizer_start(struct pace_sizer *sizer, int64_t pages, int64_t pages_most, int target_ms)
{
	*sizer = (struct pace_sizer){
		.pages = pages < pages_most ? pages : pages_most,
		.pages_most = pages_most,
		.target_ms = target_ms,
	};
}

static int compare_real(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

static double percentile_90(const struct pace_sizer *sizer)
{
	double sorted[PACE_SAMPLES];
	int count = sizer->samples < PACE_SAMPLES ? sizer->samples : PACE_SAMPLES;

	memcpy(sorted, sizer->page_ms, sizeof(sorted));
	qsort(sorted, (size_t)count, sizeof(sorted[0]), compare_real);
	return sorted[(count * 9 - 1) / 10];
}

static void set_pages(struct pace_sizer *sizer, double pages)
{
	if (pages > (double)sizer->pages_most)
		pages = (double)sizer->pages_most;
	sizer->pages = pages < 1.0 ? 1 : (int64_t)pages;
}

void pace_sizer_learn(struct pace_sizer *sizer, int64_t pages, double ms, int64_t now_ms)
{
	double wanted;
	double most;

	if (ms > EMERGENCY * sizer->target_ms) {
		sizer->samples = 0;
		set_pages(sizer, (double)pages / 10.0);
		return;
	}
	if (pages * 2 < sizer->pages)
		return;
	/* A page never costs nothing: the clock's own grain is the floor. */
	sizer->page_ms[sizer->samples % PACE_SAMPLES] = (ms > 0.001 ? ms : 0.001) / (double)pages;
	sizer->samples++;
	wanted = sizer->target_ms / percentile_90(sizer);
	/* One page more, so that a single page can grow at all; never more than what is wanted. */
	most = (double)sizer->pages * GROWTH_MOST + 1.0;
	if (wanted > most)
		wanted = most;
	if (wanted > (double)sizer->pages && now_ms < sizer->no_growth_until_ms)
		return;
	set_pages(sizer, wanted);
}

void pace_sizer_halve(struct pace_sizer *sizer, int64_t now_ms)
{
	set_pages(sizer, (double)sizer->pages / 2.0);
	sizer->no_growth_until_ms = now_ms + NO_GROWTH_MS;
}

/* Adds to `reason` why the signals forbid a batch at this limit; false: they do not. */
static bool signals_forbid(
	const struct pace_signals *signals, int64_t limit_ms, int64_t now_ms, struct text *reason)
{
	int present = 0;

	if (signals->sampled_ms == 0 || now_ms - signals->sampled_ms > PACE_STALE_MS) {
		text_add(reason, "the replica lag cannot be measured: no fresh sample from pg_stat_replication");
		return true;
	}
	for (size_t i = 0; i < signals->replicas_count; i++) {
		const struct pace_replica *replica = &signals->replicas[i];

		if (replica->vanished_ago > 0) {
			text_addf(
				reason, "replica %s vanished %.0f s ago", replica->name, (double)replica->vanished_ago / 1e3);
			return true;
		}
		present++;
		if (replica->lag_ms < 0) {
			text_addf(reason, "the lag of replica %s is not known yet", replica->name);
			return true;
		}
		if (replica->lag_ms > limit_ms) {
			text_addf(reason, "replica %s is %.1f s behind", replica->name, (double)replica->lag_ms / 1e3);
			return true;
		}
	}
	if (present < signals->min_replicas) {
		text_addf(
			reason, "%d of the %d replicas that must be there are connected", present, signals->min_replicas);
		return true;
	}
	return false;
}

static void close_gate(struct pace_gate *gate)
{
	gate->good_samples = 0;
	gate->closed = true;
}

bool pace_gate_may_go(
	struct pace_gate *gate, const struct pace_signals *signals, int max_lag_ms, int64_t now_ms)
{
	struct text reason = {0};
	bool fresh = signals->sampled_ms != gate->judged_ms;
	/* Hysteresis: an open gate bears the whole limit, a closed one opens below half of it. */
	int64_t limit_ms = gate->closed ? max_lag_ms / 2 : max_lag_ms;

	gate->judged_ms = signals->sampled_ms;
	if (signals_forbid(signals, limit_ms, now_ms, &reason)) {
		close_gate(gate);
		text_free(&gate->reason);
		gate->reason = reason;
		return false;
	}
	text_free(&reason);
	if (gate->closed && fresh)
		gate->good_samples++;
	if (gate->closed && gate->good_samples < 2)
		return false;
	gate->closed = false;
	text_clear(&gate->reason);
	return true;
}

void pace_gate_free(struct pace_gate *gate)
{
	text_free(&gate->reason);
	*gate = (struct pace_gate){0};
}
