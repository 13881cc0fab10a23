/*
 * filling: walk after walk until a sweep is the proof.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "daemon/filling.h"

#include <string.h>

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct filling *filling;
};

static void held(void *owner, const char *reason_or_null)
{
	(void)owner;
	(void)reason_or_null;
}

static const struct filling_events events = {.done = scene_done, .held = held};

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

	filling_free(set->filling);
	scene_end(&set->scene);
	return 0;
}

static void start(struct stage_set *set)
{
	set->filling = filling_new(&set->scene.task, &events, set);
}

/* Walk number `sweep` over 4 pages, all of it one window whose batch fills `rows`. */
static void one_walk(const char *sweep, const char *fresh, const char *rows)
{
	scene_walk(fake_once(ASK_WALK), sweep, "4", fresh);
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0});
	fake_once(ASK_WINDOW); /* that was all */
	scene_batch(fake_once(ASK_BATCH), rows);
}

static bool batch_asked(struct scene *scene)
{
	(void)scene;
	return fake_asked(ASK_BATCH) > 0;
}

static void what_ends_a_fill(void **state)
{
	static const struct {
		const char *what;
		enum job_sync sync;
		struct {
			const char *sweep, *fresh, *rows;
		} walks[6];
		size_t walks_count;
		bool counts;
	} cases[] = {
		{"a sweep that found nothing", JOB_SYNC_FILL, {{"0", "t", "400"}, {"1", "t", "0"}}, 2, false},
		{"a sweep that found rows is followed by another", JOB_SYNC_FILL,
			{{"0", "t", "400"}, {"1", "t", "3"}, {"2", "t", "1"}, {"3", "t", "2"}, {"4", "t", "0"}}, 5,
			false},
		{"a fill that found nothing proves nothing: rows may have moved meanwhile", JOB_SYNC_FILL,
			{{"0", "t", "0"}, {"1", "t", "0"}}, 2, false},
		{"nor does a sweep that was interrupted", JOB_SYNC_FILL, {{"2", "f", "0"}, {"3", "t", "0"}}, 2,
			false},
		{"nor a fill that was", JOB_SYNC_FILL, {{"0", "f", "0"}, {"1", "t", "0"}}, 2, false},
		{"without sync the third sweep is the last, and what is left is counted", JOB_SYNC_NONE,
			{{"0", "t", "400"}, {"1", "t", "9"}, {"2", "t", "9"}, {"3", "t", "9"}}, 4, true},
		{"without sync, and nobody wrote", JOB_SYNC_NONE, {{"0", "t", "400"}, {"1", "t", "0"}}, 2, false},
		{"without sync, the third sweep found nothing", JOB_SYNC_NONE,
			{{"0", "t", "400"}, {"1", "t", "9"}, {"2", "t", "9"}, {"3", "t", "0"}}, 4, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct stage_set set = {0};
		struct fake_rule *left;

		scene_begin(&set.scene);
		set.scene.task.job.sync = cases[i].sync;
		scene_catalogue(fake_on(ASK_CATALOGUE),
			&(struct scene_catalogue){.column_exists = "t", .insert_trigger = "t", .update_trigger = "t"});
		for (size_t w = 0; w < cases[i].walks_count; w++)
			one_walk(cases[i].walks[w].sweep, cases[i].walks[w].fresh, cases[i].walks[w].rows);
		left = fake_on("AS left FROM");
		fake_columns(left, "left", NULL);
		fake_row(left, "17");
		start(&set);
		scene_run_to_end(&set.scene);
		scene_run_ms(&set.scene, 5);
		if (set.scene.why.kind != FAULT_NONE || fake_asked(ASK_WALK) != cases[i].walks_count ||
			(fake_asked("AS left FROM") == 1) != cases[i].counts)
			fail_msg("%s: %zu walks, counted %zu times", cases[i].what, fake_asked(ASK_WALK),
				fake_asked("AS left FROM"));
		if (cases[i].counts)
			assert_string_equal(fake_bound(ASK_EVENT, 8), "17");
		filling_free(set.filling);
		scene_end(&set.scene);
	}
}

static void a_sweep_that_left_locked_rows_is_followed_by_another(void **state)
{
	struct stage_set *set = *state;

	scene_walk(fake_once(ASK_WALK), "1", "4", "t");
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0});
	fake_once(ASK_WINDOW);
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "55P03", "locked");
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "55P03", "locked");
	scene_batch(fake_once("SKIP LOCKED"), "0");
	scene_walk(fake_once(ASK_WALK), "2", "4", "t");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(fake_asked(ASK_WALK), 2);
	assert_string_equal(fake_bound(ASK_WALK, 3), "2");
}

