/*
 * foreman: looks at a filling every 2 s and says how many fillers it shall have: `workers`, or with workers =
 * 0 what crew judges by the signals.
 */
#ifndef BACKFILLD_DAEMON_FOREMAN_H
#define BACKFILLD_DAEMON_FOREMAN_H

#include "common/base.h"
#include "daemon/task.h"

struct foreman;

/* How the filling does, as of now. */
struct foreman_look {
	int fillers;          /* that have work */
	double beside;        /* of other jobs of this database, at work, on average */
	double pages;         /* done, ever growing within a walk */
	int64_t throttled_ms; /* of the filling, ever */
};

struct foreman_events {
	void (*look)(void *owner, struct foreman_look *ret_look);
	/* foreman_fillers() says another number now. */
	void (*wants)(void *owner);
};

/* `events` and `task` are on loan for its life. Looks from the first foreman_begin() on. */
struct foreman *foreman_new(struct task *task, const struct foreman_events *events, void *owner) MUST_USE;
void foreman_free(struct foreman *foreman);

/* A walk has begun: what was done before it is no measure. */
void foreman_begin(struct foreman *foreman);

/* How many fillers there shall be now, at least 1: follows the job's knob at once. */
int foreman_fillers(struct foreman *foreman) MUST_USE;

#endif
