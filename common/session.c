/*
 * The life of a session: resting → connecting → greeting → open, and after every loss back to resting, until
 * it is closed. One question at a time is `current` (sent, being answered); the others wait in a queue.
 *
 * Whoever is called back may free the session. So every way in from the loop is framed by enter() and
 * leave(), session_free() closes at once but leaves the bare struct to the outermost leave(), and after each
 * call back the code looks whether there still is a connection: a new one never comes before the next turn of
 * the loop.
 */
#include "common/session.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/session_dial.h"
#include "common/session_reply.h"

#include <assert.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

/* How long connecting and greeting together may take: libpq's own connect_timeout does not count here. */
#define CONNECT_MS 10000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
/* A connection that stood this long was a good one: the next begins with the shortest backoff. */
#define STEADY_MS 1000

enum session_state {
	SESSION_RESTING, /* until `patience` calls */
	SESSION_CONNECTING,
	SESSION_GREETING,
	SESSION_OPEN,
	SESSION_CLOSED,
};

struct question {
	struct question *next;
	uint64_t number;
	struct script *script;
	bool is_greeting; /* the script is the session's, and the deadline that of connecting */
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
	PGconn *conn;
	struct loop_watch *watch;
	int watched; /* descriptor of `watch` */
	bool must_roll_back;
	struct fault parting; /* what the server said when it closed */

	struct question *current;
	struct question *first;
	struct question **end;
	size_t waiting;
	uint64_t asked;

	struct loop_timer *wake;     /* something was asked */
	struct loop_timer *patience; /* end of a rest, or of the time to connect */
	struct loop_timer *deadline; /* a question is due */
	int64_t deadline_due_ms;
	int64_t backoff_ms;
	int64_t opened_ms;
	size_t first_host;
	struct fault trouble; /* why there is no connection */
	int entered;
};

static void lose(struct session *session, const struct fault *why);
static void carry_on(struct session *session);
static void socket_ready(void *owner);

/* ---- questions ---- */

static void question_free(struct question *question)
{
	reply_clear(&question->reply);
	if (!question->is_greeting)
		script_free(question->script);
	free(question);
}

/* The question must have left the session: its owner may free that. */
static void question_answer(struct question *question)
{
	if (question->answer)
		question->answer(question->owner, &question->reply);
	question_free(question);
}

static void queue_add(struct session *session, struct question *question)
{
	question->number = ++session->asked;
	*session->end = question;
	session->end = &question->next;
	session->waiting++;
}

static struct question *queue_take(struct session *session, struct question **at)
{
	struct question *taken = *at;

	*at = taken->next;
	if (session->end == &taken->next)
		session->end = at;
	taken->next = NULL;
	session->waiting--;
	return taken;
}

static void free_questions(struct session *session)
{
	while (session->first)
		question_free(queue_take(session, &session->first));
	if (session->current)
		question_free(session->current);
	session->current = NULL;
}

/* ---- the connection ---- */

static void close_connection(struct session *session)
{
	/* The watch first: a new connection may get the same descriptor. */
	loop_watch_free(session->watch);
	session->watch = NULL;
	PQfinish(session->conn);
	session->conn = NULL;
}

static void enter(struct session *session)
{
	session->entered++;
}

static void leave(struct session *session)
{
	if (--session->entered == 0 && session->state == SESSION_CLOSED)
		free(session);
}

static void watch_socket(struct session *session, bool readable, bool writable)
{
	int descriptor = PQsocket(session->conn);

	if (session->watch && session->watched != descriptor) {
		loop_watch_free(session->watch);
		session->watch = NULL;
	}
	if (!session->watch)
		session->watch = loop_watch_new(session->loop, descriptor, socket_ready, session);
	session->watched = descriptor;
	loop_watch_for(session->watch, readable, writable);
}

