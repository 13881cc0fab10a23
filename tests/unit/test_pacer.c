/*
 * pacer: against replicas of known speed that replay what a primary writes; what it does when one falls
 * behind, vanishes, and after an overload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pacer_scene.h"

#include <string.h>

#define ROUNDS 60

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

static void what_the_fills_may_write(void **state)
{
	static const struct {
		const char *what;
		struct {
			const char *name;
			double speed;
			bool unknown;
		} replicas[REPLICAS];
		double foreground, want; /* MB a second */
		int seconds;
		double least, most;  /* MB a second that is allowed then */
		const char *slowest; /* NULL: none of them sets it */
	} cases[] = {
		{"no replicas: no limit", {{0}}, 20, AS_MUCH_AS_MAY, 5, INFINITY, INFINITY, NULL},
		{"one that may or may not follow: slowly at first", {{"s1", 100, false}}, 0, 1, 1, 8, 8, NULL},
		{"and no more than is used", {{"s1", 100, false}}, 0, 1, 20, 8, 8, NULL},
		{"one whose lag is not known", {{"s1", 100, true}}, 0, 1, 20, 8, 8, NULL},
		{"one that keeps up with whatever is written", {{"s1", 1e9, false}}, 0, 900, 20, 900, INFINITY, NULL},
		{"one that takes 20", {{"s1", 20, false}}, 0, AS_MUCH_AS_MAY, 40, 14, 26, "s1"},
		{"less what others write", {{"s1", 20, false}}, 12, AS_MUCH_AS_MAY, 40, 5, 11, "s1"},
		{"others alone are too much for it", {{"s1", 20, false}}, 30, AS_MUCH_AS_MAY, 40, 0, 0.5, "s1"},
		{"the least of two counts", {{"s1", 40, false}, {"s2", 10, false}}, 0, AS_MUCH_AS_MAY, 40, 7, 13,
			"s2"},
		{"of three, in any order", {{"s1", 30, false}, {"s2", 10, false}, {"s3", 1e9, false}}, 0,
			AS_MUCH_AS_MAY, 40, 7, 13, "s2"},
		{"one that stands still from the start", {{"s1", 0, false}}, 0, AS_MUCH_AS_MAY, 10, 0, 0.5, "s1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct plant plant;
		double allowed;

		plant_begin(&plant);
		plant.foreground = cases[i].foreground;
		plant.want = cases[i].want;
		for (size_t r = 0; r < REPLICAS && cases[i].replicas[r].name; r++) {
			plant_add(&plant, r, cases[i].replicas[r].name, cases[i].replicas[r].speed);
			plant.replicas[r].unknown = cases[i].replicas[r].unknown;
		}
		plant_run(&plant, cases[i].seconds);
		allowed = plant.pacer.flows[PACER_BYTES].allowance / MB;
		if (!(allowed >= cases[i].least - 1e-9 && allowed <= cases[i].most + 1e-9))
			fail_msg("%s: %g MB a second", cases[i].what, allowed);
		if (!plant.pacer.flows[PACER_BYTES].slowest != !cases[i].slowest ||
			(cases[i].slowest && strcmp(plant.pacer.flows[PACER_BYTES].slowest, cases[i].slowest) != 0))
			fail_msg("%s: set by %s", cases[i].what,
				plant.pacer.flows[PACER_BYTES].slowest ? plant.pacer.flows[PACER_BYTES].slowest : "nobody");
		if (isinf(plant.pacer.flows[PACER_BYTES].capacity) != !cases[i].slowest)
			fail_msg("%s: capacity %g", cases[i].what, plant.pacer.flows[PACER_BYTES].capacity);
		pacer_free(&plant.pacer);
	}
}

static void nothing_is_judged_without_a_pulse_or_twice_in_a_moment(void **state)
{
	struct pacer pacer;
	const double none[PACER_COUNTS] = {0}, some[PACER_COUNTS] = {100, 100};
	struct signals_replica replica = {.name = "s1", .replayed = 1000};
	struct signals signals = {.written = 1000, .flushed = 1000, .replicas = &replica, .replicas_count = 1};

	(void)state;
	pacer_start(&pacer);
	pacer_sample(&pacer, &signals, none, LAG_TARGET_MS, 1000);
	assert_int_equal(pacer.judged_ms, 0);
	signals.pulse_ms = 1000;
	pacer_sample(&pacer, &signals, none, LAG_TARGET_MS, 1000);
	pacer_sample(&pacer, &signals, some, LAG_TARGET_MS, 1099);
	assert_int_equal(pacer.judged_ms, 1000);
	assert_true(pacer.flows[PACER_BYTES].filled == 0);
	pacer_sample(&pacer, &signals, some, LAG_TARGET_MS, 1100);
	assert_int_equal(pacer.judged_ms, 1100);
	assert_true(pacer.flows[PACER_BYTES].filled == 100);
	pacer_free(&pacer);
}

