/*
 * ddl: one step that changes the catalogue, asked for so that nobody queues behind it.
 *
 * First a look at who holds the table (on the control session), then the step itself with a short
 * lock_timeout, as the table's owner, in one transaction and one pipeline: no round trip happens under its
 * lock.
 *
 * VALIDATE and ANALYZE share that transaction with nothing but its settings and the lock they would take
 * themselves; their timeouts are their own.
 */
#ifndef BACKFILLD_DAEMON_DDL_H
#define BACKFILLD_DAEMON_DDL_H

#include "common/base.h"
#include "common/session.h"
#include "common/text.h"
#include "daemon/change.h"
#include "daemon/job.h"
#include "daemon/relation.h"

struct ddl_outcome {
	int64_t lock_wait_ms;
	int64_t duration_ms; /* with the lock */
};

/* Is there a transaction on any table of the tree that will not be gone within ddl_lock_timeout_ms?
 * `lock_mode`: of the lock that is wanted; `own_pid`: our session, left out.
 */
void ddl_ask_holders(struct session *control, const struct job *job, const struct relation *relation,
	const char *lock_mode, int own_pid, session_answer *answer, void *owner);

/* True and a sentence: who it is, and on which table of them. False: the way is free. */
bool ddl_read_holders(const struct reply *reply, const struct job *job, struct text *ret_sentence) MUST_USE;

/* Of a tree all tables are locked first, which together takes no longer than ddl_lock_timeout_ms either.
 * `part`: of the time in which an ANALYZE is at work, 0 … 1. */
void ddl_ask(struct session *session, const struct job *job, const struct relation *relation,
	const struct change_step *step, double part, session_answer *answer, void *owner);

/* Of a reply without fault. */
void ddl_read(const struct reply *reply, const struct change_step *step, struct ddl_outcome *ret_outcome);

#endif
