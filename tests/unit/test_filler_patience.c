/*
 * filler: how long it waits for a batch, and before it tries one again. Time runs fast (fast_clock).
 */
#include "tests/unit/filler_scene.h"

static void a_page_that_is_slow_gets_more_time(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once(ASK_BATCH);

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 1, 1, 0, 0});
	fake_fails(slow, FAULT_BUSY, "57014", "canceling statement due to statement timeout");
	fake_after(slow, 2000);
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_string_equal(fake_bound("'statement_timeout'", 3), "4000");
	assert_int_equal(set->failed, 0);
}

static void a_page_that_never_gets_done_in_time_goes_in_parts(void **state)
{
	struct stage_set *set = *state;

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 1, 1, 0, 0});
	set->scene.task.job.knobs.batch_ms = 1;
	for (int timeout_ms = 1000; timeout_ms <= 64000; timeout_ms *= 2) {
		struct fake_rule *slow = fake_once(ASK_BATCH);

		fake_fails(slow, FAULT_BUSY, "57014", "canceling statement due to statement timeout");
		fake_after(slow, timeout_ms);
	}
	stage_start(set, 0);
	scene_run_ms(&set->scene, 140000);
	assert_int_equal(set->idle, 1);
	assert_true(fake_asked("ctid < '(0,1024)'") > 0);
	assert_int_equal(set->failed, 0);
}

static void what_is_refused_again_and_again_takes_its_time(void **state)
{
	struct stage_set *set = *state;
	size_t tried;

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 64, 1, 0, 0});
	fake_fails(fake_on(ASK_BATCH), FAULT_BUSY, "40001", "could not serialize access");
	stage_start(set, 0);
	scene_run_ms(&set->scene, 10000);
	tried = fake_asked(ASK_BATCH);
	assert_true(tried > 6);
	scene_run_ms(&set->scene, 60000);
	assert_in_range(fake_asked(ASK_BATCH) - tried, 6, 120); /* 24 at 5 s at most; 6,000 with 20 ms */
	assert_int_equal(set->failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_page_that_is_slow_gets_more_time),
		CASE(a_page_that_never_gets_done_in_time_goes_in_parts),
		CASE(what_is_refused_again_and_again_takes_its_time),
	};

	return cmocka_run_group_tests_name("filler_patience", tests, NULL, NULL);
}
