/*
 * volley: how many batches hide a round trip, and which come next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/volley.h"

static void as_many_as_hide_the_round_trip(void **state)
{
	static const struct {
		const char *what;
		double batch_ms;
		double trip_ms;
		int size;
	} cases[] = {
		{"nothing is known yet", 0, 0, 1},
		{"beside the server", 25, 0.3, 1},
		{"in the same building", 25, 2, 1},
		{"5 ms away", 25, 5, 3},
		{"20 ms away", 25, 20, 10},
		{"20 ms away, long batches: pauses must still act at once", 100, 20, 2},
		{"across an ocean", 25, 150, 10},
		{"batches longer than all that", 400, 20, 1},
		{"tiny batches", 1, 20, VOLLEY_MOST},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct volley volley = {.batch_ms = cases[i].batch_ms, .trip_ms = cases[i].trip_ms};

		if (volley_size(&volley) != cases[i].size)
			fail_msg("%s: %d", cases[i].what, volley_size(&volley));
	}
}

static void the_next_batches_follow_one_another_into_the_next_pass(void **state)
{
	struct window window;
	struct volley volley = {0};

	(void)state;
	window_start(
		&window, &(struct window_bookmark){.from_page = 10, .end_page = 40, .passes = 2, .page = 20});
	assert_true(volley_plan(&volley, &window, 10, 3));
	assert_int_equal(volley.count, 3);
	assert_int_equal(volley.batches[0].from_page, 20);
	assert_int_equal(volley.batches[1].from_page, 30);
	assert_int_equal(volley.batches[1].pass, 0);
	assert_int_equal(volley.batches[2].from_page, 10);
	assert_int_equal(volley.batches[2].pass, 1);
	assert_int_equal(window.bookmark.page, 20); /* only planned */
}

static void the_end_of_the_window_ends_it(void **state)
{
	struct window window;
	struct volley volley = {0};

	(void)state;
	window_start(&window, &(struct window_bookmark){.from_page = 0, .end_page = 30, .passes = 1, .page = 20});
	assert_true(volley_plan(&volley, &window, 10, VOLLEY_MOST));
	assert_int_equal(volley.count, 1);
	window.bookmark = volley.batches[0].then;
	assert_false(volley_plan(&volley, &window, 10, VOLLEY_MOST));
}

static void a_search_goes_step_by_step(void **state)
{
	struct window window;
	struct volley volley = {0};

	(void)state;
	window_start(&window, &(struct window_bookmark){.from_page = 0, .end_page = 30, .passes = 1});
	window.search = (struct window_search){.on = true, .pages = 5, .page = 9};
	assert_true(volley_plan(&volley, &window, 10, VOLLEY_MOST));
	assert_int_equal(volley.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_hide_the_round_trip),
		cmocka_unit_test(the_next_batches_follow_one_another_into_the_next_pass),
		cmocka_unit_test(the_end_of_the_window_ends_it),
		cmocka_unit_test(a_search_goes_step_by_step),
	};

	return cmocka_run_group_tests_name("volley", tests, NULL, NULL);
}
