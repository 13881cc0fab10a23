/*
 * change: which step is missing, on each server, from each state of the catalogue; and never one that scans
 * under a lock that blocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/text.h"
#include "daemon/change.h"

#include <stdlib.h>
#include <string.h>

static struct job job_of(enum job_sync sync, bool not_null, const char *default_expr, bool fast_default)
{
	return (struct job){.id = 7,
		.table_name = (char *)"public.users",
		.search_path = (char *)"public, pg_temp",
		.column_name = (char *)"v",
		.exact_type = (char *)"text",
		.value = (char *)(sync == JOB_SYNC_NONE ? NULL : "upper(email)"),
		.default_expr = (char *)default_expr,
		.fast_default = fast_default,
		.sync = sync,
		.not_null = not_null};
}

/* The steps of all stages, as planning walks them: "ADD WATCH …". */
static void steps(const struct job *job, struct relation *relation, struct text *ret_names)
{
	static const enum stage stages[] = {
		STAGE_ADDING, STAGE_FILLING, STAGE_INDEXING, STAGE_SEALING, STAGE_ANALYZING};
	static const char *const names[] = {
		[CHANGE_ADD] = "ADD ",
		[CHANGE_WATCH_UPDATES] = "WATCH ",
		[CHANGE_CHECK] = "CHECK ",
		[CHANGE_VALIDATE] = "VALIDATE ",
		[CHANGE_SET_NOT_NULL] = "SET ",
		[CHANGE_DROP_CHECK] = "DROP_CHECK ",
		[CHANGE_IDENTITY] = "IDENTITY ",
		[CHANGE_DROP_TRIGGER] = "DROP_TRIGGER ",
		[CHANGE_RULE] = "RULE ",
		[CHANGE_RULE_VALIDATE] = "RULE_VALIDATE ",
		[CHANGE_REFERENCE] = "REFERENCE ",
		[CHANGE_REFERENCE_VALIDATE] = "REFERENCE_VALIDATE ",
		[CHANGE_REFERENCE_ADOPT] = "ADOPT ",
		[CHANGE_INDEX_PARENT] = "PARENT ",
		[CHANGE_INDEX_BUILD] = "BUILD ",
		[CHANGE_INDEX_DROP] = "DROP_INDEX ",
		[CHANGE_INDEX_ATTACH] = "ATTACH ",
		[CHANGE_UNIQUE_PARENT] = "UNIQUE_PARENT ",
		[CHANGE_UNIQUE_BUILD] = "UNIQUE_BUILD ",
		[CHANGE_UNIQUE_DROP] = "UNIQUE_DROP ",
		[CHANGE_UNIQUE_CONSTRAINT] = "UNIQUE ",
		[CHANGE_UNIQUE_ATTACH] = "UNIQUE_ATTACH ",
		[CHANGE_ANALYZE] = "ANALYZE ",
		[CHANGE_UNDO_RULE] = "UNDO_RULE ",
		[CHANGE_UNDO_REFERENCE] = "UNDO_REFERENCE ",
		[CHANGE_UNDO_INDEX] = "UNDO_INDEX ",
		[CHANGE_UNDO_UNIQUE] = "UNDO_UNIQUE ",
	};
	struct change_step step;

	for (size_t i = 0; i < COUNT_OF(stages); i++)
		while (change_next(job, relation, stages[i], &step)) {
			text_add(ret_names, names[step.kind]);
			if (step.scans)
				assert_string_equal(step.lock_mode, "SHARE UPDATE EXCLUSIVE");
			change_assume(relation, job, &step);
			change_step_clear(&step);
			assert_true(ret_names->length < 500);
		}
}

