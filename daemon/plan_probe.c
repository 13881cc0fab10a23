#include "daemon/plan_inside.h"

#include "common/memory.h"
#include "common/quote.h"
#include "common/text.h"
#include "daemon/authority.h"
#include "daemon/change.h"
#include "daemon/pending.h"
#include "daemon/trigger.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

static void note_about(struct plan_probe *probe, const struct script *script, const char *about)
{
	probe->about = memory_resize(probe->about, script->count * sizeof(probe->about[0]));
	while (probe->count < script->count)
		probe->about[probe->count++] = about;
}

/*
 * Three ways to stand in a statement: a text that closes a bracket, adds a statement or ends in a comment
 * cannot pass all of them (43 attacks were tried).
 */
static void add_parses(struct plan_probe *probe, struct script *script, const char *expression,
	const char *from, const char *about)
{
	static const char *const around[][2] = {
		{"SELECT (", "\n)"}, {"SELECT ARRAY[", "\n]"}, {"SELECT (CASE WHEN true THEN ", "\n END)"}};
	struct text sql = {0};

	for (size_t i = 0; i < COUNT_OF(around); i++) {
		text_clear(&sql);
		text_addf(&sql, "%s%s%s%s", around[i][0], expression, around[i][1], from);
		script_add_parse(script, text_is(&sql));
	}
	text_free(&sql);
	note_about(probe, script, about);
}

static void add_copy(
	struct plan_probe *probe, struct script *script, const struct job *job, const struct relation *relation)
{
	struct text sql = {0};

	script_addf(script, "CREATE TEMPORARY TABLE backfill_probe (LIKE %s)", job->table_name);
	note_about(probe, script, "temporary copy");
	if (job->default_expr)
		add_parses(probe, script, job->default_expr, "", "default_expr");
	text_add(&sql, "ALTER TABLE pg_temp.backfill_probe ");
	text_add(&sql, relation->column_exists ? "ALTER COLUMN " : "ADD COLUMN ");
	quote_name(&sql, job->column_name);
	if (!relation->column_exists)
		text_addf(&sql, " %s", job->exact_type);
	if (!relation->column_exists && job->collation)
		text_addf(&sql, " COLLATE %s", job->collation);
	if (job->default_expr)
		text_addf(&sql, "%s DEFAULT (%s\n)", relation->column_exists ? " SET" : "", job->default_expr);
	if (job->default_expr || !relation->column_exists)
		script_add(script, text_is(&sql));
	note_about(probe, script, job->default_expr ? "default_expr" : "column_type");
	text_free(&sql);
}

/* What the user wrote of index and constraints must stand on a table that is empty: there it costs nothing.
 */
static void add_objects(
	struct plan_probe *probe, struct script *script, const struct job *job, const char *from)
{
	struct text sql = {0};

	if (job->check_expr) {
		add_parses(probe, script, job->check_expr, from, "check_expr");
		script_addf(script, "ALTER TABLE pg_temp.backfill_probe ADD CHECK (%s\n)", job->check_expr);
		note_about(probe, script, "check_expr");
	}
	if (job->index) {
		text_add(&sql, "CREATE INDEX ON pg_temp.backfill_probe");
		change_add_index_definition(&sql, job);
		script_add(script, text_is(&sql));
		note_about(probe, script, "index");
	}
	if (job->is_unique) {
		text_clear(&sql);
		text_add(&sql, "ALTER TABLE pg_temp.backfill_probe ADD UNIQUE (");
		quote_name(&sql, job->column_name);
		text_add(&sql, ")");
		script_add(script, text_is(&sql));
		note_about(probe, script, "is_unique");
	}
	text_free(&sql);
}

/* The server knows which types can be numbered. The helper sequence is not there yet. */
static void add_identity(struct plan_probe *probe, struct script *script, const struct job *job)
{
	struct text sql = {0};

	text_add(&sql, "ALTER TABLE pg_temp.backfill_probe ALTER COLUMN ");
	quote_name(&sql, job->column_name);
	text_add(&sql, " SET NOT NULL, ALTER COLUMN ");
	quote_name(&sql, job->column_name);
	text_addf(&sql, " ADD GENERATED %s AS IDENTITY", job->identity);
	script_add(script, text_is(&sql));
	note_about(probe, script, "identity");
	text_free(&sql);
}

