#include "common/session_inside.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREPARED_NAME_SIZE 40

/* ---- statements that the server keeps ---- */

/* prepared_count where it was not sent yet. */
static size_t find_prepared(const struct session *session, const char *sql)
{
	size_t at = 0;

	while (at < session->prepared_count && strcmp(session->prepared[at], sql) != 0)
		at++;
	return at;
}

/* What it is called, and whether it must be parsed before. */
static bool must_prepare(struct session *session, const char *sql, char (*ret_name)[PREPARED_NAME_SIZE])
{
	size_t at = find_prepared(session, sql);

	snprintf(*ret_name, sizeof(*ret_name), "backfilld_%zu", at);
	if (at < session->prepared_count)
		return false;
	session->prepared = memory_resize(session->prepared, (at + 1) * sizeof(session->prepared[0]));
	session->prepared[session->prepared_count++] = memory_text(sql);
	return true;
}

void session_forget_prepared(struct session *session, size_t but)
{
	while (session->prepared_count > but)
		free(session->prepared[--session->prepared_count]);
	if (but > 0)
		return;
	free(session->prepared);
	session->prepared = NULL;
}

/* ---- sending ---- */

static bool send_prepared(struct session *session, struct script_statement *statement)
{
	char name[PREPARED_NAME_SIZE];

	statement->commands = 1;
	if (must_prepare(session, statement->sql, &name)) {
		statement->commands = 2;
		if (!PQsendPrepare(session->conn, name, statement->sql, 0, NULL))
			return false;
	}
	return PQsendQueryPrepared(session->conn, name, (int)statement->values_count,
		(const char *const *)statement->values, NULL, NULL, 0);
}

static bool send_statement(struct session *session, struct script_statement *statement)
{
	PGconn *conn = session->conn;

	if (statement->prepared)
		return send_prepared(session, statement);
	statement->commands = statement->parse_only ? 2 : 1;
	if (statement->parse_only)
		return PQsendPrepare(conn, "", statement->sql, 0, NULL) && PQsendDescribePrepared(conn, "");
	return PQsendQueryParams(conn, statement->sql, (int)statement->values_count, NULL,
		(const char *const *)statement->values, NULL, NULL, 0);
}

static bool send_script(struct session *session, struct script *script)
{
	PGconn *conn = session->conn;

	if (!PQenterPipelineMode(conn))
		return false;
	if (session->must_roll_back && !PQsendQueryParams(conn, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0))
		return false;
	for (size_t i = 0; i < script->count; i++)
		if (!send_statement(session, &script->statements[i]))
			return false;
	return PQpipelineSync(conn);
}

/* Whether the server has all that it is to keep for this script: what it is only now being told may fail. */
static bool all_prepared(const struct session *session, const struct script *script)
{
	if (session->current->prepared_before < session->prepared_count)
		return false;
	for (size_t i = 0; i < script->count; i++)
		if (script->statements[i].prepared &&
			find_prepared(session, script->statements[i].sql) == session->prepared_count)
			return false;
	return true;
}

static bool may_send(const struct session *session, const struct question *question)
{
	const struct question *current = session->current;

	if (session->state != SESSION_OPEN || !question)
		return false;
	return !current || (question->ahead && !current->next && all_prepared(session, question->script));
}

void session_send(struct session *session, struct question *question)
{
	if (session->current)
		session->current->next = question;
	else
		session->current = question;
	reply_begin(&question->reply, question->script, session->must_roll_back);
	question->prepared_before = session->prepared_count;
	if (session->at_work_since_ms == 0 && !question->is_greeting)
		session->at_work_since_ms = clock_ms();
	if (!send_script(session, question->script)) {
		session_lose_broken(session);
		return;
	}
	session->must_roll_back = false;
}

void session_carry_on(struct session *session)
{
	int flushed;

	while (may_send(session, session->first))
		session_send(session, session_take(session, &session->first));
	if (!session->conn)
		return;
	flushed = PQflush(session->conn);
	if (flushed < 0)
		session_lose_broken(session);
	else
		session_watch(session, true, flushed > 0);
}

static void finish_greeting(struct session *session)
{
	struct question *question = session->current;
	struct fault why = {0};

	if (question->reply.why.kind != FAULT_NONE) {
		fault_copy(&why, &question->reply.why);
		fault_add_context(&why, "the first statements on a new connection failed");
		session_lose(session, &why);
		fault_clear(&why);
		return;
	}
	question_free(session_take_current(session));
	session_become_open(session);
}

static void finish_question(struct session *session)
{
	struct question *question = session->current;
	PGTransactionStatusType transaction;

	/* Early libpq 14 does not count an idle pipeline as idle, and would keep back what a server says then. */
	if (!question->next)
		PQexitPipelineMode(session->conn);
	session_forget_prepared(session, question->prepared_before + question->reply.prepared);
	transaction = PQtransactionStatus(session->conn);
	session->must_roll_back = transaction == PQTRANS_INERROR ||
							  (question->reply.why.kind != FAULT_NONE && transaction == PQTRANS_INTRANS);
	if (question->is_greeting) {
		finish_greeting(session);
		return;
	}
	if (!question->next && transaction == PQTRANS_IDLE)
		session->at_work_since_ms = 0;
	if (question->reply.why.kind == FAULT_LINK) {
		/* A standby, a server on its way out, or one that has lost what it was to keep: the asker is told to
		 * wait for the next connection. */
		session_lose(session, &question->reply.why);
		return;
	}
	question_answer(session_take_current(session));
	/* Nobody asks, so nothing would carry the ROLLBACK: an empty question does. */
	if (session->conn && session->must_roll_back && !session->current && !session->first)
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
			session_lose_broken(session);
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
void session_converse(struct session *session)
{
	bool alive = PQconsumeInput(session->conn);

	read_results(session);
	read_notifications(session);
	if (!session->conn)
		return;
	if (alive)
		session_carry_on(session);
	else
		session_lose_broken(session);
}
