#include "daemon/job.h"

#include "common/memory.h"
#include "common/quote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum job_sync job_sync_parse(const char *sync, bool has_value)
{
	if (strcmp(sync, "derive") == 0)
		return JOB_SYNC_DERIVE;
	if (strcmp(sync, "fill") == 0)
		return JOB_SYNC_FILL;
	if (strcmp(sync, "auto") == 0 && has_value)
		return JOB_SYNC_FILL;
	return JOB_SYNC_NONE;
}

enum job_wanted job_wanted_parse(const char *wanted)
{
	if (strcmp(wanted, "pause") == 0)
		return JOB_PAUSE;
	if (strcmp(wanted, "cancel") == 0)
		return JOB_CANCEL;
	if (strcmp(wanted, "roll_back") == 0)
		return JOB_ROLL_BACK;
	return JOB_RUN;
}

enum stage job_goal(const struct job *job)
{
	if (job->stage == STAGE_ROLLING_BACK || job->wanted == JOB_ROLL_BACK)
		return STAGE_ROLLED_BACK;
	return job->wanted == JOB_CANCEL ? STAGE_CANCELLED : STAGE_DONE;
}

/* The end of one quoted or bare identifier of format('%I.%I'). */
static const char *identifier_end(const char *at)
{
	if (*at != '"')
		return at + strcspn(at, ".");
	for (at++; *at; at++) {
		if (at[0] == '"' && at[1] == '"')
			at++;
		else if (at[0] == '"')
			return at + 1;
	}
	return at;
}

void job_add_helper(struct text *sql, const struct job *job)
{
	text_add_bytes(sql, job->table_name, (size_t)(identifier_end(job->table_name) - job->table_name));
	text_addf(sql, ".backfill_identity_%" PRId64, job->id);
}

static char *compose_numbering(const struct job *job)
{
	struct text helper = {0};
	struct text numbering = {0};

	job_add_helper(&helper, job);
	text_add(&numbering, "pg_catalog.nextval(");
	quote_literal(&numbering, text_is(&helper));
	text_add(&numbering, "::pg_catalog.regclass)");
	text_free(&helper);
	return text_take(&numbering);
}

void job_name_table(struct job *job, const char *table_name)
{
	memory_set_text(&job->table_name, table_name);
	free(job->numbering);
	job->numbering = job->identity ? compose_numbering(job) : NULL;
}

void job_add_field(struct text *sql, const struct job *job, const char *row)
{
	text_addf(sql, "pg_catalog.jsonb_extract_path(%s", row);
	quote_name(sql, job->column_name);
	text_add(sql, ", VARIADIC ");
	quote_literal(sql, job->field);
	text_add(sql, "::pg_catalog.text[])");
}

/* A document that is NULL has no fields to miss. */
static void require_field(struct job *job)
{
	struct text all = {0};

	if (job->check_expr)
		text_addf(&all, "(%s\n) AND ", job->check_expr);
	text_add(&all, "(");
	quote_name(&all, job->column_name);
	text_add(&all, " IS NULL OR ");
	job_add_field(&all, job, "");
	text_add(&all, " IS NOT NULL)");
	free(job->check_expr);
	job->check_expr = text_take(&all);
}

void job_settle(struct job *job)
{
	job->not_null = job->not_null || job->identity;
	if (!job->field || !job->not_null)
		return;
	require_field(job);
	job->not_null = false;
}

const char *job_default(const struct job *job)
{
	return job->numbering ? job->numbering : job->default_expr;
}

const char *job_fill_expression(const struct job *job)
{
	return job->value ? job->value : job_default(job);
}

bool job_fills(const struct job *job)
{
	return job_fill_expression(job) && !job->fast_default;
}

unsigned job_stages(const struct job *job)
{
	unsigned stages = STAGE_BIT(STAGE_PLANNING) | STAGE_BIT(STAGE_ADDING) | STAGE_BIT(STAGE_SEALING) |
					  STAGE_BIT(STAGE_ANALYZING);

	if (job_fills(job))
		stages |= STAGE_BIT(STAGE_FILLING);
	return job->index ? stages | STAGE_BIT(STAGE_INDEXING) : stages;
}

char *job_bare_table(const struct job *job)
{
	const char *at = identifier_end(job->table_name);
	struct text bare = {0};

	at = *at == '.' ? at + 1 : job->table_name;
	if (*at != '"')
		return memory_text(at);
	for (at++; *at && !(at[0] == '"' && at[1] != '"'); at++) {
		text_add_bytes(&bare, at, 1);
		if (*at == '"')
			at++;
	}
	return text_take(&bare);
}

bool job_in_window(const struct job *job, int64_t now_ms)
{
	return !job->outside_window && (job->window_closes_ms == 0 || now_ms < job->window_closes_ms);
}

void job_follow(struct job *job, const struct job *row)
{
	job->knobs = row->knobs;
	job->priority = row->priority;
	job->holds = row->holds;
	job->wanted = row->wanted;
	job->outside_window = row->outside_window;
	job->window_closes_ms = row->window_closes_ms;
	memory_set_text(&job->opens_at, row->opens_at);
}

void job_copy(struct job *copy, const struct job *job)
{
	struct job made = *job;

	made.table_name = memory_text(job->table_name);
	made.search_path = memory_text(job->search_path);
	made.column_name = memory_text(job->column_name);
	made.column_type = memory_text(job->column_type);
	made.collation = memory_text(job->collation);
	made.identity = memory_text(job->identity);
	made.numbering = memory_text(job->numbering);
	made.default_expr = memory_text(job->default_expr);
	made.value = memory_text(job->value);
	made.field = memory_text(job->field);
	made.fill_where = memory_text(job->fill_where);
	made.exact_type = memory_text(job->exact_type);
	made.check_expr = memory_text(job->check_expr);
	made.foreign_key = memory_text(job->foreign_key);
	made.index = memory_text(job->index);
	made.index_where = memory_text(job->index_where);
	made.index_name = memory_text(job->index_name);
	made.unique_name = memory_text(job->unique_name);
	made.check_name = memory_text(job->check_name);
	made.foreign_key_name = memory_text(job->foreign_key_name);
	made.opens_at = memory_text(job->opens_at);
	job_clear(copy);
	*copy = made;
}

void job_clear(struct job *job)
{
	free(job->table_name);
	free(job->search_path);
	free(job->column_name);
	free(job->column_type);
	free(job->collation);
	free(job->identity);
	free(job->numbering);
	free(job->default_expr);
	free(job->value);
	free(job->field);
	free(job->fill_where);
	free(job->exact_type);
	free(job->check_expr);
	free(job->foreign_key);
	free(job->index);
	free(job->index_where);
	free(job->index_name);
	free(job->unique_name);
	free(job->check_name);
	free(job->foreign_key_name);
	free(job->opens_at);
	*job = (struct job){0};
}
