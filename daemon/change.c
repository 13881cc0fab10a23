#include "daemon/change_inside.h"

#include "common/memory.h"
#include "common/quote.h"

#include <stdlib.h>

/* A sample of the table, however wide its rows and slow its disk. */
#define ANALYZE_TIMEOUT_MS (INT64_C(2) * 3600 * 1000)

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
	case CHANGE_IDENTITY:
		return "make it an identity column";
	case CHANGE_DROP_TRIGGER:
		return "drop the fill triggers";
	case CHANGE_RULE:
		return "require the CHECK of new rows";
	case CHANGE_RULE_VALIDATE:
		return "validate the CHECK";
	case CHANGE_REFERENCE:
		return "require the foreign key of new rows";
	case CHANGE_REFERENCE_VALIDATE:
		return "validate the foreign key";
	case CHANGE_REFERENCE_ADOPT:
		return "make the leaves' foreign keys one";
	case CHANGE_INDEX_PARENT:
		return "make the index that those of the partitions will be attached to";
	case CHANGE_INDEX_BUILD:
		return "build the index";
	case CHANGE_INDEX_DROP:
		return "drop the invalid index that a build has left";
	case CHANGE_INDEX_ATTACH:
		return "attach the partition's index";
	case CHANGE_UNIQUE_PARENT:
		return "make the UNIQUE constraint that those of the partitions will be attached to";
	case CHANGE_UNIQUE_BUILD:
		return "build the unique index";
	case CHANGE_UNIQUE_DROP:
		return "drop the invalid unique index that a build has left";
	case CHANGE_UNIQUE_CONSTRAINT:
		return "make the unique index a constraint";
	case CHANGE_UNIQUE_ATTACH:
		return "attach the partition's unique index";
	case CHANGE_ANALYZE:
		return "analyze the column";
	case CHANGE_UNDO_CHECK:
		return "take back the constraint on the way to NOT NULL";
	case CHANGE_UNDO_NOT_NULL:
		return "take back NOT NULL";
	case CHANGE_UNDO_TRIGGER:
		return "take back the triggers";
	case CHANGE_UNDO_DEFAULT:
		return "take back the default";
	case CHANGE_UNDO_RULE:
		return "drop the CHECK";
	case CHANGE_UNDO_REFERENCE:
		return "drop the foreign key";
	case CHANGE_UNDO_INDEX:
		return "drop the index";
	case CHANGE_UNDO_UNIQUE:
		return "drop the UNIQUE constraint or its index";
	case CHANGE_UNDO_COLUMN:
		return "drop the column";
	}
	return "unknown";
}

char *change_describe(const struct change_step *step)
{
	const char *name = change_name(step->kind);

	return step->object ? memory_textf("%s %s", name, step->object) : memory_text(name);
}

struct change_step change_step_make(enum change_kind kind, const char *lock_mode)
{
	return (struct change_step){.kind = kind,
		.lock_mode = lock_mode,
		.timeout_ms = CHANGE_CATALOGUE_TIMEOUT_MS,
		.script = script_new()};
}

void change_add_statement(struct change_step *step, struct text *sql)
{
	script_add(step->script, text_is(sql));
	text_clear(sql);
}

void change_start_alter(struct text *sql, const struct job *job)
{
	text_addf(sql, "ALTER TABLE %s ", job->table_name);
}

static void add_analyze(struct change_step *step, const struct job *job, const char *table, struct text *sql)
{
	text_addf(sql, "ANALYZE %s (", table);
	quote_name(sql, job->column_name);
	text_add(sql, ")");
	change_add_statement(step, sql);
}

static struct change_step step_analyze(const struct job *job, const struct relation *relation)
{
	struct change_step step = change_step_make(CHANGE_ANALYZE, "SHARE UPDATE EXCLUSIVE");
	struct text sql = {0};
	/* That of a partitioned table goes on to its partitions, whatever the version. */
	bool with_children = relation->partitioned || relation_takes_children_along(relation);

	step.timeout_ms = ANALYZE_TIMEOUT_MS;
	add_analyze(&step, job, job->table_name, &sql);
	for (size_t i = 1; !with_children && i < relation->members_count; i++)
		add_analyze(&step, job, relation->members[i].name, &sql);
	text_free(&sql);
	return step;
}

typedef bool next_of_kind(
	const struct job *job, const struct relation *relation, struct change_step *ret_step);

static bool next_analyze(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (relation->analyzed)
		return false;
	*ret_step = step_analyze(job, relation);
	return true;
}