/* Rows that were only locked were not written by anybody: they are promised a value. */
static void without_sync_too_locked_rows_are_swept_again(void **state)
{
	struct stage_set *set = *state;

	scene_walk(fake_once(ASK_WALK), "3", "4", "t");
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0});
	fake_once(ASK_WINDOW);
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "55P03", "locked");
	fake_fails(fake_once(ASK_BATCH), FAULT_BUSY, "55P03", "locked");
	scene_batch(fake_once("SKIP LOCKED"), "5");
	fake_on("AS left FROM");
	scene_walk(fake_on(ASK_WALK), "4", "4", "t");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(fake_asked(ASK_WALK), 2);
	assert_int_equal(fake_asked("AS left FROM"), 0);
}

static void the_trigger_for_updates_comes_before_the_first_sweep(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *step = fake_once("CREATE TRIGGER");

	set->scene.task.job.sync = JOB_SYNC_FILL;
	for (int look = 0; look < 2; look++) /* filling's own and the builder's */
		scene_catalogue(
			fake_once(ASK_CATALOGUE), &(struct scene_catalogue){.column_exists = "t", .insert_trigger = "t"});
	scene_catalogue(fake_on(ASK_CATALOGUE),
		&(struct scene_catalogue){.column_exists = "t", .insert_trigger = "t", .update_trigger = "t"});
	fake_statement(step, "AS ms");
	fake_columns(step, "ms", NULL);
	fake_row(step, "1000");
	one_walk("0", "t", "400");
	one_walk("1", "t", "0");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
	assert_int_equal(fake_asked("CREATE TRIGGER"), 1);
}

static void a_link_lost_while_the_trigger_is_made_does_not_stop_it_for_ever(void **state)
{
	struct stage_set *set = *state;

	set->scene.task.job.sync = JOB_SYNC_FILL;
	for (int look = 0; look < 2; look++)
		scene_catalogue(
			fake_once(ASK_CATALOGUE), &(struct scene_catalogue){.column_exists = "t", .insert_trigger = "t"});
	scene_catalogue(fake_on(ASK_CATALOGUE),
		&(struct scene_catalogue){.column_exists = "t", .insert_trigger = "t", .update_trigger = "t"});
	fake_fails(fake_once("CREATE TRIGGER"), FAULT_LINK, "57P01", "terminating connection");
	one_walk("0", "t", "400");
	one_walk("1", "t", "0");
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_NONE);
}

/* The fillers' sessions are those made after the scene's three. */
static void lose_filler(void)
{
	assert_true(fake_sessions() > 3);
	fake_lose(fake_session(3), "cable cut");
}

static bool trigger_asked(struct scene *scene)
{
	(void)scene;
	return fake_asked("CREATE TRIGGER") > 0;
}

static void a_filler_that_comes_back_between_walks_ends_no_walk_twice(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once("CREATE TRIGGER");

	set->scene.task.job.sync = JOB_SYNC_FILL;
	for (int look = 0; look < 2; look++)
		scene_catalogue(
			fake_once(ASK_CATALOGUE), &(struct scene_catalogue){.column_exists = "t", .insert_trigger = "t"});
	scene_catalogue(fake_on(ASK_CATALOGUE),
		&(struct scene_catalogue){.column_exists = "t", .insert_trigger = "t", .update_trigger = "t"});
	fake_statement(slow, "AS ms");
	fake_columns(slow, "ms", NULL);
	fake_row(slow, "1000");
	fake_after(slow, 100); /* meanwhile the control session answers */
	scene_walk(fake_once(ASK_WALK), "0", "4", "t");
	scene_walk(fake_on(ASK_WALK), "1", "4", "t");
	start(set);
	scene_run(&set->scene, trigger_asked);
	lose_filler();
	scene_run_ms(&set->scene, 40);
	assert_int_equal(fake_asked(ASK_ENLIST), 2);
	assert_int_equal(fake_asked(ASK_CATALOGUE), 2); /* no second builder */
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.endings, 1);
	assert_int_equal(fake_asked(ASK_WALK), 2);
}

static void more_workers_between_walks_end_no_walk_twice(void **state)
{
	struct stage_set *set = *state;

	scene_walk(fake_once(ASK_WALK), "0", "4", "t");
	scene_walk(fake_on(ASK_WALK), "1", "4", "t");
	start(set);
	for (int i = 0; i < 40 && !set->scene.ended; i++) {
		set->scene.task.job.knobs.workers = 1 + i % 4;
		filling_update(set->filling);
		scene_run_ms(&set->scene, 2);
	}
	if (!set->scene.ended)
		scene_run_to_end(&set->scene);
	assert_int_equal(fake_asked(ASK_WALK), 2);
	assert_int_equal(set->scene.endings, 1);
}

