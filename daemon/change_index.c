#include "daemon/change_inside.h"

#include "common/memory.h"
#include "common/quote.h"

#include <stdlib.h>
#include <string.h>

/*
 * On an ordinary table an index is built in one statement that stands alone. On a partitioned one each table
 * that has no rows gets an empty index first, each leaf's is built, and then attached: the parent's is valid
 * when all are. A UNIQUE constraint goes the same way and takes each index over when it is ready.
 */

/* What is built: the plain index, or that of the UNIQUE constraint. */
struct building {
	bool unique;
	enum change_kind parent;
	enum change_kind build;
	enum change_kind drop;
	enum change_kind attach;
	enum change_kind undo;
};

static const struct building plain = {
	.parent = CHANGE_INDEX_PARENT,
	.build = CHANGE_INDEX_BUILD,
	.drop = CHANGE_INDEX_DROP,
	.attach = CHANGE_INDEX_ATTACH,
	.undo = CHANGE_UNDO_INDEX,
};

static const struct building unique = {
	.unique = true,
	.parent = CHANGE_UNIQUE_PARENT,
	.build = CHANGE_UNIQUE_BUILD,
	.drop = CHANGE_UNIQUE_DROP,
	.attach = CHANGE_UNIQUE_ATTACH,
	.undo = CHANGE_UNDO_UNIQUE,
};

static const struct member_index *index_of(const struct member *member, const struct building *building)
{
	return building->unique ? &member->unique : &member->index;
}

static void add_full_name(struct text *sql, const struct member *member, const struct building *building)
{
	text_addf(sql, "%s.", member->schema_name);
	quote_name(sql, index_of(member, building)->name);
}

static struct change_step make_step(enum change_kind kind, const char *lock_mode,
	const struct relation *relation, size_t at, const struct building *building)
{
	const struct member *member = &relation->members[at];
	struct change_step step = change_step_make(kind, lock_mode);
	struct text object = {0};

	step.member = at;
	step.only = true;
	step.table = member->name;
	add_full_name(&object, member, building);
	step.object = text_take(&object);
	return step;
}

void change_add_index_definition(struct text *sql, const struct job *job)
{
	text_addf(sql, " USING %s", job->index);
	if (!strchr(job->index, '(')) {
		text_add(sql, " (");
		quote_name(sql, job->column_name);
		text_add(sql, ")");
	}
	if (job->index_where)
		text_addf(sql, " WHERE (%s\n)", job->index_where);
}

static void add_definition(struct text *sql, const struct job *job, const struct building *building)
{
	if (!building->unique) {
		change_add_index_definition(sql, job);
		return;
	}
	text_add(sql, " USING btree (");
	quote_name(sql, job->column_name);
	text_add(sql, ")");
}

