/*
 * pending: which rows still want a value, as SQL text.
 *
 *	sync fill, none	(v IS NULL) IS TRUE AND fill_where AND (value) IS NOT NULL
 *	sync derive		v IS DISTINCT FROM (value), fill_where
 *	field			doc IS NOT NULL AND doc #> path IS NULL AND fill_where AND (value) IS NOT NULL
 *
 * The last test of the first row is left out when the value is volatile. `(v IS NULL) IS TRUE` cannot be
 * turned into an index scan. The server evaluates conditions in the order of their cost, not as written, so
 * the user's expressions stand in a CASE behind the cheap ones.
 */
#ifndef BACKFILLD_DAEMON_PENDING_H
#define BACKFILLD_DAEMON_PENDING_H

#include "common/base.h"
#include "common/script.h"
#include "common/text.h"
#include "daemon/breath.h"
#include "daemon/job.h"
#include "daemon/window.h"

/* Adds what a pending row's column is set to: the value, or the document with the value in it. */
void pending_add_value(struct text *sql, const struct job *job);

/* Adds whether the column, `row` ("NEW." or "") before it, has no value yet. Not for derive, which always has
 * one. */
void pending_add_missing(struct text *sql, const struct job *job, const char *row);

/* Adds whether it has one now. */
void pending_add_filled(struct text *sql, const struct job *job, const char *row);

/* Adds the condition for the pending rows of any batch like that one: of a slice or the last of its window,
 * with naps or without. pending_bind_batch() binds its parameters, up to $6. One that breathes adds the
 * milliseconds that it slept to the setting PENDING_NAPPED, which must be a number before. */
#define PENDING_NAPPED "backfill.napped"
void pending_add_batch(
	struct text *sql, const struct job *job, const struct window_batch *like, const struct breath *breath);
void pending_bind_batch(struct script *script, const struct window_batch *batch, const struct breath *breath);

/* Adds the condition for pending rows anywhere in the table. */
void pending_add(struct text *sql, const struct job *job);

#endif
