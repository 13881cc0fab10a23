/*
 * planner: type, probe, store; and which faults only wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "daemon/planner.h"

#include <string.h>

#define ASK_REFUSALS "pg_catalog.has_schema_privilege"
#define ASK_VALUE "EXPLAIN (VERBOSE, FORMAT JSON)"
#define ASK_TYPE "backfill_type AS SELECT"
#define ASK_PROBE "a.atthasmissing"
#define ASK_NAMES "try (number, taken)"
#define ASK_STORE "DELETE FROM backfill.plan_step"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct planner *planner;
};

static int set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){0};
	scene_begin(&set.scene);
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	struct stage_set *set = *state;

	planner_free(set->planner);
	scene_end(&set->scene);
	return 0;
}

static void nothing_is_missing(void)
{
	fake_columns(fake_on(ASK_REFUSALS), "message", "sqlstate", "hint", NULL);
}

static void content_answers(void)
{
	struct fake_rule *rule;

	nothing_is_missing();
	rule = fake_on(ASK_TYPE);
	fake_statement(rule, "AS exact_type");
	fake_columns(rule, "exact_type", "present_type", "other_table", "other_type", NULL);
	fake_row(rule, "text", NULL, NULL, NULL);
	rule = fake_on(ASK_PROBE);
	fake_columns(rule, "atthasmissing", "atthasdef", "wanted_default", "present_default", NULL);
	fake_row(rule, "f", "f", NULL, NULL);
	fake_statement(rule, "AS subquery");
	fake_columns(rule, "volatile", "subquery", "moment", "generated", NULL);
	fake_row(rule, "f", "f", "f", NULL);
	rule = fake_on(ASK_VALUE);
	fake_columns(rule, "QUERY PLAN", NULL);
	fake_row(rule, "[]");
	rule = fake_on(ASK_NAMES);
	fake_columns(rule, "index_name", "unique_name", "check_name", "foreign_key_name", NULL);
	fake_row(rule, "users_v_idx", "users_v_key", "users_v_check", "users_v_fkey");
	rule = fake_on(ASK_STORE);
	fake_statement(rule, "SET exact_type");
	fake_columns(rule, "id", NULL);
	fake_row(rule, "7");
}

static void start(struct stage_set *set)
{
	set->scene.task.job.stage = STAGE_PLANNING;
	set->planner = planner_new(&set->scene.task, scene_done, set);
}

static void a_plan_is_written_down_before_anything_is_touched(void **state)
{
	struct stage_set *set = *state;

	content_answers();
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_string_equal(set->scene.task.job.exact_type, "text");
	assert_int_equal(fake_asked("INSERT INTO backfill.plan_step"), 1); /* one transaction */
	assert_int_equal(fake_asked("ROLLBACK"), 3); /* type, probe and value leave nothing */
}

static bool waits(struct scene *scene)
{
	return scene->task.waiting_for.length > 0;
}

static void faults_that_pass_are_waited_for(void **state)
{
	static const char *const questions[] = {
		ASK_REFUSALS, ASK_TYPE, ASK_PROBE, ASK_VALUE, ASK_NAMES, ASK_STORE};
	struct stage_set *set = *state;

	content_answers();
	for (size_t i = 0; i < COUNT_OF(questions); i++)
		fake_fails(fake_once(questions[i]), FAULT_BUSY, "55P03", "canceling statement due to lock timeout");
	start(set);
	scene_run(&set->scene, waits);
	assert_string_equal(text_is(&set->scene.task.waiting_for), "canceling statement due to lock timeout");
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_int_equal(fake_asked(ASK_STORE), 2);
	assert_int_equal(set->scene.endings, 1);
	assert_false(waits(&set->scene));
}

static void a_text_that_is_no_type_ends_it(void **state)
{
	struct stage_set *set = *state;

	nothing_is_missing();
	fake_fails(fake_once(ASK_TYPE), FAULT_JOB, "42704", "type \"txet\" does not exist");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_string_equal(set->scene.why.message, "column_type \"text\": type \"txet\" does not exist");
}

static void a_right_that_is_missing_ends_it(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_REFUSALS);

	fake_columns(rule, "message", "sqlstate", "hint", NULL);
	fake_row(rule, "no CREATE right", "42501", "GRANT it");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_string_equal(set->scene.why.sqlstate, "42501");
	assert_string_equal(set->scene.why.hint, "GRANT it");
}

static void a_value_that_cannot_be_planned_stops_nothing(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(ASK_VALUE), FAULT_JOB, "42703", "column \"v\" does not exist");
	content_answers();
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
}

static void a_value_that_is_not_allowed_ends_it(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(ASK_VALUE), FAULT_JOB, "42501", "permission denied for table org");
	content_answers();
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_non_null(strstr(set->scene.why.hint, "GRANT"));
}

static void a_plan_that_cannot_be_stored_ends_it(void **state)
{
	struct stage_set *set = *state;

	content_answers();
	fake_fails(fake_once(ASK_STORE), FAULT_JOB, "42P01", "relation does not exist");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
}

/* The worker starts planning anew when it has a session again. */
static void a_lost_session_is_the_workers_to_mend(void **state)
{
	struct stage_set *set = *state;

	content_answers();
	fake_fails(fake_once(ASK_PROBE), FAULT_LINK, "57P01", "terminating connection");
	start(set);
	scene_run_ms(&set->scene, 60);
	assert_false(set->scene.ended);
	planner_free(set->planner);
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(a_plan_is_written_down_before_anything_is_touched),
		CASE(faults_that_pass_are_waited_for),
		CASE(a_text_that_is_no_type_ends_it),
		CASE(a_right_that_is_missing_ends_it),
		CASE(a_value_that_cannot_be_planned_stops_nothing),
		CASE(a_value_that_is_not_allowed_ends_it),
		CASE(a_plan_that_cannot_be_stored_ends_it),
		CASE(a_lost_session_is_the_workers_to_mend),
	};

	return cmocka_run_group_tests_name("planner", tests, NULL, NULL);
}
