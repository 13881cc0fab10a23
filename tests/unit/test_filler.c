/*
 * filler: what it does about faults that a real server cannot easily be made to produce.
 */
#include "tests/unit/filler_scene.h"

#include <stdlib.h>
#include <string.h>

static bool is_idle_twice(struct scene *scene)
{
	return ((struct stage_set *)scene)->idle > 1;
}

static bool has_failed(struct scene *scene)
{
	return ((struct stage_set *)scene)->failed > 0;
}

static bool has_batch(struct scene *scene)
{
	(void)scene;
	return fake_asked(ASK_BATCH) > 0;
}

static bool has_two_batches(struct scene *scene)
{
	(void)scene;
	return fake_asked(ASK_BATCH) > 1;
}

/* One window of 4 pages in one pass, to be given once. */
static void one_window(void)
{
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0});
}

static void a_window_is_walked_and_the_next_one_asked_for(void **state)
{
	struct stage_set *set = *state;

	one_window();
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){4, 8, 2, 1, 6});
	scene_batch(fake_on(ASK_BATCH), "25");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(STRETCH("0,0", "4,0")), 1);
	assert_int_equal(fake_asked(STRETCH("6,0", "8,0")), 1); /* from where the bookmark stood */
	assert_int_equal(fake_asked(ASK_BATCH), 2);
	assert_string_equal(fake_bound(ASK_BATCH, 2), "7");
	assert_string_equal(fake_bound(ASK_BATCH, 4), "3"); /* the epoch */
	assert_string_equal(fake_bound(ASK_BATCH, 5), "2"); /* the window is done */
	assert_string_equal(fake_bound(ASK_BATCH, 6), "4");
	assert_string_equal(fake_bound(ASK_WINDOW, 6), "worker");
	assert_int_equal(set->shared.rows_found, 50);
	assert_int_equal(set->moved, 3); /* after each batch of a single pass, and at the end */
	assert_false(set->shared.skipped);
	assert_true(filler_is_idle(set->filler));
}

/* So that the server never waits for the daemon. */
static void the_next_batch_is_sent_while_one_is_under_way(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once(ASK_BATCH);

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 200, 1, 0, 0});
	scene_batch(slow, "3");
	fake_after(slow, 50);
	stage_start(set, 0);
	scene_run(&set->scene, has_two_batches);
	assert_int_equal(filler_pages_done(set->filler), 0);
	assert_int_equal(fake_asked(STRETCH("0,0", "64,0")), 1);
	assert_int_equal(fake_asked(STRETCH("64,0", "128,0")), 1);
	assert_string_equal(fake_bound(ASK_BATCH, 8), "2");
	assert_string_equal(fake_bound(ASK_BATCH, 9), "1"); /* only if that has committed */
	scene_run(&set->scene, is_idle);
	assert_int_equal(set->failed, 0);
}

static void behind_one_that_failed_it_is_sent_again(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *locked = fake_once(STRETCH("0,0", "64,0"));

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 128, 1, 0, 0});
	fake_fails(locked, FAULT_BUSY, "55P03", "locked");
	fake_after(locked, 50);
	stage_start(set, 0);
	scene_run(&set->scene, has_two_batches);
	assert_int_equal(fake_asked(STRETCH("64,0", "128,0")), 1);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(STRETCH("0,0", "32,0")), 1);
	assert_int_equal(fake_asked(STRETCH("96,0", "128,0")), 1);
	assert_int_equal(set->failed, 0);
}

static void rows_of_the_one_before_it_stay_filled(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *filled = fake_once(STRETCH("0,0", "64,0"));

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 128, 1, 0, 0});
	scene_batch(filled, "9");
	fake_after(filled, 20);
	fake_fails(fake_once(STRETCH("64,0", "128,0")), FAULT_BUSY, "55P03", "locked");
	scene_batch(fake_on(ASK_BATCH), "1");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(STRETCH("0,0", "64,0")), 1);
	assert_int_equal(fake_asked(STRETCH("64,0", "96,0")), 1);
	assert_int_equal(fake_asked(STRETCH("96,0", "128,0")), 1);
	assert_int_equal(set->shared.rows_found, 9 + 1 + 1);
}

