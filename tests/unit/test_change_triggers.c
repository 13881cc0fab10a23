/*
 * change: the fill triggers, their function and its counters come with the column, on every table that needs
 * them, and go together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/change.h"

#include <stdlib.h>
#include <string.h>

static const struct job filled = {.id = 7,
	.table_name = (char *)"public.users",
	.search_path = (char *)"public, pg_temp",
	.column_name = (char *)"v",
	.exact_type = (char *)"text",
	.value = (char *)"upper(email)",
	.sync = JOB_SYNC_FILL};

static void column_function_and_trigger_come_in_one_transaction(void **state)
{
	struct relation relation = {.server_version = 150000, .schema_name = (char *)"public"};
	struct change_step step = {0};
	char *sql;

	(void)state;
	assert_true(change_next(&filled, &relation, STAGE_ADDING, &step));
	sql = change_text(&step);
	assert_non_null(strstr(sql, "CREATE FUNCTION public.backfill_fill_7()"));
	assert_non_null(strstr(strstr(sql, "ADD COLUMN"), "\"~backfill_7_insert\"")); /* behind its column */
	assert_null(strstr(sql, "\"~backfill_7_update\""));
	free(sql);
	change_step_clear(&step);
}

static void expect_text(const char *what, const struct job *job, const struct relation *relation,
	enum stage stage, const char *text)
{
	struct change_step step = {0};
	char *sql;

	if (!change_next(job, relation, stage, &step))
		fail_msg("%s: nothing to do", what);
	sql = change_text(&step);
	if (!strstr(sql, text))
		fail_msg("%s: %s", what, sql);
	free(sql);
	change_step_clear(&step);
}

static void the_counters_come_and_go_with_the_function(void **state)
{
	struct relation relation = {
		.server_version = 150000, .schema_name = (char *)"public", .control_login = (char *)"backfilld"};

	(void)state;
	expect_text("made before it", &filled, &relation, STAGE_ADDING,
		"CREATE SEQUENCE public.backfill_helped_7;\nCREATE SEQUENCE public.backfill_helped_at_7;\n"
		"GRANT SELECT ON SEQUENCE public.backfill_helped_7, public.backfill_helped_at_7 TO \"backfilld\";\n"
		"CREATE FUNCTION public.backfill_fill_7()");
	relation.column_exists = true;
	relation.counters = (char *)"public.backfill_helped_7";
	expect_text("left by a function that was dropped", &filled, &relation, STAGE_ADDING,
		"DROP SEQUENCE public.backfill_helped_7;\nCREATE SEQUENCE public.backfill_helped_7;");
	relation.function_name = (char *)"public.backfill_fill_7";
	relation.counters = (char *)"public.backfill_helped_7, old.backfill_helped_at_7";
	for (size_t i = 0; i < 3; i++) {
		static const enum stage ends[] = {STAGE_SEALING, STAGE_CANCELLED, STAGE_ROLLING_BACK};

		expect_text("dropped behind it", &filled, &relation, ends[i],
			"DROP FUNCTION public.backfill_fill_7();\n"
			"DROP SEQUENCE public.backfill_helped_7, old.backfill_helped_at_7;");
	}
	relation.function_name = NULL;
	expect_text("also alone", &filled, &relation, STAGE_SEALING, "DROP SEQUENCE public.backfill_helped_7");
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

		if (change_next(&filled, &relation, STAGE_FILLING, &step) != cases[i].missing)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(column_function_and_trigger_come_in_one_transaction),
		cmocka_unit_test(the_counters_come_and_go_with_the_function),
		cmocka_unit_test(each_inheritance_child_has_triggers_of_its_own),
	};

	return cmocka_run_group_tests_name("change_triggers", tests, NULL, NULL);
}
