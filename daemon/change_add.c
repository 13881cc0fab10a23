#include "daemon/change_inside.h"

#include "common/memory.h"
#include "common/quote.h"
#include "daemon/trigger.h"

static bool default_missing(const struct job *job, const struct relation *relation)
{
	return job_default(job) && !relation->column_default && !relation->column_generated;
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
	if (job_default(job) && job->fast_default) {
		text_addf(sql, " DEFAULT (%s\n)", job_default(job));
	} else if (job_default(job)) {
		text_add(sql, ", ALTER COLUMN ");
		quote_name(sql, job->column_name);
		text_addf(sql, " SET DEFAULT (%s\n)", job_default(job));
	}
	change_add_statement(step, sql);
}

static void add_default(struct change_step *step, const struct job *job, struct text *sql)
{
	change_start_alter(sql, job);
	text_add(sql, "ALTER COLUMN ");
	quote_name(sql, job->column_name);
	text_addf(sql, " SET DEFAULT (%s\n)", job_default(job));
	change_add_statement(step, sql);
}

static bool has_trigger(const struct member *member, enum trigger_event event)
{
	return event == TRIGGER_INSERT ? member->insert_trigger_exists : member->update_trigger_exists;
}

static bool table_has_trigger(const struct relation *relation, enum trigger_event event)
{
	return event == TRIGGER_INSERT ? relation->insert_trigger_exists : relation->update_trigger_exists;
}

/* A partitioned table's trigger is its partitions' as well, also of those attached later; an inheritance
 * child has its own or none. */
static size_t members_with_own(const struct relation *relation)
{
	return relation->partitioned ? 0 : relation->members_count;
}

static bool child_lacks_trigger(const struct relation *relation, enum trigger_event event)
{
	for (size_t i = 1; i < members_with_own(relation); i++)
		if (!has_trigger(&relation->members[i], event))
			return true;
	return false;
}

static bool trigger_missing(const struct job *job, const struct relation *relation, enum trigger_event event)
{
	return trigger_wanted(job) &&
		   (!table_has_trigger(relation, event) || child_lacks_trigger(relation, event));
}

static bool trigger_exists(const struct relation *relation, enum trigger_event event)
{
	for (size_t i = 1; i < members_with_own(relation); i++)
		if (has_trigger(&relation->members[i], event))
			return true;
	return table_has_trigger(relation, event);
}

static void add_trigger(struct change_step *step, const struct job *job, const struct relation *relation,
	enum trigger_event event, struct text *sql)
{
	struct text function = {0};

	/* It has stayed where it was made when the table went to another schema. */
	if (relation->function_name) {
		text_add(&function, relation->function_name);
	} else {
		text_addf(&function, "%s.", relation->schema_name);
		trigger_add_function_name(&function, job);
	}
	if (!table_has_trigger(relation, event)) {
		trigger_add_create(sql, job, text_is(&function), job->table_name, event);
		change_add_statement(step, sql);
	}
	for (size_t i = 1; i < members_with_own(relation); i++) {
		if (has_trigger(&relation->members[i], event))
			continue;
		trigger_add_create(sql, job, text_is(&function), relation->members[i].name, event);
		change_add_statement(step, sql);
	}
	text_free(&function);
}

static void drop_trigger(struct change_step *step, const struct job *job, const struct relation *relation,
	enum trigger_event event, struct text *sql)
{
	if (table_has_trigger(relation, event)) {
		trigger_add_drop(sql, job, job->table_name, event);
		change_add_statement(step, sql);
	}
	for (size_t i = 1; i < members_with_own(relation); i++) {
		if (!has_trigger(&relation->members[i], event))
			continue;
		trigger_add_drop(sql, job, relation->members[i].name, event);
		change_add_statement(step, sql);
	}
}

static void assume_trigger(struct relation *relation, enum trigger_event event, bool exists)
{
	bool *held =
		event == TRIGGER_INSERT ? &relation->insert_trigger_exists : &relation->update_trigger_exists;

	*held = exists;
	for (size_t i = 0; i < relation->members_count; i++) {
		struct member *member = &relation->members[i];

		*(event == TRIGGER_INSERT ? &member->insert_trigger_exists : &member->update_trigger_exists) = exists;
	}
}

/* A stale derived value could be taken for a right one, a missing one cannot: see trigger.h. */
static bool watches_updates_at_once(const struct job *job)
{
	return job->sync == JOB_SYNC_DERIVE;
}

static void drop_counters(struct change_step *step, const struct relation *relation, struct text *sql)
{
	if (!relation->counters)
		return;
	text_addf(sql, "DROP SEQUENCE %s", relation->counters);
	change_add_statement(step, sql);
}

