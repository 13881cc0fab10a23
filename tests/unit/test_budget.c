/*
 * budget: who gets how much, by tables and by what a fair division is; when the next portion may be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/budget.h"

#include <math.h>

#define ROUNDS 5000
#define CLAIMS 6
#define NO_LIMIT INFINITY
#define WHATEVER INFINITY

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

/* ---- division ---- */

static bool about(double is, double wanted)
{
	return is == wanted || fabs(is - wanted) <= 1e-9 * (1.0 + fabs(wanted));
}

static void who_gets_how_much(void **state)
{
	static const struct {
		const char *what;
		double total;
		size_t count;
		struct budget_claim claims[4];
		double given[4];
	} cases[] = {
		{"nobody", 100, 0, {{0}}, {0}},
		{"one alone gets it all", 100, 1, {{5, NO_LIMIT, WHATEVER, 0}}, {100}},
		{"or its limit", 100, 1, {{5, 30, WHATEVER, 0}}, {30}},
		{"or what it can use", 100, 1, {{5, NO_LIMIT, 20, 0}}, {20}},
		{"the less of the two", 100, 2, {{5, 10, 20, 0}, {5, 20, 10, 0}}, {10, 10}},
		{"equals get equal shares", 90, 3,
			{{5, NO_LIMIT, WHATEVER, 0}, {5, NO_LIMIT, WHATEVER, 0}, {5, NO_LIMIT, WHATEVER, 0}},
			{30, 30, 30}},
		{"what one cannot use goes to the others", 90, 3,
			{{5, NO_LIMIT, WHATEVER, 0}, {5, NO_LIMIT, 10, 0}, {5, NO_LIMIT, WHATEVER, 0}}, {40, 10, 40}},
		{"step by step", 100, 4,
			{{5, NO_LIMIT, WHATEVER, 0}, {5, NO_LIMIT, 28, 0}, {5, 26, WHATEVER, 0}, {5, NO_LIMIT, 10, 0}},
			{36, 28, 26, 10}},
		{"the higher priority is served first", 100, 2, {{1, NO_LIMIT, WHATEVER, 0}, {9, NO_LIMIT, 80, 0}},
			{20, 80}},
		{"and may leave nothing", 100, 3,
			{{1, NO_LIMIT, WHATEVER, 0}, {9, NO_LIMIT, WHATEVER, 0}, {9, NO_LIMIT, WHATEVER, 0}},
			{0, 50, 50}},
		{"three floors", 100, 4,
			{{-3, NO_LIMIT, WHATEVER, 0}, {0, NO_LIMIT, 30, 0}, {7, 50, WHATEVER, 0}, {0, NO_LIMIT, 10, 0}},
			{10, 30, 50, 10}},
		{"the ends of the range of priorities", 100, 2,
			{{INT32_MIN, NO_LIMIT, WHATEVER, 0}, {INT32_MAX, 60, WHATEVER, 0}}, {40, 60}},
		{"more than all can use stays where it is", 100, 2, {{5, 20, WHATEVER, 0}, {5, NO_LIMIT, 30, 0}},
			{20, 30}},
		{"nothing to divide", 0, 2, {{5, NO_LIMIT, WHATEVER, 0}, {1, 10, 10, 0}}, {0, 0}},
		{"who wants nothing gets nothing", 100, 2, {{5, NO_LIMIT, 0, 0}, {5, NO_LIMIT, WHATEVER, 0}},
			{0, 100}},
		{"no limit at all: each its own, whatever it showed that it can use", INFINITY, 3,
			{{5, NO_LIMIT, 10, 0}, {9, 40, WHATEVER, 0}, {1, 0, WHATEVER, 0}}, {INFINITY, 40, 0}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct budget_claim claims[4];

		for (size_t c = 0; c < COUNT_OF(claims); c++)
			claims[c] = cases[i].claims[c];
		budget_divide(cases[i].total, claims, cases[i].count);
		for (size_t c = 0; c < cases[i].count; c++) {
			if (!about(claims[c].given, cases[i].given[c]))
				fail_msg("%s: number %zu gets %g", cases[i].what, c, claims[c].given);
		}
	}
}

static double any_amount(void)
{
	int64_t which = any(0, 9);

	return which == 0  ? 0.0
		   : which < 4 ? INFINITY
		   : which < 7 ? (double)any(1, 100)
					   : (double)any(1, 100) / 7;
}

static double most_of(const struct budget_claim *claim)
{
	return fmin(claim->limit, claim->demand);
}

/* Who has less than it could use has no less than anybody of its priority, and who comes after it has
 * nothing.
 */
static void check_fair(double total, const struct budget_claim *claims, size_t count)
{
	double sum = 0.0, wanted = 0.0;

	for (size_t i = 0; i < count; i++) {
		sum += claims[i].given;
		wanted += most_of(&claims[i]);
		if (!(claims[i].given >= 0.0) || claims[i].given > most_of(&claims[i]) + 1e-9)
			fail_msg("of %g: %g given to one that can use %g", total, claims[i].given, most_of(&claims[i]));
		if (about(claims[i].given, most_of(&claims[i])))
			continue;
		for (size_t j = 0; j < count; j++) {
			if (claims[j].priority == claims[i].priority && claims[j].given > claims[i].given + 1e-9)
				fail_msg("of %g: %g for one, %g for its equal", total, claims[i].given, claims[j].given);
			if (claims[j].priority < claims[i].priority && claims[j].given > 1e-9)
				fail_msg(
					"of %g: %g for a lower priority before a higher one has enough", total, claims[j].given);
		}
	}
	if (!about(sum, fmin(total, wanted)))
		fail_msg("of %g, and %g wanted, %g were given", total, wanted, sum);
}

static void every_division_is_fair_and_gives_no_more_than_there_is(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct budget_claim claims[CLAIMS];
		size_t count = (size_t)any(1, CLAIMS);
		double total = any(0, 9) == 0 ? 0.0 : (double)any(1, 3000) / 11;

		for (size_t i = 0; i < count; i++)
			claims[i] =
				(struct budget_claim){(int)any(-1, 1), any_amount(), any_amount(), (double)any(-9, 9)};
		budget_divide(total, claims, count);
		check_fair(total, claims, count);
	}
}

