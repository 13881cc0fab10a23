#include "daemon/trigger.h"

#include "common/quote.h"
#include "daemon/pending.h"

#include <inttypes.h>
#include <stdlib.h>

bool trigger_wanted(const struct job *job)
{
	return job->sync != JOB_SYNC_NONE;
}

void trigger_add_name(struct text *name, int64_t job_id, enum trigger_event event)
{
	text_addf(name, "~backfill_%" PRId64 "_%s", job_id, event == TRIGGER_INSERT ? "insert" : "update");
}

static void add_quoted_name(struct text *sql, const struct job *job, enum trigger_event event)
{
	struct text name = {0};

	trigger_add_name(&name, job->id, event);
	quote_name(sql, text_is(&name));
	text_free(&name);
}

void trigger_add_function_name(struct text *name, const struct job *job)
{
	text_addf(name, "backfill_%s_%" PRId64, job->sync == JOB_SYNC_DERIVE ? "derive" : "fill", job->id);
}

bool trigger_counts(const struct job *job)
{
	return job->sync == JOB_SYNC_FILL;
}

void trigger_add_counter_name(struct text *name, int64_t job_id, enum trigger_counter counter)
{
	text_addf(name, "backfill_helped_%s%" PRId64, counter == TRIGGER_HELPED_AT ? "at_" : "", job_id);
}

static void add_counter(
	struct text *sql, const struct job *job, const char *schema_name, enum trigger_counter counter)
{
	text_addf(sql, "%s.", schema_name);
	trigger_add_counter_name(sql, job->id, counter);
}

void trigger_add_create_counter(
	struct text *sql, const struct job *job, const char *schema_name, enum trigger_counter counter)
{
	text_add(sql, "CREATE SEQUENCE ");
	add_counter(sql, job, schema_name, counter);
}

void trigger_add_open_counters(
	struct text *sql, const struct job *job, const char *schema_name, const char *login)
{
	text_add(sql, "GRANT SELECT ON SEQUENCE ");
	add_counter(sql, job, schema_name, TRIGGER_HELPED);
	text_add(sql, ", ");
	add_counter(sql, job, schema_name, TRIGGER_HELPED_AT);
	text_add(sql, " TO ");
	quote_name(sql, login);
}

/* The row being written, under the table's own name, so that expressions resolve as they do in the fill. */
static void add_row_source(struct text *body, const struct job *job)
{
	char *bare = job_bare_table(job);

	text_add(body, "FROM (SELECT NEW.*) AS ");
	quote_name(body, bare);
	free(bare);
}

static void add_assignment(struct text *body, const struct job *job)
{
	text_add(body, "\tSELECT ");
	pending_add_value(body, job);
	text_add(body, " INTO NEW.");
	quote_name(body, job->column_name);
	text_add(body, " ");
	add_row_source(body, job);
	text_add(body, ";\n");
}

void trigger_add_marker(struct text *marker, const struct job *job)
{
	text_addf(marker, "-- made by backfilld for job %" PRId64 ", column ", job->id);
	quote_name(marker, job->column_name);
}

static void add_counter_value(
	struct text *body, const struct job *job, const char *schema_name, enum trigger_counter counter)
{
	struct text name = {0};

	add_counter(&name, job, schema_name, counter);
	quote_literal(body, text_is(&name));
	text_free(&name);
}

/* Assignments: unlike PERFORM they are evaluated without a query. An error of counting, a block of its own,
 * must not take away the value that was found. Counted last: whoever reads the count can read who it was. */
