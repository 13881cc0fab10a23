/*
 * sizer: against plants of constant and of changing cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/sizer.h"

#define ROUNDS 2000

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

static void what_a_sizer_learns_from_one_batch(void **state)
{
	static const struct {
		const char *what;
		int64_t pages; /* of the sizer, target 100 ms, at most 1000 */
		int64_t batch;
		double ms;
		int64_t then;
	} cases[] = {
		{"just right", 100, 100, 100, 100},
		{"twice as long as it should: half", 100, 100, 200, 50},
		{"a little too long", 100, 100, 125, 80},
		{"half the time: at most half as much again", 100, 100, 50, 151},
		{"it cost nothing: the same", 100, 100, 0, 151},
		{"a clock that went back", 100, 100, -5, 151},
		{"five times the target is still steered", 100, 100, 500, 20},
		{"beyond that: a tenth of that batch at once", 100, 100, 501, 10},
		{"the end of a window is no evidence", 100, 49, 400, 100},
		{"unless it was an emergency", 100, 20, 501, 2},
		{"half a batch is evidence", 100, 50, 100, 50},
		{"never more than the most", 900, 900, 10, 1000},
		{"never less than a page", 1, 1, 400, 1},
		{"one page grows", 1, 1, 10, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sizer sizer;

		sizer_start(&sizer, cases[i].pages, 1000, 100);
		sizer_learn(&sizer, cases[i].batch, cases[i].ms, 0, 0);
		if (sizer.pages != cases[i].then)
			fail_msg("%s: %d pages", cases[i].what, (int)sizer.pages);
	}
}

static void how_long_a_batch_should_execute(void **state)
{
	static const struct {
		const char *what;
		double most_ms, part, trip_ms;
		double ms;
	} cases[] = {
		{"all the time", 100, 1, 0, 100},
		{"all the time, from afar", 100, 1, 20, 100},
		{"half of the time: it goes on for 35 ms, naps and all", 100, 0.5, 0, 17.5},
		{"a tenth", 100, 0.1, 0, 3.5},
		{"a tenth of less than 35 ms", 10, 0.1, 0, 1},
		{"none", 100, 0, 20, 0},
		{"short ones are not made longer", 0.5, 0.1, 20, 0.5},
		{"from afar as long as the part takes", 100, 0.4, 60, 40},
		{"but no longer than the most", 10, 0.9, 20, 10},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double ms = sizer_batch_ms(cases[i].most_ms, cases[i].part, cases[i].trip_ms);

		if (ms < 0.999 * cases[i].ms || ms > 1.001 * cases[i].ms)
			fail_msg("%s: %g ms", cases[i].what, ms);
	}
}

/* While little is allowed all batches are small; what a page costs then is learnt from these. */
static void a_limit_does_not_keep_it_from_learning(void **state)
{
	struct sizer sizer;
	double page_ms = 0.1;
	double ms = 0.0;

	(void)state;
	sizer_start(&sizer, 1000, 1000, 100);
	for (int i = 0; i < 50; i++) {
		int64_t pages = sizer_pages(&sizer, i < 20 ? 100 : 10, SIZER_MOST_BYTES);

		page_ms = i < 30 ? 0.1 : 1.0; /* the rest of the table is not cached */
		ms = page_ms * (double)pages;
		sizer_learn(&sizer, pages, ms, 0, 1000 * i);
	}
	if (ms > 15.0)
		fail_msg("batches that should execute for 10 ms take %.0f", ms);
}

static void a_first_batch_is_within_the_most(void **state)
{
	struct sizer sizer;

	(void)state;
	sizer_start(&sizer, 64, 8, 100);
	assert_int_equal(sizer.pages, 8);
}

/* Of pages nobody knows yet what they cost: full batches would be far too long. */
static void a_first_batch_is_small_where_little_is_allowed(void **state)
{
	struct sizer sizer;

	(void)state;
	sizer_start(&sizer, 64, 1000, 100);
	assert_int_equal(sizer_pages(&sizer, 3, SIZER_MOST_BYTES), 1);
	assert_int_equal(sizer_pages(&sizer, 50, SIZER_MOST_BYTES), 32);
	assert_int_equal(sizer_pages(&sizer, 100, SIZER_MOST_BYTES), 64);
	assert_int_equal(sizer_pages(&sizer, 100, 65536), 8);
}

