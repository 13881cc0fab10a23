/*
 * lone: one statement that can share a transaction with nothing (CREATE and DROP INDEX CONCURRENTLY).
 *
 *	connect → on record → as the table's owner → the statement
 *
 * It has a connection of its own, closed afterwards: the owner's role is the session's here, so code of the
 * user's (an expression in the index) never shares a session with anything else. Such a statement waits for
 * every transaction that began before it, on any table of the database; meanwhile this says for whom, and how
 * far the build is.
 */
#ifndef BACKFILLD_DAEMON_LONE_H
#define BACKFILLD_DAEMON_LONE_H

#include "common/base.h"
#include "daemon/task.h"

struct lone;

/* `why` NULL: it was carried out, in so many milliseconds. A FAULT_LINK: nobody knows. */
typedef void lone_done(void *owner, int64_t duration_ms, const struct fault *why);

/* `sql` is copied; `what` ("build the index …") is for people, copied. `done` is called from the loop, once,
 * unless it is freed before. */
struct lone *lone_new(
	struct task *task, const char *sql, const char *what, lone_done *done, void *owner) MUST_USE;

/* Ends the statement early: `done` then gets the server's FAULT_BUSY. */
void lone_cancel(struct lone *lone);

void lone_free(struct lone *lone);

#endif