static struct change_step step_build(
	const struct job *job, const struct relation *relation, size_t at, const struct building *building)
{
	const struct member *member = &relation->members[at];
	struct change_step step = make_step(building->build, "SHARE UPDATE EXCLUSIVE", relation, at, building);
	struct text sql = {0};

	step.alone = step.scans = true;
	step.timeout_ms = CHANGE_VALIDATE_TIMEOUT_MS;
	text_addf(&sql, "CREATE %sINDEX CONCURRENTLY ", building->unique ? "UNIQUE " : "");
	quote_name(&sql, index_of(member, building)->name);
	text_addf(&sql, " ON ONLY %s", member->name);
	add_definition(&sql, job, building);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_drop(
	const struct relation *relation, size_t at, const struct building *building)
{
	struct change_step step = make_step(building->drop, "SHARE UPDATE EXCLUSIVE", relation, at, building);
	struct text sql = {0};

	step.alone = true;
	step.timeout_ms = CHANGE_VALIDATE_TIMEOUT_MS;
	text_add(&sql, "DROP INDEX CONCURRENTLY ");
	add_full_name(&sql, &relation->members[at], building);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

/* Has no rows, so it takes no time. */
static struct change_step step_parent(
	const struct job *job, const struct relation *relation, size_t at, const struct building *building)
{
	const struct member *member = &relation->members[at];
	struct change_step step =
		make_step(building->parent, building->unique ? "ACCESS EXCLUSIVE" : "SHARE", relation, at, building);
	struct text sql = {0};

	if (building->unique) {
		text_addf(&sql, "ALTER TABLE ONLY %s ADD CONSTRAINT ", member->name);
		quote_name(&sql, index_of(member, building)->name);
		text_add(&sql, " UNIQUE (");
		quote_name(&sql, job->column_name);
		text_add(&sql, ")");
	} else {
		text_add(&sql, "CREATE INDEX ");
		quote_name(&sql, index_of(member, building)->name);
		text_addf(&sql, " ON ONLY %s", member->name);
		add_definition(&sql, job, building);
	}
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_constraint(const struct relation *relation, size_t at)
{
	const struct member *member = &relation->members[at];
	struct change_step step = make_step(CHANGE_UNIQUE_CONSTRAINT, "ACCESS EXCLUSIVE", relation, at, &unique);
	struct text sql = {0};

	text_addf(&sql, "ALTER TABLE %s ADD CONSTRAINT ", member->name);
	quote_name(&sql, member->unique.name);
	text_add(&sql, " UNIQUE USING INDEX ");
	quote_name(&sql, member->unique.name);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static struct change_step step_attach(
	const struct relation *relation, size_t at, const struct building *building)
{
	const struct member *member = &relation->members[at];
	const struct member *parent = relation_member(relation, member->parent_oid);
	struct change_step step = make_step(building->attach, "ACCESS EXCLUSIVE", relation, at, building);
	struct text sql = {0};

	text_add(&sql, "ALTER INDEX ");
	add_full_name(&sql, parent, building);
	text_add(&sql, " ATTACH PARTITION ");
	add_full_name(&sql, member, building);
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

/* Of one table; what it needs before it is attached. */
static bool next_of_member(const struct job *job, const struct relation *relation, size_t at,
	const struct building *building, struct change_step *ret_step)
{
	const struct member *member = &relation->members[at];
	const struct member_index *index = index_of(member, building);

	if (index->attached)
		return false;
	if (!member_has_rows(member)) {
		if (index->exists)
			return false;
		*ret_step = step_parent(job, relation, at, building);
	} else if (index->exists && !index->valid) {
		*ret_step = step_drop(relation, at, building);
	} else if (!index->exists) {
		*ret_step = step_build(job, relation, at, building);
	} else if (building->unique && !index->is_constraint) {
		*ret_step = step_constraint(relation, at);
	} else {
		return false;
	}
	return true;
}

static bool is_to_attach(const struct member *member, const struct building *building)
{
	return member->is_partition && member->parent_oid != 0 && !index_of(member, building)->attached;
}

static bool next_index(const struct job *job, const struct relation *relation,
	const struct building *building, struct change_step *ret_step)
{
	for (size_t i = 0; i < relation->members_count; i++) {
		if (next_of_member(job, relation, i, building, ret_step))
			return true;
	}
	for (size_t i = relation->members_count; i-- > 0;) {
		if (is_to_attach(&relation->members[i], building)) {
			*ret_step = step_attach(relation, i, building);
			return true;
		}
	}
	return false;
}

bool change_next_index(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	return job->index && next_index(job, relation, &plain, ret_step);
}

bool change_next_unique(const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	return job->is_unique && next_index(job, relation, &unique, ret_step);
}

/* A partitioned table's index goes with those attached to it, under a short lock: the server drops no such
 * index CONCURRENTLY. So does one that a constraint has taken over. */
static struct change_step step_undo(
	const struct relation *relation, size_t at, const struct building *building)
{
	const struct member *member = &relation->members[at];
	const struct member_index *index = index_of(member, building);
	bool alone = member_has_rows(member) && !index->is_constraint;
	struct change_step step = make_step(
		building->undo, alone ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE", relation, at, building);
	struct text sql = {0};

	step.alone = alone;
	step.only = member_has_rows(member);
	if (index->is_constraint) {
		text_addf(&sql, "ALTER TABLE %s DROP CONSTRAINT ", member->name);
		quote_name(&sql, index->name);
	} else {
		text_addf(&sql, "DROP INDEX %s", alone ? "CONCURRENTLY " : "");
		add_full_name(&sql, member, building);
	}
	if (alone)
		step.timeout_ms = CHANGE_VALIDATE_TIMEOUT_MS;
	change_add_statement(&step, &sql);
	text_free(&sql);
	return step;
}

static bool undo_index(
	const struct relation *relation, const struct building *building, struct change_step *ret_step)
{
	for (size_t i = 0; i < relation->members_count; i++) {
		const struct member_index *index = index_of(&relation->members[i], building);

		if (index->exists && !index->attached) {
			*ret_step = step_undo(relation, i, building);
			return true;
		}
	}
	return false;
}

bool change_next_undo_index(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	return job->index && undo_index(relation, &plain, ret_step);
}

bool change_next_undo_unique(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	return job->is_unique && undo_index(relation, &unique, ret_step);
}

static bool is_whole(const struct member *member, const struct building *building)
{
	const struct member_index *index = index_of(member, building);

	return index->valid && (index->is_constraint || !building->unique);
}

/* Of a table and the children that inherit from it each has its own; of partitions the topmost speaks for
 * all. */
static bool cancel_index(
	const struct relation *relation, const struct building *building, struct change_step *ret_step)
{
	size_t count = relation->partitioned ? 1 : relation->members_count;

	for (size_t i = 0; i < count; i++) {
		if (!is_whole(&relation->members[i], building))
			return undo_index(relation, building, ret_step);
	}
	return false;
}

bool change_next_cancel_index(
	const struct job *job, const struct relation *relation, struct change_step *ret_step)
{
	return (job->index && cancel_index(relation, &plain, ret_step)) ||
		   (job->is_unique && cancel_index(relation, &unique, ret_step));
}

static bool takes_away(enum change_kind kind)
{
	return kind == CHANGE_INDEX_DROP || kind == CHANGE_UNIQUE_DROP || kind == CHANGE_UNDO_INDEX ||
		   kind == CHANGE_UNDO_UNIQUE;
}

void change_assume_index(struct member *member, enum change_kind kind)
{
	bool of_unique = kind == CHANGE_UNIQUE_PARENT || kind == CHANGE_UNIQUE_BUILD ||
					 kind == CHANGE_UNIQUE_DROP || kind == CHANGE_UNIQUE_CONSTRAINT ||
					 kind == CHANGE_UNIQUE_ATTACH || kind == CHANGE_UNDO_UNIQUE;
	struct member_index *index = of_unique ? &member->unique : &member->index;

	if (kind == CHANGE_INDEX_ATTACH || kind == CHANGE_UNIQUE_ATTACH)
		index->attached = true;
	else if (kind == CHANGE_UNIQUE_CONSTRAINT)
		index->is_constraint = true;
	else
		index->exists = index->valid = !takes_away(kind);
}