/* Who waits long for one batch does not wait for two. */
static void long_batches_go_one_by_one(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once(ASK_BATCH);

	set->scene.task.job.knobs.batch_ms = 1000;
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 200, 1, 0, 0});
	scene_batch(slow, "3");
	fake_after(slow, 50);
	stage_start(set, 0);
	scene_run(&set->scene, has_batch);
	scene_run_ms(&set->scene, 20);
	assert_int_equal(fake_asked(ASK_BATCH), 1);
	scene_run(&set->scene, is_idle);
}

/* It would only be in the way of what holds the other up. */
static void while_rows_are_locked_it_goes_one_by_one(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once(STRETCH("0,0", "32,0"));

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 128, 1, 0, 0});
	fake_fails(fake_once(STRETCH("0,0", "64,0")), FAULT_BUSY, "55P03", "locked");
	scene_batch(slow, "3");
	fake_after(slow, 100);
	stage_start(set, 0);
	scene_run(&set->scene, has_two_batches); /* one of them behind the one that failed */
	scene_run_ms(&set->scene, 60);
	assert_int_equal(fake_asked(STRETCH("0,0", "32,0")), 1);
	assert_int_equal(fake_asked(STRETCH("32,0", "64,0")), 0);
	scene_run(&set->scene, is_idle);
}

static void lies_in_a_leaf(const char *leaf)
{
	scene_window_in(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0}, "4243", leaf);
}

static void a_leaf_that_is_gone_is_left_out(void **state)
{
	struct stage_set *set = *state;

	lies_in_a_leaf(NULL);
	fake_on("UPDATE backfill.walk w SET frontier = l.first_page");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(ASK_BATCH), 0);
	assert_int_equal(fake_asked(ASK_WINDOW), 2); /* the next one */
	assert_string_equal(fake_bound("UPDATE backfill.walk w SET frontier = l.first_page", 4), "4243");
	assert_string_equal(fake_bound(ASK_EVENT, 2), "leaf");
}

/* Renamed or detached: the control tables know under which name, or that it is no more. */
static void a_leaf_that_is_not_found_is_asked_for_again(void **state)
{
	struct stage_set *set = *state;

	lies_in_a_leaf("public.part_1");
	fake_fails(fake_once(ASK_BATCH), FAULT_JOB, "42P01", "relation \"public.part_1\" does not exist");
	lies_in_a_leaf("public.part_one");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked("UPDATE ONLY public.part_one AS"), 1);
	assert_int_equal(set->failed, 0);
}

static void but_only_once(void **state)
{
	struct stage_set *set = *state;

	for (int i = 0; i < 2; i++) {
		lies_in_a_leaf("public.part_1");
		fake_fails(fake_once(ASK_BATCH), FAULT_JOB, "42703", "column \"v\" does not exist");
	}
	stage_start(set, 0);
	scene_run(&set->scene, has_failed);
	assert_string_equal(set->scene.why.sqlstate, "42703");
}

static void locked_rows_are_tried_smaller_then_left_then_waited_for(void **state)
{
	struct stage_set *set = *state;

	one_window();
	for (int i = 0; i < 3; i++)
		fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "55P03", "canceling statement due to lock timeout");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(STRETCH("0,0", "4,0")), 1);
	assert_int_equal(fake_asked(STRETCH("0,0", "2,0")), 1);
	assert_int_equal(fake_asked(STRETCH("0,0", "1,0")), 2);
	assert_int_equal(fake_asked("SKIP LOCKED"), 2); /* the third, and the fourth, which worked */
	assert_true(set->shared.skipped);
	assert_int_equal(set->failed, 0);
}

static void one_lock_timeout_makes_it_smaller_and_no_more(void **state)
{
	struct stage_set *set = *state;

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 1000, 1, 0, 0});
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "55P03", "locked");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(STRETCH("0,0", "64,0")), 1);
	assert_int_equal(fake_asked(STRETCH("0,0", "32,0")), 1); /* once smaller, and that worked */
	assert_int_equal(fake_asked("SKIP LOCKED"), 0);
	assert_false(set->shared.skipped);
}

