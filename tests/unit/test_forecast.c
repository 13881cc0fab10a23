/*
 * forecast: rates over a minute and a quarter of an hour, and a range for the end once there is evidence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/forecast.h"

#include <math.h>

/* A fill under way: what is noted next. */
struct course {
	struct forecast forecast;
	int64_t now_ms;
	int walk;
	double rows;
	double pages;
};

/* Goes on for so long at these rates, a note every `every_ms`; the first one is of the beginning. */
static void run(struct course *course, double seconds, int every_ms, double rows_per_s, double pages_per_s)
{
	int64_t end_ms = course->now_ms + (int64_t)(seconds * 1e3);

	forecast_note(&course->forecast, course->now_ms, course->walk, (int64_t)course->rows, course->pages);
	while (course->now_ms + every_ms <= end_ms) {
		course->now_ms += every_ms;
		course->rows += rows_per_s * every_ms / 1e3;
		course->pages += pages_per_s * every_ms / 1e3;
		forecast_note(&course->forecast, course->now_ms, course->walk, (int64_t)course->rows, course->pages);
	}
}

static struct forecast_view view_of(const struct course *course, double pages_left)
{
	struct forecast_view view;

	forecast_read(&course->forecast, pages_left, &view);
	return view;
}

static bool is_about(double seen, double expected)
{
	return fabs(seen - expected) <= 0.02 * fabs(expected) + 0.001;
}

