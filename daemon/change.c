#include "daemon/change.h"

#include "common/memory.h"
#include "common/quote.h"
#include "common/text.h"
#include "daemon/trigger.h"

#include <inttypes.h>
#include <stdlib.h>

/* Changing the catalogue takes milliseconds once there is the lock. */
#define CATALOGUE_TIMEOUT_MS 30000
/* A sample of the table, however wide its rows and slow its disk. */
#define ANALYZE_TIMEOUT_MS (INT64_C(2) * 3600 * 1000)
/* A scan of the biggest table there is; it blocks neither readers nor writers meanwhile. */
#define VALIDATE_TIMEOUT_MS (INT64_C(3) * 24 * 3600 * 1000)

#define NATIVE_NOT_NULL 180000 /* PostgreSQL 18 knows NOT NULL … NOT VALID */

const char *change_name(enum change_kind kind)
{
	switch (kind) {
	case CHANGE_ADD:
		return "add the column";
	case CHANGE_WATCH_UPDATES:
		return "let a trigger fill what an UPDATE leaves NULL";
	case CHANGE_CHECK:
		return "require NOT NULL of new rows";
	case CHANGE_VALIDATE:
		return "validate NOT NULL";
	case CHANGE_SET_NOT_NULL:
		return "set NOT NULL";
	case CHANGE_DROP_CHECK:
		return "drop the CHECK that NOT NULL replaces";
	case CHANGE_DROP_TRIGGER:
		return "drop the fill triggers";
	case CHANGE_ANALYZE:
		return "analyze the column";
	}
	return "unknown";
}

static struct change_step make_step(enum change_kind kind, const char *lock_mode)
{
	return (struct change_step){
		.kind = kind, .lock_mode = lock_mode, .timeout_ms = CATALOGUE_TIMEOUT_MS, .script = script_new()};
}

/* Adds what was composed to the step and empties it. */
static void add_statement(struct change_step *step, struct text *sql)
{
	script_add(step->script, text_is(sql));
	text_clear(sql);
}

static void start_alter(struct text *sql, const struct job *job)
{
	text_addf(sql, "ALTER TABLE %s ", job->table_name);
}

static void add_check_name(struct text *sql, const struct job *job)
{
	text_addf(sql, "backfill_%" PRId64 "_not_null", job->id);
}

static bool default_missing(const struct job *job, const struct relation *relation)
{
	return job->default_expr && !relation->column_default;
}

/* A default in the same command but a clause of its own leaves existing rows NULL: no rewrite, volatile or
 * not. */
static void add_column(struct change_step *step, const struct job *job, struct text *sql)
{
	start_alter(sql, job);
	text_add(sql, "ADD COLUMN ");
	quote_name(sql, job->column_name);
	text_addf(sql, " %s", job->exact_type);
	if (job->collation)
		text_addf(sql, " COLLATE %s", job->collation);
	if (job->default_expr && job->fast_default) {
		text_addf(sql, " DEFAULT (%s\n)", job->default_expr);
	} else if (job->default_expr) {
		text_add(sql, ", ALTER COLUMN ");
		quote_name(sql, job->column_name);
		text_addf(sql, " SET DEFAULT (%s\n)", job->default_expr);
	}
	add_statement(step, sql);
}

static void add_default(struct change_step *step, const struct job *job, struct text *sql)
{
	start_alter(sql, job);
	text_add(sql, "ALTER COLUMN ");
	quote_name(sql, job->column_name);
	text_addf(sql, " SET DEFAULT (%s\n)", job->default_expr);
	add_statement(step, sql);
}

static void add_trigger(struct change_step *step, const struct job *job, const struct relation *relation,
	enum trigger_event event, struct text *sql)
{
	trigger_add_create(sql, job, relation->schema_name, event);
	add_statement(step, sql);
}

/* A stale derived value could be taken for a right one, a missing one cannot: see trigger.h. */
static bool watches_updates_at_once(const struct job *job)
{
	return job->sync == JOB_SYNC_DERIVE;
}

static struct change_step step_add(const struct job *job, const struct relation *relation)
{
	bool trigger = trigger_wanted(job) && !relation->insert_trigger_exists;
	bool alters = !relation->column_exists || default_missing(job, relation);
	struct change_step step = make_step(CHANGE_ADD, alters ? "ACCESS EXCLUSIVE" : "SHARE ROW EXCLUSIVE");
	struct text sql = {0};