static void rest(struct session *session)
{
	int64_t half_ms;

	if (session->opened_ms && clock_ms() - session->opened_ms >= STEADY_MS)
		session->backoff_ms = BACKOFF_MIN_MS;
	session->opened_ms = 0;
	session->state = SESSION_RESTING;
	half_ms = session->backoff_ms / 2;
	loop_timer_after(session->patience, half_ms + clock_jitter(half_ms + 1));
	session->backoff_ms *= 2;
	if (session->backoff_ms > BACKOFF_MAX_MS)
		session->backoff_ms = BACKOFF_MAX_MS;
}

/* A fault that the question has of its own stands: its transaction failed before the connection did. */
static void fail_current(struct session *session, const struct fault *cause)
{
	struct question *question = session->current;

	session->current = NULL;
	if (question->reply.why.kind == FAULT_NONE) {
		fault_copy(&question->reply.why, cause);
		fault_add_context(&question->reply.why, "the connection was lost before the answer came");
	}
	question_answer(question);
}

/* Those that wait are failed too: they may rely on what the session was. Only those asked before the loss;
 * what an answer asks anew is for the next connection. */
static void fail_questions(struct session *session, const struct fault *cause)
{
	uint64_t last = session->asked;

	if (session->current)
		fail_current(session, cause);
	while (session->first && session->first->number <= last) {
		struct question *question = queue_take(session, &session->first);

		fault_copy(&question->reply.why, cause);
		question->reply.why.kind = FAULT_LINK;
		fault_add_context(&question->reply.why, "not asked, since the connection was lost");
		question_answer(question);
	}
}

static void lose(struct session *session, const struct fault *why)
{
	bool was_open = session->state == SESSION_OPEN;
	struct fault cause = {0};

	fault_copy(&cause, why);
	fault_copy(&session->trouble, why);
	close_connection(session);
	rest(session);
	if (was_open) {
		fail_questions(session, &cause);
	} else if (session->current) {
		question_free(session->current);
		session->current = NULL;
	}
	if (session->state != SESSION_CLOSED && session->events->lost)
		session->events->lost(session->owner, &cause);
	fault_clear(&cause);
}

/* The server's parting words say more than libpq, which only saw the end. */
static void lose_broken(struct session *session)
{
	struct fault why = {0};

	if (session->current && session->current->reply.why.kind != FAULT_NONE)
		fault_copy(&why, &session->current->reply.why);
	else if (session->parting.kind != FAULT_NONE)
		fault_copy(&why, &session->parting);
	else
		dial_loss(session->conn, &why);
	why.kind = FAULT_LINK;
	lose(session, &why);
	fault_clear(&why);
}

/* FATAL, or class 57P0x as a warning: the server is about to close. */
static void notice_came(void *owner, const PGresult *notice)
{
	struct session *session = owner;
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

	log_debug(&(struct log_about){.sqlstate = sqlstate}, "server %s: %s", severity ? severity : "notice",
		message ? message : "");
	if ((severity && strcmp(severity, "FATAL") == 0) || (sqlstate && strncmp(sqlstate, "57P0", 4) == 0))
		reply_describe(notice, &session->parting);
}

/* ---- asking ---- */

static bool send_statement(PGconn *conn, const struct script_statement *statement)
{
	if (statement->parse_only)
		return PQsendPrepare(conn, "", statement->sql, 0, NULL) && PQsendDescribePrepared(conn, "");
	return PQsendQueryParams(conn, statement->sql, (int)statement->values_count, NULL,
		(const char *const *)statement->values, NULL, NULL, 0);
}

static bool send_script(PGconn *conn, const struct script *script, bool roll_back_first)
{
	if (!PQenterPipelineMode(conn))
		return false;
	if (roll_back_first && !PQsendQueryParams(conn, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0))
		return false;
	for (size_t i = 0; i < script->count; i++)
		if (!send_statement(conn, &script->statements[i]))
			return false;
	return PQpipelineSync(conn);
}

