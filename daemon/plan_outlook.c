#include "daemon/plan_inside.h"

#include "common/memory.h"
#include "common/quote.h"
#include "common/text.h"
#include "daemon/authority.h"
#include "daemon/trigger.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 30000
#define NOT_ALLOWED "42501"

/* Beside its own: statements in the catalogue, and an index that stands alone. */
static bool makes_objects(const struct job *job)
{
	return trigger_wanted(job) || job->identity || job->index || job->is_unique;
}

void plan_ask_refusals(struct session *control, const struct job *job, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	script_add(script, sql_refusals);
	script_bind_int(script, job->table_oid);
	script_bind(script, job->column_name);
	script_bind_bool(script, makes_objects(job));
	script_bind_bool(script, job->skip_triggers);
	session_ask(control, script, DEADLINE_MS, answer, owner);
}

bool plan_read_refusals(const struct reply *reply, struct fault *why)
{
	const char *sqlstate;

	if (reply_rows(reply, 0) == 0)
		return true;
	sqlstate = reply_text(reply, 0, 0, "sqlstate");
	fault_set(why, FAULT_JOB, "%s", reply_text(reply, 0, 0, "message"));
	fault_set_hint(why, "%s", reply_text(reply, 0, 0, "hint"));
	memcpy(why->sqlstate, sqlstate, strlen(sqlstate) + 1);
	return false;
}

/* Of the table itself: a sub-query of each row is planned for it as it is. */
void plan_ask_value(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct text sql = {0};
	char *bare = job_bare_table(job);

	authority_begin(script, &(struct authority){
								.owner = relation->owner,
								.search_path = job->search_path,
								.lock_timeout_ms = job->knobs.lock_timeout_ms,
								.statement_timeout_ms = DEADLINE_MS,
							});
	text_addf(&sql, "EXPLAIN (VERBOSE, FORMAT JSON) SELECT (%s\n) FROM %s AS ", job->value, job->table_name);
	quote_name(&sql, bare);
	script_add(script, text_is(&sql));
	script_add(script, "ROLLBACK");
	text_free(&sql);
	free(bare);
	session_ask(session, script, DEADLINE_MS, answer, owner);
}

bool plan_read_value(
	const struct reply *reply, const struct relation *relation, char **ret_plan, struct fault *why)
{
	const struct fault *said = reply_fault(reply);

	if (said && strcmp(said->sqlstate, NOT_ALLOWED) == 0) {
		fault_copy(why, said);
		fault_add_context(why, "value");
		plan_hint_at_grant(why, relation);
		return false;
	}
	free(*ret_plan);
	*ret_plan = said ? NULL : memory_text(reply_text(reply, AUTHORITY_STATEMENTS, 0, "QUERY PLAN"));
	return true;
}

void plan_add_outlook(struct script *script, const struct job *job, const char *value_plan)
{
	script_add(script, sql_outlook);
	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, job->table_oid);
	script_bind_bool(script, job_fills(job));
	script_bind_int(script, job->knobs.workers);
	script_bind(script, value_plan);
}
