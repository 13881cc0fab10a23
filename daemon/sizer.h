/*
 * sizer: how big the next batch is.
 *
 * Servoes the execution time of a batch to `batch_ms` and its WAL to 4 MB at most, whichever is less. Pure:
 * (samples, clock).
 */
#ifndef BACKFILLD_DAEMON_SIZER_H
#define BACKFILLD_DAEMON_SIZER_H

#include "common/base.h"

#define SIZER_SAMPLES 11

/* A batch writes no more WAL than this: a replica takes it in without falling behind, and a cancelled one
 * wastes little.
 */
#define SIZER_MOST_BYTES (INT64_C(4) << 20)

struct sizer {
	int64_t pages; /* of the next batch */
	int64_t pages_most;
	int64_t asked; /* what sizer_pages() said last: fewer while little is allowed; 0: nothing yet */
	double target_ms;
	int64_t most_bytes;               /* of WAL */
	double page_ms[SIZER_SAMPLES];    /* ring: what a page cost in the last batches */
	double net_ms[SIZER_SAMPLES];     /* the same without what a batch costs by itself */
	double page_bytes[SIZER_SAMPLES]; /* the same, of WAL */
	int samples;
	int64_t no_growth_until_ms;
};

/* `pages`: of the first batch. */
void sizer_start(struct sizer *sizer, int64_t pages, int64_t pages_most, int target_ms);

/*
 * A batch of `pages` pages executed for `ms` (without lock waits, commit waits and our own pauses) and wrote
 * `wal_bytes`. next = size × clamp(target / 90th percentile of the last 11, …, 1.5), by time and by WAL, the
 * lesser; above 5 × target_ms: a tenth at once. Batches of less than half of what sizer_pages() said (a
 * window's end) are no evidence.
 */
void sizer_learn(struct sizer *sizer, int64_t pages, double ms, int64_t wal_bytes, int64_t now_ms);

/* How long a batch should execute on a connection whose batches may for `part` of the time (up to 1):
 * `most_ms` where that is all of it, and `part` of 35 ms (of `most_ms` where that is less) otherwise; but at
 * least so long that `part` can be used though each batch costs a round trip of `trip_ms`. */
double sizer_batch_ms(double most_ms, double part, double trip_ms) MUST_USE;

/* Pages of a batch that is to execute `ms` at most and to write `bytes` at most, by what the last ones cost:
 * so that a limit that has just fallen counts at once. Never more than sizer->pages. Less time than the
 * sizer's target is that of a batch that breathes: by what pages usually cost. Until that is known so much
 * fewer than sizer->pages: one that takes far more than its time has to be paid for, by waiting. */
int64_t sizer_pages(struct sizer *sizer, double ms, int64_t bytes) MUST_USE;

/* What a page usually cost in the last batches, without what a batch costs by itself; 0: not known yet. */
double sizer_page_ms(const struct sizer *sizer) MUST_USE;

/* A batch of so many pages was cancelled or timed out: half of them, and no growth for 10 s. */
void sizer_halve(struct sizer *sizer, int64_t pages, int64_t now_ms);

#endif