static void send_question(struct session *session, struct question *question)
{
	session->current = question;
	reply_begin(&question->reply, question->script, session->must_roll_back);
	if (!send_script(session->conn, question->script, session->must_roll_back)) {
		lose_broken(session);
		return;
	}
	session->must_roll_back = false;
}

static void carry_on(struct session *session)
{
	int flushed;

	if (session->state == SESSION_OPEN && !session->current && session->first)
		send_question(session, queue_take(session, &session->first));
	if (!session->conn)
		return;
	flushed = PQflush(session->conn);
	if (flushed < 0)
		lose_broken(session);
	else
		watch_socket(session, true, flushed > 0);
}

static void wake_up(void *owner)
{
	struct session *session = owner;

	enter(session);
	if (session->state == SESSION_OPEN)
		carry_on(session);
	leave(session);
}

/* ---- connecting ---- */

static void become_open(struct session *session)
{
	session->state = SESSION_OPEN;
	session->opened_ms = clock_ms();
	loop_timer_stop(session->patience);
	fault_clear(&session->trouble);
	if (session->events->opened)
		session->events->opened(session->owner);
}

static void greet(struct session *session)
{
	struct question *question;

	PQsetnonblocking(session->conn, 1);
	if (!session->greeting) {
		become_open(session);
		return;
	}
	session->state = SESSION_GREETING;
	question = memory_new(sizeof(*question));
	question->is_greeting = true;
	question->script = session->greeting;
	send_question(session, question);
}

static void connection_failed(struct session *session)
{
	struct fault why = {0};

	dial_fault(session->conn, &why);
	lose(session, &why);
	fault_clear(&why);
}

static void go_on_connecting(struct session *session)
{
	switch (PQconnectPoll(session->conn)) {
	case PGRES_POLLING_READING:
		watch_socket(session, true, false);
		break;
	case PGRES_POLLING_ACTIVE:
	case PGRES_POLLING_WRITING:
		watch_socket(session, false, true);
		break;
	case PGRES_POLLING_OK:
		greet(session);
		if (session->conn)
			carry_on(session);
		break;
	case PGRES_POLLING_FAILED:
		connection_failed(session);
		break;
	}
}

static void start_connecting(struct session *session)
{
	struct fault why = {0};

	session->must_roll_back = false;
	fault_clear(&session->parting);
	if (!dial_start(session->conninfo, session->name, session->first_host, &session->conn, &why)) {
		lose(session, &why);
		fault_clear(&why);
		return;
	}
	session->state = SESSION_CONNECTING;
	PQsetNoticeReceiver(session->conn, notice_came, session);
	loop_timer_after(session->patience, CONNECT_MS);
	watch_socket(session, false, true);
}

static void give_up_connecting(struct session *session)
{
	const char *host = PQhost(session->conn);
	const char *port = PQport(session->conn);
	struct fault why = {0};

	fault_set(&why, FAULT_LINK, "the server at host %s, port %s did not answer within %d s",
		host && *host ? host : "(default)", port && *port ? port : "(default)", CONNECT_MS / 1000);
	fault_set_hint(&why, "check that the server is alive, and the network and firewalls on the way to it");
	/* Of several hosts libpq would wait for this one for ever. */
	session->first_host++;
	lose(session, &why);
	fault_clear(&why);
}

static void patience_ended(void *owner)
{
	struct session *session = owner;

	enter(session);
	switch (session->state) {
	case SESSION_RESTING:
		start_connecting(session);
		break;
	case SESSION_CONNECTING:
	case SESSION_GREETING:
		give_up_connecting(session);
		break;
	case SESSION_OPEN:
	case SESSION_CLOSED:
		break;
	}
	leave(session);
}

/* ---- answers ---- */

