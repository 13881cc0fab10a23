#include "daemon/plan.h"

#include "common/memory.h"
#include "common/quote.h"
#include "common/text.h"
#include "daemon/change.h"
#include "daemon/estimate.h"
#include "daemon/pending.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 30000

struct step_row {
	char *statement;
	const char *lock_mode;
	bool blocks_reads;
	bool blocks_writes;
	bool scans;
	char *note;
	struct estimate estimate; /* nothing: a change of the catalogue */
};

/* Takes the row's texts. */
static void add_row(struct script *script, const struct job *job, int *step, struct step_row row)
{
	script_add(script, sql_plan_step);
	script_bind_int(script, job->id);
	script_bind_int(script, ++*step);
	script_bind(script, row.statement);
	script_bind(script, row.lock_mode);
	script_bind_bool(script, row.blocks_reads);
	script_bind_bool(script, row.blocks_writes);
	script_bind_bool(script, row.scans);
	script_bind(script, row.note);
	script_bind_int(script, job->epoch);
	script_bind_int(script, row.estimate.ms);
	script_bind_int(script, row.estimate.wal_bytes);
	free(row.statement);
	free(row.note);
}

/* Of one table of the tree, or of all of it. */
static struct estimate estimate_of(const struct relation *relation, const struct change_step *step)
{
	bool one = step->member < relation->members_count && (step->only || step->alone);
	const struct member *member = one ? &relation->members[step->member] : NULL;
	int64_t pages = member ? member->pages : relation->pages;
	double rows = member ? member->rows : relation->rows;

	if (step->kind == CHANGE_INDEX_BUILD || step->kind == CHANGE_UNIQUE_BUILD)
		return estimate_index(pages, rows);
	return step->scans ? estimate_scan(pages) : (struct estimate){0};
}

static void add_changes(
	struct script *script, const struct job *job, struct relation *assumed, enum stage stage, int *number)
{
	struct change_step step;

	while (change_next(job, assumed, stage, &step)) {
		add_row(script, job, number,
			(struct step_row){
				.statement = change_text(&step),
				.lock_mode = step.lock_mode,
				.blocks_reads = strcmp(step.lock_mode, "ACCESS EXCLUSIVE") == 0,
				.blocks_writes = strcmp(step.lock_mode, "SHARE UPDATE EXCLUSIVE") != 0,
				.scans = step.scans,
				.note = change_describe(&step),
				.estimate = estimate_of(assumed, &step),
			});
		change_assume(assumed, job, &step);
		change_step_clear(&step);
	}
}

static char *fill_note(const struct job *job, const struct relation *relation)
{
	struct text note = {0};

	text_add(&note, "fill existing rows in batches");
	if (relation->update_triggers && !job->skip_triggers)
		text_addf(&note, "; fires for every row: trigger %s", relation->update_triggers);
	if (relation->column_indexed)
		text_add(&note, "; an index has the column, so no update can be done in place: one pass");
	return text_take(&note);
}

/* `leaf`: NULL: the job's table itself, and as batch.c has it. */
static void add_fill_of(struct script *script, const struct job *job, const struct relation *relation,
	const struct member *leaf, int *number)
{
	const struct member *filled = leaf ? leaf : &relation->members[0];
	struct text sql = {0};
	char *bare = job_bare_table(job);

	text_addf(&sql, "UPDATE ONLY %s", leaf ? leaf->name : job->table_name);
	if (leaf) {
		text_add(&sql, " AS ");
		quote_name(&sql, bare);
	}
	free(bare);
	text_add(&sql, " SET ");
	quote_name(&sql, job->column_name);
	text_add(&sql, " = ");
	pending_add_value(&sql, job);
	text_add(&sql, " WHERE ctid >= ... AND ctid < ... AND ");
	pending_add(&sql, job);
	add_row(script, job, number,
		(struct step_row){
			.statement = text_take(&sql),
			.lock_mode = "ROW EXCLUSIVE",
			.scans = true,
			.note = fill_note(job, relation),
			.estimate = estimate_fill(filled->pages, filled->rows, relation->secondary_indexes),
		});
}

