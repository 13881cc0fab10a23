/*
 * sweep: what a walk over the table proves, and what comes next.
 *
 * Walk 0 is the fill itself; every walk after it is a sweep. A sweep proves something only when it was walked
 * as a whole, turned no pending row into a filled one, and left none for being locked.
 */
#ifndef BACKFILLD_DAEMON_SWEEP_H
#define BACKFILLD_DAEMON_SWEEP_H

#include "common/base.h"
#include "common/fault.h"
#include "daemon/job.h"

struct sweep_walk {
	int number;         /* 0: the fill itself */
	bool whole;         /* false: found under way, its first part is not known */
	int64_t rows_found; /* pending rows that it filled */
	bool skipped;       /* rows were left because somebody had them locked */
};

/* What the walks before it came to. Zeroed: there were none that is known of. */
struct sweep_past {
	int64_t rows;      /* of the last one */
	int64_t rows_most; /* of the sweep that found the most, behind the first */
	int64_t rows_all;  /* of all sweeps behind the first together */
	int skipping;      /* sweeps in a row, to the last one, that left locked rows */
	int clear;         /* sweeps that left none */
};

struct sweep_table {
	bool own_update_triggers; /* of the user's: they may keep a row from being updated, without an error */
};

enum sweep_verdict {
	SWEEP_WATCH,    /* the fill is over: watch UPDATEs from now on, then sweep */
	SWEEP_AGAIN,    /* sweep once more */
	SWEEP_COUNT,    /* done as far as can be; count what is still pending */
	SWEEP_DONE,     /* nothing is pending */
	SWEEP_HOPELESS, /* sweep after sweep finds rows that were filled before */
};

/* With sync = none rows written meanwhile are the application's own: no more sweeps than this. */
#define SWEEP_MOST_WITHOUT_SYNC 3

/* By then a fill that gets anywhere finds fewer rows from sweep to sweep: triggers help whoever writes
 * meanwhile. Sweeps that leave locked rows do not count, nor those behind them, which find what was left. */
#define SWEEP_HOPELESS_AFTER 10

/* And where there is always somebody who has rows locked: each row that was left is found once, so all sweeps
 * together hardly find so many rows, and so many times what a single one has. (The first finds what was
 * written while UPDATEs were not watched.) */
#define SWEEP_HOPELESS_TIMES 30
#define SWEEP_HOPELESS_ROWS 10000

/* Nor more than this, though rows are locked: an application that always has some would have the table read
 * for ever. That is an hour. */
#define SWEEP_MOST_BESIDE_LOCKS 120

enum sweep_verdict sweep_judge(const struct job *job, const struct sweep_table *table,
	const struct sweep_past *past, const struct sweep_walk *walk) MUST_USE;

/* The walk, once judged, is past. */
void sweep_remember(struct sweep_past *past, const struct sweep_walk *walk);

/* A sentence about it for the job's history, to be freed. */
char *sweep_describe(const struct sweep_walk *walk, int64_t pages) MUST_USE;

/* Why the job fails: it is SWEEP_HOPELESS; or so many rows are pending though they were counted twice, and
 * the table's own `triggers` must be what keeps them. */
void sweep_hopeless(const struct sweep_walk *walk, struct fault *ret_why);
void sweep_kept(int64_t left, const char *triggers, struct fault *ret_why);

/* Milliseconds before the next sweep comes for locked rows: 1 s after the first that skipped some, doubling
 * up to 30 s. */
int64_t sweep_pause_ms(int skipping_sweeps) MUST_USE;

#endif
