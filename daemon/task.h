/*
 * task: what everybody who works on one job shares.
 *
 * The worker owns it; planner, builder, filling and its fillers borrow it for as long as they live. job is
 * kept up to date with the user's row (knobs, wanted) while work goes on.
 */
#ifndef BACKFILLD_DAEMON_TASK_H
#define BACKFILLD_DAEMON_TASK_H

#include "common/base.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/session.h"
#include "common/text.h"
#include "daemon/job.h"
#include "daemon/monitor.h"
#include "daemon/pace.h"
#include "daemon/presence.h"
#include "daemon/relation.h"

struct task {
	struct loop *loop;
	struct session *control; /* the database's control login */
	struct session *session; /* the worker login, for planning and DDL; enlisted while a stage runs */
	struct monitor *monitor;
	struct presence *presence; /* of all such sessions in the database */
	struct pace *pace;         /* of the cluster */
	struct job job;
	struct relation relation;
	const char *database;           /* label */
	const char *conninfo;           /* of the worker login that serves the table's owner */
	const char *synchronous_commit; /* of batches */
	int64_t window_pages;           /* for a filler alone */
	int64_t shared_buffers;         /* of the server, in pages */
	struct text waiting_for;        /* empty: it moves */
	struct text doing;              /* how far a long statement is; empty: nothing to say */
};

/* What a part of the work ended with: NULL, or why the job must fail (or be put down, FAULT_FENCED). */
typedef void task_done(void *owner, const struct fault *why);

/* Faults that go away by waiting: asked again, never counted against the job. */
bool task_may_retry(const struct fault *why) MUST_USE;

/* What the job, with so many fillers, asks of the pace now; what it points to is on loan as the task is. */
void task_wish(const struct task *task, int fillers, int64_t now_ms, struct pace_wish *ret_wish);

/* Says what the task waits for; NULL: it moves. */
void task_wait_for(struct task *task, const char *sentence_or_null);

/*
 * A session of the worker login, for task_disconnect(); `as` tells it from the job's others: "filler 2";
 * NULL: it plans and changes the catalogue. The server ends what it does within a second when its daemon has
 * died. `events` as in session_new().
 */
struct session *task_connect(
	const struct task *task, const char *as, const struct session_events *events, void *owner) MUST_USE;
/* NULL is fine. */
void task_disconnect(const struct task *task, struct session *session);

/* The job as fields of a log line; on loan as the task is. */
struct log_about task_about(const struct task *task) MUST_USE;

#endif