static void finish_greeting(struct session *session)
{
	struct question *question = session->current;
	struct fault why = {0};

	if (question->reply.why.kind != FAULT_NONE) {
		fault_copy(&why, &question->reply.why);
		fault_add_context(&why, "the first statements on a new connection failed");
		lose(session, &why);
		fault_clear(&why);
		return;
	}
	session->current = NULL;
	question_free(question);
	become_open(session);
}

static void finish_question(struct session *session)
{
	struct question *question = session->current;
	PGTransactionStatusType transaction;

	/* Idle means idle: in pipeline mode libpq keeps a server's last words from the notice receiver. */
	PQexitPipelineMode(session->conn);
	transaction = PQtransactionStatus(session->conn);
	session->must_roll_back = transaction == PQTRANS_INERROR ||
							  (question->reply.why.kind != FAULT_NONE && transaction == PQTRANS_INTRANS);
	if (question->is_greeting) {
		finish_greeting(session);
		return;
	}
	if (question->reply.why.kind == FAULT_LINK) {
		/* A standby, or a server on its way out: the asker is told to wait for the next connection. */
		lose(session, &question->reply.why);
		return;
	}
	session->current = NULL;
	question_answer(question);
	/* Nobody asks, so nothing would carry the ROLLBACK: an empty question does. */
	if (session->conn && session->must_roll_back && !session->first)
		session_ask(session, script_new(), CONNECT_MS, NULL, NULL);
}

static void read_results(struct session *session)
{
	while (session->current && !PQisBusy(session->conn)) {
		struct question *question = session->current;

		switch (reply_take(&question->reply, question->script, PQgetResult(session->conn))) {
		case REPLY_MORE:
			break;
		case REPLY_COMPLETE:
			finish_question(session);
			break;
		case REPLY_BROKEN:
			lose_broken(session);
			break;
		}
	}
}

static void read_notifications(struct session *session)
{
	PGnotify *notification;

	while (session->conn && (notification = PQnotifies(session->conn))) {
		if (session->state == SESSION_OPEN && session->events->notified)
			session->events->notified(session->owner, notification->relname, notification->extra);
		PQfreemem(notification);
	}
}

/* What came before the end of the connection still counts: the answer to a COMMIT above all. */
static void converse(struct session *session)
{
	bool alive = PQconsumeInput(session->conn);

	read_results(session);
	read_notifications(session);
	if (!session->conn)
		return;
	if (alive)
		carry_on(session);
	else
		lose_broken(session);
}

static void socket_ready(void *owner)
{
	struct session *session = owner;

	enter(session);
	if (session->state == SESSION_CONNECTING)
		go_on_connecting(session);
	else
		converse(session);
	leave(session);
}

/* ---- deadlines ---- */

static void set_deadline(struct session *session, int64_t due_ms)
{
	int64_t left_ms = due_ms - clock_ms();

	session->deadline_due_ms = due_ms;
	loop_timer_after(session->deadline, left_ms > 0 ? left_ms : 0);
}

static void set_next_deadline(struct session *session)
{
	int64_t next_ms = INT64_MAX;

	if (session->current && !session->current->is_greeting)
		next_ms = session->current->due_ms;
	for (const struct question *question = session->first; question; question = question->next)
		if (question->due_ms < next_ms)
			next_ms = question->due_ms;
	if (next_ms != INT64_MAX)
		set_deadline(session, next_ms);
}

static void give_up_current(struct session *session)
{
	struct fault why = {0};

	fault_set(
		&why, FAULT_LINK, "the server gave no answer within %" PRId64 " ms", session->current->deadline_ms);
	fault_set_hint(
		&why, "backend %d may still be at work: see pg_stat_activity", PQbackendPID(session->conn));
	lose(session, &why);
	fault_clear(&why);
}

