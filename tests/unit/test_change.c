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
	static const enum stage stages[] = {STAGE_ADDING, STAGE_FILLING, STAGE_SEALING, STAGE_ANALYZING};
	static const char *const names[] = {
		"ADD ", "WATCH ", "CHECK ", "VALIDATE ", "SET ", "DROP_CHECK ", "DROP_TRIGGER ", "ANALYZE "};
	struct change_step step;

	for (size_t i = 0; i < COUNT_OF(stages); i++)
		while (change_next(job, relation, stages[i], &step)) {
			text_add(ret_names, names[step.kind]);
			if (step.scans)
				assert_string_equal(step.lock_mode, "SHARE UPDATE EXCLUSIVE");
			change_assume(relation, job, step.kind);
			change_step_clear(&step);
			assert_true(ret_names->length < 200);
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

static void column_function_and_trigger_come_in_one_transaction(void **state)
{
	struct job job = job_of(JOB_SYNC_FILL, false, NULL, false);
	struct relation relation = {.server_version = 150000, .schema_name = (char *)"public"};
	struct change_step step = {0};
	char *sql;

	(void)state;
	assert_true(change_next(&job, &relation, STAGE_ADDING, &step));
	sql = change_text(&step);
	assert_non_null(strstr(sql, "CREATE FUNCTION public.backfill_fill_7()"));
	assert_non_null(strstr(strstr(sql, "ADD COLUMN"), "\"~backfill_7_insert\"")); /* behind its column */
	assert_null(strstr(sql, "\"~backfill_7_update\""));
	free(sql);
	change_step_clear(&step);
}

/* Partitions take over their parent's triggers, inheritance children do not. */
static void each_inheritance_child_has_triggers_of_its_own(void **state)
{
	static const struct {
		const char *what;
		bool partitioned;
		bool child_has_it;
		bool missing;
	} cases[] = {
		{"a child that has none", false, false, true},
		{"one that has it", false, true, false},
		{"a partition", true, false, false},
	};
	struct job job = job_of(JOB_SYNC_FILL, false, NULL, false);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct member members[] = {
			{.name = (char *)"public.users"},
			{.name = (char *)"public.users_1", .update_trigger_exists = cases[i].child_has_it},
		};
		struct relation relation = {.server_version = 150000,
			.schema_name = (char *)"public",
			.column_exists = true,
			.insert_trigger_exists = true,
			.update_trigger_exists = true,
			.members = members,
			.members_count = COUNT_OF(members),
			.partitioned = cases[i].partitioned};
		struct change_step step = {0};
		char *sql;

		if (change_next(&job, &relation, STAGE_FILLING, &step) != cases[i].missing)
			fail_msg("%s", cases[i].what);
		if (!cases[i].missing)
			continue;
		sql = change_text(&step);
		assert_non_null(strstr(sql, "\"~backfill_7_insert\" BEFORE INSERT ON public.users_1"));
		assert_non_null(strstr(sql, "\"~backfill_7_update\" BEFORE UPDATE ON public.users_1"));
		assert_null(strstr(sql, "ON public.users "));
		free(sql);
		change_step_clear(&step);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_steps_of_a_job),
		cmocka_unit_test(what_a_step_says),
		cmocka_unit_test(column_function_and_trigger_come_in_one_transaction),
		cmocka_unit_test(each_inheritance_child_has_triggers_of_its_own),
		cmocka_unit_test(stages_that_change_nothing),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
