/*
 * job: how the row's words are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/memory.h"
#include "daemon/job.h"

#include <stdlib.h>
#include <string.h>

static void how_sync_is_settled(void **state)
{
	static const struct {
		const char *sync;
		bool has_value;
		enum job_sync settled;
	} cases[] = {
		{"auto", true, JOB_SYNC_FILL},
		{"auto", false, JOB_SYNC_NONE},
		{"none", true, JOB_SYNC_NONE},
		{"fill", false, JOB_SYNC_FILL},
		{"derive", true, JOB_SYNC_DERIVE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (job_sync_parse(cases[i].sync, cases[i].has_value) != cases[i].settled)
			fail_msg("%s %s a value", cases[i].sync, cases[i].has_value ? "with" : "without");
}

static void what_is_wanted(void **state)
{
	(void)state;
	assert_int_equal(job_wanted_parse("run"), JOB_RUN);
	assert_int_equal(job_wanted_parse("pause"), JOB_PAUSE);
	assert_int_equal(job_wanted_parse("cancel"), JOB_CANCEL);
	assert_int_equal(job_wanted_parse("roll_back"), JOB_ROLL_BACK);
	assert_int_equal(job_wanted_parse("from a later version"), JOB_RUN);
}

static void what_rows_are_filled_with(void **state)
{
	static const struct {
		const char *what;
		const char *value, *default_expr;
		bool fast;
		const char *expression;
		bool fills;
	} cases[] = {
		{"a value", "upper(a)", NULL, false, "upper(a)", true},
		{"a value goes before the default", "upper(a)", "0", false, "upper(a)", true},
		{"a default that the server cannot add at once", NULL, "random()", false, "random()", true},
		{"a default that it can", NULL, "0", true, "0", false},
		{"neither", NULL, NULL, false, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = {.value = (char *)cases[i].value,
			.default_expr = (char *)cases[i].default_expr,
			.fast_default = cases[i].fast};
		const char *expression = job_fill_expression(&job);

		if (job_fills(&job) != cases[i].fills || !expression != !cases[i].expression ||
			(expression && strcmp(expression, cases[i].expression) != 0))
			fail_msg("%s: %s", cases[i].what, expression ? expression : "nothing");
	}
}

static void the_bare_name_of_a_table(void **state)
{
	static const struct {
		const char *table_name, *bare;
	} cases[] = {
		{"public.users", "users"},
		{"\"My Schema\".\"Users\"", "Users"},
		{"public.\"a.b\"", "a.b"},
		{"\"x.y\".plain", "plain"},
		{"\"x.y\".\"a.b\"", "a.b"},
		{"public.\"say \"\"hi\"\"\"", "say \"hi\""},
		{"\"\"\"\".\"\"\"\"", "\""},
		{"\"a\"\".b\".users", "users"},
		{"users", "users"},
		{"\"Users\"", "Users"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = {.table_name = (char *)cases[i].table_name};
		char *bare = job_bare_table(&job);

		if (strcmp(bare, cases[i].bare) != 0)
			fail_msg("%s: %s", cases[i].table_name, bare);
		free(bare);
	}
}

static void a_copy_is_deep_and_replaces_what_was_there(void **state)
{
	struct job job = {.id = 7,
		.table_name = memory_text("public.users"),
		.search_path = memory_text("public"),
		.column_name = memory_text("v"),
		.column_type = memory_text("text"),
		.collation = memory_text("\"C\""),
		.identity = memory_text("ALWAYS"),
		.numbering = memory_text("n"),
		.default_expr = memory_text("d"),
		.value = memory_text("e"),
		.field = memory_text("{a}"),
		.fill_where = memory_text("f"),
		.exact_type = memory_text("g"),
		.opens_at = memory_text("h"),
		.knobs = {.workers = 3}};
	struct job copy = {.table_name = memory_text("old"), .value = memory_text("old")};

	(void)state;
	job_copy(&copy, &job);
	job_clear(&job);
	assert_null(job.table_name);
	assert_int_equal(copy.id, 7);
	assert_int_equal(copy.knobs.workers, 3);
	assert_string_equal(copy.table_name, "public.users");
	assert_string_equal(copy.identity, "ALWAYS");
	assert_string_equal(job_default(&copy), "n");
	assert_string_equal(copy.field, "{a}");
	assert_string_equal(copy.collation, "\"C\"");
	assert_string_equal(copy.fill_where, "f");
	assert_string_equal(copy.exact_type, "g");
	assert_string_equal(copy.opens_at, "h");
	job_clear(&copy);
	job_clear(&copy);
}

static void when_rows_may_be_filled(void **state)
{
	static const struct {
		const char *what;
		bool outside;
		int64_t closes_ms;
		bool may_1000, may_2000; /* at these times */
	} cases[] = {
		{"no window", false, 0, true, true},
		{"outside", true, 0, false, false},
		{"in it for long", false, 90000, true, true},
		{"it closes before the next look", false, 1500, true, false},
		{"it has closed at that very moment", false, 1000, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = {.outside_window = cases[i].outside, .window_closes_ms = cases[i].closes_ms};

		if (job_in_window(&job, 1000) != cases[i].may_1000 || job_in_window(&job, 2000) != cases[i].may_2000)
			fail_msg("%s", cases[i].what);
	}
}

