#include "common/session_inside.h"

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

void session_send(struct session *session, struct question *question)
{
	session->current = question;
	reply_begin(&question->reply, question->script, session->must_roll_back);
	if (!send_script(session->conn, question->script, session->must_roll_back)) {
		session_lose_broken(session);
		return;
	}
	session->must_roll_back = false;
}

void session_carry_on(struct session *session)
{
	int flushed;

	if (session->state == SESSION_OPEN && !session->current && session->first)
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
	session->current = NULL;
	question_free(question);
	session_become_open(session);
}

static void finish_question(struct session *session)
{
	struct question *question = session->current;
	PGTransactionStatusType transaction;

	/* Early libpq 14 does not count an idle pipeline as idle, and would keep back what a server says then. */
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
		session_lose(session, &question->reply.why);
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
