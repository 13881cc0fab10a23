#include "common/session_reply.h"

#include "common/memory.h"
#include "common/session.h"
#include "common/sqlstate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void reply_begin(struct reply *reply, const struct script *script, bool after_rollback)
{
	reply->count = script->count;
	reply->results = memory_new((script->count + 1) * sizeof(PGresult *));
	reply->rolling_back = after_rollback;
}

void reply_clear(struct reply *reply)
{
	for (size_t i = 0; i < reply->count; i++)
		PQclear(reply->results[i]);
	free(reply->results);
	fault_clear(&reply->why);
	*reply = (struct reply){0};
}

static void copy_field(const PGresult *result, int field, char **ret_text)
{
	memory_set_text(ret_text, PQresultErrorField(result, field));
}

void reply_describe(const PGresult *result, struct fault *why)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (!message)
		message = "the server gave no message";
	fault_set(why, sqlstate ? sqlstate_kind(sqlstate) : FAULT_LINK, "%s", message);
	if (sqlstate)
		memcpy(why->sqlstate, sqlstate, strnlen(sqlstate, sizeof(why->sqlstate) - 1));
	copy_field(result, PG_DIAG_MESSAGE_DETAIL, &why->detail);
	copy_field(result, PG_DIAG_MESSAGE_HINT, &why->hint);
}

/* A FATAL ends the connection whatever its code says, and an error without a code is libpq's own: it has
 * lost the connection. */
static bool ends_connection(const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	return !severity || strcmp(severity, "ERROR") != 0;
}

/* The server has thrown a statement away that it was to keep (DISCARD, a pooler), or what that reads has
 * other types now (an upgrade of our schema). PostgreSQL translates the message, and has that code for much
 * else. */
static bool is_stale(const struct script_statement *statement, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

	if (!statement->prepared || statement->commands != 1)
		return false;
	return strcmp(sqlstate, "26000") == 0 ||
		   (strcmp(sqlstate, "0A000") == 0 && function && strcmp(function, "RevalidateCachedQuery") == 0);
}

static enum reply_progress take_error(
	struct reply *reply, const struct script *script, const PGresult *result)
{
	bool broken = ends_connection(result);

	if (!PQresultErrorField(result, PG_DIAG_SQLSTATE))
		return REPLY_BROKEN;
	if (reply->why.kind == FAULT_NONE) {
		reply_describe(result, &reply->why);
		reply->failed_at = reply->statement;
		if (broken ||
			(reply->statement < reply->count && is_stale(&script->statements[reply->statement], result)))
			reply->why.kind = FAULT_LINK;
	}
	return broken ? REPLY_BROKEN : REPLY_MORE;
}

static bool is_commit(const char *sql)
{
	sql += strspn(sql, " \t\r\n");
	return strncasecmp(sql, "COMMIT", 6) == 0 || strncasecmp(sql, "END", 3) == 0;
}

/* COMMIT of a transaction that has failed succeeds, and only its tag tells that nothing was kept. */
static void check_commit(struct reply *reply, const struct script *script, PGresult *result)
{
	if (reply->why.kind != FAULT_NONE || strcmp(PQcmdStatus(result), "ROLLBACK") != 0 ||
		!is_commit(script->statements[reply->statement].sql))
		return;
	fault_set(&reply->why, FAULT_BUSY,
		"the transaction was rolled back at COMMIT, since a statement before had failed");
	memcpy(reply->why.sqlstate, "25P02", 6); /* in_failed_sql_transaction */
	fault_set_hint(&reply->why, "repeat the transaction from its beginning");
	reply->failed_at = reply->statement;
}

static enum reply_progress take_success(struct reply *reply, const struct script *script, PGresult *result)
{
	if (reply->rolling_back || reply->statement >= reply->count) {
		PQclear(result);
		return reply->rolling_back ? REPLY_MORE : REPLY_BROKEN;
	}
	check_commit(reply, script, result);
	PQclear(reply->results[reply->statement]);
	reply->results[reply->statement] = result;
	return REPLY_MORE;
}

/* One command of the pipeline is over. libpq would give NULL for ever on a connection that is gone. */
static enum reply_progress step(struct reply *reply, const struct script *script)
{
	const struct script_statement *statement;