static void a_deadlock_or_a_cancelled_batch_is_tried_again_smaller(void **state)
{
	struct stage_set *set = *state;

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 64, 1, 0, 0});
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "40P01", "deadlock detected");
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "57014", "canceling statement due to statement timeout");
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "40P01", "deadlock detected");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(STRETCH("0,0", "64,0")), 1);
	assert_int_equal(fake_asked(STRETCH("0,0", "32,0")), 1);
	assert_int_equal(fake_asked(STRETCH("0,0", "16,0")), 1);
	assert_int_equal(fake_asked(STRETCH("0,0", "8,0")), 1);
	assert_int_equal(fake_asked("SKIP LOCKED"), 0);
}

static void a_page_that_gives_way_to_others_goes_in_parts(void **state)
{
	struct stage_set *set = *state;

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 1, 1, 0, 0});
	for (int i = 0; i < 40; i++)
		fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "57014", "canceling statement due to user request");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_string_equal(fake_bound("'statement_timeout'", 3), "2000");
	assert_true(fake_asked("ctid < '(0,1024)'") > 0);
	assert_true(fake_asked("ctid < '(0,1)'") > 0);
	assert_int_equal(fake_asked("SKIP LOCKED"), 0);
	assert_int_equal(set->failed, 0);
}

static void a_server_out_of_disk_is_waited_for(void **state)
{
	struct stage_set *set = *state;

	one_window();
	fake_fails(fake_once(ASK_BATCH), FAULT_SCARCE, "53100", "could not extend file");
	stage_start(set, 0);
	scene_run(&set->scene, has_batch);
	scene_run_ms(&set->scene, 50);
	assert_int_equal(fake_asked(ASK_BATCH), 1);
	assert_string_equal(text_is(&set->scene.task.waiting_for), "could not extend file");
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(ASK_BATCH), 2);
	assert_string_equal(text_is(&set->scene.task.waiting_for), "");
}

static void fenced_in_mid_batch_it_takes_no_other(void **state)
{
	struct stage_set *set = *state;

	one_window();
	fake_fails(fake_once(ASK_BATCH), FAULT_FENCED, "BF001", "login worker holds no bookmark");
	stage_start(set, 0);
	scene_run(&set->scene, has_failed);
	assert_int_equal(set->scene.why.kind, FAULT_FENCED);
	assert_true(filler_at_rest(set->filler));
	scene_run_ms(&set->scene, 50);
	assert_int_equal(fake_asked(ASK_BATCH), 1);
	assert_int_equal(set->failed, 1);
}

static void a_connection_lost_in_a_window_starts_again_from_the_bookmark(void **state)
{
	struct stage_set *set = *state;

	one_window();
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 2});
	fake_fails(fake_once(ASK_BATCH), FAULT_LINK, "57P01", "terminating connection");
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(ASK_REAP), 2); /* the lost one may still be at work */
	assert_int_equal(fake_asked(ASK_ENLIST), 2);
	assert_int_equal(fake_asked(STRETCH("2,0", "4,0")), 1);
	assert_int_equal(fake_asked(ASK_BATCH), 2);
	assert_int_equal(set->failed, 0);
}

static void so_it_does_with_another_batch_sent_ahead(void **state)
{
	struct stage_set *set = *state;

	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 200, 1, 0, 0});
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 200, 1, 0, 64});
	fake_silent(fake_once(STRETCH("0,0", "64,0")));
	stage_start(set, 0);
	scene_run(&set->scene, has_two_batches);
	fake_lose(fake_session(fake_sessions() - 1), "cable cut");
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(ASK_ENLIST), 2);
	assert_int_equal(fake_asked(STRETCH("0,0", "64,0")), 1); /* it had committed */
	assert_int_equal(fake_asked(STRETCH("64,0", "128,0")), 2);
	assert_int_equal(set->failed, 0);
}

static void the_control_session_failing_is_only_waited_for(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(ASK_WINDOW), FAULT_LINK, "57P01", "terminating connection");
	one_window();
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(ASK_WINDOW), 3);
	assert_int_equal(fake_asked(ASK_BATCH), 1);
	assert_int_equal(set->failed, 0);
}