static void expire(struct session *session, struct question *question)
{
	struct fault *why = &question->reply.why;

	if (session->state == SESSION_OPEN) {
		fault_set(why, FAULT_BUSY,
			"not asked within %" PRId64 " ms, since the questions before it took longer",
			question->deadline_ms);
	} else if (session->trouble.kind != FAULT_NONE) {
		fault_copy(why, &session->trouble);
		why->kind = FAULT_LINK;
		fault_add_context(why, "no connection within %" PRId64 " ms", question->deadline_ms);
	} else {
		fault_set(
			why, FAULT_LINK, "no connection within %" PRId64 " ms; still connecting", question->deadline_ms);
	}
	question_answer(question);
}

static void expire_waiting(struct session *session, int64_t now_ms)
{
	struct question **at = &session->first;

	while (*at) {
		if ((*at)->due_ms > now_ms) {
			at = &(*at)->next;
			continue;
		}
		expire(session, queue_take(session, at));
		/* The callback may have changed everything. */
		at = &session->first;
	}
}

static void deadline_passed(void *owner)
{
	struct session *session = owner;
	int64_t now_ms = clock_ms();

	enter(session);
	if (session->current && !session->current->is_greeting && session->current->due_ms <= now_ms)
		give_up_current(session);
	expire_waiting(session, now_ms);
	if (session->state != SESSION_CLOSED)
		set_next_deadline(session);
	leave(session);
}

/* ---- what others call ---- */

struct session *session_new(struct loop *loop, const char *conninfo, const char *name,
	struct script *greeting, const struct session_events *events, void *owner)
{
	struct session *session = memory_new(sizeof(*session));

	session->loop = loop;
	session->conninfo = memory_text(conninfo);
	session->name = memory_text(name);
	session->greeting = greeting;
	session->events = events;
	session->owner = owner;
	session->end = &session->first;
	session->backoff_ms = BACKOFF_MIN_MS;
	session->wake = loop_timer_new(loop, wake_up, session);
	session->patience = loop_timer_new(loop, patience_ended, session);
	session->deadline = loop_timer_new(loop, deadline_passed, session);
	loop_timer_after(session->patience, 0);
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	assert(session->state != SESSION_CLOSED);
	enter(session);
	session->state = SESSION_CLOSED;
	close_connection(session);
	free_questions(session);
	loop_timer_free(session->wake);
	loop_timer_free(session->patience);
	loop_timer_free(session->deadline);
	script_free(session->greeting);
	fault_clear(&session->trouble);
	fault_clear(&session->parting);
	free(session->conninfo);
	free(session->name);
	leave(session);
}

void session_ask(
	struct session *session, struct script *script, int64_t deadline_ms, session_answer *answer, void *owner)
{
	struct question *question = memory_new(sizeof(*question));

	assert(session->state != SESSION_CLOSED);
	question->script = script;
	question->deadline_ms = deadline_ms;
	question->due_ms = clock_ms() + deadline_ms;
	question->answer = answer;
	question->owner = owner;
	queue_add(session, question);
	if (!loop_timer_pending(session->deadline) || question->due_ms < session->deadline_due_ms)
		set_deadline(session, question->due_ms);
	if (session->state == SESSION_OPEN)
		loop_timer_after(session->wake, 0);
}

void session_forget(struct session *session, const void *owner)
{
	if (session->current && session->current->owner == owner)
		session->current->answer = NULL;
	for (struct question *question = session->first; question; question = question->next)
		if (question->owner == owner)
			question->answer = NULL;
}

size_t session_open_questions(const struct session *session)
{
	return session->waiting + (session->current && !session->current->is_greeting ? 1 : 0);
}

bool session_is_open(const struct session *session)
{
	return session->state == SESSION_OPEN;
}

static const PGconn *standing(const struct session *session)
{
	bool stands = session->state == SESSION_OPEN || session->state == SESSION_GREETING;

	return stands ? session->conn : NULL;
}

int session_server_version(const struct session *session)
{
	return PQserverVersion(standing(session));
}

int session_backend_pid(const struct session *session)
{
	return PQbackendPID(standing(session));
}

const char *session_user(const struct session *session)
{
	return PQuser(standing(session));
}
