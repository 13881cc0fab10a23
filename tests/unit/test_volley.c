/*
 * volley: how many batches go at once, and which come next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/volley.h"

#define PAGES 10

static void a_volley_lasts_twice_a_round_trip(void **state)
{
	static const struct {
		const char *what;
		double trip_ms;
		double ms;
	} cases[] = {
		{"nothing is known yet", 0, 0},
		{"beside the server", 0.3, 0.6},
		{"20 ms away", 20, 40},
		{"across an ocean: pauses must still act at once", 150, VOLLEY_MOST_MS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct volleys volleys = {.trip_ms = cases[i].trip_ms};

		if (volley_ms(&volleys) != cases[i].ms)
			fail_msg("%s: %g", cases[i].what, volley_ms(&volleys));
	}
}

static void as_many_batches_as_last_that_long(void **state)
{
	static const struct {
		const char *what;
		double page_ms;
		double ms;
		int count;
	} cases[] = {
		{"one by one", 2, 0, 1},
		{"what a page takes is not known yet", 0, 125, 1},
		{"one is long enough", 5, 40, 1},
		{"one does not suffice", 2, 40, 2},
		{"nor do two", 1.5, 40, 3},
		{"as many as there are", 0.1, 250, 7},
	};
	struct window window;

	(void)state;
	window_start(&window, &(struct window_bookmark){.from_page = 0, .end_page = 70, .passes = 1});
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct volleys volleys = {0};
		struct volley volley;

		assert_true(volley_plan(&volleys, &window, PAGES, cases[i].page_ms, cases[i].ms, &volley));
		if (volley.count != cases[i].count)
			fail_msg("%s: %d", cases[i].what, volley.count);
		assert_true(volley.alone);
	}
}

static void no_more_than_there_is_room_for(void **state)
{
	struct volleys volleys = {0};
	struct volley volley;
	struct window window;

	(void)state;
	window_start(&window, &(struct window_bookmark){.from_page = 0, .end_page = 7000, .passes = 1});
	assert_true(volley_plan(&volleys, &window, PAGES, 0.001, 250, &volley));
	assert_int_equal(volley.count, VOLLEY_MOST);
}

/* A rest of two pages is no reason to make the server wait for a round trip. */
static void what_is_left_of_a_pass_goes_with_the_next_one(void **state)
{
	struct volleys volleys = {0};
	struct volley volley;
	struct window window;

	(void)state;
	window_start(
		&window, &(struct window_bookmark){.from_page = 10, .end_page = 40, .passes = 2, .page = 38});
	assert_true(volley_plan(&volleys, &window, PAGES, 4, 40, &volley));
	assert_int_equal(volley.count, 2);
	assert_int_equal(volley.batches[0].from_page, 38);
	assert_int_equal(volley.batches[0].pass, 0);
	assert_int_equal(volley.batches[1].from_page, 10);
	assert_int_equal(volley.batches[1].pass, 1);
	assert_int_equal(window.bookmark.page, 38); /* only planned */
}

/* One volley of `count` batches of that window is under way. */
static void put_under_way(struct volleys *volleys, const struct window *window, int count)
{
	assert_true(volley_plan(volleys, window, PAGES, 1, count * PAGES, &volleys->under_way[volleys->count]));
	assert_int_equal(volleys->under_way[volleys->count].count, count);
	volleys->count++;
}

static void the_next_volley_comes_behind_the_one_that_is_under_way(void **state)
{
	struct volleys volleys = {0};
	struct volley volley;
	struct window window;

	(void)state;
	window_start(&window, &(struct window_bookmark){.from_page = 0, .end_page = 50, .passes = 1});
	put_under_way(&volleys, &window, 2);
	assert_true(volley_plan(&volleys, &window, PAGES, 1, PAGES, &volley));
	assert_int_equal(volley.batches[0].from_page, 20);
	assert_false(volley.alone);
	put_under_way(&volleys, &window, 1);
	assert_false(volley_plan(&volleys, &window, PAGES, 1, PAGES, &volley)); /* two are enough */
	assert_int_equal(volley_pass(&volleys, &window), -1);
}

static void there_is_none_behind_the_last_one(void **state)
{
	struct volleys volleys = {0};
	struct volley volley;
	struct window window;

	(void)state;
	window_start(&window, &(struct window_bookmark){.from_page = 0, .end_page = 30, .passes = 1, .page = 20});
	assert_int_equal(volley_pass(&volleys, &window), 0);
	put_under_way(&volleys, &window, 1);
	assert_int_equal(volley_pass(&volleys, &window), -1);
	assert_false(volley_plan(&volleys, &window, PAGES, 1, 100, &volley));
	volleys.count = 0;
	window.bookmark = volleys.under_way[0].batches[0].then;
	assert_false(volley_plan(&volleys, &window, PAGES, 1, 100, &volley));
}

/* Else they would never be left out: something is always under way. */
static void passes_that_find_no_room_are_left_out_also_ahead(void **state)
{
	struct volleys volleys = {0};
	struct volley volley;
	struct window window;

	(void)state;
	window_start(&window,
		&(struct window_bookmark){.from_page = 0, .end_page = 20, .passes = 8, .pass = 1, .page = 10});
	window.tally = (struct window_tally){.first_updated = 1000, .later_updated = 1000, .later_hot = 5};
	put_under_way(&volleys, &window, 1);
	assert_true(volley_plan(&volleys, &window, PAGES, 1, PAGES, &volley));
	assert_int_equal(volley_pass(&volleys, &window), 7);
	assert_int_equal(volley.batches[0].pass, 7);
	assert_int_equal(volley.batches[0].from_page, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volley_lasts_twice_a_round_trip),
		cmocka_unit_test(as_many_batches_as_last_that_long),
		cmocka_unit_test(no_more_than_there_is_room_for),
		cmocka_unit_test(what_is_left_of_a_pass_goes_with_the_next_one),
		cmocka_unit_test(the_next_volley_comes_behind_the_one_that_is_under_way),
		cmocka_unit_test(there_is_none_behind_the_last_one),
		cmocka_unit_test(passes_that_find_no_room_are_left_out_also_ahead),
	};

	return cmocka_run_group_tests_name("volley", tests, NULL, NULL);
}
