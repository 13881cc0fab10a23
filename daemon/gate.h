/*
 * gate: the reasons for which no batch may go.
 *
 * Judged on the cluster's signals and on those of the job's table. What cannot be observed is not assumed
 * healthy: a stale or unreadable signal closes the gate too. It is opened again by two fresh samples that are
 * good. When lag has closed it, that is below half of the limit, or below the limit for ten seconds: a
 * replica may always be between the two. It never fails a job: overload means waiting.
 */
#ifndef BACKFILLD_DAEMON_GATE_H
#define BACKFILLD_DAEMON_GATE_H

#include "common/base.h"
#include "common/text.h"
#include "daemon/signals.h"

/* Segments that wait to be archived: more than a busy archiver lets stand, less than fills a disk (42 × 16
 * MB). */
#define GATE_ARCHIVER_WAITING 42

struct gate {
	bool closed;
	bool lagged;        /* a replica's lag closed it, or kept it closed: half of the limit counts */
	int64_t within_ms;  /* since when no lag is known to be beyond the whole limit; 0: one is, or that is not
						   known */
	int64_t judged_ms;  /* pulse that it was last judged by */
	int good_samples;   /* fresh ones in a row, while closed */
	struct text reason; /* a sentence; empty while open */
};

/* `table` may be NULL: nothing is known of it yet. */
bool gate_may_go(struct gate *gate, const struct signals *signals, const struct signals_table *table,
	int max_lag_ms, int64_t now_ms) MUST_USE;

void gate_free(struct gate *gate);

#endif