/* The server's own parse, kept in a view, tells which functions and columns the expressions use. */
static void add_reads(
	struct plan_probe *probe, struct script *script, const struct job *job, const char *from)
{
	struct text sql = {0};

	text_addf(&sql, "UPDATE pg_temp.backfill_probe%s SET ", strstr(from, " AS "));
	quote_name(&sql, job->column_name);
	text_add(&sql, " = ");
	pending_add_value(&sql, job);
	script_add_parse(script, text_is(&sql));
	note_about(probe, script, job->value ? "value" : "default_expr");
	/* A trigger sees the row's columns and no ctid, no tableoid. */
	if (trigger_wanted(job)) {
		text_clear(&sql);
		text_addf(&sql, "SELECT (%s\n) FROM (SELECT * FROM pg_temp.backfill_probe)%s WHERE (%s\n)",
			job_fill_expression(job), strstr(from, " AS "), job->fill_where ? job->fill_where : "true");
		script_add_parse(script, text_is(&sql));
		note_about(probe, script,
			job->fill_where ? "value and fill_where, as a trigger sees them" : "value, as a trigger sees it");
	}
	/* derive compares: a type without equality must fail here, and not when the column is there */
	text_clear(&sql);
	text_addf(&sql, "SELECT%s WHERE ", from);
	pending_add(&sql, job);
	script_add_parse(script, text_is(&sql));
	note_about(probe, script, job->sync == JOB_SYNC_DERIVE ? "sync = 'derive' compares values" : "value");
	text_clear(&sql);
	text_addf(&sql, "CREATE TEMPORARY VIEW backfill_reads AS SELECT (%s\n) AS value%s",
		job_fill_expression(job), from);
	if (job->fill_where)
		text_addf(&sql, " WHERE (%s\n)", job->fill_where);
	script_add(script, text_is(&sql));
	note_about(probe, script, job->fill_where ? "value and fill_where" : "value");
	probe->reads_at = script->count;
	script_add(script, sql_probe_reads);
	script_bind(script, job->table_name);
	text_free(&sql);
}

void plan_ask_probe(struct session *session, struct plan_probe *probe, const struct job *job,
	const struct relation *relation, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct text from = {0};
	char *bare = job_bare_table(job);

	text_add(&from, " FROM pg_temp.backfill_probe AS ");
	quote_name(&from, bare);
	authority_begin(script, &(struct authority){
								.owner = relation->owner,
								.search_path = job->search_path,
								.lock_timeout_ms = job->knobs.lock_timeout_ms,
								.skip_triggers = job->skip_triggers,
								.statement_timeout_ms = PLAN_STATEMENT_TIMEOUT_MS,
							});
	note_about(probe, script, NULL);
	add_copy(probe, script, job, relation);
	add_objects(probe, script, job, text_is(&from));
	if (job->identity)
		add_identity(probe, script, job);
	if (job->value)
		add_parses(probe, script, job->value, text_is(&from), "value");
	if (job->fill_where)
		add_parses(probe, script, job->fill_where, text_is(&from), "fill_where");
	if (job_fill_expression(job) && !job->identity)
		add_reads(probe, script, job, text_is(&from));
	probe->missing_at = script->count;
	script_add(script,
		"SELECT a.atthasmissing, a.atthasdef,"
		" (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d"
		"   WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) AS wanted_default,"
		" (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d"
		"   JOIN pg_catalog.pg_attribute c ON c.attrelid = d.adrelid AND c.attnum = d.adnum"
		"  WHERE c.attrelid = $2 AND c.attname = a.attname) AS present_default"
		" FROM pg_catalog.pg_attribute a"
		" WHERE a.attrelid = 'pg_temp.backfill_probe'::pg_catalog.regclass AND a.attname = $1");
	script_bind(script, job->column_name);
	script_bind_int(script, job->table_oid);
	script_add(script, "ROLLBACK");
	note_about(probe, script, NULL);
	free(bare);
	text_free(&from);
	session_ask(session, script, PLAN_DEADLINE_MS, answer, owner);
}

