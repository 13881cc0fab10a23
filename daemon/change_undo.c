#include "daemon/change_inside.h"

#include "common/quote.h"

#include <inttypes.h>

/* What was there before is not the job's: it keeps its old self. */
static bool set_not_null(const struct job *job)
{
	return job->not_null && (job->added || !job->had_not_null);
}

static bool set_default(const struct job *job)
{
	return job_default(job) && (job->added || !job->had_default);
}

static bool triggers_exist(const struct relation *relation)
{
	return relation->insert_trigger_exists || relation->update_trigger_exists || relation->function_name ||
		   relation->counters;
}

/* One action of ALTER TABLE on the column. */
static struct change_step step_alter(
	enum change_kind kind, const struct job *job, const char *before, const char *name, const char *after)
{
	struct change_step step = change_step_make(kind, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	change_start_alter(&sql, job);
	text_addf(&sql, "%s %s%s", before, name, after);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_alter_column(
	enum change_kind kind, const struct job *job, const char *before, const char *after)
{
	struct text name = {0};
	struct change_step step;

	quote_name(&name, job->column_name);
	step = step_alter(kind, job, before, text_is(&name), after);
	text_free(&name);
	return step;
}

bool change_next_undo_check(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	struct text name = {0};

	if (relation->check_exists)
		text_addf(&name, "backfill_%" PRId64 "_not_null", job->id);
	else if (relation->not_null_unvalidated && set_not_null(job))
		text_add(&name, relation->not_null_unvalidated);
	else
		return false;
	*ret_step = step_alter(CHANGE_UNDO_CHECK, job, "DROP CONSTRAINT", text_is(&name), "");
	text_free(&name);
	return true;
}

/* It goes with a column of ours; but while the triggers are there, writers may rely on their help to meet it.
 */
bool change_next_undo_not_null(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!relation->column_not_null || !set_not_null(job) || (job->added && !triggers_exist(relation)))
		return false;
	*ret_step = step_alter_column(CHANGE_UNDO_NOT_NULL, job, "ALTER COLUMN", " DROP NOT NULL");
	return true;
}

bool change_next_undo_trigger(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!triggers_exist(relation))
		return false;
	*ret_step = change_step_drop_trigger(CHANGE_UNDO_TRIGGER, job, relation);
	return true;
}

bool change_next_undo_default(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (job->added || !relation->column_default || !set_default(job))
		return false;
	*ret_step = step_alter_column(CHANGE_UNDO_DEFAULT, job, "ALTER COLUMN", " DROP DEFAULT");
	return true;
}

/* Not another one of its name, made by somebody since. */
static bool is_the_one_added(const struct job *job, const struct relation *relation)
{
	return job->added && (job->column_number == 0 || relation->column_number == job->column_number);
}

bool change_next_undo_column(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!relation->column_exists || !is_the_one_added(job, relation))
		return false;
	*ret_step = step_alter_column(CHANGE_UNDO_COLUMN, job, "DROP COLUMN", "");
	return true;
}

static void add_filled(struct text *sentence, const struct job *job)
{
	text_addf(sentence, "the values it has stay (%" PRId64 " rows were filled)", job->rows_filled);
}

static void keep_cancelled(const struct job *job, const struct relation *relation, struct text *ret_sentence)
{
	if (!relation->exists || !relation->column_exists) {
		text_addf(ret_sentence, "cancelled: table %s has no column %s, so nothing is left of the job",
			job->table_name, job->column_name);
		return;
	}
	text_addf(ret_sentence, "cancelled: column %s stays, and ", job->column_name);
	add_filled(ret_sentence, job);
	if (job->sync != JOB_SYNC_NONE)
		text_add(ret_sentence, "; the triggers are gone: rows written from now on are as their writers leave "
							   "them");
	if (relation->column_not_null && set_not_null(job))
		text_add(ret_sentence, "; NOT NULL stays, since it holds for all rows");
	/* Without it the numbers of a later run would begin anew. */
	if (job->identity && !relation->column_generated)
		text_add(ret_sentence, "; new rows go on being numbered, by a sequence that is the column's own");
	text_add(ret_sentence, "; wanted = 'run' goes on, wanted = 'roll_back' takes it back");
}

void change_kept(
	const struct job *job, const struct relation *relation, enum stage stage, struct text *ret_sentence)
{
	text_clear(ret_sentence);
	if (stage == STAGE_CANCELLED) {
		keep_cancelled(job, relation, ret_sentence);
	} else if (!relation->exists) {
		text_addf(
			ret_sentence, "rolled back: table %s is gone, so nothing is left of the job", job->table_name);
	} else if (relation->column_exists && job->adopted) {
		text_addf(ret_sentence, "rolled back: column %s was there before the job and stays as it was, but ",
			job->column_name);
		add_filled(ret_sentence, job);
	} else if (relation->column_exists) {
		text_addf(
			ret_sentence, "rolled back: column %s was not added by the job and stays", job->column_name);
	} else {
		text_addf(ret_sentence, "rolled back: nothing is left of the job in table %s", job->table_name);
	}
}
