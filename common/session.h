/*
 * session: one connection to PostgreSQL that never holds up the loop; the only includer of libpq.
 *
 * A session is asked questions. A question is a script (script.h), sent as one pipeline: one send,
 * one sync, one receive; its statements run in one implicit transaction unless they say BEGIN and
 * COMMIT themselves. Questions are queued and asked one after the other, but for those that are asked ahead:
 * the server has them when it is done with the one before. Each is answered exactly
 * once, from the loop and never from inside session_ask(): with results, or with a fault when a
 * statement failed, the connection broke, or the deadline passed. Freeing the session, or
 * session_forget(), is the only way not to get an answer.
 *
 * The session connects by itself, and again after every loss, with jittered backoff (0.1 s doubling to
 * at most 5 s, from the start again after a connection that stood a second), until it is freed. An attempt
 * may take 10 s, greeting included; of several hosts the next attempt then begins with another one. Host
 * names are looked up beside the loop for at most half of that; those without an address are left out, and
 * the attempt fails when there is no other host. A question asked meanwhile waits, within its deadline; its
 * fault says why there is no connection.
 *
 * When a deadline passes while the server is at work the connection is given up (a silent peer cannot be told
 * from a slow one). Whenever a connection that was open ends, the question being answered and all behind it
 * get a FAULT_LINK, since they may rely on what the connection was, and the session reconnects. What their
 * answers ask anew waits for the next connection. A FAULT_LINK from a statement (a standby refuses to write)
 * ends the connection too. A question whose deadline passes before its turn gets a FAULT_BUSY and was not
 * sent.
 *
 * A question that left its transaction open in error is followed by a ROLLBACK before the next one; one that
 * succeeded may leave its transaction open for the next. COPY is not possible.
 *
 * Callbacks may do anything, also free the session: nothing is called after that.
 */
#ifndef BACKFILLD_COMMON_SESSION_H
#define BACKFILLD_COMMON_SESSION_H

#include "common/base.h"
#include "common/fault.h"
#include "common/loop.h"
#include "common/script.h"

struct session;
struct reply;

/* Each member may be NULL. */
struct session_events {
	/* Connected, also again; the greeting was answered. */
	void (*opened)(void *owner);
	/* A connection, or an attempt at one, came to nothing; the questions in flight were answered before. */
	void (*lost)(void *owner, const struct fault *why);
	/* A NOTIFY came in. */
	void (*notified)(void *owner, const char *channel, const char *payload);
};

/* `reply` is on loan until the callback returns. */
typedef void session_answer(void *owner, const struct reply *reply);

/*
 * A session that starts connecting in the next turn of the loop.
 *	conninfo	any libpq connection string; copied
 *	name		application_name to show, unless the conninfo sets one; copied
 *	greeting	run after each connect, before `opened`: settings, LISTEN; taken, may be NULL. If it
 *			fails the connection counts as lost
 *	events		on loan for the life of the session
 */
struct session *session_new(struct loop *loop, const char *conninfo, const char *name,
	struct script *greeting, const struct session_events *events, void *owner) MUST_USE;

/* Closes at once; open questions stay unanswered. NULL is fine. */
void session_free(struct session *session);

/* Asks. `script` is taken; `deadline_ms` counts from now. `answer` may be NULL: nobody wants to know. */
void session_ask(
	struct session *session, struct script *script, int64_t deadline_ms, session_answer *answer, void *owner);

/*
 * The same, but it is sent while the question before it is still being answered (one question at a time, and
 * once the server has all statements of it that it is to keep). It is carried out whatever becomes of that
 * one, so it must fail by itself where it should not be: a BEGIN does when a transaction was left open in
 * error, but not after a COMMIT that failed.
 */
void session_ask_ahead(
	struct session *session, struct script *script, int64_t deadline_ms, session_answer *answer, void *owner);

/* The questions that `owner` asked are carried out but no longer answered; those asked ahead and not sent yet
 * are not carried out either. */
void session_forget(struct session *session, const void *owner);

/* Questions asked and not yet answered. */
size_t session_open_questions(const struct session *session) MUST_USE;

/* Questions asked, ever. */
int64_t session_asked(const struct session *session) MUST_USE;

bool session_is_open(const struct session *session) MUST_USE;

/* The clock since when the server has had something to do for it without a pause, or had a transaction of it
 * open; 0: it has not. What was under way on a connection that was lost counts until something was answered
 * on the next one: the server may be at it still. */
int64_t session_at_work_since_ms(const struct session *session) MUST_USE;

/* Of the connection as it stands; 0 or NULL while there is none. */
int session_server_version(const struct session *session) MUST_USE; /* 150018 for 15.18 */
int session_backend_pid(const struct session *session) MUST_USE;
const char *session_user(const struct session *session) MUST_USE; /* on loan until the loop's next turn */

/* NULL when every statement succeeded. */
const struct fault *reply_fault(const struct reply *reply) MUST_USE;

/* Which statement of the script failed; 0 when none did or the connection broke. */
size_t reply_fault_at(const struct reply *reply) MUST_USE;

/* Rows that statement number `statement` (from 0) returned. */
size_t reply_rows(const struct reply *reply, size_t statement) MUST_USE;

/* Rows that it inserted, updated or deleted. */
int64_t reply_affected(const struct reply *reply, size_t statement) MUST_USE;

/* A value by column name, which must exist; NULL for SQL NULL. On loan as the reply is. */
const char *reply_text(const struct reply *reply, size_t statement, size_t row, const char *column) MUST_USE;
int64_t reply_int(
	const struct reply *reply, size_t statement, size_t row, const char *column, int64_t when_null) MUST_USE;
double reply_real(
	const struct reply *reply, size_t statement, size_t row, const char *column, double when_null) MUST_USE;
/* SQL NULL is false. */
bool reply_bool(const struct reply *reply, size_t statement, size_t row, const char *column) MUST_USE;

/* Of a statement that is somebody else's: how many columns it returned, and a value by the column's number
 * (from 0). */
size_t reply_columns(const struct reply *reply, size_t statement) MUST_USE;
const char *reply_text_at(const struct reply *reply, size_t statement, size_t row, size_t column) MUST_USE;

/* Type oid and modifier (-1: none) of a result's first column, as the server described it. */
void reply_first_type(const struct reply *reply, size_t statement, uint32_t *ret_oid, int32_t *ret_modifier);

#endif