/* What a trigger of ours cannot do. */
static bool trigger_can(const struct reply *reply, size_t at, const struct job *job, struct fault *why)
{
	const char *generated = reply_text(reply, at, 0, "generated");

	if (trigger_wanted(job) && generated) {
		fault_set(why, FAULT_JOB,
			"the value reads %s, a stored generated column, which a BEFORE trigger still sees as NULL",
			generated);
		fault_set_hint(why, "Put the column's generation expression into value instead.");
		return false;
	}
	if (job->sync != JOB_SYNC_DERIVE)
		return true;
	if (job->volatile_value)
		return plan_refuse(why,
			"sync = 'derive' needs a value that is not volatile: the same row must give the same value",
			"Use sync = 'fill', or take the volatile function out of value.");
	if (reply_bool(reply, at, 0, "moment"))
		return plan_refuse(why,
			"sync = 'derive' needs a value that does not depend on the moment or on who asks: no sweep would "
			"find it right",
			"Use sync = 'fill', or take now(), CURRENT_DATE, current_user and their like out of value.");
	if (reply_bool(reply, at, 0, "subquery"))
		return plan_refuse(why,
			"sync = 'derive' needs a value without a sub-query: it follows only its own row's columns",
			"Use sync = 'fill'.");
	return true;
}

/* Is it one that can be set, and is the column's own, should it have one, the same? */
static bool default_fits(const struct reply *reply, size_t at, const struct job *job, struct fault *why)
{
	const char *present = reply_text(reply, at, 0, "present_default");

	/* The server keeps no default that is a mere NULL: setting it would never be found done. */
	if (!reply_bool(reply, at, 0, "atthasdef"))
		return plan_refuse(why, "default_expr is NULL, which a column without a default has anyway",
			"Enqueue the job without default_expr.");
	if (!present || strcmp(present, reply_text(reply, at, 0, "wanted_default")) == 0)
		return true;
	fault_set(why, FAULT_JOB, "column %s exists with the default %s, the job asks for %s", job->column_name,
		present, job->default_expr);
	fault_set_hint(
		why, "Leave default_expr out to keep the column's own, or ALTER TABLE ... SET DEFAULT first.");
	return false;
}

/* The server merges that one, and its rows keep what they have. */
static bool child_has_column(const struct relation *relation)
{
	for (size_t i = 0; i < relation->members_count; i++)
		if (relation->members[i].column_exists)
			return true;
	return false;
}

bool plan_read_probe(const struct reply *reply, const struct plan_probe *probe, struct job *job,
	const struct relation *relation, struct fault *why)
{
	size_t at = reply_fault_at(reply);

	if (reply_fault(reply)) {
		fault_copy(why, reply_fault(reply));
		if (at < probe->count && probe->about[at])
			fault_add_context(why, "%s", probe->about[at]);
		plan_hint_at_grant(why, relation);
		if (!why->hint && job->field && strcmp(why->sqlstate, "42804") == 0)
			fault_set_hint(why, "Say what the value is in the document: to_jsonb('x'::text), '{}'::jsonb.");
		if (!why->hint)
			fault_set_hint(why, "A job's expressions cannot be changed: cancel this job and insert another "
								"with the right one.");
		/* An expression that does not even parse on an empty table fails the job, whatever its SQLSTATE. */
		if (why->kind == FAULT_DATA)
			why->kind = FAULT_JOB;
		return false;
	}
	if (job->default_expr && !default_fits(reply, probe->missing_at, job, why))
		return false;
	job->adopted = relation->column_exists;
	job->had_not_null = relation->column_not_null || relation->not_null_unvalidated;
	job->had_default = relation->column_default != NULL;
	job->fast_default = !relation->column_exists && !child_has_column(relation) && job->default_expr &&
						!job->value && !job->fill_where &&
						reply_bool(reply, probe->missing_at, 0, "atthasmissing");
	job->volatile_value =
		job->identity || (probe->reads_at > 0 && reply_bool(reply, probe->reads_at, 0, "volatile"));
	return probe->reads_at == 0 || trigger_can(reply, probe->reads_at, job, why);
}

void plan_probe_free(struct plan_probe *probe)
{
	free(probe->about);
	*probe = (struct plan_probe){0};
}
