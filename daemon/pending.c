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

#define NOW_MS "pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.now()) * 1000"
#define NAPPED "pg_catalog.current_setting('" PENDING_NAPPED "')::pg_catalog.float8"
#define NOTE(sum) "pg_catalog.set_config('" PENDING_NAPPED "', (" sum ")::pg_catalog.text, true) IS NOT NULL"

/* True, after a nap or none: of whole milliseconds, to which pg_sleep() rounds up; asked for no less it often
 * sleeps once more. Rows take turns by a hash: in sweeps, and where rows have moved within their page, not
 * every page has a row in the same place. */
static void add_breath(struct text *sql)
{
	text_add(sql,
		"CASE WHEN pg_catalog.hashtid(ctid) % $3::pg_catalog.int4 = 0 THEN " NOTE(
			NAPPED " - " NOW_MS) " AND pg_catalog.pg_sleep(($4::pg_catalog.int4 - 0.5) / 1000.0) IS NOT NULL"
								 " AND " NOTE(NAPPED " + " NOW_MS) " ELSE true END");
}

/* tidsend gives 4 bytes of block and 2 of line pointer: byte 5 is the place in the page, modulo 256. */
static void add_slice(struct text *sql, int passes)
{
	text_addf(sql,
		"pg_catalog.get_byte(pg_catalog.tidsend(ctid), 5) %% $%d::pg_catalog.int4 = $%d::pg_catalog.int4",
		passes, passes + 1);
}

static void add_at_a_stretch(struct text *sql, const struct job *job, bool slice)
{
	add_unfilled(sql, job);
	text_add(sql, " AND ");
	if (slice) {
		text_add(sql, "CASE WHEN ");
		add_slice(sql, 3);
		text_add(sql, " THEN ");
	}
	add_wanting(sql, job);
	if (slice)
		text_add(sql, " ELSE false END");
}

/* Who sleeps does so before anything else, or those who only read would not. */
static void add_breathing(struct text *sql, const struct job *job, bool slice)
{
	text_add(sql, "CASE WHEN ");
	if (slice) {
		add_slice(sql, 5);
		text_add(sql, " AND ");
	}
	add_breath(sql);
	text_add(sql, " THEN ");
	add_unfilled(sql, job);
	text_add(sql, " AND ");
	add_wanting(sql, job);
	text_add(sql, " ELSE false END");
}

void pending_add_batch(
	struct text *sql, const struct job *job, const struct window_batch *like, const struct breath *breath)
{
	text_add(sql, "ctid >= $1::pg_catalog.tid AND ctid < $2::pg_catalog.tid AND ");
	if (breath->rows > 0)
		add_breathing(sql, job, !is_last_pass(like));
	else
		add_at_a_stretch(sql, job, !is_last_pass(like));
}

static void bind_place(struct script *script, int64_t page, int item)
{
	char *place = memory_textf("(%" PRId64 ",%d)", page, item);

	script_bind(script, place);
	free(place);
}

void pending_bind_batch(struct script *script, const struct window_batch *batch, const struct breath *breath)
{
	bind_place(script, batch->from_page, batch->from_item);
	bind_place(script, batch->end_page, batch->end_item);
	if (breath->rows > 0) {
		script_bind_int(script, breath->rows);
		script_bind_int(script, breath->nap_ms);
	}
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
