#include "daemon/change_inside.h"

#include "common/memory.h"
#include "common/quote.h"
#include "daemon/trigger.h"

static bool default_missing(const struct job *job, const struct relation *relation)
{
	return job->default_expr && !relation->column_default;
}

/* A default in the same command but a clause of its own leaves existing rows NULL: no rewrite, volatile or
 * not. */
static void add_column(struct change_step *step, const struct job *job, struct text *sql)
{
	change_start_alter(sql, job);
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
	change_add_statement(step, sql);
}

static void add_default(struct change_step *step, const struct job *job, struct text *sql)
{
	change_start_alter(sql, job);
	text_add(sql, "ALTER COLUMN ");
	quote_name(sql, job->column_name);
	text_addf(sql, " SET DEFAULT (%s\n)", job->default_expr);
	change_add_statement(step, sql);
}

static void add_trigger(struct change_step *step, const struct job *job, const struct relation *relation,
	enum trigger_event event, struct text *sql)
{
	trigger_add_create(sql, job, relation->schema_name, event);
	change_add_statement(step, sql);
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
	struct change_step step =
		change_step_make(CHANGE_ADD, alters ? "ACCESS EXCLUSIVE" : "SHARE ROW EXCLUSIVE");
	struct text sql = {0};

	/* It outlives a trigger that somebody dropped, or that went with the column. */
	if (trigger && !relation->function_name) {
		trigger_add_create_function(&sql, job, relation->schema_name);
		change_add_statement(&step, &sql);
		trigger_add_close_function(&sql, job, relation->schema_name);
		change_add_statement(&step, &sql);
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
	struct change_step step = change_step_make(CHANGE_WATCH_UPDATES, "SHARE ROW EXCLUSIVE");
	struct text sql = {0};

	add_trigger(&step, job, relation, TRIGGER_UPDATE, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_drop_trigger(const struct job *job, const struct relation *relation)
{
	struct change_step step = change_step_make(CHANGE_DROP_TRIGGER, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	if (relation->insert_trigger_exists) {
		trigger_add_drop(&sql, job, TRIGGER_INSERT);
		change_add_statement(&step, &sql);
	}
	if (relation->update_trigger_exists) {
		trigger_add_drop(&sql, job, TRIGGER_UPDATE);
		change_add_statement(&step, &sql);
	}
	if (relation->function_name) {
		text_addf(&sql, "DROP FUNCTION %s()", relation->function_name);
		change_add_statement(&step, &sql);
	}
	text_free(&sql);
	return step;
}

bool change_next_add(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	bool trigger_missing = trigger_wanted(job) && !relation->insert_trigger_exists;

	if (relation->column_exists && !trigger_missing && !default_missing(job, relation))
		return false;
	*ret_step = step_add(job, relation);
	return true;
}

bool change_next_watch(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!trigger_wanted(job) || relation->update_trigger_exists)
		return false;
	*ret_step = step_watch_updates(job, relation);
	return true;
}

bool change_next_drop_trigger(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	bool ours = relation->insert_trigger_exists || relation->update_trigger_exists || relation->function_name;

	if (job->sync != JOB_SYNC_FILL || !ours)
		return false;
	*ret_step = step_drop_trigger(job, relation);
	return true;
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

void change_assume_add(struct relation *relation, const struct job *job)
{
	relation->column_exists = true;
	relation->insert_trigger_exists = trigger_wanted(job);
	assume_function(relation, job, trigger_wanted(job));
	relation->update_trigger_exists = trigger_wanted(job) && watches_updates_at_once(job);
	if (!relation->column_default)
		relation->column_default = memory_text(job->default_expr);
}

void change_assume_drop_trigger(struct relation *relation, const struct job *job)
{
	relation->insert_trigger_exists = relation->update_trigger_exists = false;
	assume_function(relation, job, false);
}
