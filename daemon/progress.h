/*
 * progress: what a job's row says while it runs: waiting_for, rows, blocks, rate, ETA, lag, throttling.
 *
 * Throttling is told when it changes, not when it is next looked at: the row's throttled_ms, and in the
 * history `throttle on` (detail: why) and `throttle off` (detail: why it was on; duration_ms: for how long).
 * Each on has its off: whoever puts the fill down ends the throttle, too (progress_end(), or
 * progress_throttle() with NULL where nothing can be reported any more).
 *
 * While it lasts, another reason is told in place of the first once it has lasted two seconds, the next one
 * four, and so on up to a minute, until one has lasted for so long: reasons that take turns would write a
 * history of nothing else. waiting_for has the newest.
 */
#ifndef BACKFILLD_DAEMON_PROGRESS_H
#define BACKFILLD_DAEMON_PROGRESS_H

#include "common/base.h"
#include "common/text.h"
#include "daemon/filling.h"
#include "daemon/forecast.h"
#include "daemon/task.h"

struct progress {
	struct forecast forecast;
	int64_t open_ms;               /* the forecast's clock: it stands while the job's daily window is shut */
	int64_t noted_ms;              /* when that was last looked at; 0: not yet */
	int64_t rows_estimate;         /* -1: not known */
	int64_t throttled_before_ms;   /* as the row had it when the job was claimed, and by fillings since */
	int64_t throttled_measured_ms; /* by this filling: also waits too short for an event */
	int64_t throttled_since_ms;    /* of the reason below */
	int64_t steady_since_ms;       /* and since when there was no other */
	struct text throttle_reason;   /* as the history has it; empty: not throttled */
	int64_t next_since_ms;         /* of the reason below */
	struct text next_reason;       /* another one, that has not lasted long enough; empty: there is none */
	int64_t next_after_ms;         /* so long it has to */
};

/* `rows_estimate` and `throttled_ms`: as the row had them when the job was claimed. */
void progress_start(struct progress *progress, int64_t rows_estimate, int64_t throttled_ms);
void progress_clear(struct progress *progress);

/*
 * The fill is held back for this reason, or (NULL) no longer. To be called at every change, and again while
 * it lasts; what has not changed is not told again, nor is a reason of which only the figures are others
 * ("1.4 s behind") or what a comma or semicolon adds. True: a change was told, and the row does not say so
 * yet.
 */
bool progress_throttle(
	struct progress *progress, struct task *task, const char *reason_or_null, int64_t now_ms);

/* Writes the row, without waiting for an answer. `filled`: of the filling; NULL while there is none, which
 * ends a throttle. */
void progress_tell(
	struct progress *progress, struct task *task, const struct filling_progress *filled, int64_t now_ms);

/* The last word of a filling: ends a throttle, and what held it back stays counted when another one comes. */
void progress_end(
	struct progress *progress, struct task *task, const struct filling_progress *filled, int64_t now_ms);

/* Adds where the job is, for the status line. `filled`: NULL while there is no filling. */
void progress_describe(const struct job *job, const struct filling_progress *filled, struct text *line);

#endif
