/*
 * builder: intent, look, step, outcome; and what it does when any of them fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "daemon/builder.h"

#include <string.h>

/* The intent and the outcome tell the step as a value: only the step itself has it as a statement. */
#define STEP "ADD COLUMN"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct builder *builder;
};

static const struct scene_catalogue without_column = {0};
static const struct scene_catalogue with_column = {.column_exists = "t"};

static int set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){0};
	scene_begin(&set.scene);
	set.scene.task.job.stage = STAGE_ADDING;
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	struct stage_set *set = *state;

	builder_free(set->builder);
	scene_end(&set->scene);
	return 0;
}

static void start(struct stage_set *set)
{
	set->builder = builder_new(&set->scene.task, set->scene.task.job.stage, scene_done, set);
}

/* What a step's transaction answers. */
static void step_answers(struct fake_rule *rule)
{
	fake_statement(rule, "AS ms");
	fake_columns(rule, "ms", NULL);
	fake_row(rule, "1000");
}

/* The column is missing so many times that the catalogue is looked at, then it is there. */
static void column_missing(int looks)
{
	for (int i = 0; i < looks; i++)
		scene_catalogue(fake_once(ASK_CATALOGUE), &without_column);
	scene_catalogue(fake_on(ASK_CATALOGUE), &with_column);
	step_answers(fake_on(STEP));
}

static bool step_was_asked(struct scene *scene)
{
	(void)scene;
	return fake_asked(STEP) > 0 && fake_asked("COMMIT") > 0;
}

static bool waits(struct scene *scene)
{
	return scene->task.waiting_for.length > 0;
}

static void a_step_has_its_intent_before_and_its_outcome_behind(void **state)
{
	struct stage_set *set = *state;

	column_missing(1);
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_int_equal(fake_asked("LOCK TABLE"), 1);
	assert_int_equal(fake_asked(ASK_HOLDERS), 1);
	assert_int_equal(fake_asked(ASK_EVENT), 2);
	assert_string_equal(fake_bound(ASK_EVENT, 2), "statement");
	assert_string_equal(fake_bound(ASK_EVENT, 5), "ALTER TABLE public.users ADD COLUMN \"v\" text;");
}

static void with_nothing_missing_nothing_is_done(void **state)
{
	struct stage_set *set = *state;

	column_missing(0);
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_int_equal(fake_asked("LOCK TABLE"), 0);
	assert_int_equal(fake_asked(ASK_EVENT), 0);
}

static void the_control_session_may_fail_at_each_question(void **state)
{
	static const char *const questions[] = {ASK_CATALOGUE, ASK_EVENT, ASK_HOLDERS};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(questions); i++) {
		struct stage_set set = {0};

		scene_begin(&set.scene);
		set.scene.task.job.stage = STAGE_ADDING;
		fake_fails(fake_once(questions[i]), FAULT_LINK, "57P01", "terminating connection");
		column_missing(1);
		start(&set);
		scene_run_to_end(&set.scene);
		assert_int_equal(set.scene.why.kind, FAULT_NONE);
		assert_int_equal(fake_asked("LOCK TABLE"), 1);
		assert_int_equal(set.scene.endings, 1);
		builder_free(set.builder);
		scene_end(&set.scene);
	}
}

static void a_fault_of_the_control_tables_ends_it(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(ASK_CATALOGUE), FAULT_JOB, "42501", "permission denied");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_string_equal(set->scene.why.message, "permission denied");
}

static void who_holds_the_table_is_named_and_waited_for(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *held = fake_once(ASK_HOLDERS);

	fake_columns(held, "pid", "application_name", "state", "age_s", "prepared", "autovacuum", "mode", "query",
		"table_name", NULL);
	fake_row(held, "4711", "report", "idle in transaction", "75", NULL, "f", "AccessShareLock", "SELECT 1",
		"public.users");
	column_missing(1);
	start(set);
	scene_run(&set->scene, waits);
	assert_string_equal(text_is(&set->scene.task.waiting_for),
		"a transaction (pid 4711, report, idle in transaction) has held AccessShareLock on public.users for "
		"75 s: "
		"SELECT 1");
	assert_int_equal(fake_asked("LOCK TABLE"), 0);
	scene_run_to_end(&set->scene);
	assert_int_equal(fake_asked("LOCK TABLE"), 1);
	assert_string_equal(text_is(&set->scene.task.waiting_for), "");
}

static void a_lock_that_is_refused_is_asked_for_again_after_another_look(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(STEP), FAULT_BUSY, "55P03", "canceling statement due to lock timeout");
	fake_fails(fake_once(STEP), FAULT_SCARCE, "53100", "no space left on device");
	column_missing(1);
	start(set);
	scene_run(&set->scene, waits);
	assert_non_null(strstr(text_is(&set->scene.task.waiting_for),
		"add the column was refused (canceling statement due to lock timeout); trying again"));
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_int_equal(fake_asked("LOCK TABLE"), 3);
	assert_int_equal(fake_asked(ASK_HOLDERS), 3);
}