	if (reply->rolling_back) {
		reply->rolling_back = false;
		return REPLY_MORE;
	}
	if (reply->statement >= reply->count)
		return REPLY_BROKEN;
	statement = &script->statements[reply->statement];
	if (statement->commands == 2 && !reply->parsed) {
		reply->parsed = true;
		if (statement->prepared && reply->results[reply->statement])
			reply->prepared++;
		return REPLY_MORE;
	}
	reply->parsed = false;
	reply->statement++;
	return REPLY_MORE;
}

static enum reply_progress refuse(struct reply *reply, ExecStatusType status)
{
	if (reply->why.kind == FAULT_NONE) {
		fault_set(&reply->why, FAULT_JOB, "the server answered a statement with %s, which has no place here",
			PQresStatus(status));
		fault_set_hint(&reply->why, "COPY and replication commands cannot be used");
		reply->failed_at = reply->statement;
	}
	return REPLY_BROKEN;
}

enum reply_progress reply_take(struct reply *reply, const struct script *script, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	enum reply_progress progress = REPLY_MORE;

	if (!result)
		return step(reply, script);
	switch (status) {
	case PGRES_EMPTY_QUERY:
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		return take_success(reply, script, result);
	case PGRES_PIPELINE_SYNC:
		progress = REPLY_COMPLETE;
		break;
	case PGRES_PIPELINE_ABORTED:
		break;
	case PGRES_FATAL_ERROR:
		progress = take_error(reply, script, result);
		break;
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_SINGLE_TUPLE:
#ifdef LIBPQ_HAS_CHUNK_MODE
	case PGRES_TUPLES_CHUNK:
#endif
		progress = refuse(reply, status);
		break;
	}
	PQclear(result);
	return progress;
}

const struct fault *reply_fault(const struct reply *reply)
{
	return reply->why.kind == FAULT_NONE ? NULL : &reply->why;
}

size_t reply_fault_at(const struct reply *reply)
{
	return reply->failed_at;
}

static PGresult *result_of(const struct reply *reply, size_t statement)
{
	return statement < reply->count ? reply->results[statement] : NULL;
}

size_t reply_rows(const struct reply *reply, size_t statement)
{
	return (size_t)PQntuples(result_of(reply, statement));
}

int64_t reply_affected(const struct reply *reply, size_t statement)
{
	PGresult *result = result_of(reply, statement);

	return result ? strtoll(PQcmdTuples(result), NULL, 10) : 0;
}

/* PQfnumber() folds names to lower case as SQL would: the names here are meant as they are written. */
static int column_number(const PGresult *result, const char *column)
{
	int columns = PQnfields(result);

	for (int i = 0; i < columns; i++)
		if (strcmp(PQfname(result, i), column) == 0)
			return i;
	return -1;
}

const char *reply_text(const struct reply *reply, size_t statement, size_t row, const char *column)
{
	const PGresult *result = result_of(reply, statement);
	int number = column_number(result, column);

	assert(result && number >= 0 && row < (size_t)PQntuples(result));
	if (PQgetisnull(result, (int)row, number))
		return NULL;
	return PQgetvalue(result, (int)row, number);
}

int64_t reply_int(
	const struct reply *reply, size_t statement, size_t row, const char *column, int64_t when_null)
{
	const char *text = reply_text(reply, statement, row, column);

	return text ? strtoll(text, NULL, 10) : when_null;
}

double reply_real(
	const struct reply *reply, size_t statement, size_t row, const char *column, double when_null)
{
	const char *text = reply_text(reply, statement, row, column);

	return text ? strtod(text, NULL) : when_null;
}

bool reply_bool(const struct reply *reply, size_t statement, size_t row, const char *column)
{
	const char *text = reply_text(reply, statement, row, column);

	return text && strcmp(text, "t") == 0;
}

size_t reply_columns(const struct reply *reply, size_t statement)
{
	return (size_t)PQnfields(result_of(reply, statement));
}

const char *reply_text_at(const struct reply *reply, size_t statement, size_t row, size_t column)
{
	const PGresult *result = result_of(reply, statement);

	assert(result && column < (size_t)PQnfields(result) && row < (size_t)PQntuples(result));
	if (PQgetisnull(result, (int)row, (int)column))
		return NULL;
	return PQgetvalue(result, (int)row, (int)column);
}

void reply_first_type(const struct reply *reply, size_t statement, uint32_t *ret_oid, int32_t *ret_modifier)
{
	const PGresult *result = result_of(reply, statement);
	bool described = PQnfields(result) > 0;

	*ret_oid = described ? PQftype(result, 0) : 0;
	*ret_modifier = described ? PQfmod(result, 0) : -1;
}