static void the_steps_of_a_job(void **state)
{
	static const struct {
		const char *what;
		int server_version;
		enum job_sync sync;
		bool not_null;
		const char *default_expr;
		struct relation before;
		const char *steps;
	} cases[] = {
		{"a bare column", 150000, JOB_SYNC_NONE, false, NULL, {0}, "ADD ANALYZE "},
		{"a filled one", 150000, JOB_SYNC_FILL, false, NULL, {0}, "ADD WATCH DROP_TRIGGER ANALYZE "},
		{"filled and NOT NULL", 150000, JOB_SYNC_FILL, true, NULL, {0},
			"ADD WATCH CHECK VALIDATE SET DROP_CHECK DROP_TRIGGER ANALYZE "},
		{"the same on 18, which knows NOT NULL NOT VALID", 180000, JOB_SYNC_FILL, true, NULL, {0},
			"ADD WATCH CHECK VALIDATE DROP_TRIGGER ANALYZE "},
		{"a derived one keeps its triggers", 150000, JOB_SYNC_DERIVE, true, NULL, {0},
			"ADD CHECK VALIDATE SET DROP_CHECK ANALYZE "},
		{"an adopted column that has its default", 150000, JOB_SYNC_NONE, false, "0",
			{.column_exists = true, .column_default = (char *)"0"}, "ANALYZE "},
		{"an adopted column without", 150000, JOB_SYNC_NONE, false, "0", {.column_exists = true},
			"ADD ANALYZE "},
		{"one that is NOT NULL already", 150000, JOB_SYNC_NONE, true, NULL,
			{.column_exists = true, .column_not_null = true}, "ANALYZE "},
		{"killed after the CHECK", 150000, JOB_SYNC_NONE, true, NULL,
			{.column_exists = true, .check_exists = true}, "VALIDATE SET DROP_CHECK ANALYZE "},
		{"killed after its validation", 150000, JOB_SYNC_NONE, true, NULL,
			{.column_exists = true, .check_exists = true, .check_valid = true}, "SET DROP_CHECK ANALYZE "},
		{"killed before the CHECK was dropped", 150000, JOB_SYNC_NONE, true, NULL,
			{.column_exists = true, .check_exists = true, .check_valid = true, .column_not_null = true},
			"DROP_CHECK ANALYZE "},
		{"18, killed after NOT VALID", 180000, JOB_SYNC_NONE, true, NULL,
			{.column_exists = true, .not_null_unvalidated = (char *)"n"}, "VALIDATE ANALYZE "},
		{"the UPDATE trigger is there, the INSERT one was dropped by hand", 150000, JOB_SYNC_NONE, false,
			NULL, {.column_exists = true, .update_trigger_exists = true}, "ANALYZE "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = job_of(cases[i].sync, cases[i].not_null, cases[i].default_expr, false);
		struct relation relation = cases[i].before;
		struct text names = {0};

		relation.server_version = cases[i].server_version;
		relation.schema_name = memory_text("public");
		relation.column_default = memory_text(cases[i].before.column_default);
		relation.not_null_unvalidated = memory_text(cases[i].before.not_null_unvalidated);
		steps(&job, &relation, &names);
		if (strcmp(text_is(&names), cases[i].steps) != 0)
			fail_msg("%s: %s", cases[i].what, text_is(&names));
		text_free(&names);
		relation_clear(&relation);
	}
}

/* An ordinary table; or a partitioned one with a leaf, and a partitioned partition with another. */
static void add_members(struct relation *relation)
{
	static const struct member ordinary[] = {{.oid = 1, .kind = 'r'}};
	static const struct member tree[] = {{.oid = 1, .kind = 'p'},
		{.oid = 2, .parent_oid = 1, .kind = 'r', .is_partition = true},
		{.oid = 3, .parent_oid = 1, .kind = 'p', .is_partition = true},
		{.oid = 4, .parent_oid = 3, .kind = 'r', .is_partition = true}};
	const struct member *from = relation->partitioned ? tree : ordinary;
	size_t count = relation->partitioned ? COUNT_OF(tree) : COUNT_OF(ordinary);

	for (size_t i = 0; i < count; i++) {
		struct member *member = relation_add_member(relation);

		*member = from[i];
		member->name = memory_textf("public.t%zu", i);
		member->schema_name = memory_text("public");
		member->index.name = memory_textf("t%zu_v_idx", i);
		member->unique.name = memory_textf("t%zu_v_key", i);
	}
}

static void the_steps_of_indexes_and_constraints(void **state)
{
	static const struct {
		const char *what;
		int server_version;
		bool partitioned;
		bool is_unique;
		const char *check_expr;
		const char *foreign_key;
		const char *index;
		struct member found; /* what the first leaf has already */
		const char *steps;
	} cases[] = {
		{"an index", 150000, false, false, NULL, NULL, "btree", {0}, "ADD BUILD ANALYZE "},
		{"one that a build has left", 150000, false, false, NULL, NULL, "btree", {.index = {.exists = true}},
			"ADD DROP_INDEX BUILD ANALYZE "},
		{"everything", 150000, false, true, "v <> 0", "public.org(id)", "gin (v)", {0},
			"ADD BUILD RULE RULE_VALIDATE REFERENCE REFERENCE_VALIDATE UNIQUE_BUILD UNIQUE ANALYZE "},
		{"killed before the unique index was made a constraint", 150000, false, true, NULL, NULL, NULL,
			{.unique = {.exists = true, .valid = true}}, "ADD UNIQUE ANALYZE "},
		{"killed before the foreign key was validated", 150000, false, false, NULL, "public.org(id)", NULL,
			{.foreign_key = {.exists = true}}, "ADD REFERENCE_VALIDATE ANALYZE "},
		{"an index over partitions", 150000, true, false, NULL, NULL, "btree", {0},
			"ADD PARENT BUILD PARENT BUILD ATTACH ATTACH ATTACH ANALYZE "},
		{"a leaf whose index is attached", 150000, true, false, NULL, NULL, "btree",
			{.index = {.exists = true, .valid = true, .attached = true}},
			"ADD PARENT PARENT BUILD ATTACH ATTACH ANALYZE "},
		{"UNIQUE over partitions", 150000, true, true, NULL, NULL, NULL, {0},
			"ADD UNIQUE_PARENT UNIQUE_BUILD UNIQUE UNIQUE_PARENT UNIQUE_BUILD UNIQUE UNIQUE_ATTACH "
			"UNIQUE_ATTACH "
			"UNIQUE_ATTACH ANALYZE "},
		{"a foreign key over partitions", 170000, true, false, NULL, "public.org(id)", NULL, {0},
			"ADD REFERENCE REFERENCE_VALIDATE REFERENCE REFERENCE_VALIDATE ADOPT ANALYZE "},
		{"18 takes it at once", 180000, true, false, NULL, "public.org(id)", NULL, {0},
			"ADD REFERENCE REFERENCE_VALIDATE ANALYZE "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = job_of(JOB_SYNC_NONE, false, NULL, false);
		struct relation relation = {
			.server_version = cases[i].server_version, .partitioned = cases[i].partitioned};
		struct member *leaf;
		struct text names = {0};

		job.is_unique = cases[i].is_unique;
		job.check_expr = (char *)cases[i].check_expr;
		job.check_name = (char *)"t_v_check";
		job.foreign_key = (char *)cases[i].foreign_key;
		job.foreign_key_name = (char *)"t_v_fkey";
		job.index = (char *)cases[i].index;
		relation.schema_name = memory_text("public");
		add_members(&relation);
		leaf = &relation.members[cases[i].partitioned ? 1 : 0];
		leaf->index.exists = cases[i].found.index.exists;
		leaf->index.valid = cases[i].found.index.valid;
		leaf->index.attached = cases[i].found.index.attached;
		leaf->unique.exists = cases[i].found.unique.exists;
		leaf->unique.valid = cases[i].found.unique.valid;
		leaf->foreign_key = cases[i].found.foreign_key;
		steps(&job, &relation, &names);
		if (strcmp(text_is(&names), cases[i].steps) != 0)
			fail_msg("%s: %s", cases[i].what, text_is(&names));
		text_free(&names);
		relation_clear(&relation);
	}
}

static void what_a_step_says(void **state)
{
	static const struct {
		const char *what;
		enum stage stage;
		int server_version;
		const char *default_expr;
		bool fast_default;
		bool not_null;
		struct relation before;
		const char *lock_mode;
		const char *sql;
	} cases[] = {
		{"a column", STAGE_ADDING, 150000, NULL, false, false, {0}, "ACCESS EXCLUSIVE",
			"ALTER TABLE public.users ADD COLUMN \"v\" text;"},
		{"a default that needs no rewrite goes with the column", STAGE_ADDING, 150000, "0 -- zero", true,
			false, {0}, "ACCESS EXCLUSIVE",
			"ALTER TABLE public.users ADD COLUMN \"v\" text DEFAULT (0 -- zero\n);"},
		{"any other is a clause of its own: no row is touched", STAGE_ADDING, 150000, "random()", false,
			false, {0}, "ACCESS EXCLUSIVE",
			"ALTER TABLE public.users ADD COLUMN \"v\" text, ALTER COLUMN \"v\" SET DEFAULT (random()\n);"},
		{"a default for a column that is there", STAGE_ADDING, 150000, "0", false, false,
			{.column_exists = true}, "ACCESS EXCLUSIVE",
			"ALTER TABLE public.users ALTER COLUMN \"v\" SET DEFAULT (0\n);"},
		{"a CHECK that does not look at rows", STAGE_SEALING, 150000, NULL, false, true,
			{.column_exists = true}, "ACCESS EXCLUSIVE",
			"ALTER TABLE public.users ADD CONSTRAINT backfill_7_not_null CHECK (\"v\" IS DISTINCT FROM NULL) "
			"NOT "
			"VALID;"},
		{"18 has it without", STAGE_SEALING, 180000, NULL, false, true, {.column_exists = true},
			"ACCESS EXCLUSIVE", "ALTER TABLE public.users ADD NOT NULL \"v\" NOT VALID;"},
		{"the scan blocks nobody", STAGE_SEALING, 150000, NULL, false, true,
			{.column_exists = true, .check_exists = true}, "SHARE UPDATE EXCLUSIVE",
			"ALTER TABLE public.users VALIDATE CONSTRAINT backfill_7_not_null;"},
		{"SET NOT NULL stands alone: with DROP CONSTRAINT it would scan", STAGE_SEALING, 150000, NULL, false,
			true, {.column_exists = true, .check_exists = true, .check_valid = true}, "ACCESS EXCLUSIVE",
			"ALTER TABLE public.users ALTER COLUMN \"v\" SET NOT NULL;"},
		{"only the column is analyzed", STAGE_ANALYZING, 150000, NULL, false, false, {.column_exists = true},
			"SHARE UPDATE EXCLUSIVE", "ANALYZE public.users (\"v\");"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job =
			job_of(JOB_SYNC_NONE, cases[i].not_null, cases[i].default_expr, cases[i].fast_default);
		struct relation relation = cases[i].before;
		struct change_step step = {0};
		char *sql;

		relation.server_version = cases[i].server_version;
		relation.schema_name = (char *)"public";
		if (!change_next(&job, &relation, cases[i].stage, &step))
			fail_msg("%s: no step", cases[i].what);
		sql = change_text(&step);
		if (strcmp(sql, cases[i].sql) != 0 || strcmp(step.lock_mode, cases[i].lock_mode) != 0)
			fail_msg("%s: %s under %s", cases[i].what, sql, step.lock_mode);
		free(sql);
		change_step_clear(&step);
	}
}

static struct job job_with_identity(void)
{
	struct job job = job_of(JOB_SYNC_NONE, true, NULL, false);

	job.table_name = NULL;
	job.exact_type = (char *)"bigint";
	job.identity = (char *)"ALWAYS";
	job_name_table(&job, "\"odd'schema\".users");
	return job;
}

static void an_identity_goes_on_where_its_helper_ends(void **state)
{
	struct job job = job_with_identity();
	struct relation relation = {.server_version = 150000, .schema_name = memory_text("x")};
	struct change_step step = {0};
	struct text names = {0};
	char *sql;

	(void)state;
	assert_true(change_next(&job, &relation, STAGE_ADDING, &step));
	sql = change_text(&step);
	assert_string_equal(sql,
		"CREATE SEQUENCE \"odd'schema\".backfill_identity_7 AS bigint;\n"
		"GRANT USAGE ON SEQUENCE \"odd'schema\".backfill_identity_7 TO PUBLIC;\n"
		"ALTER TABLE \"odd'schema\".users ADD COLUMN \"v\" bigint, ALTER COLUMN \"v\" SET DEFAULT "
		"(pg_catalog.nextval('\"odd''schema\".backfill_identity_7'::pg_catalog.regclass)\n);\n"
		"ALTER SEQUENCE \"odd'schema\".backfill_identity_7 OWNED BY \"odd'schema\".users.\"v\";");
	free(sql);
	change_step_clear(&step);
	steps(&job, &relation, &names);
	assert_string_equal(text_is(&names), "ADD CHECK VALIDATE SET DROP_CHECK IDENTITY ANALYZE ");
	assert_false(change_next(&job, &relation, STAGE_ADDING, &step)); /* cancelled at its very end, and on */
	text_free(&names);
	relation_clear(&relation);
	free(job.table_name);
	free(job.numbering);
}

static void stages_that_change_nothing(void **state)
{
	struct job job = job_of(JOB_SYNC_FILL, true, "0", false);
	struct relation relation = {.server_version = 150000};
	struct change_step step = {0};

	(void)state;
	for (int stage = STAGE_QUEUED; stage <= STAGE_ROLLED_BACK; stage++)
		if (stage != STAGE_ADDING && stage != STAGE_FILLING && stage != STAGE_SEALING &&
			stage != STAGE_ANALYZING)
			assert_false(change_next(&job, &relation, (enum stage)stage, &step));
	assert_null(step.script);
}

/* With its children's. */
static void an_inheritance_parent_is_analyzed_once(void **state)
{
	static const struct {
		int server_version;
		bool partitioned;
		const char *sql;
	} cases[] = {
		{170000, false, "ANALYZE public.users (\"v\");\nANALYZE public.child (\"v\");"},
		{180000, false, "ANALYZE public.users (\"v\");"},
		{170000, true, "ANALYZE public.users (\"v\");"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct member members[] = {
			{.oid = 1, .name = (char *)"public.users"}, {.oid = 2, .name = (char *)"public.child"}};
		struct job job = job_of(JOB_SYNC_NONE, false, NULL, false);
		struct relation relation = {.column_exists = true,
			.server_version = cases[i].server_version,
			.partitioned = cases[i].partitioned,
			.members = members,
			.members_count = COUNT_OF(members)};
		struct change_step step = {0};
		char *sql;

		assert_true(change_next(&job, &relation, STAGE_ANALYZING, &step));
		sql = change_text(&step);
		assert_string_equal(sql, cases[i].sql);
		free(sql);
		change_step_clear(&step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_steps_of_a_job),
		cmocka_unit_test(the_steps_of_indexes_and_constraints),
		cmocka_unit_test(what_a_step_says),
		cmocka_unit_test(an_identity_goes_on_where_its_helper_ends),
		cmocka_unit_test(stages_that_change_nothing),
		cmocka_unit_test(an_inheritance_parent_is_analyzed_once),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
