/*
 * forecast: rates over the last minute, and an end only when something moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/forecast.h"

#include <math.h>

/* Notes every `every_ms` for `seconds`, at these rates. */
static int64_t run(struct forecast *forecast, int64_t from_ms, int seconds, int every_ms, double rows_per_s,
	double pages_per_s)
{
	size_t before = forecast->count;
	int64_t rows = before ? forecast->samples[(before - 1) % FORECAST_SAMPLES].rows : 0;
	double pages = before ? forecast->samples[(before - 1) % FORECAST_SAMPLES].pages : 0;
	int64_t ms;

	for (ms = 0; ms <= seconds * INT64_C(1000); ms += every_ms)
		forecast_note(forecast, from_ms + ms, rows + (int64_t)(rows_per_s * (double)ms / 1e3),
			pages + pages_per_s * (double)ms / 1e3);
	return from_ms + ms;
}

static void what_is_told_after_so_long(void **state)
{
	static const struct {
		const char *what;
		int seconds;
		int every_ms;
		double rows_per_s, pages_per_s;
		double rate, seconds_left; /* of 1000 pages */
	} cases[] = {
		{"one look tells nothing", 0, 1000, 500, 50, -1, -1},
		{"after a second there is a rate", 1, 1000, 500, 50, 500, -1},
		{"after five there is an end", 5, 1000, 500, 50, 500, 20},
		{"looks ten times a second are thinned out", 30, 100, 500, 50, 500, 20},
		{"nothing moves: no end", 30, 1000, 0, 0, 0, -1},
		{"rows that need no value still pass", 30, 1000, 0, 50, 0, 20},
		{"an hour", 3600, 1000, 500, 50, 500, 20},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct forecast forecast = {0};

		run(&forecast, 12345, cases[i].seconds, cases[i].every_ms, cases[i].rows_per_s, cases[i].pages_per_s);
		if (fabs(forecast_rows_per_s(&forecast) - cases[i].rate) > 0.01)
			fail_msg("%s: %f rows/s", cases[i].what, forecast_rows_per_s(&forecast));
		if (fabs(forecast_seconds_left(&forecast, 1000) - cases[i].seconds_left) > 0.01)
			fail_msg("%s: %f s left", cases[i].what, forecast_seconds_left(&forecast, 1000));
	}
}

static void nothing_noted_is_nothing_told(void **state)
{
	struct forecast forecast = {0};

	(void)state;
	assert_true(forecast_rows_per_s(&forecast) < 0);
	assert_true(forecast_seconds_left(&forecast, 10) < 0);
}

static void only_the_last_minute_counts(void **state)
{
	struct forecast forecast = {0};
	int64_t now_ms = run(&forecast, 0, 600, 1000, 1000, 100);

	(void)state;
	run(&forecast, now_ms, 70, 1000, 10, 1);
	assert_true(fabs(forecast_rows_per_s(&forecast) - 10) < 0.01);
	assert_true(fabs(forecast_seconds_left(&forecast, 60) - 60) < 0.01);
}

static void the_last_minute_is_the_last_minute_also_when_the_rate_changes_in_it(void **state)
{
	struct forecast forecast = {0};
	int64_t now_ms = run(&forecast, 0, 100, 1000, 100, 10);

	(void)state;
	run(&forecast, now_ms, 31, 1000, 0, 0); /* half of it */
	assert_true(fabs(forecast_rows_per_s(&forecast) - 50) < 3);
}

static void time_spent_waiting_counts(void **state)
{
	struct forecast forecast = {0};
	int64_t now_ms = run(&forecast, 0, 10, 1000, 100, 10);

	(void)state;
	run(&forecast, now_ms, 10, 1000, 0, 0);
	assert_true(forecast_rows_per_s(&forecast) < 51);
	assert_true(forecast_seconds_left(&forecast, 100) > 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told_after_so_long),
		cmocka_unit_test(nothing_noted_is_nothing_told),
		cmocka_unit_test(only_the_last_minute_counts),
		cmocka_unit_test(the_last_minute_is_the_last_minute_also_when_the_rate_changes_in_it),
		cmocka_unit_test(time_spent_waiting_counts),
	};

	return cmocka_run_group_tests_name("forecast", tests, NULL, NULL);
}