/* ---- buckets ---- */

enum deed { END, RATE, TAKE, WAIT };

static void when_the_next_portion_may_be_had(void **state)
{
	static const struct {
		const char *what;
		struct {
			enum deed deed;
			int64_t at_ms;
			double amount; /* of WAIT: milliseconds; INFINITY: never */
		} deeds[8];
	} cases[] = {
		{"the first at once", {{RATE, 1000, 100}, {WAIT, 1000, 0}}},
		{"its debt is paid at the rate",
			{{RATE, 1000, 100}, {TAKE, 1000, 50}, {WAIT, 1000, 500}, {WAIT, 1200, 300}, {WAIT, 1500, 0}}},
		{"parts of a millisecond are waited for", {{RATE, 1000, 300}, {TAKE, 1000, 1}, {WAIT, 1000, 4}}},
		{"200 ms of what was not used are kept",
			{{RATE, 1000, 100}, {TAKE, 9000, 20}, {WAIT, 9000, 0}, {TAKE, 9000, 1}, {WAIT, 9000, 10}}},
		{"a portion of any size goes when there is no debt, and is paid for then",
			{{RATE, 1000, 10}, {TAKE, 1000, 1000}, {WAIT, 1000, 100000}}},
		{"what was given back may be had again",
			{{RATE, 1000, 100}, {TAKE, 1000, 50}, {TAKE, 1000, -50}, {WAIT, 1000, 0}}},
		{"a higher rate pays an old debt sooner",
			{{RATE, 1000, 100}, {TAKE, 1000, 100}, {RATE, 1500, 1000}, {WAIT, 1500, 50}, {WAIT, 1550, 0}}},
		{"a lower one later", {{RATE, 1000, 100}, {TAKE, 1000, 100}, {RATE, 1500, 10}, {WAIT, 1500, 5000}}},
		{"what was kept at a high rate is worth 200 ms of the low one",
			{{RATE, 1000, 1000}, {RATE, 2000, 10}, {TAKE, 2000, 3}, {WAIT, 2000, 100}}},
		{"rate 0: never, though nothing is owed",
			{{RATE, 1000, 0}, {WAIT, 1000, INFINITY}, {WAIT, 9000, INFINITY}}},
		{"until there is one again", {{RATE, 1000, 100}, {TAKE, 1000, 50}, {RATE, 1000, 0},
										 {WAIT, 5000, INFINITY}, {RATE, 5000, 100}, {WAIT, 5000, 500}}},
		{"no limit: always",
			{{RATE, 1000, INFINITY}, {TAKE, 1000, 1e15}, {WAIT, 1000, 0}, {TAKE, 1000, 1}, {WAIT, 1000, 0}}},
		{"what was owed before there was no limit is forgiven",
			{{RATE, 1000, 100}, {TAKE, 1000, 500}, {RATE, 1000, INFINITY}, {WAIT, 1000, 0}, {RATE, 1100, 100},
				{WAIT, 1100, 0}}},
		{"what was had without a limit is not owed when there is one",
			{{RATE, 1000, INFINITY}, {TAKE, 1000, 1e9}, {RATE, 2000, 100}, {WAIT, 2000, 0}, {TAKE, 2000, 10},
				{WAIT, 2000, 100}}},
		{"next to no rate: longer than there are milliseconds",
			{{RATE, 1000, 1e-12}, {TAKE, 1000, 4e6}, {WAIT, 1000, INFINITY}}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct budget_bucket bucket = {0};

		for (size_t d = 0; cases[i].deeds[d].deed != END; d++) {
			int64_t at_ms = cases[i].deeds[d].at_ms;
			double amount = cases[i].deeds[d].amount;
			int64_t wait_ms;

			if (cases[i].deeds[d].deed == RATE)
				budget_set_rate(&bucket, amount, at_ms);
			if (cases[i].deeds[d].deed == TAKE)
				budget_take(&bucket, amount, at_ms);
			if (cases[i].deeds[d].deed != WAIT)
				continue;
			wait_ms = budget_wait_ms(&bucket, at_ms);
			if (wait_ms != (isinf(amount) ? INT64_MAX : (int64_t)amount))
				fail_msg("%s: deed %zu: wait %lld ms", cases[i].what, d, (long long)wait_ms);
		}
	}
}

/* Whoever waits as long as it is told has its portion then, and all together take no more than the rate. */
static void who_waits_as_told_keeps_to_the_rate(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct budget_bucket bucket = {0};
		double rate = (double)any(1, 100000);
		double most = rate * (double)any(1, 400) / 1000.0; /* of a portion */
		double taken = 0.0, biggest = 0.0;
		int64_t start_ms = any(1, 1000000), now_ms = start_ms;

		budget_set_rate(&bucket, rate, now_ms);
		for (int portion = 0; portion < 30; portion++) {
			double amount = most * (double)any(1, 100) / 100.0;

			now_ms += any(0, 3) == 0 ? any(0, 500) : 0;
			now_ms += budget_wait_ms(&bucket, now_ms);
			assert_true(budget_wait_ms(&bucket, now_ms) <= 1); /* rounding */
			budget_take(&bucket, amount, now_ms);
			taken += amount;
			biggest = fmax(biggest, amount);
			if (taken >
				rate * (double)(now_ms - start_ms + BUDGET_BURST_MS) / 1000.0 + biggest + 0.001 * taken)
				fail_msg("%g taken in %d ms at %g a second", taken, (int)(now_ms - start_ms), rate);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_gets_how_much),
		cmocka_unit_test(every_division_is_fair_and_gives_no_more_than_there_is),
		cmocka_unit_test(when_the_next_portion_may_be_had),
		cmocka_unit_test(who_waits_as_told_keeps_to_the_rate),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
