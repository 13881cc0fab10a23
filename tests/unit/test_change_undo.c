/*
 * change: what a job that is cancelled or rolled back takes away, and what it leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/change.h"

#include <stdlib.h>
#include <string.h>

static void what_is_taken_back(void **state)
{
	static const struct {
		const char *what;
		enum stage stage;
		struct job job;
		struct relation before;
		const char *sql; /* NULL: nothing */
	} cases[] = {
		{"a column of ours that is done goes, and all with it", STAGE_ROLLING_BACK,
			{.added = true, .not_null = true, .default_expr = (char *)"0"},
			{.column_exists = true, .column_not_null = true, .column_default = (char *)"0"},
			"ALTER TABLE public.users DROP COLUMN \"v\";"},
		{"NOT NULL before the triggers that help to meet it", STAGE_ROLLING_BACK,
			{.added = true, .not_null = true},
			{.column_exists = true, .column_not_null = true, .function_name = (char *)"public.f"},
			"ALTER TABLE public.users ALTER COLUMN \"v\" DROP NOT NULL;"},
		{"the CHECK before all else", STAGE_ROLLING_BACK, {.added = true, .not_null = true},
			{.column_exists = true, .check_exists = true, .function_name = (char *)"public.f"},
			"ALTER TABLE public.users DROP CONSTRAINT backfill_7_not_null;"},
		{"the default of a column that had none", STAGE_ROLLING_BACK,
			{.adopted = true, .default_expr = (char *)"0"},
			{.column_exists = true, .column_default = (char *)"0"},
			"ALTER TABLE public.users ALTER COLUMN \"v\" DROP DEFAULT;"},
		{"a column that was there keeps what it had", STAGE_ROLLING_BACK,
			{.adopted = true,
				.had_default = true,
				.had_not_null = true,
				.not_null = true,
				.default_expr = (char *)"0"},
			{.column_exists = true, .column_not_null = true, .column_default = (char *)"0"}, NULL},
		{"a column that somebody else has made stays, whatever planning saw", STAGE_ROLLING_BACK, {0},
			{.column_exists = true}, NULL},
		{"a cancelled job takes its triggers away", STAGE_CANCELLED, {.added = true},
			{.column_exists = true, .function_name = (char *)"public.f"}, "DROP FUNCTION public.f();"},
		{"... and no more", STAGE_CANCELLED, {.added = true, .not_null = true, .default_expr = (char *)"0"},
			{.column_exists = true, .column_not_null = true, .column_default = (char *)"0"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = cases[i].job;
		struct relation relation = cases[i].before;
		struct change_step step = {0};
		bool more;

		job.id = 7;
		job.table_name = (char *)"public.users";
		job.column_name = (char *)"v";
		relation.server_version = 150000;
		more = change_next(&job, &relation, cases[i].stage, &step);
		if (more != (cases[i].sql != NULL))
			fail_msg("%s: %s", cases[i].what, more ? change_name(step.kind) : "nothing");
		if (more) {
			char *sql = change_text(&step);

			if (strcmp(sql, cases[i].sql) != 0)
				fail_msg("%s: %s", cases[i].what, sql);
			free(sql);
			change_step_clear(&step);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken_back),
	};

	return cmocka_run_group_tests_name("change_undo", tests, NULL, NULL);
}
