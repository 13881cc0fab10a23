/*
 * pace: the sizer against plants of constant and of changing cost, and the gate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/pace.h"

#include <string.h>

#define ROUNDS 2000

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

/* ---- the sizer ---- */

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
		struct pace_sizer sizer;

		pace_sizer_start(&sizer, cases[i].pages, 1000, 100);
		pace_sizer_learn(&sizer, cases[i].batch, cases[i].ms, 0);
		if (sizer.pages != cases[i].then)
			fail_msg("%s: %d pages", cases[i].what, (int)sizer.pages);
	}
}

static void a_first_batch_is_within_the_most(void **state)
{
	struct pace_sizer sizer;

	(void)state;
	pace_sizer_start(&sizer, 64, 8, 100);
	assert_int_equal(sizer.pages, 8);
}

static void one_quick_batch_among_slow_ones_changes_nothing(void **state)
{
	struct pace_sizer sizer;

	(void)state;
	pace_sizer_start(&sizer, 100, 1000, 100);
	for (int i = 0; i < PACE_SAMPLES; i++)
		pace_sizer_learn(&sizer, 100, 100, i);
	pace_sizer_learn(&sizer, 100, 1, PACE_SAMPLES);
	assert_int_equal(sizer.pages, 100);
}

static void after_a_refusal_it_is_half_and_grows_no_sooner_than_ten_seconds_later(void **state)
{
	struct pace_sizer sizer;

	(void)state;
	pace_sizer_start(&sizer, 100, 1000, 100);
	pace_sizer_halve(&sizer, 5000);
	assert_int_equal(sizer.pages, 50);
	pace_sizer_learn(&sizer, 50, 10, 14999);
	assert_int_equal(sizer.pages, 50);
	pace_sizer_learn(&sizer, 50, 200, 14999); /* but it shrinks */
	assert_int_equal(sizer.pages, 25);
	for (int i = 0; i < PACE_SAMPLES; i++)
		pace_sizer_learn(&sizer, sizer.pages, 10, 15000);
	assert_true(sizer.pages > 50);
	for (int i = 0; i < 20; i++)
		pace_sizer_halve(&sizer, 0);
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
		struct pace_sizer sizer;

		pace_sizer_start(&sizer, any(1, 512), most, target_ms);
		for (int batch = 0; batch < 60; batch++) {
			pace_sizer_learn(&sizer, sizer.pages, page_ms * (double)sizer.pages, batch);
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
		struct pace_sizer sizer;

		pace_sizer_start(&sizer, any(1, 5000), most, (int)any(1, 1000));
		for (int batch = 0; batch < 50; batch++) {
			int64_t before = sizer.pages;

			now_ms += any(0, 5000);
			if (any(0, 9) == 0)
				pace_sizer_halve(&sizer, now_ms);
			else
				pace_sizer_learn(&sizer, any(1, sizer.pages), (double)any(-10, 20000), now_ms);
			assert_in_range(sizer.pages, 1, most);
			assert_true(sizer.pages <= before * 3 / 2 + 1);
		}
	}
}

/* ---- the gate ---- */

