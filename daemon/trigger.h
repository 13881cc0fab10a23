/*
 * trigger: SQL text of the trigger that keeps rows right which are written while a job runs.
 *
 * Its function belongs to the table's owner, runs as that owner with the submitter's path, and never breaks
 * the application's write: an error inside leaves the value NULL, and the sweep then names the row.
 */
#ifndef BACKFILLD_DAEMON_TRIGGER_H
#define BACKFILLD_DAEMON_TRIGGER_H

#include "common/base.h"
#include "common/text.h"
#include "daemon/job.h"

/* Does the job want a trigger while it fills? */
bool trigger_wanted(const struct job *job) MUST_USE;

/* "~backfill_7": triggers fire in the order of their names, and '~' sorts behind letters and '_'. */
void trigger_add_name(struct text *sql, int64_t job_id);

/* "backfill_fill_7" or "backfill_derive_7", without schema. */
void trigger_add_function_name(struct text *sql, const struct job *job);

/* CREATE FUNCTION in schema `schema_name` (quoted). */
void trigger_add_create_function(struct text *sql, const struct job *job, const char *schema_name);
void trigger_add_create_trigger(struct text *sql, const struct job *job, const char *schema_name);
void trigger_add_drop_trigger(struct text *sql, const struct job *job);
void trigger_add_drop_function(struct text *sql, const struct job *job, const char *schema_name);

#endif