static void what_is_told_after_so_long(void **state)
{
	static const struct {
		const char *what;
		double seconds;
		int every_ms;
		double rows_per_s, pages_per_s, pages_left;
		double rate; /* of rows */
		enum forecast_state told;
		double earliest_s, latest_s;
	} cases[] = {
		{"one look tells nothing", 0, 1000, 500, 50, 1000, -1, FORECAST_MEASURING, -1, -1},
		{"a second: a rate, no end", 1, 1000, 500, 50, 1000, 500, FORECAST_MEASURING, -1, -1},
		{"a long walk after 10 s", 10, 1000, 500, 50, 100000, 500, FORECAST_MEASURING, -1, -1},
		{"a long walk after 30 s", 30, 1000, 500, 50, 100000, 500, FORECAST_RANGED, 1696, 2437},
		{"a short walk after 2 s", 2, 1000, 500, 50, 500, 500, FORECAST_MEASURING, -1, -1},
		{"a short walk after 3 s: half as soon, twice as late", 3, 1000, 500, 50, 500, 500, FORECAST_RANGED,
			6.67, 20},
		{"five minutes' walk after 10 s", 10, 1000, 500, 50, 14500, 500, FORECAST_MEASURING, -1, -1},
		{"five minutes' walk after 15 s", 15, 1000, 500, 50, 14250, 500, FORECAST_RANGED, 228, 380},
		{"looks ten times a second are thinned out", 30, 100, 500, 50, 1000, 500, FORECAST_RANGED, 16.96,
			24.37},
		{"looks that come a little early are not", 30, 950, 500, 50, 1000, 500, FORECAST_RANGED, 16.9, 24.5},
		{"nothing moves: no end in sight", 40, 1000, 0, 0, 1000, 0, FORECAST_STANDING, -1, -1},
		{"rows that need no value still pass", 30, 1000, 0, 50, 1000, 0, FORECAST_RANGED, 16.96, 24.37},
		{"an hour leaves a tenth of doubt", 3600, 1000, 500, 50, 1000, 500, FORECAST_RANGED, 18.18, 22.22},
		{"through", 60, 1000, 500, 50, 0, 500, FORECAST_RANGED, 0, 0},
		{"more than all", 60, 1000, 500, 50, -7, 500, FORECAST_RANGED, 0, 0},
		{"a page in 10 s, and ten years of them", 900, 1000, 1, 0.1, 1e9, 1, FORECAST_RANGED, -1, -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct course course = {.now_ms = 12345};
		struct forecast_view view;

		run(&course, cases[i].seconds, cases[i].every_ms, cases[i].rows_per_s, cases[i].pages_per_s);
		view = view_of(&course, cases[i].pages_left);
		if (!is_about(view.rows_per_s, cases[i].rate) || view.state != cases[i].told)
			fail_msg("%s: %f rows/s, %s", cases[i].what, view.rows_per_s, forecast_state_name(view.state));
		if (!is_about(view.earliest_s, cases[i].earliest_s) || !is_about(view.latest_s, cases[i].latest_s))
			fail_msg("%s: from %f to %f", cases[i].what, view.earliest_s, view.latest_s);
	}
}

static void nothing_noted_is_nothing_told(void **state)
{
	struct course course = {0};
	struct forecast_view view = view_of(&course, 10);

	(void)state;
	assert_int_equal(view.state, FORECAST_MEASURING);
	assert_true(view.rows_per_s < 0 && view.rows_per_s_15min < 0 && view.earliest_s < 0 && view.middle_s < 0);
}

static void the_two_windows_span_the_range(void **state)
{
	struct course course = {0};
	struct forecast_view view;

	(void)state;
	run(&course, 900, 1000, 1000, 100);
	run(&course, 60, 1000, 100, 10);
	view = view_of(&course, 900);
	assert_true(is_about(view.rows_per_s, 100));
	assert_true(is_about(view.rows_per_s_15min, 940)); /* 14 of 15 minutes at 1000 */
	assert_true(is_about(view.earliest_s, 900 / (94 * 1.1)));
	assert_true(is_about(view.latest_s, 900 / (10 * 0.9)));
	assert_true(is_about(view.middle_s, (view.earliest_s + view.latest_s) / 2));
	run(&course, 840, 1000, 100, 10);
	view = view_of(&course, 900);
	assert_true(is_about(view.rows_per_s_15min, 100)); /* what was before it is forgotten */
}

static void time_spent_waiting_counts(void **state)
{
	struct course course = {0};
	struct forecast_view view;

	(void)state;
	run(&course, 30, 1000, 100, 10);
	run(&course, 30, 1000, 0, 0);
	view = view_of(&course, 100);
	assert_true(is_about(view.rows_per_s, 50));
	assert_true(view.latest_s > 20);
	run(&course, 60, 1000, 0, 0);
	view = view_of(&course, 100); /* stopped for a minute: by the last quarter, and perhaps later */
	assert_int_equal(view.state, FORECAST_RANGED);
	assert_true(view.earliest_s > 30 && view.latest_s < 0);
	assert_true(is_about(view.middle_s, 40));
	run(&course, 900, 1000, 0, 0);
	assert_int_equal(view_of(&course, 100).state, FORECAST_STANDING);
	run(&course, 30, 1000, 100, 10);
	assert_int_equal(view_of(&course, 100).state, FORECAST_RANGED);
}

static void each_walk_is_measured_anew(void **state)
{
	struct course course = {0};
	struct forecast_view view;

	(void)state;
	run(&course, 100, 1000, 1000, 10);
	course.walk = 1;
	course.pages = 0;
	run(&course, 2, 1000, 0, 400);
	view = view_of(&course, 1000);
	assert_int_equal(view.state, FORECAST_MEASURING);
	assert_true(view.rows_per_s > 900); /* still of the last minute */
	run(&course, 2, 1000, 0, 400);
	view = view_of(&course, 1000);
	assert_int_equal(view.state, FORECAST_RANGED);
	assert_true(view.earliest_s > 1 && view.latest_s < 5); /* of the sweep alone */
}

/* A window is begun anew, a filler has left: what was told stands until it has been caught up. */
static void nothing_counts_backwards(void **state)
{
	struct course course = {0};
	struct forecast_view view;

	(void)state;
	run(&course, 40, 1000, 100, 10);
	course.rows -= 500;
	course.pages -= 50;
	run(&course, 5, 1000, 100, 10);
	view = view_of(&course, 100);
	assert_true(is_about(view.rows_per_s, 4000.0 / 45));
	run(&course, 5, 1000, 100, 10);
	assert_true(is_about(view_of(&course, 100).rows_per_s, 4500.0 / 50));
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(forecast_state_name(FORECAST_MEASURING), "measuring");
	assert_string_equal(forecast_state_name(FORECAST_RANGED), "ranged");
	assert_string_equal(forecast_state_name(FORECAST_STANDING), "standing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told_after_so_long),
		cmocka_unit_test(nothing_noted_is_nothing_told),
		cmocka_unit_test(the_two_windows_span_the_range),
		cmocka_unit_test(time_spent_waiting_counts),
		cmocka_unit_test(each_walk_is_measured_anew),
		cmocka_unit_test(nothing_counts_backwards),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests_name("forecast", tests, NULL, NULL);
}
