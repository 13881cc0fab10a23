#include "daemon/pressure.h"

#include "sql.h"

/* One implicit transaction: the sample does not see this heartbeat yet, the next one does. */
enum { PULSE_AT, HEARTBEAT_AT };

void pressure_ask(struct session *session, bool heartbeat, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	script_add_prepared(script, sql_pulse);
	if (heartbeat)
		script_add_prepared(script, sql_heartbeat);
	session_ask(session, script, PRESSURE_DEADLINE_MS, answer, owner);
}

const char *pressure_failed_part(const struct reply *reply)
{
	return reply_fault_at(reply) == HEARTBEAT_AT ? "pg_logical_emit_message()" : "pg_stat_replication";
}

void pressure_tell(struct session *session, const char *kind, const char *detail)
{
	struct script *script = script_new();

	script_add(script, sql_note);
	script_bind(script, kind);
	script_bind(script, detail);
	session_ask(session, script, PRESSURE_DEADLINE_MS, NULL, NULL);
}

bool pressure_may_see(const struct reply *reply)
{
	return reply_bool(reply, PULSE_AT, 0, "sees");
}

uint64_t pressure_read_flushed(const struct reply *reply)
{
	return (uint64_t)reply_int(reply, PULSE_AT, 0, "flush_lsn", 0);
}

uint64_t pressure_read_written(const struct reply *reply)
{
	return (uint64_t)reply_int(reply, PULSE_AT, 0, "insert_lsn", 0);
}

bool pressure_read_replica(const struct reply *reply, size_t row, struct replicas_seen *ret_seen)
{
	if (row >= reply_rows(reply, PULSE_AT) || !reply_text(reply, PULSE_AT, row, "replay_lsn"))
		return false;
	ret_seen->name = reply_text(reply, PULSE_AT, row, "application_name");
	ret_seen->replayed = (uint64_t)reply_int(reply, PULSE_AT, row, "replay_lsn", 0);
	ret_seen->received = (uint64_t)reply_int(reply, PULSE_AT, row, "received_lsn", 0);
	ret_seen->logical = reply_bool(reply, PULSE_AT, row, "logical");
	return true;
}
