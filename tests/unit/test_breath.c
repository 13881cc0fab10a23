/*
 * breath: bursts and naps of a batch beside an application.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/breath.h"

#include <math.h>
#include <stdlib.h>

static void when_it_sleeps_and_for_how_long(void **state)
{
	static const struct {
		const char *what;
		double part, batch_ms, trip_ms, looked_at, row_ms;
		int64_t rows;
		int nap_ms;
	} cases[] = {
		{"nothing is known of the rows' cost", 0.1, 3, 0, 300, 0, 0, 0},
		{"nothing is left to it: it sleeps between batches", 0.0, 0, 0, 300, 0.01, 0, 0},
		{"a tenth: what 1 ms leaves", 0.1, 3, 0, 200, 0.01, 12, 1},
		{"half: as long as the shortest nap", 0.5, 15, 0, 1500, 0.01, 100, 1},
		{"nine tenths: long bursts, since no nap is shorter", 0.9, 27, 0, 2700, 0.01, 900, 1},
		{"rows that take half a burst: whole ones", 0.1, 3, 0, 25, 0.12, 2, 2},
		{"a row that takes longer than a burst", 0.1, 3, 0, 1, 1, 1, 9},
		{"a page that takes far too long: 35 ms of naps in all", 0.02, 0.6, 0, 60, 0.2, 16, 9},
		{"next to nothing: naps are not for ever", 0.001, 0.5, 0, 100, 0.001, 58, 20},
		{"from afar it rests on the way", 0.1, 3, 15, 200, 0.01, 25, 1},
		{"from so far that it rests enough", 0.1, 3, 27, 300, 0.01, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct breath breath = breath_for(
			cases[i].part, cases[i].batch_ms, cases[i].trip_ms, cases[i].looked_at, cases[i].row_ms);

		if (breath.rows != cases[i].rows || breath.nap_ms != cases[i].nap_ms)
			fail_msg("%s: %lld rows, %d ms", cases[i].what, (long long)breath.rows, breath.nap_ms);
	}
}

/* Near the server, and whatever a row costs: with a row less it would be less. */
static void it_executes_for_its_part(void **state)
{
	static const double costs_ms[] = {0.001, 0.01, 0.07, 0.12, 0.35};

	(void)state;
	for (int percent = 2; percent < 99; percent++) {
		for (size_t i = 0; i < COUNT_OF(costs_ms); i++) {
			double part = percent / 100.0, row_ms = costs_ms[i];
			struct breath breath = breath_for(part, BREATH_MOST_MS * part, 0, 1, row_ms);
			double burst_ms = (double)breath.rows * row_ms;
			double within = burst_ms / (burst_ms + breath.nap_ms);

			if (within < 0.999 * part || (burst_ms - row_ms) / (burst_ms - row_ms + breath.nap_ms) > part)
				fail_msg("%d %%, rows of %g ms: %g of the time", percent, row_ms, within);
			assert_in_range(breath.nap_ms, 1, 20);
		}
	}
}

static void however_it_is_the_naps_of_a_batch_are_few(void **state)
{
	(void)state;
	for (int percent = 1; percent < 100; percent++) {
		for (double row_ms = 0.0001; row_ms < 100.0; row_ms *= 3.0) {
			for (double rows = 1.0; rows < 1e6; rows *= 7.0) {
				struct breath breath =
					breath_for(percent / 100.0, BREATH_MOST_MS * percent / 100.0, 0, rows, row_ms);

				if (breath.rows > 0 && rows / (double)breath.rows * breath.nap_ms > 1.001 * BREATH_MOST_MS)
					fail_msg("%d %%, %g rows of %g ms: %lld, %d ms", percent, rows, row_ms,
						(long long)breath.rows, breath.nap_ms);
			}
		}
	}
}

/* Fewer batches, not smaller ones; more than that is as it was. */
static void little_is_left_to_fewer_batches(void **state)
{
	static const struct {
		double part, made_for;
	} cases[] = {{0.0, 0.08}, {0.02, 0.08}, {0.08, 0.08}, {0.1, 0.1}, {0.5, 0.5}, {1.0, 1.0}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (breath_part(cases[i].part) != cases[i].made_for)
			fail_msg("%g: %g", cases[i].part, breath_part(cases[i].part));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_it_sleeps_and_for_how_long),
		cmocka_unit_test(it_executes_for_its_part),
		cmocka_unit_test(however_it_is_the_naps_of_a_batch_are_few),
		cmocka_unit_test(little_is_left_to_fewer_batches),
	};

	return cmocka_run_group_tests_name("breath", tests, NULL, NULL);
}
