#include "daemon/change_inside.h"

#include "common/memory.h"
#include "common/quote.h"

/* From here on a partitioned table takes a foreign key that is NOT VALID. */
#define PARTITIONED_NOT_VALID 180000

static struct change_step make_step(enum change_kind kind, const char *lock_mode,
	const struct relation *relation, size_t at, const char *name)
{
	struct change_step step = change_step_make(kind, lock_mode);

	step.member = at;
	step.only = at > 0;
	step.table = relation->members[at].name;
	step.object = memory_text(name);
	return step;
}

static struct change_step step_validate(
	enum change_kind kind, const struct relation *relation, size_t at, const char *name)
{
	struct change_step step = make_step(kind, "SHARE UPDATE EXCLUSIVE", relation, at, name);
	struct text sql = {0};

	step.scans = true;
	step.timeout_ms = CHANGE_VALIDATE_TIMEOUT_MS;
	text_addf(&sql, "ALTER TABLE %s VALIDATE CONSTRAINT ", relation->members[at].name);
	quote_name(&sql, name);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

/* Reaches the whole tree. */
static struct change_step step_rule(const struct job *job, const struct relation *relation)
{
	struct change_step step = make_step(CHANGE_RULE, "ACCESS EXCLUSIVE", relation, 0, job->check_name);
	struct text sql = {0};

	change_start_alter(&sql, job);
	text_add(&sql, "ADD CONSTRAINT ");
	quote_name(&sql, job->check_name);
	text_addf(&sql, " CHECK (%s\n) NOT VALID", job->check_expr);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

bool change_next_rule(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	const struct member_constraint *rule = &relation->members[0].check;

	if (!job->check_expr || rule->valid)
		return false;
	if (!rule->exists)
		*ret_step = step_rule(job, relation);
	else
		*ret_step = step_validate(CHANGE_RULE_VALIDATE, relation, 0, job->check_name);
	return true;
}

/* `valid`: of a partitioned table whose leaves all have it. */
static struct change_step step_reference(
	const struct job *job, const struct relation *relation, size_t at, bool valid)
{
	struct change_step step = make_step(valid ? CHANGE_REFERENCE_ADOPT : CHANGE_REFERENCE,
		"SHARE ROW EXCLUSIVE", relation, at, job->foreign_key_name);
	struct text sql = {0};

	text_addf(&sql, "ALTER TABLE %s ADD CONSTRAINT ", relation->members[at].name);
	quote_name(&sql, job->foreign_key_name);
	text_add(&sql, " FOREIGN KEY (");
	quote_name(&sql, job->column_name);
	text_addf(&sql, ") REFERENCES %s%s", job->foreign_key, valid ? "" : " NOT VALID");
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

/*
 * Until 17 a partitioned table takes no NOT VALID foreign key: each leaf gets its own, and the table's then
 * adopts them without a scan. Inheritance children do not inherit one, so each gets its own too.
 */
bool change_next_reference(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	bool at_once = relation->partitioned && relation->server_version >= PARTITIONED_NOT_VALID;

	if (!job->foreign_key)
		return false;
	for (size_t i = 0; i < relation->members_count; i++) {
		const struct member *member = &relation->members[i];

		if (member->foreign_key.valid || (at_once ? i > 0 : !member_has_rows(member)))
			continue;
		*ret_step = member->foreign_key.exists
						? step_validate(CHANGE_REFERENCE_VALIDATE, relation, i, job->foreign_key_name)
						: step_reference(job, relation, i, false);
		return true;
	}
	if (at_once || !relation->partitioned || relation->members[0].foreign_key.exists)
		return false;
	*ret_step = step_reference(job, relation, 0, true);
	return true;
}

static struct change_step step_undo(
	enum change_kind kind, const struct relation *relation, size_t at, const char *name)
{
	struct change_step step = make_step(kind, "ACCESS EXCLUSIVE", relation, at, name);
	struct text sql = {0};

	text_addf(&sql, "ALTER TABLE %s DROP CONSTRAINT ", relation->members[at].name);
	quote_name(&sql, name);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

bool change_next_undo_rule(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!job->check_expr || relation->members_count == 0 || !relation->members[0].check.exists)
		return false;
	*ret_step = step_undo(CHANGE_UNDO_RULE, relation, 0, job->check_name);
	return true;
}

/* The partitioned table's first: those that it has adopted go with it. */
bool change_next_undo_reference(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (!job->foreign_key)
		return false;
	for (size_t i = 0; i < relation->members_count; i++) {
		if (relation->members[i].foreign_key.exists) {
			*ret_step = step_undo(CHANGE_UNDO_REFERENCE, relation, i, job->foreign_key_name);
			return true;
		}
	}
	return false;
}

static bool has_whole_reference(const struct relation *relation)
{
	size_t count = relation->partitioned ? 1 : relation->members_count;

	for (size_t i = 0; i < count; i++) {
		if (!relation->members[i].foreign_key.valid)
			return false;
	}
	return true;
}

bool change_next_cancel_constraint(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	if (relation->members_count == 0)
		return false;
	if (!relation->members[0].check.valid && change_next_undo_rule(job, relation, ret_step))
		return true;
	return !has_whole_reference(relation) && change_next_undo_reference(job, relation, ret_step);
}

static bool is_rule(enum change_kind kind)
{
	return kind == CHANGE_RULE || kind == CHANGE_RULE_VALIDATE || kind == CHANGE_UNDO_RULE;
}

void change_assume_constraint(struct member *member, enum change_kind kind)
{
	struct member_constraint *constraint = is_rule(kind) ? &member->check : &member->foreign_key;

	constraint->exists = kind != CHANGE_UNDO_RULE && kind != CHANGE_UNDO_REFERENCE;
	constraint->valid = constraint->exists && kind != CHANGE_RULE && kind != CHANGE_REFERENCE;
}
