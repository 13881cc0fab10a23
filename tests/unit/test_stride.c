/*
 * stride: what one connection sends next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/stride.h"
#include "tests/unit/pace_scene.h"

#define WINDOW_PAGES 1000
#define PASSES 4
#define BATCH_MS 100

/* A connection of a job in a scene, at the start of a window. */
struct walk {
	struct scene scene;
	struct pace_wish wish;
	struct stride stride;
	struct window window;
	struct stride_ground ground;
	struct stride_order order;
};

static void walk_begin(struct walk *walk)
{
	*walk = (struct walk){.wish = {.fillers = 1, .max_lag_ms = 1000, .lag_target_ms = 500}};
	scene_begin(&walk->scene);
	scene_run(&walk->scene, 1);
	window_start(&walk->window, &(struct window_bookmark){.end_page = WINDOW_PAGES, .passes = PASSES});
	stride_start(&walk->stride, 200, BATCH_MS);
	walk->ground = (struct stride_ground){
		.window = &walk->window,
		.share = pace_join(walk->scene.pace, &walk->wish, walk->scene.now_ms),
		.batch_ms = BATCH_MS,
		.pages_most = 200,
		.rows_per_page = 60,
		.may_sleep = true,
	};
}

static void walk_end(struct walk *walk)
{
	scene_end(&walk->scene);
}

static enum stride_answer next(struct walk *walk)
{
	return stride_next(&walk->stride, &walk->ground, walk->scene.now_ms, &walk->order);
}

static bool ahead(struct walk *walk)
{
	return stride_ahead(&walk->stride, &walk->ground, walk->scene.now_ms, &walk->order);
}

static void send(struct walk *walk)
{
	volley_begin(&walk->stride.volleys, &walk->order.volley, walk->scene.now_ms);
}

/* The first of what is under way has committed; a page took so long. */
static void commit(struct walk *walk, double page_ms)
{
	struct volley volley = volley_end(&walk->stride.volleys, walk->scene.now_ms);

	for (int i = 0; i < volley.count; i++) {
		const struct window_batch *batch = &volley.batches[i];
		double ms = page_ms * (double)(batch->end_page - batch->from_page);

		pace_spend(walk->ground.share, &(struct pace_batch){.wal_bytes = 1000, .ms = ms}, walk->scene.now_ms);
		stride_learn(&walk->stride, batch, ms, 1000, walk->scene.now_ms);
		window_done(&walk->window, batch, 1, 1);
	}
}

static int64_t pages_of(const struct window_batch *batch)
{
	return batch->end_page - batch->from_page;
}

static void on_an_idle_server_the_next_goes_ahead(void **state)
{
	struct walk walk;

	(void)state;
	walk_begin(&walk);
	assert_int_equal(next(&walk), STRIDE_GO);
	assert_false(walk.order.one_by_one);
	assert_int_equal(walk.order.volley.batches[0].from_page, 0);
	assert_int_equal(pages_of(&walk.order.volley.batches[0]), 64);
	assert_int_equal(walk.order.breath.rows, 0);
	send(&walk);
	assert_true(ahead(&walk));
	assert_int_equal(walk.order.volley.batches[0].from_page, 64);
	send(&walk);
	assert_false(ahead(&walk)); /* two are enough */
	commit(&walk, 1);
	assert_true(ahead(&walk));
	assert_int_equal(walk.order.volley.batches[0].from_page, 128);
	walk_end(&walk);
}

static void it_walks_the_whole_window_and_then_says_so(void **state)
{
	struct walk walk;
	int64_t pages = 0;

	(void)state;
	walk_begin(&walk);
	while (next(&walk) == STRIDE_GO) {
		pages += pages_of(&walk.order.volley.batches[0]);
		send(&walk);
		commit(&walk, 0.1);
		scene_run(&walk.scene, 0.1);
	}
	assert_int_equal(next(&walk), STRIDE_DONE);
	assert_false(ahead(&walk));
	assert_int_equal(pages, PASSES * WINDOW_PAGES);
	walk_end(&walk);
}