static void what_closes_the_gate(void **state)
{
	static const struct {
		const char *what;
		int64_t sampled_ms;
		int replicas;
		struct pace_replica replica[2];
		int min_replicas;
		const char *reason; /* NULL: it is open */
	} cases[] = {
		{"no replicas, none wanted", 9000, 0, {{0}}, 0, NULL},
		{"a replica that keeps up", 9900, 1, {{"s1", 0, 0}}, 1, NULL},
		{"at the limit", 9900, 1, {{"s1", 1000, 0}}, 0, NULL},
		{"beyond the limit", 9900, 1, {{"s1", 1400, 0}}, 0, "replica s1 is 1.4 s behind"},
		{"one of two is behind", 9900, 2, {{"s1", 10, 0}, {"s2", 60000, 0}}, 0,
			"replica s2 is 60.0 s behind"},
		{"a lag nobody knows", 9900, 1, {{"s1", -1, 0}}, 0, "the lag of replica s1 is not known yet"},
		{"a replica that vanished", 9900, 1, {{"s1", 0, 3000}}, 0, "replica s1 vanished 3 s ago"},
		{"fewer than must be there", 9900, 1, {{"s1", 0, 0}}, 2,
			"1 of the 2 replicas that must be there are connected"},
		{"a sample a second old", 9000, 1, {{"s1", 0, 0}}, 0, NULL},
		{"an older one is no evidence", 8999, 1, {{"s1", 0, 0}}, 0,
			"the replica lag cannot be measured: no fresh sample from pg_stat_replication"},
		{"no sample yet", 0, 0, {{0}}, 0,
			"the replica lag cannot be measured: no fresh sample from pg_stat_replication"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct pace_gate gate = {0};
		struct pace_signals signals = {
			cases[i].sampled_ms, cases[i].replica, (size_t)cases[i].replicas, cases[i].min_replicas};
		bool open = pace_gate_may_go(&gate, &signals, 1000, 10000);

		if (open != !cases[i].reason || gate.closed == open)
			fail_msg("%s: %s", cases[i].what, open ? "open" : text_is(&gate.reason));
		if (strcmp(text_is(&gate.reason), cases[i].reason ? cases[i].reason : "") != 0)
			fail_msg("%s: %s", cases[i].what, text_is(&gate.reason));
		pace_gate_free(&gate);
	}
}

static bool sample(struct pace_gate *gate, int64_t lag_ms, int64_t at_ms)
{
	struct pace_replica replica = {"s1", lag_ms, 0};
	struct pace_signals signals = {at_ms, &replica, 1, 0};

	return pace_gate_may_go(gate, &signals, 1000, at_ms);
}

static void it_opens_again_after_two_fresh_samples_of_at_most_half(void **state)
{
	struct pace_gate gate = {0};
	struct pace_replica replica = {"s1", 100, 0};
	struct pace_signals signals = {1500, &replica, 1, 0};

	(void)state;
	assert_true(sample(&gate, 900, 1000));                       /* open: the whole limit */
	assert_false(sample(&gate, 1001, 1250));                     /* closed */
	assert_false(pace_gate_may_go(&gate, &signals, 1000, 1500)); /* one good sample … */
	assert_false(pace_gate_may_go(&gate, &signals, 1000, 1600)); /* … is one, however often it is looked at */
	assert_false(sample(&gate, 501, 1750));                      /* above half: from the start again */
	assert_false(sample(&gate, 400, 2000));
	assert_true(gate.reason.length > 0);
	assert_true(sample(&gate, 400, 2250));
	assert_int_equal(gate.reason.length, 0);
	assert_true(sample(&gate, 900, 2500)); /* the whole limit again */
	pace_gate_free(&gate);
}

static void lag_that_swings_between_half_and_the_limit_moves_it_once(void **state)
{
	struct pace_gate gate = {0};
	int moves = 0;
	bool was_open = true;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		bool open = sample(&gate, i == 100 ? 1200 : any(501, 1000), 1000 + 250 * i);

		moves += open != was_open;
		was_open = open;
	}
	assert_int_equal(moves, 1);
	assert_true(gate.closed);
	pace_gate_free(&gate);
}

static void a_closed_gate_always_says_why(void **state)
{
	struct pace_gate gate = {0};

	(void)state;
	for (int i = 1; i < ROUNDS; i++) {
		bool open = sample(&gate, any(-1, 1500), 1000 + 250 * i);

		assert_int_equal(open, !gate.closed);
		assert_int_equal(open, gate.reason.length == 0);
	}
	pace_gate_free(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_sizer_learns_from_one_batch),
		cmocka_unit_test(a_first_batch_is_within_the_most),
		cmocka_unit_test(one_quick_batch_among_slow_ones_changes_nothing),
		cmocka_unit_test(after_a_refusal_it_is_half_and_grows_no_sooner_than_ten_seconds_later),
		cmocka_unit_test(a_plant_of_constant_cost_is_run_at_its_target),
		cmocka_unit_test(whatever_it_is_told_it_stays_within_its_bounds),
		cmocka_unit_test(what_closes_the_gate),
		cmocka_unit_test(it_opens_again_after_two_fresh_samples_of_at_most_half),
		cmocka_unit_test(lag_that_swings_between_half_and_the_limit_moves_it_once),
		cmocka_unit_test(a_closed_gate_always_says_why),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