/* In this order. The triggers stay until NOT NULL holds: writers who forget the column are helped up to the
 * last moment. */
static next_of_kind *const adding[] = {change_next_add, NULL};
static next_of_kind *const filling[] = {change_next_watch, NULL};
static next_of_kind *const indexing[] = {change_next_index, NULL};
static next_of_kind *const sealing[] = {change_next_rule, change_next_not_null, change_next_reference,
	change_next_unique, change_next_identity, change_next_drop_trigger, NULL};
static next_of_kind *const analyzing[] = {next_analyze, NULL};
/* Indexes can go while all else stays. Constraints next: without the triggers' help the application's writes
 * might not meet them. The column last: when it cannot be dropped, all else is gone. Whatever more a job
 * makes is taken back here. */
static next_of_kind *const cancelling[] = {change_next_cancel_index, change_next_cancel_constraint,
	change_next_undo_check, change_next_undo_trigger, NULL};
static next_of_kind *const rolling_back[] = {change_next_undo_index, change_next_undo_unique,
	change_next_undo_reference, change_next_undo_rule, change_next_undo_check, change_next_undo_not_null,
	change_next_undo_trigger, change_next_undo_default, change_next_undo_column, NULL};
static next_of_kind *const nothing[] = {NULL};

static next_of_kind *const *kinds_of(enum stage stage)
{
	switch (stage) {
	case STAGE_ADDING:
		return adding;
	case STAGE_FILLING:
		return filling;
	case STAGE_INDEXING:
		return indexing;
	case STAGE_SEALING:
		return sealing;
	case STAGE_ANALYZING:
		return analyzing;
	case STAGE_CANCELLED:
		return cancelling;
	case STAGE_ROLLING_BACK:
		return rolling_back;
	case STAGE_QUEUED:
	case STAGE_PLANNING:
	case STAGE_DONE:
	case STAGE_FAILED:
	case STAGE_ROLLED_BACK:
		return nothing;
	}
	return nothing;
}

bool change_next(
	const struct job *job, const struct relation *relation, enum stage stage, struct change_step *ret_step)
{
	for (next_of_kind *const *next = kinds_of(stage); *next; next++) {
		if ((*next)(job, relation, ret_step))
			return true;
	}
	return false;
}

void change_assume(struct relation *relation, const struct job *job, const struct change_step *step)
{
	switch (step->kind) {
	case CHANGE_ADD:
		change_assume_add(relation, job);
		return;
	case CHANGE_WATCH_UPDATES:
		change_assume_watch(relation);
		return;
	case CHANGE_CHECK:
	case CHANGE_VALIDATE:
	case CHANGE_SET_NOT_NULL:
	case CHANGE_DROP_CHECK:
		change_assume_not_null(relation, step->kind);
		return;
	case CHANGE_RULE:
	case CHANGE_RULE_VALIDATE:
	case CHANGE_REFERENCE:
	case CHANGE_REFERENCE_VALIDATE:
	case CHANGE_REFERENCE_ADOPT:
	case CHANGE_UNDO_RULE:
	case CHANGE_UNDO_REFERENCE:
		change_assume_constraint(&relation->members[step->member], step->kind);
		return;
	case CHANGE_INDEX_PARENT:
	case CHANGE_INDEX_BUILD:
	case CHANGE_INDEX_DROP:
	case CHANGE_INDEX_ATTACH:
	case CHANGE_UNIQUE_PARENT:
	case CHANGE_UNIQUE_BUILD:
	case CHANGE_UNIQUE_DROP:
	case CHANGE_UNIQUE_CONSTRAINT:
	case CHANGE_UNIQUE_ATTACH:
	case CHANGE_UNDO_INDEX:
	case CHANGE_UNDO_UNIQUE:
		change_assume_index(&relation->members[step->member], step->kind);
		return;
	case CHANGE_IDENTITY:
		change_assume_identity(relation);
		return;
	case CHANGE_DROP_TRIGGER:
		change_assume_drop_trigger(relation, job);
		return;
	case CHANGE_ANALYZE:
		relation->analyzed = true;
		return;
	case CHANGE_UNDO_CHECK:
	case CHANGE_UNDO_NOT_NULL:
	case CHANGE_UNDO_TRIGGER:
	case CHANGE_UNDO_DEFAULT:
	case CHANGE_UNDO_COLUMN:
		return; /* no plan is made of it */
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
	free(step->object);
	*step = (struct change_step){0};
}