static void what_makes_batches_go_one_by_one(void **state)
{
	static const struct {
		const char *what;
		int64_t max_wal_rate;
		int batch_ms;
		bool troubled, search, one_by_one;
	} cases[] = {
		{"nothing", 0, BATCH_MS, false, false, false},
		{"what they may write", 1048576, BATCH_MS, false, false, true},
		{"that one is long enough", 0, 200, false, false, true},
		{"that the last was refused", 0, BATCH_MS, true, false, true},
		{"that a row is looked for", 0, BATCH_MS, false, true, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct walk walk;

		walk_begin(&walk);
		walk.wish.max_wal_rate = cases[i].max_wal_rate;
		pace_change(walk.ground.share, &walk.wish);
		scene_run(&walk.scene, 3.5);
		walk.ground.batch_ms = cases[i].batch_ms;
		walk.ground.troubled = cases[i].troubled;
		walk.window.search = (struct window_search){.on = cases[i].search, .pages = 10};
		assert_int_equal(next(&walk), STRIDE_GO);
		if (walk.order.one_by_one != cases[i].one_by_one)
			fail_msg("%s", cases[i].what);
		send(&walk);
		if (ahead(&walk) == cases[i].one_by_one)
			fail_msg("ahead: %s", cases[i].what);
		walk_end(&walk);
	}
}

static void the_first_pass_and_the_later_ones_have_their_own_size(void **state)
{
	struct walk walk;

	(void)state;
	walk_begin(&walk);
	for (int i = 0; walk.window.bookmark.pass == 0; i++) {
		assert_int_equal(next(&walk), STRIDE_GO);
		send(&walk);
		commit(&walk, 5);
	}
	assert_true(walk.stride.first_pass.pages < 30);
	assert_int_equal(next(&walk), STRIDE_GO);
	assert_int_equal(pages_of(&walk.order.volley.batches[0]), 64);
	stride_halve(&walk.stride, &walk.order.volley.batches[0], walk.scene.now_ms);
	assert_int_equal(next(&walk), STRIDE_GO);
	assert_int_equal(pages_of(&walk.order.volley.batches[0]), 32);
	assert_true(walk.stride.first_pass.pages < 30);
	walk_end(&walk);
}

/* Beside an application, which it has learnt to be sensitive. */
static void batches_breathe_by_the_rows_that_their_pass_looks_at(void **state)
{
	static const struct {
		const char *what;
		int pass;
		bool may_sleep;
		double rows; /* of a page */
	} cases[] = {
		{"a pass among others", 1, true, 60.0 / PASSES},
		{"the last takes whatever is left", PASSES - 1, true, 60},
		{"its login may not sleep", 1, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct walk walk;
		struct breath right = {0};
		double pages;

		walk_begin(&walk);
		walk.scene.per_s = 400;
		walk.wish.max_impact = 10;
		pace_change(walk.ground.share, &walk.wish);
		scene_run(&walk.scene, 4);
		walk.window.bookmark.pass = cases[i].pass;
		walk.ground.may_sleep = cases[i].may_sleep;
		stride_learn(&walk.stride,
			&(struct window_batch){.end_page = 100, .pass = cases[i].pass, .passes = PASSES}, 50, 1000,
			walk.scene.now_ms);
		while (next(&walk) == STRIDE_WAIT)
			scene_run(&walk.scene, 0.1);
		assert_true(walk.order.verdict.part < 1);
		pages = (double)pages_of(&walk.order.volley.batches[0]);
		if (cases[i].may_sleep)
			right = breath_for(walk.order.verdict.part, sizer_batch_ms(BATCH_MS, walk.order.verdict.part, 0),
				0, cases[i].rows * pages, sizer_page_ms(&walk.stride.later_passes) / cases[i].rows);
		assert_true((right.rows > 0) == cases[i].may_sleep);
		if (walk.order.breath.rows != right.rows || walk.order.breath.nap_ms != right.nap_ms)
			fail_msg("%s: %d rows, then %d ms", cases[i].what, (int)walk.order.breath.rows,
				walk.order.breath.nap_ms);
		walk_end(&walk);
	}
}

static void what_it_waits_is_told_while_it_waits(void **state)
{
	struct walk walk;
	struct stride other;

	(void)state;
	walk_begin(&walk);
	walk.wish.fillers = 2;
	walk.wish.opens_at = "22:00";
	pace_change(walk.ground.share, &walk.wish);
	stride_start(&other, 200, BATCH_MS);
	for (int i = 0; i <= 30; i++) {
		assert_int_equal(next(&walk), STRIDE_WAIT);
		assert_int_equal(stride_next(&other, &walk.ground, walk.scene.now_ms, &walk.order), STRIDE_WAIT);
		if (i == 20)
			stride_forget(&other); /* its connection is lost, and back a second later */
		scene_run(&walk.scene, 0.1);
	}
	/* Three seconds of the one; two, and the one since it is back but for its first moment, of the other. */
	assert_int_equal(pace_throttled_ms(walk.ground.share), (3000 + 2000 + 900) / 2);
	walk.wish.opens_at = NULL;
	pace_change(walk.ground.share, &walk.wish);
	assert_int_equal(next(&walk), STRIDE_GO);
	assert_int_equal(pace_throttled_ms(walk.ground.share), (3100 + 2900) / 2);
	scene_run(&walk.scene, 5);
	send(&walk);
	commit(&walk, 1);
	assert_int_equal(next(&walk), STRIDE_GO);
	assert_int_equal(pace_throttled_ms(walk.ground.share), (3100 + 2900) / 2);
	walk_end(&walk);
}

/* Another is still executing: nobody waits. */
static void what_may_not_go_ahead_has_not_waited(void **state)
{
	struct walk walk;

	(void)state;
	walk_begin(&walk);
	assert_int_equal(next(&walk), STRIDE_GO);
	send(&walk);
	walk.wish.opens_at = "22:00";
	pace_change(walk.ground.share, &walk.wish);
	assert_false(ahead(&walk));
	scene_run(&walk.scene, 0.5);
	commit(&walk, 1);
	assert_int_equal(next(&walk), STRIDE_WAIT);
	assert_int_equal(pace_throttled_ms(walk.ground.share), 0);
	walk_end(&walk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_an_idle_server_the_next_goes_ahead),
		cmocka_unit_test(it_walks_the_whole_window_and_then_says_so),
		cmocka_unit_test(what_makes_batches_go_one_by_one),
		cmocka_unit_test(the_first_pass_and_the_later_ones_have_their_own_size),
		cmocka_unit_test(batches_breathe_by_the_rows_that_their_pass_looks_at),
		cmocka_unit_test(what_it_waits_is_told_while_it_waits),
		cmocka_unit_test(what_may_not_go_ahead_has_not_waited),
	};

	return cmocka_run_group_tests_name("stride", tests, NULL, NULL);
}
