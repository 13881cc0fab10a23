/*
 * yield: giving way: whoever waits for a lock of ours is found, and what we do there is cancelled.
 *
 * Asked first is whether anybody in this database, where ours are, waits for a lock at all: mostly nobody
 * does, and that costs 0.1 ms where finding out whose it is costs 0.45 before it has looked at anything. That
 * finds the waiters and cancels in the same breath. Both are prepared once for each connection, since
 * planning takes longer than carrying out. Who waits for an advisory lock may do so for ever, so that is told
 * apart, to be looked into now and then: ours is one that a trigger or the value's expression has taken.
 *
 * Ours are the sessions in backfill.backend; other sessions of the daemon do not count as waiters. The
 * control login sees others' waits as a member of pg_monitor, and cancels as one of pg_signal_backend.
 */
#ifndef BACKFILLD_DAEMON_YIELD_H
#define BACKFILLD_DAEMON_YIELD_H

#include "common/base.h"
#include "common/script.h"
#include "common/session.h"
#include "daemon/stage.h"

/* A session of ours that was cancelled. Texts are on loan from the reply. */
struct yield {
	int64_t job_id;
	int64_t epoch;
	enum stage stage;  /* of the job */
	int filler;        /* -1: the one that changes the catalogue */
	const char *query; /* its first words; what was cancelled */
	/* who had waited the longest */
	int64_t waiter_pid;
	const char *waiter_name; /* application_name */
	int64_t waited_ms;
	const char *wanted; /* "a row lock in orders", "AccessExclusiveLock on orders" */
	int64_t waiters;    /* so many waited for this session */
};

/* Whether anybody waits for a lock, whoever holds it. */
void yield_ask_anybody(struct session *session, session_answer *answer, void *owner);

/* Of its reply without fault: milliseconds that somebody may wait for us. */
int64_t yield_read_tolerated_ms(const struct reply *reply, int64_t otherwise) MUST_USE;
bool yield_read_anybody(const struct reply *reply) MUST_USE; /* for another lock than an advisory one */
bool yield_read_advisory(const struct reply *reply) MUST_USE;

/* Cancels what somebody has waited for so long; what they wait for with advisory locks only if `advisory`. */
void yield_cancel(
	struct session *session, int64_t tolerated_ms, bool advisory, session_answer *answer, void *owner);

/* Number `row` of those cancelled; false: there are no more, *ret_yield is untouched. */
bool yield_read(const struct reply *reply, size_t row, struct yield *ret_yield) MUST_USE;

/* "cancelled the batch of filler 0: session 4711 (psql) had waited 80 ms for a row lock in orders"; to be
 * freed. */
char *yield_sentence(const struct yield *yield) MUST_USE;

/* A row of history that belongs to no job: it is not known who waits (or it is again). */
void yield_tell_sight(struct session *control, const char *sentence);

#endif
