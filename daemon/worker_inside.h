/*
 * worker_inside: what the files of the worker room share. Not for others.
 *
 *	worker.c	what others call; the clock, what is told, the way out
 *	worker_session.c	what the catalogue says of the table, and the connection of the worker login
 *	worker_stages.c	stage after stage, up to where this claim is to end
 */
#ifndef BACKFILLD_DAEMON_WORKER_INSIDE_H
#define BACKFILLD_DAEMON_WORKER_INSIDE_H

#include "daemon/builder.h"
#include "daemon/enlist.h"
#include "daemon/filling.h"
#include "daemon/move.h"
#include "daemon/planner.h"
#include "daemon/progress.h"
#include "daemon/task.h"
#include "daemon/worker.h"

#define CONTROL_RETRY_MS 500

struct worker {
	const struct worker_context *context;
	worker_ended *ended;
	void *owner;
	struct task task;
	struct loop_timer *timer;
	void (*next)(struct worker *worker); /* what the timer goes on with */
	struct loop_timer *tick;
	struct planner *planner; /* at most one of the three works */
	struct builder *builder;
	struct filling *filling;
	struct move *move;     /* is not on record yet: nothing else starts */
	struct enlist *enlist; /* while the session is being put on record */
	bool enlisted;         /* the session, as it is connected now, is on record as ours */
	enum stage goal;       /* of this claim: done, cancelled or rolled_back; see job_goal() */
	struct fault doubt;    /* a name was not found: fails the job unless the catalogue tells another */
	enum stage_hold held_at;
	bool stopping;
	int64_t cancel_ms; /* when batches under way are cancelled next */
	struct progress progress;
};

/* The timer goes on with `next`. */
void worker_after(struct worker *worker, int64_t delay_ms, void (*next)(struct worker *));

/* How far it is goes to the job's row. */
void worker_report(struct worker *worker);

/* The same before what it is about is put down: nothing comes after it. */
void worker_report_last(struct worker *worker);

/* Planner, builder, filling and what puts the session on record are let go, at rest or not. */
void worker_end_parts(struct worker *worker);

/* The catalogue is read; then the work goes on, on a session of the worker login. */
void worker_read_catalogue(struct worker *worker);

/* The same after `why`, a name that was not found: where the table is called as before, it fails the job. */
void worker_look_again(struct worker *worker, const struct fault *why);

/* Once it is open and on record worker_work() goes on. */
void worker_open_session(struct worker *worker);

/* False: goes on with worker_work() once it is. */
bool worker_is_enlisted(struct worker *worker) MUST_USE;

/* That of the job's own column, as far as it is known by now; 0: it is not. */
int worker_column_number(struct worker *worker);

/* What the stage asks for is begun. */
void worker_work(struct worker *worker);

/* Cancels, or rolls back. */
void worker_take_back(struct worker *worker);

/* The job fails with `why`. */
void worker_fail(struct worker *worker, const struct fault *why);

#endif
