/*
 * monitor: the operator's query, and what is said when it cannot be asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/monitor_scene.h"

#include "common/clock.h"

static struct fake_rule *operator_asks(struct stage_set *set)
{
	set->scene.database.throttle_query = (char *)"SELECT busy, why FROM ops.load";
	return fake_on("ops.load");
}

static void the_operator_may_hold_and_say_why(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = operator_asks(set);

	fake_columns(rule, "busy", "why", NULL);
	fake_type(rule, 16, -1);
	fake_row(rule, "t", "month's end");
	stage_watch_anew(set);
	assert_int_equal(stage_signals(set)->veto, SIGNALS_HOLD);
	assert_string_equal(stage_signals(set)->veto_why, "it has not answered yet");
	scene_run_ms(&set->scene, 100);
	assert_int_equal(stage_signals(set)->veto, SIGNALS_HOLD);
	assert_string_equal(stage_signals(set)->veto_why, "month's end");
	assert_null(stage_signals(set)->unreadable);
	rule = fake_on("ops.load");
	fake_columns(rule, "busy", NULL);
	fake_type(rule, 16, -1);
	fake_row(rule, "f");
	scene_run_ms(&set->scene, 1200);
	assert_int_equal(stage_signals(set)->veto, SIGNALS_GO);
	assert_null(stage_signals(set)->veto_why);
}

static bool was_asked_again(struct scene *scene)
{
	(void)scene;
	return fake_asked("ops.load") > 1;
}

static void one_that_takes_long_leaves_the_server_alone_for_as_long(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = operator_asks(set);
	int64_t began_ms = clock_ms();

	fake_columns(rule, "busy", NULL);
	fake_type(rule, 16, -1);
	fake_row(rule, "f");
	fake_after(rule, 900);
	stage_watch_anew(set);
	scene_run(&set->scene, was_asked_again);
	assert_true(clock_ms() - began_ms >= 1800); /* and not 1000 */
}

static void what_the_operators_query_may_not_answer(void **state)
{
	static const struct {
		const char *what;
		size_t rows;
		size_t columns;
		const char *value;
		uint32_t type;
	} cases[] = {
		{"it returned 0 rows instead of one", 0, 1, NULL, 16},
		{"it returned 2 rows instead of one", 2, 1, "t", 16},
		{"it returned 3 columns instead of a boolean and perhaps a text", 1, 3, "f", 16},
		{"its first column is not a boolean", 1, 1, "f", 25},
		{"it returned NULL instead of true or false", 1, 1, NULL, 16},
	};
	struct stage_set *set = *state;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct fake_rule *rule = operator_asks(set);

		if (cases[i].columns == 1)
			fake_columns(rule, "a", NULL);
		else
			fake_columns(rule, "a", "b", "c", NULL);
		fake_type(rule, cases[i].type, -1);
		for (size_t row = 0; row < cases[i].rows; row++)
			fake_row(rule, cases[i].value, "", "");
		stage_watch_anew(set);
		scene_run_ms(&set->scene, 60);
		assert_int_equal(stage_signals(set)->veto, SIGNALS_HOLD);
		assert_string_equal(stage_signals(set)->veto_why, cases[i].what);
		assert_string_equal(fake_bound("INSERT INTO backfill.event (kind", 1), "signal lost");
	}
}

static void a_query_that_fails_holds_and_is_said_once(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = operator_asks(set);

	fake_fails(rule, FAULT_BUSY, "57014", "canceling statement due to statement timeout");
	stage_watch_anew(set);
	scene_run_ms(&set->scene, 1200);
	assert_int_equal(stage_signals(set)->veto, SIGNALS_HOLD);
	assert_string_equal(stage_signals(set)->veto_why, "it was cancelled: it may take 2 s");
	assert_true(fake_asked("ops.load") >= 2);
	assert_int_equal(fake_asked("INSERT INTO backfill.event (kind"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, stage_set_up, stage_tear_down)
		CASE(the_operator_may_hold_and_say_why),
		CASE(one_that_takes_long_leaves_the_server_alone_for_as_long),
		CASE(what_the_operators_query_may_not_answer),
		CASE(a_query_that_fails_holds_and_is_said_once),
	};

	return cmocka_run_group_tests_name("monitor_query", tests, NULL, NULL);
}
