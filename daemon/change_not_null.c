#include "daemon/change_inside.h"

#include "common/memory.h"
#include "common/quote.h"

#include <inttypes.h>

#define NATIVE_NOT_NULL 180000 /* PostgreSQL 18 knows NOT NULL … NOT VALID */

static void add_check_name(struct text *sql, const struct job *job)
{
	text_addf(sql, "backfill_%" PRId64 "_not_null", job->id);
}

static struct change_step step_check(const struct job *job, const struct relation *relation)
{
	struct change_step step = change_step_make(CHANGE_CHECK, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	change_start_alter(&sql, job);
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
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_validate(const struct job *job, const struct relation *relation)
{
	struct change_step step = change_step_make(CHANGE_VALIDATE, "SHARE UPDATE EXCLUSIVE");
	struct text sql = {0};

	step.scans = true;
	step.timeout_ms = CHANGE_VALIDATE_TIMEOUT_MS;
	change_start_alter(&sql, job);
	text_add(&sql, "VALIDATE CONSTRAINT ");
	if (relation->not_null_unvalidated)
		text_add(&sql, relation->not_null_unvalidated);
	else
		add_check_name(&sql, job);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_set_not_null(const struct job *job)
{
	struct change_step step = change_step_make(CHANGE_SET_NOT_NULL, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	change_start_alter(&sql, job);
	text_add(&sql, "ALTER COLUMN ");
	quote_name(&sql, job->column_name);
	text_add(&sql, " SET NOT NULL");
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

/* A command of its own: together with SET NOT NULL it would make that scan. */
static struct change_step step_drop_check(const struct job *job)
{
	struct change_step step = change_step_make(CHANGE_DROP_CHECK, "ACCESS EXCLUSIVE");
	struct text sql = {0};

	change_start_alter(&sql, job);
	text_add(&sql, "DROP CONSTRAINT ");
	add_check_name(&sql, job);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

bool change_next_not_null(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	bool constrained = relation->check_exists || relation->not_null_unvalidated;

	if (job->not_null && !relation->column_not_null && !constrained)
		*ret_step = step_check(job, relation);
	else if ((job->not_null && relation->not_null_unvalidated) ||
			 (relation->check_exists && !relation->check_valid))
		*ret_step = step_validate(job, relation);
	else if (job->not_null && !relation->column_not_null)
		*ret_step = step_set_not_null(job);
	else if (relation->check_exists)
		*ret_step = step_drop_check(job);
	else
		return false;
	return true;
}

void change_assume_not_null(struct relation *relation, enum change_kind kind)
{
	bool native = relation->server_version >= NATIVE_NOT_NULL;

	if (kind == CHANGE_CHECK && native) {
		memory_set_text(&relation->not_null_unvalidated, "(its name)");
	} else if (kind == CHANGE_CHECK) {
		relation->check_exists = true;
	} else if (kind == CHANGE_VALIDATE) {
		memory_set_text(&relation->not_null_unvalidated, NULL);
		relation->check_valid = !native;
		relation->column_not_null = native;
	} else if (kind == CHANGE_SET_NOT_NULL) {
		relation->column_not_null = true;
	} else {
		relation->check_exists = relation->check_valid = false;
	}
}