/* All standbys of a cluster may have its name. */
static void of_two_sources_are_two_replicas_of_one_name(void **state)
{
	struct pacer pacer;
	const double none[PACER_COUNTS] = {0};
	struct signals_replica replicas[] = {
		{.name = "s1", .replayed = 1000}, {.name = "s1", .source = 1, .replayed = 900}};
	struct signals signals = {
		.pulse_ms = 1000, .written = 1000, .flushed = 1000, .replicas = replicas, .replicas_count = 2};

	(void)state;
	pacer_start(&pacer);
	pacer_sample(&pacer, &signals, none, LAG_TARGET_MS, 1000);
	signals.pulse_ms = 1100;
	pacer_sample(&pacer, &signals, none, LAG_TARGET_MS, 1100);
	assert_int_equal(pacer.replicas_count, 2);
	pacer_free(&pacer);
}

static void a_replica_that_slows_down_is_followed_and_never_overrun(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "s1", 40);
	plant_run(&plant, 30);
	plant.lag_most_ms = 0;
	assert_true(fabs(plant_run(&plant, 10) - 40) < 6);
	plant.replicas[0].speed = 25;
	plant_run(&plant, 10);
	assert_true(fabs(plant_run(&plant, 10) - 25) < 5);
	assert_true(plant.lag_most_ms <= MAX_LAG_MS);
	plant.replicas[0].speed = 40; /* and back */
	plant_run(&plant, 20);
	assert_true(plant_run(&plant, 10) > 32);
	pacer_free(&plant.pacer);
}

static void one_that_stands_still_stops_the_fills(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "s1", 20);
	plant_run(&plant, 30);
	plant.replicas[0].speed = 0;
	plant_run(&plant, 5);
	assert_true(plant_run(&plant, 1) < 0.01);
	plant.replicas[0].speed = 20;
	plant_run(&plant, 30);
	assert_true(plant_run(&plant, 10) > 14);
	pacer_free(&plant.pacer);
}

static void one_that_vanished_sets_nothing_and_is_forgotten(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "slow", 10);
	plant_add(&plant, 1, "fast", 30);
	plant_run(&plant, 30);
	assert_string_equal(plant.pacer.flows[PACER_BYTES].slowest, "slow");
	plant.replicas[0].gone = true;
	plant_step(&plant);
	assert_int_equal(plant.pacer.replicas_count, 1);
	assert_true(!plant.pacer.flows[PACER_BYTES].slowest ||
				strcmp(plant.pacer.flows[PACER_BYTES].slowest, "fast") == 0);
	plant.replicas[0] = (struct plant_replica){0}; /* no longer waited for */
	plant_run(&plant, 40);
	assert_true(fabs(plant_run(&plant, 10) - 30) < 6);
	plant_add(&plant, 0, "slow", 10); /* it is back, and nobody knows it any more */
	plant_run(&plant, 20);
	assert_true(fabs(plant_run(&plant, 10) - 10) < 3);
	assert_string_equal(plant.pacer.flows[PACER_BYTES].slowest, "slow");
	plant.replicas[0] = plant.replicas[1] = (struct plant_replica){0};
	plant_step(&plant);
	assert_int_equal(plant.pacer.replicas_count, 0);
	assert_null(plant.pacer.flows[PACER_BYTES].slowest);
	pacer_free(&plant.pacer);
}

static void the_first_climb_is_steep_while_what_is_allowed_is_used(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "s1", 1e9);
	plant.want = 1;
	plant_run(&plant, 10);
	assert_true(plant.pacer.first_climb);
	assert_true(plant.pacer.flows[PACER_BYTES].allowance == 8 * MB);
	plant.want = AS_MUCH_AS_MAY;
	plant_run(&plant, 8);
	assert_true(plant.pacer.flows[PACER_BYTES].allowance > 30 * MB);
	pacer_free(&plant.pacer);
}

static void a_climb_stops_where_lag_begins(void **state)
{
	static const double speeds[] = {2, 9, 20, 60, 200};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(speeds); i++) {
		struct plant plant;

		plant_begin(&plant);
		plant_add(&plant, 0, "s1", speeds[i]);
		plant_run(&plant, 60);
		/* of one that takes less than the start it cannot know before */
		if (plant.closings > (speeds[i] < 8 ? 1 : 0))
			fail_msg("%g MB a second: the gate closed %d times", speeds[i], plant.closings);
		assert_false(plant.pacer.first_climb);
		pacer_free(&plant.pacer);
	}
}