static void add_fill(
	struct script *script, const struct job *job, const struct relation *relation, int *number)
{
	for (size_t i = 0; i < relation->members_count; i++) {
		const struct member *member = &relation->members[i];

		if (member_has_rows(member))
			add_fill_of(script, job, relation, i > 0 ? member : NULL, number);
	}
}

static void add_findings(struct script *script, const struct job *job, const struct relation *relation)
{
	script_add(script, sql_findings);
	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, job->exact_type);
	script_bind_bool(script, job->adopted);
	script_bind_bool(script, job->fast_default);
	script_bind_bool(script, job->volatile_value);
	if (relation->rows >= 0)
		script_bind_int(script, (int64_t)relation->rows);
	else
		script_bind(script, NULL);
	script_bind_int(script, relation->pages);
	script_bind_bool(script, job->had_not_null);
	script_bind_bool(script, job->had_default);
}

void plan_ask_names(struct session *control, const struct job *job, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	script_add(script, sql_names);
	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, job->column_name);
	session_ask(control, script, DEADLINE_MS, answer, owner);
}

bool plan_read_names(const struct reply *reply, struct job *job)
{
	if (reply_rows(reply, 0) == 0)
		return false;
	memory_set_text(&job->index_name, reply_text(reply, 0, 0, "index_name"));
	memory_set_text(&job->unique_name, reply_text(reply, 0, 0, "unique_name"));
	memory_set_text(&job->check_name, reply_text(reply, 0, 0, "check_name"));
	memory_set_text(&job->foreign_key_name, reply_text(reply, 0, 0, "foreign_key_name"));
	return true;
}

/* What change_next() looks at, and nothing that is owned twice. */
static struct relation assumed_from(const struct relation *relation)
{
	struct relation assumed = {
		.server_version = relation->server_version,
		.exists = true,
		.schema_name = memory_text(relation->schema_name),
		.column_exists = relation->column_exists,
		.column_generated = relation->column_generated,
		.column_default = memory_text(relation->column_default),
		.column_not_null = relation->column_not_null,
		.not_null_unvalidated = memory_text(relation->not_null_unvalidated),
		.insert_trigger_exists = relation->insert_trigger_exists,
		.update_trigger_exists = relation->update_trigger_exists,
		.function_name = memory_text(relation->function_name),
		.counters = memory_text(relation->counters),
		.control_login = memory_text(relation->control_login),
		.check_exists = relation->check_exists,
		.check_valid = relation->check_valid,
		.partitioned = relation->partitioned,
		.pages = relation->pages,
		.rows = relation->rows,
	};

	relation_copy_members(&assumed, relation);
	return assumed;
}

void plan_store(struct session *control, const struct job *job, const struct relation *relation,
	const char *value_plan, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct relation assumed = assumed_from(relation);
	int number = 0;

	script_add(script, "BEGIN");
	add_findings(script, job, relation);
	script_add(script, sql_plan_forget);
	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	/* What the outlook is not asked need not be planned: 5 ms instead of 18. */
	script_add(script, "SET LOCAL plan_cache_mode = auto");
	plan_add_outlook(script, job, value_plan);
	add_changes(script, job, &assumed, STAGE_ADDING, &number);
	if (job_fills(job)) {
		add_fill(script, job, relation, &number);
		add_changes(script, job, &assumed, STAGE_FILLING, &number);
	}
	add_changes(script, job, &assumed, STAGE_INDEXING, &number);
	add_changes(script, job, &assumed, STAGE_SEALING, &number);
	add_changes(script, job, &assumed, STAGE_ANALYZING, &number);
	script_add(script, "COMMIT");
	relation_clear(&assumed);
	session_ask(control, script, DEADLINE_MS, answer, owner);
}

bool plan_read_stored(const struct reply *reply)
{
	return reply_rows(reply, 1) == 1;
}