static void one_quick_batch_among_slow_ones_changes_nothing(void **state)
{
	struct sizer sizer;

	(void)state;
	sizer_start(&sizer, 100, 1000, 100);
	for (int i = 0; i < SIZER_SAMPLES; i++)
		sizer_learn(&sizer, 100, 100, 0, i);
	sizer_learn(&sizer, 100, 1, 0, SIZER_SAMPLES);
	assert_int_equal(sizer.pages, 100);
}

static void after_a_refusal_it_is_half_and_grows_no_sooner_than_ten_seconds_later(void **state)
{
	struct sizer sizer;

	(void)state;
	sizer_start(&sizer, 100, 1000, 100);
	sizer_halve(&sizer, 100, 5000);
	assert_int_equal(sizer.pages, 50);
	sizer_learn(&sizer, 50, 10, 0, 14999);
	assert_int_equal(sizer.pages, 50);
	sizer_learn(&sizer, 50, 200, 0, 14999); /* but it shrinks */
	assert_int_equal(sizer.pages, 25);
	for (int i = 0; i < SIZER_SAMPLES; i++)
		sizer_learn(&sizer, sizer.pages, 10, 0, 15000);
	assert_true(sizer.pages > 50);
	for (int i = 0; i < 20; i++)
		sizer_halve(&sizer, sizer.pages, 0);
	assert_int_equal(sizer.pages, 1);
}

/* What is left of a window may be far less than a batch may have. */
static void it_is_half_of_the_batch_that_was_refused(void **state)
{
	struct sizer sizer;

	(void)state;
	sizer_start(&sizer, 64, 1000, 100);
	assert_int_equal(sizer_pages(&sizer, 100, INT64_MAX), 64);
	sizer_halve(&sizer, 6, 0);
	assert_int_equal(sizer.pages, 3);
	sizer_halve(&sizer, 48, 0); /* one that was sent before */
	assert_int_equal(sizer.pages, 1);
}

static void a_plant_of_constant_cost_is_run_at_its_target(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t most = any(8, 4096);
		int target_ms = (int)any(1, 10000);
		double page_ms = (double)any(1, 100000) / 1000.0;
		double ideal = target_ms / page_ms;
		struct sizer sizer;

		sizer_start(&sizer, any(1, 512), most, target_ms);
		for (int batch = 0; batch < 60; batch++) {
			sizer_learn(&sizer, sizer.pages, page_ms * (double)sizer.pages, 0, batch);
			assert_in_range(sizer.pages, 1, most);
		}
		if (ideal > (double)most)
			ideal = (double)most;
		if (ideal < 1.0)
			ideal = 1.0;
		if ((double)sizer.pages > ideal + 0.001 || (double)sizer.pages < ideal - 1.001)
			fail_msg("%d pages at %f ms each, target %d ms, most %d", (int)sizer.pages, page_ms, target_ms,
				(int)most);
	}
}

static void whatever_it_is_told_it_stays_within_its_bounds(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t most = any(1, 4096);
		int64_t now_ms = any(0, 1000000);
		struct sizer sizer;

		sizer_start(&sizer, any(1, 5000), most, (int)any(1, 1000));
		for (int batch = 0; batch < 50; batch++) {
			int64_t before = sizer.pages;

			now_ms += any(0, 5000);
			if (any(0, 9) == 0)
				sizer_halve(&sizer, any(1, sizer.pages), now_ms);
			else
				sizer_learn(&sizer, any(1, sizer.pages), (double)any(-10, 20000), 0, now_ms);
			assert_in_range(sizer.pages, 1, most);
			assert_true(sizer.pages <= before * 3 / 2 + 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_sizer_learns_from_one_batch),
		cmocka_unit_test(how_long_a_batch_should_execute),
		cmocka_unit_test(a_limit_does_not_keep_it_from_learning),
		cmocka_unit_test(a_first_batch_is_within_the_most),
		cmocka_unit_test(a_first_batch_is_small_where_little_is_allowed),
		cmocka_unit_test(one_quick_batch_among_slow_ones_changes_nothing),
		cmocka_unit_test(after_a_refusal_it_is_half_and_grows_no_sooner_than_ten_seconds_later),
		cmocka_unit_test(it_is_half_of_the_batch_that_was_refused),
		cmocka_unit_test(a_plant_of_constant_cost_is_run_at_its_target),
		cmocka_unit_test(whatever_it_is_told_it_stays_within_its_bounds),
	};

	return cmocka_run_group_tests_name("sizer", tests, NULL, NULL);
}