/* Every stretch that holds (2,5) fails. */
static void row_2_5_fails(void)
{
	static const char *const failing[] = {
		STRETCH("0,0", "4,0"),
		STRETCH("2,0", "4,0"),
		STRETCH("2,0", "3,0"),
		STRETCH("2,0", "2,1024"),
		STRETCH("2,0", "2,512"),
		STRETCH("2,0", "2,256"),
		STRETCH("2,0", "2,128"),
		STRETCH("2,0", "2,64"),
		STRETCH("2,0", "2,32"),
		STRETCH("2,0", "2,16"),
		STRETCH("2,0", "2,8"),
		STRETCH("2,4", "2,6"),
		STRETCH("2,5", "2,6"),
	};

	for (size_t i = 0; i < COUNT_OF(failing); i++)
		fake_fails(fake_once(failing[i]), FAULT_DATA, "22012", "division by zero");
}

static void the_row_that_fails_is_found_by_halving(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *row = fake_once("AS place");

	fake_columns(row, "place", "key", NULL);
	fake_row(row, "(2,5)", "(1234)");
	fake_statement(row, "AS columns");
	fake_columns(row, "columns", NULL);
	fake_row(row, "id");
	one_window();
	row_2_5_fails();
	stage_start(set, 0);
	scene_run(&set->scene, has_failed);
	assert_int_equal(set->scene.why.kind, FAULT_DATA);
	assert_string_equal(set->scene.why.sqlstate, "22012");
	assert_string_equal(set->scene.why.message, "row ctid (2,5), key (id)=(1234): division by zero");
	assert_non_null(strstr(set->scene.why.hint, "wanted = 'run'"));
	assert_int_equal(fake_asked("ctid = '(2,5)'"), 1);
	assert_int_equal(fake_asked(STRETCH("0,0", "2,0")), 1); /* what is sound is filled on the way */
	assert_int_equal(fake_asked(STRETCH("2,0", "2,4")), 1);
}

static void a_row_whose_key_cannot_be_told_fails_the_job_all_the_same(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once("AS place"), FAULT_LINK, "57P01", "terminating connection");
	one_window();
	row_2_5_fails();
	stage_start(set, 0);
	scene_run(&set->scene, has_failed);
	assert_int_equal(set->scene.why.kind, FAULT_DATA);
	assert_string_equal(set->scene.why.message, "division by zero");
	scene_run_ms(&set->scene, 20);
	assert_int_equal(set->failed, 1);
}

static void stopped_while_the_last_window_is_asked_for_it_comes_to_rest(void **state)
{
	struct stage_set *set = *state;

	fake_after(fake_on(ASK_WINDOW), 50);
	stage_start(set, 0);
	scene_run(&set->scene, has_window);
	filler_stop(set->filler);
	assert_false(filler_at_rest(set->filler));
	scene_run_ms(&set->scene, 100);
	assert_true(filler_at_rest(set->filler));
}

static void stopped_in_a_batch_it_rests_when_that_is_answered(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once(ASK_BATCH);

	scene_batch(slow, "3");
	fake_after(slow, 50);
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 400, 1, 0, 0});
	stage_start(set, 0);
	scene_run(&set->scene, has_batch);
	filler_stop(set->filler);
	assert_false(filler_at_rest(set->filler));
	scene_run_ms(&set->scene, 100);
	assert_true(filler_at_rest(set->filler));
	assert_int_equal(fake_asked(ASK_BATCH), 2); /* and the one behind it */
	assert_int_equal(set->shared.rows_found, 3);
	assert_string_equal(fake_bound(ASK_BATCH, 6), "128");
	assert_int_equal(filler_pages_done(set->filler), 128);
}

static void beyond_the_workers_wanted_it_is_idle(void **state)
{
	struct stage_set *set = *state;

	stage_start(set, 1);
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(ASK_WINDOW), 0);
	set->shared.workers = 2;
	filler_resume(set->filler);
	scene_run(&set->scene, is_idle_twice);
	assert_int_equal(fake_asked(ASK_WINDOW), 1);
}

