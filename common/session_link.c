#include "common/session_inside.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/session_dial.h"

#include <stdlib.h>
#include <string.h>

void session_close_connection(struct session *session)
{
	/* The watch first: a new connection may get the same descriptor. */
	loop_watch_free(session->watch);
	session->watch = NULL;
	PQfinish(session->conn);
	session->conn = NULL;
	session_forget_prepared(session, 0);
}

void session_watch(struct session *session, bool readable, bool writable)
{
	int descriptor = PQsocket(session->conn);

	if (session->watch && session->watched != descriptor) {
		loop_watch_free(session->watch);
		session->watch = NULL;
	}
	if (!session->watch)
		session->watch = loop_watch_new(session->loop, descriptor, session_socket_ready, session);
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
	struct question *question = session_take_current(session);

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

	while (session->current)
		fail_current(session, cause);
	while (session->first && session->first->number <= last) {
		struct question *question = session_take(session, &session->first);

		fault_copy(&question->reply.why, cause);
		question->reply.why.kind = FAULT_LINK;
		fault_add_context(&question->reply.why, "not asked, since the connection was lost");
		question_answer(question);
	}
}

void session_lose(struct session *session, const struct fault *why)
{
	bool was_open = session->state == SESSION_OPEN;
	struct fault cause = {0};

	fault_copy(&cause, why);
	fault_copy(&session->trouble, why);
	session_close_connection(session);
	rest(session);
	if (was_open) {
		fail_questions(session, &cause);
	} else if (session->current) {
		question_free(session_take_current(session));
	}
	if (session->state != SESSION_CLOSED && session->events->lost)
		session->events->lost(session->owner, &cause);
	fault_clear(&cause);
}

/* The server's parting words say more than libpq, which only saw the end. */
void session_lose_broken(struct session *session)
{
	struct fault why = {0};

	if (session->current && session->current->reply.why.kind == FAULT_LINK)
		fault_copy(&why, &session->current->reply.why);
	else if (session->parting.kind != FAULT_NONE)
		fault_copy(&why, &session->parting);
	else
		dial_loss(session->conn, &why);
	why.kind = FAULT_LINK;
	session_lose(session, &why);
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

void session_become_open(struct session *session)
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
		session_become_open(session);
		return;
	}
	session->state = SESSION_GREETING;
	question = memory_new(sizeof(*question));
	question->is_greeting = true;
	question->due_ms = INT64_MAX;
	question->script = session->greeting;
	session_send(session, question);
}

static void connection_failed(struct session *session)
{
	struct fault why = {0};

	dial_fault(session->conn, &why);
	session_lose(session, &why);
	fault_clear(&why);
}

static void go_on_connecting(struct session *session)
{
	switch (PQconnectPoll(session->conn)) {
	case PGRES_POLLING_READING:
		session_watch(session, true, false);
		break;
	case PGRES_POLLING_ACTIVE:
	case PGRES_POLLING_WRITING:
		session_watch(session, false, true);
		break;
	case PGRES_POLLING_OK:
		greet(session);
		if (session->conn)
			session_carry_on(session);
		break;
	case PGRES_POLLING_FAILED:
		connection_failed(session);
		break;
	}
}

/* Takes `hosts`, which libpq need not look up any more. */
static void connect_to(struct session *session, struct hosts *hosts)
{
	struct fault why = {0};
	bool started = dial_start(session->conninfo, session->name, hosts, &session->conn, &why);

	hosts_free(hosts);
	if (!started) {
		session_lose(session, &why);
		fault_clear(&why);
		return;
	}
	session->state = SESSION_CONNECTING;
	PQsetNoticeReceiver(session->conn, notice_came, session);
	loop_timer_after(session->patience, session->attempt_ms + CONNECT_MS - clock_ms());
	session_watch(session, false, true);
}

static void go_on_resolved(struct session *session, const struct resolved *answers, size_t count)
{
	struct hosts hosts;
	struct fault why = {0};

	for (size_t i = 0; i < count; i++)
		if (answers[i].reason)
			log_debug(NULL, "could not resolve host name \"%s\": %s", answers[i].name, answers[i].reason);
	if (hosts_expand(&session->hosts, answers, count, session->timed_out, &hosts, &why)) {
		connect_to(session, &hosts);
		return;
	}
	session_lose(session, &why);
	fault_clear(&why);
}

void session_resolved(void *owner, const struct resolved *answers, size_t count)
{
	struct session *session = owner;

	session_enter(session);
	if (session->state == SESSION_RESOLVING)
		go_on_resolved(session, answers, count);
	session_leave(session);
}

static void look_names_up(struct session *session)
{
	const char **names;
	size_t count = hosts_names(&session->hosts, &names);

	if (count > 0) {
		session->state = SESSION_RESOLVING;
		resolve_ask(session->resolve, names, count, RESOLVE_MS);
	} else {
		go_on_resolved(session, NULL, 0);
	}
	free(names);
}

static void start_connecting(struct session *session)
{
	struct fault why = {0};

	session->must_roll_back = false;
	session->attempt_ms = clock_ms();
	fault_clear(&session->parting);
	hosts_free(&session->hosts);
	if (dial_hosts(session->conninfo, &session->hosts, &why)) {
		look_names_up(session);
		return;
	}
	session_lose(session, &why);
	fault_clear(&why);
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
	session->timed_out++;
	session_lose(session, &why);
	fault_clear(&why);
}

void session_patience_ended(void *owner)
{
	struct session *session = owner;

	session_enter(session);
	switch (session->state) {
	case SESSION_RESTING:
		start_connecting(session);
		break;
	case SESSION_CONNECTING:
	case SESSION_GREETING:
		give_up_connecting(session);
		break;
	case SESSION_RESOLVING:
	case SESSION_OPEN:
	case SESSION_CLOSED:
		break;
	}
	session_leave(session);
}

void session_socket_ready(void *owner)
{
	struct session *session = owner;

	session_enter(session);
	if (session->state == SESSION_CONNECTING)
		go_on_connecting(session);
	else
		session_converse(session);
	session_leave(session);
}