static void a_step_that_fails_for_good_ends_it_and_is_on_record(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(STEP), FAULT_JOB, "42701", "column already exists");
	column_missing(1);
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_string_equal(set->scene.why.sqlstate, "42701");
	scene_run_ms(&set->scene, 20);
	assert_string_equal(fake_bound(ASK_EVENT, 2), "error");
	assert_int_equal(set->scene.endings, 1);
}

static void a_step_whose_answer_was_lost_is_looked_for_in_the_catalogue(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(STEP), FAULT_LINK, "57P01", "terminating connection");
	column_missing(1);
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_int_equal(fake_asked("LOCK TABLE"), 1); /* it had been done */
}

/* A step that waits for a connection would be carried out when nobody waits for it any more. */
static void without_a_session_no_step_is_asked_for(void **state)
{
	struct stage_set *set = *state;

	column_missing(1);
	fake_after(fake_once(ASK_HOLDERS), 30);
	start(set);
	scene_run_ms(&set->scene, 15);
	assert_int_equal(fake_asked(ASK_HOLDERS), 1);
	fake_shut(set->scene.task.session);
	scene_run_ms(&set->scene, 60);
	assert_int_equal(fake_asked("LOCK TABLE"), 0);
	fake_open(set->scene.task.session);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_int_equal(fake_asked("LOCK TABLE"), 0); /* the catalogue had it by then */
}

static void stopped_it_rests_when_the_step_in_flight_is_answered(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once("LOCK TABLE");

	step_answers(slow);
	fake_after(slow, 40);
	scene_catalogue(fake_on(ASK_CATALOGUE), &without_column);
	start(set);
	scene_run(&set->scene, step_was_asked);
	builder_stop(set->builder);
	assert_false(builder_at_rest(set->builder));
	scene_run_ms(&set->scene, 100);
	assert_true(builder_at_rest(set->builder));
	assert_int_equal(fake_asked("LOCK TABLE"), 1);
	assert_false(set->scene.ended);
}

static void stopped_before_its_step_it_rests_at_once(void **state)
{
	struct stage_set *set = *state;

	scene_catalogue(fake_on(ASK_CATALOGUE), &without_column);
	start(set);
	builder_stop(set->builder);
	assert_true(builder_at_rest(set->builder));
	scene_run_ms(&set->scene, 50);
	assert_int_equal(fake_asked("LOCK TABLE"), 0);
}

static void a_table_that_is_gone_ends_it(void **state)
{
	struct stage_set *set = *state;

	fake_on(ASK_CATALOGUE);
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_string_equal(set->scene.why.message, "table public.users is gone");
	assert_non_null(set->scene.why.hint);
}

static void a_row_that_keeps_not_null_from_being_valid_is_named(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *row = fake_once("AS place");

	set->scene.task.job.stage = STAGE_SEALING;
	set->scene.task.job.not_null = true;
	scene_catalogue(
		fake_on(ASK_CATALOGUE), &(struct scene_catalogue){.column_exists = "t", .check_exists = "t"});
	fake_fails(
		fake_once("VALIDATE CONSTRAINT"), FAULT_DATA, "23514", "check constraint is violated by some row");
	fake_columns(row, "place", "key", NULL);
	fake_row(row, "(4,7)", "(1234)");
	fake_statement(row, "AS columns");
	fake_columns(row, "columns", NULL);
	fake_row(row, "id");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_DATA);
	assert_string_equal(
		set->scene.why.message, "row ctid (4,7), key (id)=(1234): check constraint is violated by some row");
	assert_non_null(strstr(set->scene.why.hint, "row ctid (4,7), key (id)=(1234) is still NULL"));
}

/* What the catalogue does not show cannot be told from what was not done. */
static void a_step_that_the_catalogue_does_not_show_is_not_taken_for_ever(void **state)
{
	struct stage_set *set = *state;

	scene_catalogue(fake_on(ASK_CATALOGUE), &without_column);
	step_answers(fake_on(STEP));
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_in_range(fake_asked("LOCK TABLE"), 1, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(a_step_has_its_intent_before_and_its_outcome_behind),
		CASE(with_nothing_missing_nothing_is_done),
		cmocka_unit_test(the_control_session_may_fail_at_each_question),
		CASE(a_fault_of_the_control_tables_ends_it),
		CASE(who_holds_the_table_is_named_and_waited_for),
		CASE(a_lock_that_is_refused_is_asked_for_again_after_another_look),
		CASE(a_step_that_fails_for_good_ends_it_and_is_on_record),
		CASE(a_step_whose_answer_was_lost_is_looked_for_in_the_catalogue),
		CASE(without_a_session_no_step_is_asked_for),
		CASE(stopped_it_rests_when_the_step_in_flight_is_answered),
		CASE(stopped_before_its_step_it_rests_at_once),
		CASE(a_table_that_is_gone_ends_it),
		CASE(a_row_that_keeps_not_null_from_being_valid_is_named),
		CASE(a_step_that_the_catalogue_does_not_show_is_not_taken_for_ever),
	};

	return cmocka_run_group_tests_name("builder", tests, NULL, NULL);
}
