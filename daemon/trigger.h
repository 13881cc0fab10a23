/*
 * trigger: SQL text of the trigger that keeps rows right which are written while a job runs.
 *
 * Its function belongs to the table's owner, runs as that owner with the submitter's path, and never breaks
 * the application's write: an error inside leaves the value NULL, and the sweep then names the row.
 *
 * INSERT and UPDATE have a trigger each. For a table with any BEFORE UPDATE trigger the server locks every
 * row before it updates it: some 60 bytes of WAL and some time for each row filled, and a cost to the
 * application as well. So a `fill` job gets that one only when the fill proper is over, before the first
 * sweep: what an UPDATE left NULL until then the sweep finds. A `derive` job has both from the start, since a
 * stale value could be taken for a right one.
 *
 * A `fill` function counts the writes that it has given a value to, in two sequences: nothing that a writer
 * could wait for until another's commit, and a write that is rolled back afterwards counts as well. The
 * one is their number (after a crash of the server up to 32 too many), the other when the last was and which
 * server process it came from. Counting adds about 1 us to the 4 that help costs a row (PostgreSQL 15, one
 * session; 8 writers at once did 2 to 20 % fewer transactions of nothing else), and nothing for rows that
 * need none. The sequences go with the function.
 */
#ifndef BACKFILLD_DAEMON_TRIGGER_H
#define BACKFILLD_DAEMON_TRIGGER_H

#include "common/base.h"
#include "common/text.h"
#include "daemon/job.h"

enum trigger_event {
	TRIGGER_INSERT,
	TRIGGER_UPDATE,
};

enum trigger_counter {
	TRIGGER_HELPED,    /* writes that needed help: last_value */
	TRIGGER_HELPED_AT, /* (milliseconds since 2020-01-01 UTC) * 2^22 + process id % 2^22 */
};

/* Does the job want triggers while it fills? */
bool trigger_wanted(const struct job *job) MUST_USE;

/* "~backfill_7_insert": triggers fire in the order of their names, and '~' sorts behind letters and '_'. Not
 * quoted. */
void trigger_add_name(struct text *name, int64_t job_id, enum trigger_event event);

/* "backfill_fill_7" or "backfill_derive_7", without schema. */
void trigger_add_function_name(struct text *name, const struct job *job);

/*
 * The comment by which our function is known again: its name alone could be that of a job of another time,
 * from before a restore or a new install.
 */
void trigger_add_marker(struct text *marker, const struct job *job);

/* Does its function count whom it has helped? */
bool trigger_counts(const struct job *job) MUST_USE;

/* "backfill_helped_7" or "backfill_helped_at_7", without schema. */
void trigger_add_counter_name(struct text *name, int64_t job_id, enum trigger_counter counter);

/* CREATE SEQUENCE in schema `schema_name` (quoted). */
void trigger_add_create_counter(
	struct text *sql, const struct job *job, const char *schema_name, enum trigger_counter counter);
/* Lets `login` (bare) read both. */
void trigger_add_open_counters(
	struct text *sql, const struct job *job, const char *schema_name, const char *login);

/* CREATE FUNCTION in schema `schema_name` (quoted). */
void trigger_add_create_function(struct text *sql, const struct job *job, const char *schema_name);
/* Takes it from PUBLIC: on a table of their own others could see through it what its owner sees. */
void trigger_add_close_function(struct text *sql, const struct job *job, const char *schema_name);
/* On `table` (ready for SQL): the job's, or an inheritance child. `function_name`: with its schema, quoted.
 */
void trigger_add_create(struct text *sql, const struct job *job, const char *function_name, const char *table,
	enum trigger_event event);
void trigger_add_drop(struct text *sql, const struct job *job, const char *table, enum trigger_event event);

#endif
