/*
 * filling_inside: what the files of the filling room share. Not for others.
 *
 *	filling.c	walks and their fillers, what others call
 *	filling_sweeps.c	what follows a walk: another one, a count of what is left, or the end
 */
#ifndef BACKFILLD_DAEMON_FILLING_INSIDE_H
#define BACKFILLD_DAEMON_FILLING_INSIDE_H

#include "daemon/builder.h"
#include "daemon/cleaner.h"
#include "daemon/filling.h"
#include "daemon/foreman.h"
#include "daemon/queue.h"
#include "daemon/sweep.h"
#include "daemon/team.h"
#include "daemon/walked.h"

#define CONTROL_RETRY_MS 500

struct filling {
	struct task *task;
	const struct filling_events *events;
	void *owner;
	struct loop_timer *timer;
	void (*next)(struct filling *filling); /* what the timer goes on with */
	void (*then)(struct filling *filling); /* once no table has joined the tree */
	struct filler_shared shared;
	struct queue_walk walk;
	struct team team;
	int64_t rows_before; /* found in walks that are over */
	int sweep;           /* to start next */
	struct sweep_past past;
	int counts; /* of what is left pending */
	struct walked walked;
	bool walking; /* a walk is under way; false between walks, whatever the fillers say */
	bool stopping;
	struct builder *builder; /* between the fill and its first sweep */
	struct cleaner *cleaner;
	struct foreman *foreman;
	struct fault why; /* a filler failed: told when all are at rest */
};

/* The timer goes on with `next`. */
void filling_after(struct filling *filling, int64_t delay_ms, void (*next)(struct filling *));

/* Of the control session. True: the fault was dealt with. */
bool filling_control_failed(
	struct filling *filling, const struct fault *why, void (*again)(struct filling *)) MUST_USE;

/* The next walk, number `filling->sweep`, begins with the size of the table. */
void filling_read_size(struct filling *filling);

/* The walk is over: what follows? */
void filling_end_walk(struct filling *filling);

/* It fails with `why`, or with what came before, once all are at rest. */
void filling_fail(struct filling *filling, const struct fault *why);

#endif
