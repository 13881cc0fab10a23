/*
 * session_inside: what the files of the session room share. Not for others.
 *
 * The life of a session: resting → resolving → connecting → greeting → open, and after every loss back to
 * resting, until it is closed. Without host names to look up there is no resolving. One question at a time is
 * `current` (sent, being answered), and its `next` the one that was sent ahead; the others wait in a queue.
 *
 *	session.c	what others call; the queue, deadlines
 *	session_link.c	connecting, losing, resting
 *	session_talk.c	sending questions, reading results and notifications; statements that the server keeps
 *	session_hosts.c	host names and their addresses
 *	session_dial.c	connection parameters, and what a failed attempt means
 *	session_reply.c	the results of one question
 *
 * Whoever is called back may free the session. So every way in from the loop is framed by session_enter() and
 * session_leave(), session_free() closes at once but leaves the bare struct to the outermost leave, and after
 * each call back the code looks whether there still is a connection: a new one never comes before the next
 * turn of the loop.
 */
#ifndef BACKFILLD_COMMON_SESSION_INSIDE_H
#define BACKFILLD_COMMON_SESSION_INSIDE_H

#include "common/resolve.h"
#include "common/session.h"
#include "common/session_hosts.h"
#include "common/session_reply.h"

#include <libpq-fe.h>

/* How long resolving, connecting and greeting together may take: libpq's own connect_timeout does not count
 * here. Names that have no address after the first half of it are left out. */
#define CONNECT_MS 10000
#define RESOLVE_MS (CONNECT_MS / 2)
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
/* A connection that stood this long was a good one: the next begins with the shortest backoff. */
#define STEADY_MS 1000

enum session_state {
	SESSION_RESTING,   /* until `patience` calls */
	SESSION_RESOLVING, /* until `resolve` answers */
	SESSION_CONNECTING,
	SESSION_GREETING,
	SESSION_OPEN,
	SESSION_CLOSED,
};

struct question {
	struct question *next;
	uint64_t number;
	struct script *script;
	bool is_greeting; /* the script is the session's; never due, since connecting has a time of its own */
	bool ahead;       /* may be sent while the one before is being answered */
	size_t prepared_before; /* how many statements the server kept when it was sent */
	int64_t deadline_ms;
	int64_t due_ms; /* by clock_ms() */
	session_answer *answer;
	void *owner;
	struct reply reply;
};

struct session {
	struct loop *loop;
	char *conninfo;
	char *name;
	struct script *greeting;
	const struct session_events *events;
	void *owner;

	enum session_state state;
	struct resolve *resolve;
	struct hosts hosts; /* of the attempt that goes on, as the conninfo has them */
	int64_t attempt_ms; /* when it began, by clock_ms() */
	PGconn *conn;
	struct loop_watch *watch;
	int watched; /* descriptor of `watch` */
	bool must_roll_back;
	struct fault parting; /* what the server said when it closed */
	char **prepared;      /* statements that the server keeps, on this connection, by number of their names */
	size_t prepared_count;

	struct question *current;
	struct question *first;
	struct question **end;
	size_t waiting;
	uint64_t asked;
	int64_t at_work_since_ms; /* 0: the server has nothing to do */

	struct loop_timer *wake;     /* something was asked */
	struct loop_timer *patience; /* end of a rest, or of the time to connect */
	struct loop_timer *deadline; /* a question is due */
	int64_t deadline_due_ms;
	int64_t backoff_ms;
	int64_t opened_ms;
	size_t timed_out;     /* attempts: the next begins with another host */
	struct fault trouble; /* why there is no connection */
	int entered;
};

/* Every way in from the loop begins and ends with these; after the second the session may be gone. */
void session_enter(struct session *session);
void session_leave(struct session *session);

/* Takes the question out of the queue. */
struct question *session_take(struct session *session, struct question **at) MUST_USE;

/* The one that is being answered is so no more; the one that was sent ahead is, if there is one. */
struct question *session_take_current(struct session *session) MUST_USE;

/* Calls back and releases. The question must have left the session: its owner may free that. */
void question_answer(struct question *question);
void question_free(struct question *question);

/* The timer `patience`: a rest is over, or the time to connect. */
void session_patience_ended(void *owner);

/* Of `resolve`: host names were looked up. */
void session_resolved(void *owner, const struct resolved *answers, size_t count);

/* The socket is ready, whatever for. */
void session_socket_ready(void *owner);

/* Ends the connection or the attempt at one, answers what is open and tells the owner. `why` may be a part of
 * the session. */
void session_lose(struct session *session, const struct fault *why);

/* The same for a connection that libpq found broken: the reason is looked for. */
void session_lose_broken(struct session *session);

/* Lets go of the connection, without a word to anybody. */
void session_close_connection(struct session *session);

/* Connected and greeted. */
void session_become_open(struct session *session);

/* Calls when the socket is readable or writable. */
void session_watch(struct session *session, bool readable, bool writable);

/* Sends `question` (taken), behind the current one if there is one; the session may have lost its connection
 * afterwards. */
void session_send(struct session *session, struct question *question);

/* Sends the next question if its turn has come, and what libpq still holds back. */
void session_carry_on(struct session *session);

/* Of the statements that the server keeps, all but the first ones are not there. */
void session_forget_prepared(struct session *session, size_t but);

/* Reads what came in and answers what it completes. */
void session_converse(struct session *session);

#endif
