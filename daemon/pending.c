#include "daemon/pending.h"

#include "common/memory.h"
#include "common/quote.h"

#include <inttypes.h>
#include <stdlib.h>

/* Parentheses end on a line of their own: a user's expression may end in a comment. */
static void add_expression(struct text *sql, const char *expression)
{
	text_addf(sql, "(%s\n)", expression);
}

void pending_add_missing(struct text *sql, const struct job *job, const char *row)
{
	if (!job->field) {
		text_add(sql, row);
		quote_name(sql, job->column_name);
		text_add(sql, " IS NOT DISTINCT FROM NULL");
		return;
	}
	text_add(sql, row);
	quote_name(sql, job->column_name);
	text_add(sql, " IS NOT NULL AND ");
	job_add_field(sql, job, row);
	text_add(sql, " IS NULL");
}

void pending_add_filled(struct text *sql, const struct job *job, const char *row)
{
	if (job->field) {
		job_add_field(sql, job, row);
		text_add(sql, " IS NOT NULL");
		return;
	}
	text_add(sql, row);
	quote_name(sql, job->column_name);
	text_add(sql, " IS DISTINCT FROM NULL");
}

void pending_add_value(struct text *sql, const struct job *job)
{
	if (!job->field) {
		add_expression(sql, job_fill_expression(job));
		return;
	}
	text_add(sql, "backfill.field_set(");
	quote_name(sql, job->column_name);
	text_add(sql, ", ");
	quote_literal(sql, job->field);
	text_add(sql, "::pg_catalog.text[], pg_catalog.to_jsonb(");
	add_expression(sql, job_fill_expression(job));
	text_add(sql, "))");
}

/*
 * The part that costs nothing, so the server evaluates it before anything of the user's. For a scalar the
 * server reads DISTINCT FROM NULL as IS NULL; for a composite it asks, other than IS NULL, about the value
 * and not about its fields.
 */
static void add_unfilled(struct text *sql, const struct job *job)
{
	if (job->sync == JOB_SYNC_DERIVE) {
		text_add(sql, "true");
		return;
	}
	/* Whether a field is there takes the whole document: behind the slice. */
	if (job->field) {
		quote_name(sql, job->column_name);
		text_add(sql, " IS NOT NULL");
		return;
	}
	text_add(sql, "(");
	pending_add_missing(sql, job, "");
	text_add(sql, ") IS TRUE");
}

/* The part that evaluates what the user wrote. */
static void add_wanting(struct text *sql, const struct job *job)
{
	if (job->field) {
		job_add_field(sql, job, "");
		text_add(sql, " IS NULL AND ");
	}
	if (job->fill_where) {
		add_expression(sql, job->fill_where);
		text_add(sql, " IS TRUE AND ");
	}
	if (job->sync == JOB_SYNC_DERIVE) {
		quote_name(sql, job->column_name);
		text_add(sql, " IS DISTINCT FROM CAST(");
		add_expression(sql, job_fill_expression(job));
		text_addf(sql, " AS %s)", job->exact_type);
	} else if (job->volatile_value) {
		text_add(sql, "true");
	} else {
		add_expression(sql, job_fill_expression(job));
		text_add(sql, " IS DISTINCT FROM NULL");
	}
}

static bool is_last_pass(const struct window_batch *batch)
{
	return batch->pass >= batch->passes - 1;
}

/* Of a row whose place is within the batch's pages: is it in its slice, and pending? */
static void add_pending(
	struct text *sql, const struct job *job, const struct window_batch *batch, const char *slice)
{
	add_unfilled(sql, job);
	text_add(sql, " AND ");
	/* tidsend gives 4 bytes of block and 2 of line pointer: byte 5 is the place in the page, modulo 256 */
	if (!is_last_pass(batch))
		text_addf(sql, "CASE WHEN pg_catalog.get_byte(pg_catalog.tidsend(ctid), 5) %% %s THEN ", slice);
	add_wanting(sql, job);
	if (!is_last_pass(batch))
		text_add(sql, " ELSE false END");
}

void pending_add_batch(struct text *sql, const struct job *job, const struct window_batch *batch)
{
	char *slice = memory_textf("%d = %d", batch->passes, batch->pass);

	text_addf(sql,
		"ctid >= '(%" PRId64 ",%d)'::pg_catalog.tid AND ctid < '(%" PRId64 ",%d)'::pg_catalog.tid AND ",
		batch->from_page, batch->from_item, batch->end_page, batch->end_item);
	add_pending(sql, job, batch, slice);
	free(slice);
}

void pending_add_any_batch(struct text *sql, const struct job *job, const struct window_batch *like)
{
	text_add(sql, "ctid >= $1::pg_catalog.tid AND ctid < $2::pg_catalog.tid AND ");
	add_pending(sql, job, like, "$3::pg_catalog.int4 = $4::pg_catalog.int4");
}

static void bind_place(struct script *script, int64_t page, int item)
{
	char *place = memory_textf("(%" PRId64 ",%d)", page, item);

	script_bind(script, place);
	free(place);
}

void pending_bind_batch(struct script *script, const struct window_batch *batch)
{
	bind_place(script, batch->from_page, batch->from_item);
	bind_place(script, batch->end_page, batch->end_item);
	if (is_last_pass(batch))
		return;
	script_bind_int(script, batch->passes);
	script_bind_int(script, batch->pass);
}

void pending_add(struct text *sql, const struct job *job)
{
	add_unfilled(sql, job);
	text_add(sql, " AND ");
	add_wanting(sql, job);
}
