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
		double part, batch_ms, trip_ms, row_ms;
		int64_t rows;
		int nap_ms;
	} cases[] = {
		{"all the time is its own", 1.0, 100, 0, 0.01, 0, 0},
		{"nothing is known of the rows' cost", 0.1, 3, 0, 0, 0, 0},
		{"nothing is left to it: it sleeps between batches", 0.0, 0, 0, 0.01, 0, 0},
		{"a tenth: a fifth of a millisecond, and what 2 ms leave", 0.1, 3, 0, 0.01, 22, 2},
		{"half: as long as the shortest nap", 0.5, 15, 0, 0.01, 100, 1},
		{"nine tenths: long bursts, since no nap is shorter", 0.9, 27, 0, 0.01, 900, 1},
		{"a row that takes longer than a burst", 0.1, 3, 0, 5, 1, 2},
		{"next to nothing: naps are not for ever", 0.001, 0.5, 0, 0.001, 20, 20},
		{"from afar it rests on the way", 0.1, 3, 30, 0.01, 25, 1},
		{"from so far that it rests enough", 0.5, 15, 30, 0.01, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct breath breath =
			breath_for(cases[i].part, cases[i].batch_ms, cases[i].trip_ms, cases[i].row_ms);

		if (breath.rows != cases[i].rows || breath.nap_ms != cases[i].nap_ms)
			fail_msg("%s: %lld rows, %d ms", cases[i].what, (long long)breath.rows, breath.nap_ms);
	}
}

/* Near the server, and where a burst has rows enough to be told exactly. */
static void it_executes_for_its_part(void **state)
{
	(void)state;
	for (int percent = 2; percent < 99; percent++) {
		double part = percent / 100.0, row_ms = 0.0005;
		struct breath breath = breath_for(part, 30.0 * part, 0, row_ms);
		double burst_ms = (double)breath.rows * row_ms;
		double within = burst_ms / (burst_ms + breath.nap_ms);

		if (fabs(within - part) > 0.01)
			fail_msg("%d %%: %g of the time", percent, within);
		assert_in_range(breath.nap_ms, 1, 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_it_sleeps_and_for_how_long),
		cmocka_unit_test(it_executes_for_its_part),
	};

	return cmocka_run_group_tests_name("breath", tests, NULL, NULL);
}
