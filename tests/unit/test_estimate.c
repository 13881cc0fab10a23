/*
 * estimate: near what was measured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/estimate.h"

/* Within a quarter: 1 M rows of 120 bytes, see the header. */
static void expect_near(const char *what, int64_t estimated, double measured)
{
	if ((double)estimated < 0.75 * measured || (double)estimated > 1.25 * measured)
		fail_msg("%s: %lld, measured %.0f", what, (long long)estimated, measured);
}

static void as_it_was_measured(void **state)
{
	struct estimate key_alone = estimate_fill(14650, 1e6, 0);
	struct estimate three = estimate_fill(14650, 1e6, 3);
	struct estimate index = estimate_index(13376, 1e6);

	(void)state;
	expect_near("ms, key alone", key_alone.ms, 3600);
	expect_near("WAL, key alone", key_alone.wal_bytes, 295e6);
	expect_near("ms, three indexes", three.ms, 7350);
	expect_near("WAL, three indexes", three.wal_bytes, 472e6);
	expect_near("ms of a scan", estimate_scan(13376).ms, 128);
	expect_near("ms of an index", index.ms, 2000);
	expect_near("WAL of an index", index.wal_bytes, 40e6);
}

static void a_table_that_was_never_analyzed(void **state)
{
	(void)state;
	assert_int_equal(estimate_fill(100, -1, 0).ms, estimate_fill(100, 6400, 0).ms);
	assert_int_equal(estimate_fill(0, -1, 0).wal_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_was_measured),
		cmocka_unit_test(a_table_that_was_never_analyzed),
	};

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