static void a_running_job_follows_what_users_may_change(void **state)
{
	struct job job = {.id = 7,
		.epoch = 3,
		.stage = STAGE_FILLING,
		.column_name = memory_text("v"),
		.opens_at = memory_text("x")};
	struct job row = {.id = 7,
		.epoch = 9,
		.stage = STAGE_QUEUED,
		.wanted = JOB_PAUSE,
		.holds = STAGE_HOLD_SEAL,
		.priority = 4,
		.knobs = {.workers = 0, .max_wal_rate = 8, .max_impact = 5, .lag_target_ms = 300},
		.outside_window = true,
		.window_closes_ms = 5,
		.opens_at = memory_text("22:00")};

	(void)state;
	job_follow(&job, &row);
	job_clear(&row);
	assert_int_equal(job.epoch, 3);
	assert_int_equal(job.stage, STAGE_FILLING);
	assert_string_equal(job.column_name, "v");
	assert_int_equal(job.wanted, JOB_PAUSE);
	assert_int_equal(job.holds, STAGE_HOLD_SEAL);
	assert_int_equal(job.priority, 4);
	assert_int_equal(job.knobs.max_wal_rate, 8);
	assert_int_equal(job.knobs.max_impact, 5);
	assert_int_equal(job.knobs.lag_target_ms, 300);
	assert_true(job.outside_window);
	assert_string_equal(job.opens_at, "22:00");
	row.window_closes_ms = 9;
	job_follow(&job, &row); /* it has opened */
	assert_null(job.opens_at);
	assert_int_equal(job.window_closes_ms, 9);
	job_clear(&job);
}

static void which_stages_have_something_to_do(void **state)
{
	struct job job = {.stage = STAGE_ADDING};

	(void)state;
	assert_int_equal(stage_next(STAGE_ADDING, job_stages(&job)), STAGE_SEALING); /* nothing to fill with */
	job.value = (char *)"upper(email)";
	assert_int_equal(stage_next(STAGE_ADDING, job_stages(&job)), STAGE_FILLING);
	job.fast_default = true; /* the column came with its value */
	assert_int_equal(stage_next(STAGE_ADDING, job_stages(&job)), STAGE_SEALING);
	assert_int_equal(stage_next(STAGE_ANALYZING, job_stages(&job)), STAGE_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_sync_is_settled),
		cmocka_unit_test(which_stages_have_something_to_do),
		cmocka_unit_test(what_is_wanted),
		cmocka_unit_test(what_rows_are_filled_with),
		cmocka_unit_test(the_bare_name_of_a_table),
		cmocka_unit_test(when_rows_may_be_filled),
		cmocka_unit_test(a_running_job_follows_what_users_may_change),
		cmocka_unit_test(a_copy_is_deep_and_replaces_what_was_there),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
