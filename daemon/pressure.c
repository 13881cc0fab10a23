#include "daemon/pressure.h"

#include "sql.h"

/* One implicit transaction: the sample does not see this heartbeat yet, the next one does. */
enum { HEARTBEAT_AT, SAMPLE_AT };

void pressure_ask(struct session *session, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	script_add(script, sql_heartbeat);
	script_add(script, sql_pressure);
	session_ask(session, script, PRESSURE_DEADLINE_MS, answer, owner);
}

void pressure_tell(struct session *session, const char *kind, const char *detail)
{
	struct script *script = script_new();

	script_add(script, sql_note);
	script_bind(script, kind);
	script_bind(script, detail);
	session_ask(session, script, PRESSURE_DEADLINE_MS, NULL, NULL);
}

uint64_t pressure_read_flushed(const struct reply *reply)
{
	return (uint64_t)reply_int(reply, SAMPLE_AT, 0, "flush_lsn", 0);
}

bool pressure_read_replica(
	const struct reply *reply, size_t row, const char **ret_name, uint64_t *ret_replayed)
{
	if (row >= reply_rows(reply, SAMPLE_AT) || !reply_text(reply, SAMPLE_AT, row, "replay_lsn"))
		return false;
	*ret_name = reply_text(reply, SAMPLE_AT, row, "application_name");
	*ret_replayed = (uint64_t)reply_int(reply, SAMPLE_AT, row, "replay_lsn", 0);
	return true;
}
