/*
 * lapse: what a server's clock that is set meanwhile makes of a batch's time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"
#include "daemon/lapse.h"

static void times_that_cannot_be_are_not_believed(void **state)
{
	static const struct {
		const char *what;
		double ms, active_ms, napped_ms; /* as the server tells them */
		double since_ms;
		int batches;
		double expected_ms, expected_active_ms, expected_napped_ms;
	} cases[] = {
		{"what can be", 10, 11, 0, 12, 1, 10, 11, 0},
		{"and naps", 10, 11, 30, 42, 1, 10, 11, 30},
		{"to the millisecond that our clock has", 10, 11.9, 0, 11, 1, 10, 11.9, 0},
		{"by a clock that runs faster", 10, 11, 100, 101, 1, 10, 11, 100},
		{"the clock was put forward by an hour", 3600010, 3600011, 0, 19, 1, 20, 20, 0},
		{"before its first statement", 10, 3600011, 0, 19, 1, 20, 20, 0},
		{"while it slept", 10, 11, 3600030, 39, 1, 40, 40, 0},
		{"back by an hour", -3599990, -3599989, 0, 19, 1, 20, 20, 0},
		{"back by an hour before its first statement", 10, -3599989, 0, 19, 1, 20, 20, 0},
		{"among four", 3600010, 3600011, 0, 79, 4, 20, 20, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct lapse lapse = {
			.ms = cases[i].ms, .active_ms = cases[i].active_ms, .napped_ms = cases[i].napped_ms};

		lapse_bound(&lapse, cases[i].since_ms, cases[i].batches);
		if (lapse.ms != cases[i].expected_ms || lapse.active_ms != cases[i].expected_active_ms ||
			lapse.napped_ms != cases[i].expected_napped_ms)
			fail_msg("%s: %g, %g and %g ms", cases[i].what, lapse.ms, lapse.active_ms, lapse.napped_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_that_cannot_be_are_not_believed),
	};

	return cmocka_run_group_tests_name("lapse", tests, NULL, NULL);
}