static bool fillers_are_two(struct scene *scene)
{
	(void)scene;
	return fake_sessions() > 4;
}

/* Whoever leaves because fewer are wanted has not seen the end of the walk. */
static void a_walk_is_not_over_because_its_last_filler_has_no_connection(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow = fake_once(ASK_ENLIST);

	fake_after(slow, 20); /* the first filler has no window yet when its connection breaks */
	slow = fake_once(STRETCH("0,0", "4,0"));
	set->scene.task.job.knobs.workers = 2;
	scene_walk(fake_once(ASK_WALK), "0", "8", "t");
	scene_walk(fake_on(ASK_WALK), "1", "8", "t");
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0});
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){4, 8, 1, 0, 4});
	scene_batch(slow, "10");
	fake_after(slow, 30);
	start(set);
	scene_run(&set->scene, fillers_are_two);
	fake_shut(fake_session(3));
	scene_run(&set->scene, batch_asked);
	set->scene.task.job.knobs.workers = 1;
	filling_update(set->filling);
	scene_run_ms(&set->scene, 60);
	assert_int_equal(fake_asked(ASK_WALK), 1);
	assert_false(set->scene.ended);
	fake_open(fake_session(3));
	scene_run_to_end(&set->scene);
	assert_int_equal(fake_asked(STRETCH("4,0", "8,0")), 1);
	assert_int_equal(fake_asked(ASK_WALK), 2);
}

static void when_a_filler_fails_the_others_come_to_rest_first(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *slow;

	set->scene.task.job.knobs.workers = 2;
	scene_walk(fake_once(ASK_WALK), "0", "8", "t");
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 4, 1, 0, 0});
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){4, 8, 1, 0, 4});
	slow = fake_once(STRETCH("0,0", "4,0"));
	fake_fails(slow, FAULT_FENCED, "BF001", "another daemon has the job");
	fake_after(slow, 20);
	slow = fake_once(STRETCH("4,0", "8,0"));
	scene_batch(slow, "10");
	fake_after(slow, 60);
	start(set);
	scene_run(&set->scene, batch_asked);
	scene_run_ms(&set->scene, 40);
	assert_false(set->scene.ended);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_FENCED);
	assert_int_equal(set->scene.endings, 1);
}

static void stopped_it_rests_whatever_it_was_at(void **state)
{
	(void)state;
	for (int64_t at_ms = 0; at_ms < 60; at_ms += 3) {
		struct stage_set set = {0};
		struct fake_rule *walk;

		scene_begin(&set.scene);
		set.scene.task.job.knobs.workers = 2;
		fake_after(fake_on(ASK_WINDOW), 7);
		walk = fake_on(ASK_WALK);
		scene_walk(walk, "1", "4", "f");
		fake_after(walk, 7);
		start(&set);
		scene_run_ms(&set.scene, at_ms);
		if (!set.scene.ended) {
			filling_stop(set.filling);
			scene_run_ms(&set.scene, 60);
			if (!filling_at_rest(set.filling))
				fail_msg("stopped after %d ms it is still not at rest", (int)at_ms);
			assert_false(set.scene.ended);
		}
		filling_free(set.filling);
		scene_end(&set.scene);
	}
}

static void a_table_that_is_gone_ends_it(void **state)
{
	struct stage_set *set = *state;

	fake_on(ASK_CATALOGUE);
	start(set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->scene.why.kind, FAULT_JOB);
	assert_string_equal(set->scene.why.message, "table public.users is gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		cmocka_unit_test(what_ends_a_fill),
		CASE(a_sweep_that_left_locked_rows_is_followed_by_another),
		CASE(without_sync_too_locked_rows_are_swept_again),
		CASE(the_trigger_for_updates_comes_before_the_first_sweep),
		CASE(a_link_lost_while_the_trigger_is_made_does_not_stop_it_for_ever),
		CASE(a_filler_that_comes_back_between_walks_ends_no_walk_twice),
		CASE(more_workers_between_walks_end_no_walk_twice),
		CASE(a_walk_is_not_over_because_its_last_filler_has_no_connection),
		CASE(when_a_filler_fails_the_others_come_to_rest_first),
		cmocka_unit_test(stopped_it_rests_whatever_it_was_at),
		CASE(a_table_that_is_gone_ends_it),
	};

	return cmocka_run_group_tests_name("filling", tests, NULL, NULL);
}