	/* It outlives a trigger that somebody dropped, or that went with the column. */
	if (trigger && !relation->function_name) {
		trigger_add_create_function(&sql, job, relation->schema_name);
		add_statement(&step, &sql);
		trigger_add_close_function(&sql, job, relation->schema_name);
		add_statement(&step, &sql);
	}
	if (!relation->column_exists)
		add_column(&step, job, &sql);
	else if (default_missing(job, relation))
		add_default(&step, job, &sql);
	if (trigger)
		add_trigger(&step, job, relation, TRIGGER_INSERT, &sql);
	if (trigger && watches_updates_at_once(job))
		add_trigger(&step, job, relation, TRIGGER_UPDATE, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_watch_updates(const struct job *job, const struct relation *relation)
{
	struct change_step step = make_step(CHANGE_WATCH_UPDATES, "SHARE ROW EXCLUSIVE");
	struct text sql = {0};

	add_trigger(&step, job, relation, TRIGGER_UPDATE, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_check(const struct job *job, const struct relation *relation)
{
	struct change_step step = make_step(CHANGE_CHECK, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	start_alter(&sql, job);
	if (relation->server_version >= NATIVE_NOT_NULL) {
		text_add(&sql, "ADD NOT NULL ");
		quote_name(&sql, job->column_name);
		text_add(&sql, " NOT VALID");
	} else {
		text_add(&sql, "ADD CONSTRAINT ");
		add_check_name(&sql, job);
		text_add(&sql, " CHECK (");
		quote_name(&sql, job->column_name);
		text_add(&sql, " IS DISTINCT FROM NULL) NOT VALID");
	}
	add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_validate(const struct job *job, const struct relation *relation)
{
	struct change_step step = make_step(CHANGE_VALIDATE, "SHARE UPDATE EXCLUSIVE");
	struct text sql = {0};

	step.scans = true;
	step.timeout_ms = VALIDATE_TIMEOUT_MS;
	start_alter(&sql, job);
	text_add(&sql, "VALIDATE CONSTRAINT ");
	if (relation->not_null_unvalidated)
		text_add(&sql, relation->not_null_unvalidated);
	else
		add_check_name(&sql, job);
	add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_set_not_null(const struct job *job)
{
	struct change_step step = make_step(CHANGE_SET_NOT_NULL, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	start_alter(&sql, job);
	text_add(&sql, "ALTER COLUMN ");
	quote_name(&sql, job->column_name);
	text_add(&sql, " SET NOT NULL");
	add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

/* A command of its own: together with SET NOT NULL it would make that scan. */
static struct change_step step_drop_check(const struct job *job)
{
	struct change_step step = make_step(CHANGE_DROP_CHECK, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	start_alter(&sql, job);
	text_add(&sql, "DROP CONSTRAINT ");
	add_check_name(&sql, job);
	add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_drop_trigger(const struct job *job, const struct relation *relation)
{
	struct change_step step = make_step(CHANGE_DROP_TRIGGER, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	if (relation->insert_trigger_exists) {
		trigger_add_drop(&sql, job, TRIGGER_INSERT);
		add_statement(&step, &sql);
	}
	if (relation->update_trigger_exists) {
		trigger_add_drop(&sql, job, TRIGGER_UPDATE);
		add_statement(&step, &sql);
	}
	if (relation->function_name) {
		text_addf(&sql, "DROP FUNCTION %s()", relation->function_name);
		add_statement(&step, &sql);
	}
	text_free(&sql);
	return step;
}

static struct change_step step_analyze(const struct job *job)
{
	struct change_step step = make_step(CHANGE_ANALYZE, "SHARE UPDATE EXCLUSIVE");
	struct text sql = {0};

	step.timeout_ms = ANALYZE_TIMEOUT_MS;
	text_addf(&sql, "ANALYZE %s (", job->table_name);
	quote_name(&sql, job->column_name);
	text_add(&sql, ")");
	add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static bool next_adding(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	bool trigger_missing = trigger_wanted(job) && !relation->insert_trigger_exists;

	if (relation->column_exists && !trigger_missing && !default_missing(job, relation))
		return false;
	*ret_step = step_add(job, relation);
	return true;
}

static bool next_filling(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!trigger_wanted(job) || relation->update_trigger_exists)
		return false;
	*ret_step = step_watch_updates(job, relation);
	return true;
}

/* The trigger stays until NOT NULL holds: writers who forget the column are helped up to the last moment. */
static bool next_sealing(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	bool constrained = relation->check_exists || relation->not_null_unvalidated;
	bool fill_trigger =
		relation->insert_trigger_exists || relation->update_trigger_exists || relation->function_name;

	if (job->not_null && !relation->column_not_null && !constrained)
		*ret_step = step_check(job, relation);
	else if ((job->not_null && relation->not_null_unvalidated) ||
			 (relation->check_exists && !relation->check_valid))
		*ret_step = step_validate(job, relation);
	else if (job->not_null && !relation->column_not_null)
		*ret_step = step_set_not_null(job);
	else if (relation->check_exists)
		*ret_step = step_drop_check(job);
	else if (job->sync == JOB_SYNC_FILL && fill_trigger)
		*ret_step = step_drop_trigger(job, relation);
	else
		return false;
	return true;
}

static bool next_analyzing(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (relation->analyzed)
		return false;
	*ret_step = step_analyze(job);
	return true;
}

bool change_next(
	const struct job *job, const struct relation *relation, enum stage stage, struct change_step *ret_step)
{
	switch (stage) {
	case STAGE_ADDING:
		return next_adding(job, relation, ret_step);
	case STAGE_FILLING:
		return next_filling(job, relation, ret_step);
	case STAGE_SEALING:
		return next_sealing(job, relation, ret_step);
	case STAGE_ANALYZING:
		return next_analyzing(job, relation, ret_step);
	case STAGE_QUEUED:
	case STAGE_PLANNING:
	case STAGE_INDEXING:
	case STAGE_DONE:
	case STAGE_FAILED:
	case STAGE_CANCELLED:
	case STAGE_ROLLING_BACK:
	case STAGE_ROLLED_BACK:
		return false;
	}
	return false;
}

static void assume_function(struct relation *relation, const struct job *job, bool exists)
{
	struct text name = {0};

	if (exists) {
		text_addf(&name, "%s.", relation->schema_name);
		trigger_add_function_name(&name, job);
	}
	memory_set_text(&relation->function_name, exists ? text_is(&name) : NULL);
	text_free(&name);
}

void change_assume(struct relation *relation, const struct job *job, enum change_kind kind)
{
	bool native = relation->server_version >= NATIVE_NOT_NULL;

	switch (kind) {
	case CHANGE_ADD:
		relation->column_exists = true;
		relation->insert_trigger_exists = trigger_wanted(job);
		assume_function(relation, job, trigger_wanted(job));
		relation->update_trigger_exists = trigger_wanted(job) && watches_updates_at_once(job);
		if (!relation->column_default)
			relation->column_default = memory_text(job->default_expr);
		return;
	case CHANGE_WATCH_UPDATES:
		relation->update_trigger_exists = true;
		return;
	case CHANGE_CHECK:
		if (native)
			memory_set_text(&relation->not_null_unvalidated, "(its name)");
		relation->check_exists = !native;
		return;
	case CHANGE_VALIDATE:
		memory_set_text(&relation->not_null_unvalidated, NULL);
		relation->check_valid = !native;
		relation->column_not_null = native;
		return;
	case CHANGE_SET_NOT_NULL:
		relation->column_not_null = true;
		return;
	case CHANGE_DROP_CHECK:
		relation->check_exists = relation->check_valid = false;
		return;
	case CHANGE_DROP_TRIGGER:
		relation->insert_trigger_exists = relation->update_trigger_exists = false;
		assume_function(relation, job, false);
		return;
	case CHANGE_ANALYZE:
		relation->analyzed = true;
		return;
	}
}

char *change_text(const struct change_step *step)
{
	struct text all = {0};

	for (size_t i = 0; i < step->script->count; i++)
		text_addf(&all, "%s%s;", i > 0 ? "\n" : "", step->script->statements[i].sql);
	return text_take(&all);
}

void change_step_clear(struct change_step *step)
{
	script_free(step->script);
	*step = (struct change_step){0};
}