/* However many work now, here and for other jobs: all windows are in the same buffers. */
static void windows_are_as_large_as_all_fillers_leave_room_for(void **state)
{
	struct stage_set *set = *state;
	struct pace_wish wish = {.fillers = 8, .max_lag_ms = 1000, .lag_target_ms = 500};
	struct pace_share *other;

	set->scene.task.shared_buffers = 16384;
	set->shared.workers = 2;
	stage_start(set, 0);
	scene_run(&set->scene, is_idle);
	assert_string_equal(fake_bound(ASK_WINDOW, 4), "2048");
	set->shared.workers = 8;
	filler_resume(set->filler);
	scene_run(&set->scene, is_idle_twice);
	assert_string_equal(fake_bound(ASK_WINDOW, 4), "512");
	other = pace_join(set->scene.task.pace, &wish, 0);
	set->idle = 1;
	filler_resume(set->filler);
	scene_run(&set->scene, is_idle_twice);
	assert_string_equal(fake_bound(ASK_WINDOW, 4), "256");
	pace_leave(other);
}

/* Whoever is told that it is idle may free it. */
static void no_longer_wanted_it_tells_its_window_before_it_is_idle(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once(ASK_BATCH);

	set->shared.workers = 2;
	one_window();
	scene_batch(slow, "25");
	fake_after(slow, 50);
	stage_start(set, 1);
	scene_run(&set->scene, has_batch);
	set->shared.workers = 1;
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(ASK_WINDOW), 1);
	assert_int_equal(set->told, 1);
	assert_int_equal(set->idle, 1);
}

static void no_longer_wanted_it_still_finishes_a_window_it_lost_the_connection_in(void **state)
{
	struct stage_set *set = *state;

	set->shared.workers = 2;
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0});
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 2});
	fake_silent(fake_once(STRETCH("0,0", "4,0")));
	stage_start(set, 1);
	scene_run(&set->scene, has_batch);
	set->shared.workers = 1;
	fake_lose(fake_session(fake_sessions() - 1), "cable cut");
	scene_run(&set->scene, is_idle);
	assert_int_equal(fake_asked(STRETCH("2,0", "4,0")), 1); /* what was left of it */
	assert_int_equal(fake_asked(ASK_WINDOW), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_window_is_walked_and_the_next_one_asked_for),
		CASE(the_next_batch_is_sent_while_one_is_under_way),
		CASE(behind_one_that_failed_it_is_sent_again),
		CASE(rows_of_the_one_before_it_stay_filled),
		CASE(long_batches_go_one_by_one),
		CASE(while_rows_are_locked_it_goes_one_by_one),
		CASE(a_leaf_that_is_gone_is_left_out),
		CASE(a_leaf_that_is_not_found_is_asked_for_again),
		CASE(but_only_once),
		CASE(locked_rows_are_tried_smaller_then_left_then_waited_for),
		CASE(one_lock_timeout_makes_it_smaller_and_no_more),
		CASE(a_deadlock_or_a_cancelled_batch_is_tried_again_smaller),
		CASE(a_page_that_gives_way_to_others_goes_in_parts),
		CASE(a_server_out_of_disk_is_waited_for),
		CASE(fenced_in_mid_batch_it_takes_no_other),
		CASE(a_connection_lost_in_a_window_starts_again_from_the_bookmark),
		CASE(so_it_does_with_another_batch_sent_ahead),
		CASE(the_control_session_failing_is_only_waited_for),
		CASE(the_row_that_fails_is_found_by_halving),
		CASE(a_row_whose_key_cannot_be_told_fails_the_job_all_the_same),
		CASE(stopped_while_the_last_window_is_asked_for_it_comes_to_rest),
		CASE(stopped_in_a_batch_it_rests_when_that_is_answered),
		CASE(beyond_the_workers_wanted_it_is_idle),
		CASE(windows_are_as_large_as_all_fillers_leave_room_for),
		CASE(no_longer_wanted_it_tells_its_window_before_it_is_idle),
		CASE(no_longer_wanted_it_still_finishes_a_window_it_lost_the_connection_in),
	};

	return cmocka_run_group_tests_name("filler", tests, NULL, NULL);
}
