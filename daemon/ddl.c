#include "daemon/ddl.h"

#include "daemon/authority.h"
#include "daemon/vacuum.h"
#include "sql.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_DEADLINE_MS 10000
/* Beyond the statement's own timeout only a dead server stays silent. */
#define DEADLINE_BEYOND_MS 30000

#define SQL_CLOCK "SELECT (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::bigint AS ms"

/* While LOCK TABLE waited, somebody may have put another table in the place of the job's: no ALTER must touch
 * that one. The SQLSTATE is undefined_table, as when there is none of that name. */
#define SQL_STILL_CALLED(name, oid)                                                                          \
	"CASE WHEN pg_catalog.to_regclass(" name ")::oid IS DISTINCT FROM " oid "::oid"                          \
	" THEN ('\"another table than the job''s\"'::text)::pg_catalog.regclass END"

/* $1: the job's own timeout. It is for the table's lock, while nothing else is held yet; in a deadlock there
 * is no part for it. The locks of a tree are waited for one after the other: what they take together is
 * limited as well ($2). An ANALYZE sleeps in between ($5), unless somebody has set how it is to. */
static const char *const sql_before = SQL_CLOCK ", pg_catalog.set_config('lock_timeout', $1, true),"
												" pg_catalog.set_config('statement_timeout', $2, true)";
static const char *const sql_granted =
	SQL_CLOCK ", pg_catalog.set_config('lock_timeout', " AUTHORITY_LOCK_TIMEOUT(
		"$1") ", true),"
			  " pg_catalog.set_config('statement_timeout', $2, true),"
			  " CASE WHEN pg_catalog.current_setting('vacuum_cost_delay') = '0' THEN"
			  "   pg_catalog.set_config('vacuum_cost_delay', $6, true) ||"
			  "   pg_catalog.set_config('vacuum_cost_limit', $5, true) END, " SQL_STILL_CALLED("$3", "$4");
static const char *const sql_after = SQL_CLOCK;

static void bind_members(struct script *script, const struct relation *relation)
{
	struct text oids = {0};

	text_add(&oids, "{");
	for (size_t i = 0; i < relation->members_count; i++)
		text_addf(&oids, "%s%" PRIu32, i > 0 ? "," : "", relation->members[i].oid);
	text_add(&oids, "}");
	script_bind(script, text_is(&oids));
	text_free(&oids);
}

void ddl_ask_holders(struct session *control, const struct job *job, const struct relation *relation,
	const char *lock_mode, int own_pid, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	script_add(script, sql_holders);
	bind_members(script, relation);
	script_bind_int(script, job->knobs.ddl_lock_timeout_ms);
	script_bind(script, lock_mode);
	script_bind_int(script, own_pid);
	session_ask(control, script, LOOK_DEADLINE_MS, answer, owner);
}

bool ddl_read_holders(const struct reply *reply, const struct job *job, struct text *ret_sentence)
{
	const char *prepared;
	const char *table;
	double age_s;

	if (reply_rows(reply, 0) == 0)
		return false;
	prepared = reply_text(reply, 0, 0, "prepared");
	table = reply_text(reply, 0, 0, "table_name");
	if (!table)
		table = job->table_name;
	age_s = reply_real(reply, 0, 0, "age_s", 0);
	text_clear(ret_sentence);
	if (prepared) {
		text_addf(ret_sentence,
			"prepared transaction %s, %.0f s old, holds %s; COMMIT or ROLLBACK PREPARED it", prepared, age_s,
			table);
		return true;
	}
	text_addf(ret_sentence, "%s (pid %s, %s, %s) has held %s on %s for %.0f s: %s",
		reply_bool(reply, 0, 0, "autovacuum") ? "an autovacuum" : "a transaction",
		reply_text(reply, 0, 0, "pid"), reply_text(reply, 0, 0, "application_name"),
		reply_text(reply, 0, 0, "state"), reply_text(reply, 0, 0, "mode"), table, age_s,
		reply_text(reply, 0, 0, "query"));
	return true;
}

/* Where the statements of ddl_ask stand: begin, settings, clock, lock, clock, the step's, clock, commit. */
enum {
	ASKED_AT = AUTHORITY_STATEMENTS,
	GRANTED_AT = AUTHORITY_STATEMENTS + 2,
	STEP_AT = AUTHORITY_STATEMENTS + 3,
};

void ddl_ask(struct session *session, const struct job *job, const struct relation *relation,
	const struct change_step *step, double part, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	bool tree = relation->members_count > 1 && !step->only;
	struct vacuum_cost cost = vacuum_cost(part);

	authority_begin(script, &(struct authority){
								.owner = relation->owner,
								.search_path = job->search_path,
								.lock_timeout_ms = job->knobs.ddl_lock_timeout_ms,
								.statement_timeout_ms = (int)step->timeout_ms,
							});
	script_add(script, sql_before);
	script_bind_int(script, job->knobs.ddl_lock_timeout_ms);
	script_bind_int(script, tree ? job->knobs.ddl_lock_timeout_ms : step->timeout_ms);
	script_addf(script, "LOCK TABLE %s%s IN %s MODE", tree ? "" : "ONLY ",
		step->table ? step->table : job->table_name, step->lock_mode);
	script_add(script, sql_granted);
	script_bind_int(script, job->knobs.ddl_lock_timeout_ms);
	script_bind_int(script, step->timeout_ms);
	script_bind(script, job->table_name);
	script_bind_int(script, job->table_oid);
	script_bind_int(script, cost.limit);
	script_bind_int(script, cost.delay_ms);
	for (size_t i = 0; i < step->script->count; i++)
		script_add(script, step->script->statements[i].sql);
	script_add(script, sql_after);
	script_add(script, "COMMIT");
	session_ask(session, script, step->timeout_ms + DEADLINE_BEYOND_MS, answer, owner);
}

void ddl_read(const struct reply *reply, const struct change_step *step, struct ddl_outcome *ret_outcome)
{
	int64_t asked = reply_int(reply, ASKED_AT, 0, "ms", 0);
	int64_t granted = reply_int(reply, GRANTED_AT, 0, "ms", 0);
	int64_t done = reply_int(reply, STEP_AT + step->script->count, 0, "ms", 0);

	ret_outcome->lock_wait_ms = granted - asked;
	ret_outcome->duration_ms = done - granted;
}