/* Those of a function that somebody has dropped are of no use. */
static void add_counters(
	struct change_step *step, const struct job *job, const struct relation *relation, struct text *sql)
{
	drop_counters(step, relation, sql);
	trigger_add_create_counter(sql, job, relation->schema_name, TRIGGER_HELPED);
	change_add_statement(step, sql);
	trigger_add_create_counter(sql, job, relation->schema_name, TRIGGER_HELPED_AT);
	change_add_statement(step, sql);
	if (relation->control_login) {
		trigger_add_open_counters(sql, job, relation->schema_name, relation->control_login);
		change_add_statement(step, sql);
	}
}

static void add_function(
	struct change_step *step, const struct job *job, const struct relation *relation, struct text *sql)
{
	if (trigger_counts(job))
		add_counters(step, job, relation, sql);
	trigger_add_create_function(sql, job, relation->schema_name);
	change_add_statement(step, sql);
	trigger_add_close_function(sql, job, relation->schema_name);
	change_add_statement(step, sql);
}

static struct change_step step_add(const struct job *job, const struct relation *relation)
{
	bool trigger = trigger_missing(job, relation, TRIGGER_INSERT);
	bool alters = !relation->column_exists || default_missing(job, relation);
	struct change_step step =
		change_step_make(CHANGE_ADD, alters ? "ACCESS EXCLUSIVE" : "SHARE ROW EXCLUSIVE");
	struct text sql = {0};

	/* It outlives a trigger that somebody dropped, or that went with the column. */
	if (trigger && !relation->function_name)
		add_function(&step, job, relation, &sql);
	if (!relation->column_exists && job->identity)
		change_add_helper(&step, job, &sql);
	if (!relation->column_exists)
		add_column(&step, job, &sql);
	else if (default_missing(job, relation))
		add_default(&step, job, &sql);
	if (!relation->column_exists && job->identity)
		change_own_helper(&step, job, &sql);
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

	/* A table that became an inheritance child under the fill has neither. */
	if (child_lacks_trigger(relation, TRIGGER_INSERT))
		add_trigger(&step, job, relation, TRIGGER_INSERT, &sql);
	add_trigger(&step, job, relation, TRIGGER_UPDATE, &sql);
	text_free(&sql);
	return step;
}

struct change_step change_step_drop_trigger(
	enum change_kind kind, const struct job *job, const struct relation *relation)
{
	struct change_step step = change_step_make(kind, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	drop_trigger(&step, job, relation, TRIGGER_INSERT, &sql);
	drop_trigger(&step, job, relation, TRIGGER_UPDATE, &sql);
	if (relation->function_name) {
		/* A table that was an inheritance child has kept its triggers, which only the function knows of. */
		text_addf(
			&sql, "DROP FUNCTION %s()%s", relation->function_name, relation->has_strays ? " CASCADE" : "");
		change_add_statement(&step, &sql);
	}
	drop_counters(&step, relation, &sql);
	text_free(&sql);
	return step;
}

bool change_next_add(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (relation->column_exists && !trigger_missing(job, relation, TRIGGER_INSERT) &&
		!default_missing(job, relation))
		return false;
	*ret_step = step_add(job, relation);
	return true;
}

bool change_next_watch(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!trigger_missing(job, relation, TRIGGER_UPDATE))
		return false;
	*ret_step = step_watch_updates(job, relation);
	return true;
}

bool change_next_drop_trigger(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	bool ours = trigger_exists(relation, TRIGGER_INSERT) || trigger_exists(relation, TRIGGER_UPDATE) ||
				relation->function_name || relation->counters;

	if (job->sync != JOB_SYNC_FILL || !ours)
		return false;
	*ret_step = change_step_drop_trigger(CHANGE_DROP_TRIGGER, job, relation);
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

static void assume_counters(struct relation *relation, const struct job *job, bool exist)
{
	struct text names = {0};

	if (exist) {
		text_addf(&names, "%s.", relation->schema_name);
		trigger_add_counter_name(&names, job->id, TRIGGER_HELPED);
		text_addf(&names, ", %s.", relation->schema_name);
		trigger_add_counter_name(&names, job->id, TRIGGER_HELPED_AT);
	}
	memory_set_text(&relation->counters, exist ? text_is(&names) : NULL);
	text_free(&names);
}

void change_assume_add(struct relation *relation, const struct job *job)
{
	relation->column_exists = true;
	assume_trigger(relation, TRIGGER_INSERT, trigger_wanted(job));
	assume_trigger(relation, TRIGGER_UPDATE, trigger_wanted(job) && watches_updates_at_once(job));
	assume_function(relation, job, trigger_wanted(job));
	assume_counters(relation, job, trigger_counts(job));
	if (!relation->column_default)
		relation->column_default = memory_text(job_default(job));
}

void change_assume_watch(struct relation *relation)
{
	assume_trigger(relation, TRIGGER_INSERT, true);
	assume_trigger(relation, TRIGGER_UPDATE, true);
}

void change_assume_drop_trigger(struct relation *relation, const struct job *job)
{
	assume_trigger(relation, TRIGGER_INSERT, false);
	assume_trigger(relation, TRIGGER_UPDATE, false);
	assume_function(relation, job, false);
	assume_counters(relation, job, false);
}