static void add_counting(struct text *body, const struct job *job, const char *schema_name)
{
	text_add(body, "\tIF ");
	pending_add_filled(body, job, "NEW.");
	text_add(body, " THEN\n\t\tDECLARE\n\t\t\tcounted bigint;\n\t\tBEGIN\n"
				   "\t\t\tcounted := pg_catalog.setval(");
	add_counter_value(body, job, schema_name, TRIGGER_HELPED_AT);
	text_add(body,
		", (1000 * (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) - 1577836800))::bigint * "
		"4194304\n\t\t\t\t+ pg_catalog.pg_backend_pid() % 4194304);\n"
		"\t\t\tcounted := pg_catalog.nextval(");
	add_counter_value(body, job, schema_name, TRIGGER_HELPED);
	text_add(body, ");\n\t\tEXCEPTION WHEN OTHERS THEN\n\t\t\tNULL;\n\t\tEND;\n\tEND IF;\n");
}

/* A stale value must not stay. Where the column itself has gone, or has another name, not even that may break
 * the write. A value that was NULL before still is. */
static void add_forgetting(struct text *body, const struct job *job)
{
	text_add(body, "\tBEGIN\n\t\tNEW.");
	quote_name(body, job->column_name);
	text_add(body, " := NULL;\n\tEXCEPTION WHEN OTHERS THEN\n\t\tNULL;\n\tEND;\n");
}

/* Parentheses end on a line of their own: a user's expression may end in a comment. */
static void add_body(struct text *body, const struct job *job, const char *schema_name)
{
	text_add(body, "\n");
	trigger_add_marker(body, job);
	text_add(body, "\n#variable_conflict use_column\nBEGIN\n");
	if (job->fill_where) {
		text_add(body, "\tIF NOT EXISTS (SELECT ");
		add_row_source(body, job);
		text_addf(body, " WHERE (%s\n)) THEN\n\t\tRETURN NEW;\n\tEND IF;\n", job->fill_where);
	}
	add_assignment(body, job);
	if (trigger_counts(job))
		add_counting(body, job, schema_name);
	text_add(body, "\tRETURN NEW;\nEXCEPTION WHEN OTHERS THEN\n");
	if (job->sync == JOB_SYNC_DERIVE)
		add_forgetting(body, job);
	text_add(body, "\tRETURN NEW;\nEND\n");
}

void trigger_add_create_function(struct text *sql, const struct job *job, const char *schema_name)
{
	struct text body = {0};

	add_body(&body, job, schema_name);
	text_addf(sql, "CREATE FUNCTION %s.", schema_name);
	trigger_add_function_name(sql, job);
	/* The value must not depend on who writes: a date's text, or its day, is what it is in the fill. */
	text_add(sql, "() RETURNS pg_catalog.trigger LANGUAGE plpgsql SET timezone FROM CURRENT"
				  " SET datestyle FROM CURRENT SET intervalstyle FROM CURRENT"
				  " SET standard_conforming_strings FROM CURRENT ");
	text_add(sql, "SECURITY DEFINER SET search_path = ");
	text_addf(sql, "%s AS ", job->search_path);
	quote_body(sql, text_is(&body));
	text_free(&body);
}

void trigger_add_close_function(struct text *sql, const struct job *job, const char *schema_name)
{
	text_addf(sql, "REVOKE ALL ON FUNCTION %s.", schema_name);
	trigger_add_function_name(sql, job);
	text_add(sql, "() FROM PUBLIC");
}

void trigger_add_create(struct text *sql, const struct job *job, const char *function_name, const char *table,
	enum trigger_event event)
{
	text_add(sql, "CREATE TRIGGER ");
	add_quoted_name(sql, job, event);
	text_addf(sql, " BEFORE %s ON %s FOR EACH ROW ", event == TRIGGER_INSERT ? "INSERT" : "UPDATE", table);
	if (job->sync == JOB_SYNC_FILL) {
		text_add(sql, "WHEN (");
		pending_add_missing(sql, job, "NEW.");
		text_add(sql, ") ");
	}
	text_addf(sql, "EXECUTE FUNCTION %s()", function_name);
}

void trigger_add_drop(struct text *sql, const struct job *job, const char *table, enum trigger_event event)
{
	text_add(sql, "DROP TRIGGER ");
	add_quoted_name(sql, job, event);
	text_addf(sql, " ON %s", table);
}
