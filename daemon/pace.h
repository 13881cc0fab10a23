/*
 * pace: how big the next batch is, and whether it may go at all.
 *
 * Pure functions of (samples, clock). The sizer servoes the execution time of a batch to `batch_ms`;
 * the gate closes on replica lag, on a lost lag signal, and while replicas that must be there are not.
 * What cannot be observed is not assumed healthy.
 */
#ifndef BACKFILLD_DAEMON_PACE_H
#define BACKFILLD_DAEMON_PACE_H

#include "common/base.h"
#include "common/text.h"

#define PACE_SAMPLES 11

struct pace_sizer {
	int64_t pages; /* of the next batch */
	int64_t pages_most;
	double target_ms;
	double page_ms[PACE_SAMPLES]; /* ring: what a page cost in the last batches */
	int samples;
	int64_t no_growth_until_ms;
};

/* `pages`: of the first batch. */
void pace_sizer_start(struct pace_sizer *sizer, int64_t pages, int64_t pages_most, int target_ms);

/*
 * A batch of `pages` pages executed for `ms` (without lock waits, commit waits and our own pauses).
 * next = size × clamp(target / 90th percentile of the last 11, …, 1.5); above 5 × target: a tenth at
 * once. Batches of less than half the present size (a window's end) are no evidence.
 */
void pace_sizer_learn(struct pace_sizer *sizer, int64_t pages, double ms, int64_t now_ms);

/* A batch was cancelled or timed out: half, and no growth for 10 s. */
void pace_sizer_halve(struct pace_sizer *sizer, int64_t now_ms);

/* One replica as the last sample saw it. */
struct pace_replica {
	const char *name;
	int64_t lag_ms;       /* -1: not known */
	int64_t vanished_ago; /* milliseconds since it was last seen; 0: it is there */
};

struct pace_signals {
	int64_t sampled_ms; /* clock of the sample; 0: never sampled */
	const struct pace_replica *replicas;
	size_t replicas_count;
	int min_replicas;
};

struct pace_gate {
	bool closed;
	int64_t judged_ms;  /* sample it was last judged by */
	int good_samples;   /* fresh samples in a row of at most half of the limit */
	struct text reason; /* a sentence; empty while open */
};

/* Samples older than this are no evidence of health. */
#define PACE_STALE_MS 1000

/*
 * Judges whether a batch may go. Closes when a replica's lag is above max_lag_ms or unknown, when fewer than
 * min_replicas are there, when one that was there vanished, and when the sample is stale. Opens again after
 * two fresh samples below half of max_lag_ms.
 */
bool pace_gate_may_go(
	struct pace_gate *gate, const struct pace_signals *signals, int max_lag_ms, int64_t now_ms) MUST_USE;

void pace_gate_free(struct pace_gate *gate);

#endif