static void after_an_overload_it_climbs_from_half(void **state)
{
	struct plant plant;
	double before, climbed;

	(void)state;
	plant_begin(&plant);
	pacer_overloaded(&plant.pacer); /* of others: the fills have written nothing */
	assert_true(plant.pacer.first_climb);
	plant.want = 40;
	plant_run(&plant, 10);
	assert_true(isinf(plant.pacer.flows[PACER_BYTES].allowance));
	pacer_overloaded(&plant.pacer);
	plant_step(&plant);
	before = plant.pacer.flows[PACER_BYTES].allowance / MB;
	assert_true(before > 19 && before < 22);
	climbed = plant_run(&plant, 1);
	assert_true(climbed > 20 && climbed < 27);
	pacer_overloaded(&plant.pacer); /* again while it climbs: of what it had before the first one */
	plant_step(&plant);
	assert_true(plant.pacer.flows[PACER_BYTES].allowance / MB > 19 &&
				plant.pacer.flows[PACER_BYTES].allowance / MB < 22);
	plant_run(&plant, 10);
	assert_true(isinf(plant.pacer.flows[PACER_BYTES].allowance)); /* it is over */
	pacer_free(&plant.pacer);
}

/* What was taken for the network's by a larger lag_target_ms is too much for a smaller one. */
static void a_smaller_target_counts_at_once(void **state)
{
	enum { LATE = 20, STEPS = 100, THEN = 60 };
	double written[STEPS + 1] = {1e9}, filled[PACER_COUNTS] = {0};
	struct pacer pacer;

	(void)state;
	pacer_start(&pacer);
	for (int i = 1; i <= STEPS; i++) {
		double own = i < 40 ? 0.01 * MB : 0.1 * MB; /* hardly anything is filled, then a MB a second */
		uint64_t replayed = (uint64_t)written[i > LATE ? i - LATE : 0];
		struct signals_replica late = {.name = "a", .lag_ms = LATE * STEP_MS, .replayed = replayed};
		struct signals signals = {.replicas = &late, .replicas_count = 1, .pulse_ms = 1000 + i * STEP_MS};

		written[i] = written[i - 1] + own;
		filled[PACER_BYTES] += own;
		filled[PACER_PLAIN] += own;
		signals.written = signals.flushed = (uint64_t)written[i];
		pacer_sample(&pacer, &signals, filled, i < THEN ? 60000 : 500, signals.pulse_ms);
		if (i == THEN - 1)
			assert_true(pacer.flows[PACER_BYTES].allowance > MB);
	}
	assert_true(pacer.flows[PACER_BYTES].allowance < 0.1 * MB);
	pacer_free(&pacer);
}

/* A failover: the new primary may count its WAL from less than the old one. */
static void positions_that_go_back_are_no_rates(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "s1", 20);
	plant_run(&plant, 30);
	for (int step = 0; step <= plant.step; step++)
		plant.written[step] = fmin(plant.written[step], 5e8);
	plant.written[plant.step] = 5e8;
	plant.replicas[0].replayed = 5e8;
	plant_step(&plant);
	assert_true(plant.pacer.flows[PACER_BYTES].all >= 0.0 && plant.pacer.flows[PACER_BYTES].all < 100 * MB);
	plant_run(&plant, 30);
	assert_true(fabs(plant_run(&plant, 10) - 20) < 5);
	pacer_free(&plant.pacer);
}

/* Any few replicas, any foreground that leaves something: most of the rest is used, and nobody is late. */
static void the_rest_is_used_and_nobody_is_late(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct plant plant;
		size_t count = (size_t)any(1, REPLICAS);
		double least = INFINITY, used;

		plant_begin(&plant);
		for (size_t i = 0; i < count; i++) {
			static const char *const names[] = {"s1", "s2", "s3"};
			double speed = (double)any(10, 200);

			plant_add(&plant, i, names[i], speed);
			least = fmin(least, speed);
		}
		plant.foreground = least * (double)any(0, 60) / 100.0;
		plant_run(&plant, 60);
		plant.lag_most_ms = 0;
		used = plant_run(&plant, 60) / (least - plant.foreground);
		if (used < 0.85 || used > 1.02)
			fail_msg("%zu replicas, the least %g, others %g: %g of the rest", count, least, plant.foreground,
				used);
		if (plant.lag_most_ms > MAX_LAG_MS)
			fail_msg("%zu replicas, the least %g, others %g: %g ms", count, least, plant.foreground,
				plant.lag_most_ms);
		pacer_free(&plant.pacer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_fills_may_write),
		cmocka_unit_test(nothing_is_judged_without_a_pulse_or_twice_in_a_moment),
		cmocka_unit_test(of_two_sources_are_two_replicas_of_one_name),
		cmocka_unit_test(a_replica_that_slows_down_is_followed_and_never_overrun),
		cmocka_unit_test(one_that_stands_still_stops_the_fills),
		cmocka_unit_test(one_that_vanished_sets_nothing_and_is_forgotten),
		cmocka_unit_test(the_first_climb_is_steep_while_what_is_allowed_is_used),
		cmocka_unit_test(a_climb_stops_where_lag_begins),
		cmocka_unit_test(after_an_overload_it_climbs_from_half),
		cmocka_unit_test(a_smaller_target_counts_at_once),
		cmocka_unit_test(positions_that_go_back_are_no_rates),
		cmocka_unit_test(the_rest_is_used_and_nobody_is_late),
	};

	return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
