/*
 * filling: the stage `filling`: fillers side by side, walk after walk, until a sweep finds nothing.
 *
 * Walk 0 is the fill itself. Every walk after it is a sweep over all pages, also those added since: it reads,
 * and fills what it finds. A sweep that turned no pending row into a filled one, and left none for being
 * locked, is the end, and the proof. With sync = none rows written meanwhile are the application's own: at
 * most 3 sweeps.
 */
#ifndef BACKFILLD_DAEMON_FILLING_H
#define BACKFILLD_DAEMON_FILLING_H

#include "common/base.h"
#include "daemon/task.h"

struct filling;

struct filling_progress {
	int sweep; /* 0: the fill itself */
	int64_t pages_done;
	int64_t pages_total;
	int64_t rows; /* filled since this filling started */
	bool throttled;
	const char *throttle_reason; /* on loan */
	int64_t throttled_ms;        /* by this filling, until now */
	struct pace_view pace;
	double batch_pages; /* mean over the fillers; 0: not known */
};

struct filling_events {
	task_done *done; /* from the loop, once, unless the filling is freed before */
	/* Batches are held back for this reason, or (NULL) go; also told when nothing has changed. */
	void (*held)(void *owner, const char *reason_or_null);
};

/* `events` are on loan for its life. */
struct filling *filling_new(struct task *task, const struct filling_events *events, void *owner) MUST_USE;
void filling_free(struct filling *filling);

/* The job's knobs have changed: more or fewer fillers. */
void filling_update(struct filling *filling);

/* Takes no more batches; filling_at_rest() tells when those in flight have been answered. */
void filling_stop(struct filling *filling);
bool filling_at_rest(const struct filling *filling) MUST_USE;

void filling_read_progress(const struct filling *filling, struct filling_progress *ret_progress);

#endif
