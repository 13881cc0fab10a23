/*
 * pacer: against replicas of known speed that replay what a primary writes; what it does when one falls
 * behind, vanishes, and after an overload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/pacer.h"

#include <math.h>
#include <string.h>

#define MB (1024.0 * 1024.0)
#define ROUNDS 60
#define STEP_MS 100
#define LAG_TARGET_MS 500
#define MAX_LAG_MS 1000
#define STEPS_MOST 3000
#define REPLICAS 3
#define AS_MUCH_AS_MAY INFINITY

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

/* ---- a primary and its replicas ---- */

struct plant_replica {
	const char *name; /* NULL: there is none */
	double speed;     /* MB a second, of WAL without images */
	double replayed;
	bool gone;
	bool unknown; /* its lag */
};

struct plant {
	struct pacer pacer;
	int step;
	double written[STEPS_MOST]; /* at the end of each step */
	double mix[STEPS_MOST];     /* bytes for one of work, of what was written in it */
	double filled[PACER_COUNTS];
	double foreground; /* MB a second */
	double dear;       /* work for a byte of it; 0: 1 */
	double want;       /* of the fills, MB a second */
	double images;     /* the fills' bytes for a plain byte; 0: 1 */
	bool narrow;       /* network: a byte is a byte */
	struct plant_replica replicas[REPLICAS];
	bool closed; /* the gate */
	int closings;
	double lag_most_ms; /* of all replicas, since it was set to 0 */
};

static void plant_begin(struct plant *plant)
{
	*plant = (struct plant){.want = AS_MUCH_AS_MAY, .written = {1e9}};
	pacer_start(&plant->pacer);
}

static void plant_add(struct plant *plant, size_t i, const char *name, double speed)
{
	plant->replicas[i] =
		(struct plant_replica){.name = name, .speed = speed, .replayed = plant->written[plant->step]};
}

static int64_t lag_of(const struct plant *plant, const struct plant_replica *replica)
{
	int step = plant->step;

	if (replica->unknown)
		return -1;
	while (step > 0 && plant->written[step - 1] > replica->replayed)
		step--;
	return plant->written[plant->step] > replica->replayed ? (plant->step - step) * STEP_MS : 0;
}

/* Where it is after so much work. */
static double replay_further(const struct plant *plant, double replayed, double work)
{
	int step = plant->step;

	while (step > 0 && plant->written[step - 1] > replayed)
		step--;
	for (; step <= plant->step; step++) {
		double mix = plant->mix[step] > 0.0 ? plant->mix[step] : 1.0;
		double left = fmax(plant->written[step] - replayed, 0.0);

		if (left >= work * mix)
			return replayed + work * mix;
		replayed += left;
		work -= left / mix;
	}
	return replayed;
}

static size_t replay(struct plant *plant, struct signals_replica *seen)
{
	size_t count = 0;
	bool late = false, good = true;

	for (size_t i = 0; i < REPLICAS; i++) {
		struct plant_replica *replica = &plant->replicas[i];
		int64_t lag_ms;

		if (!replica->name)
			continue;
		if (!replica->gone)
			replica->replayed =
				replay_further(plant, replica->replayed, replica->speed * MB * STEP_MS / 1000.0);
		lag_ms = lag_of(plant, replica);
		seen[count++] = (struct signals_replica){.name = replica->name,
			.lag_ms = lag_ms,
			.replayed = (uint64_t)replica->replayed,
			.vanished_ago = replica->gone ? 5000 : 0};
		late = late || lag_ms > MAX_LAG_MS;
		good = good && lag_ms <= MAX_LAG_MS / 2;
		plant->lag_most_ms = fmax(plant->lag_most_ms, (double)lag_ms);
	}
	if (late && !plant->closed) {
		plant->closings++;
		pacer_overloaded(&plant->pacer);
	}
	plant->closed = late || (plant->closed && !good);
	return count;
}

static void plant_step(struct plant *plant)
{
	struct signals_replica seen[REPLICAS];
	struct signals signals = {.replicas = seen};
	const struct pacer_flow *flows = plant->pacer.flows;
	double images = plant->images > 0.0 ? plant->images : 1.0;
	double may = fmin(flows[PACER_BYTES].allowance, flows[PACER_PLAIN].allowance * images);
	double own = plant->closed ? 0.0 : fmin(fmin(plant->want, 1000) * MB, may) * STEP_MS / 1000.0;
	double others = plant->foreground * MB * STEP_MS / 1000.0;

	assert_true(plant->step + 1 < STEPS_MOST);
	plant->step++;
	plant->filled[PACER_BYTES] += own;
	plant->filled[PACER_PLAIN] += own / images;
	plant->written[plant->step] = plant->written[plant->step - 1] + own + others;
	if (own + others > 0.0 && !plant->narrow)
		plant->mix[plant->step] = (own + others) / (own / images + others * fmax(plant->dear, 1.0));
	signals.replicas_count = replay(plant, seen);
	signals.written = signals.flushed = (uint64_t)plant->written[plant->step];
	signals.pulse_ms = 1000 + plant->step * STEP_MS;
	pacer_sample(&plant->pacer, &signals, plant->filled, LAG_TARGET_MS, signals.pulse_ms);
	if (isnan(plant->pacer.flows[PACER_BYTES].allowance) || plant->pacer.flows[PACER_BYTES].allowance < 0.0)
		fail_msg("an allowance of %g", plant->pacer.flows[PACER_BYTES].allowance);
}

/* MB a second that the fills wrote. */
static double plant_run(struct plant *plant, double seconds)
{
	double before = plant->filled[PACER_BYTES];

	for (int step = 0; step < seconds * 1000 / STEP_MS; step++)
		plant_step(plant);
	return (plant->filled[PACER_BYTES] - before) / MB / seconds;
}

/* A VACUUM of ours that writes so many MB a second, each of so much work, for so long. */
static void plant_vacuum(struct plant *plant, double mb, double dear, double seconds)
{
	pacer_accompany(&plant->pacer, true);
	plant->foreground = mb;
	plant->dear = dear;
	plant_run(plant, seconds);
	pacer_accompany(&plant->pacer, false);
	plant->foreground = plant->dear = 0;
}

/* ---- cases ---- */

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

/* A window begins with images, and goes on without. A processor that replays takes six times as much of
 * them, a narrow network no more than of anything. */
static void images_are_taken_for_what_the_replica_shows_them_to_be(void **state)
{
	static const struct {
		const char *what;
		bool narrow;
		double least, most; /* MB of images a second, once they have been seen often */
	} cases[] = {
		{"a processor", false, 70, 100},
		{"a network", true, 13, 16.5},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct plant plant;
		double images = 0.0;

		plant_begin(&plant);
		plant.narrow = cases[i].narrow;
		plant_add(&plant, 0, "s1", 16);
		for (int window = 0; window < 12; window++) {
			if (window == 2)
				plant.lag_most_ms = 0;
			plant.images = 6;
			images = plant_run(&plant, 2);
			plant.images = 1;
			plant_run(&plant, 3);
		}
		if (images < cases[i].least || images > cases[i].most)
			fail_msg("%s: %g MB of them a second", cases[i].what, images);
		if (plant.lag_most_ms > LAG_TARGET_MS)
			fail_msg("%s: %g ms", cases[i].what, plant.lag_most_ms);
		pacer_free(&plant.pacer);
	}
}

/* Images for which there is time enough say nothing of what comes after them. */
static void a_count_that_was_hardly_used_is_begun_without_haste(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "s1", 16);
	plant_run(&plant, 10);
	plant.images = 6;
	plant.want = 24;
	plant_run(&plant, 5);
	assert_true(plant.pacer.flows[PACER_PLAIN].allowance < 20 * MB);
	plant.images = 1;
	plant.want = AS_MUCH_AS_MAY;
	plant_run(&plant, 5);
	assert_true(plant_run(&plant, 5) > 15);
	pacer_free(&plant.pacer);
}

/* A replica that nothing had slowed before falls behind in a VACUUM: how fast it was seen to be is kept to.
 */
static void one_that_only_a_vacuum_slowed_is_as_fast_as_it_was(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "s1", 40);
	plant.want = 30;
	plant_run(&plant, 20);
	plant_vacuum(&plant, 10, 4, 6);
	plant_run(&plant, 1.5);
	assert_true(plant_run(&plant, 1) > 27);
	pacer_free(&plant.pacer);
}

/* Its WAL is a third as much as the replica's work with it tells. */
static void a_vacuum_of_ours_is_no_measure_of_what_comes_after_it(void **state)
{
	struct plant plant;

	(void)state;
	plant_begin(&plant);
	plant_add(&plant, 0, "s1", 16);
	plant_run(&plant, 10);
	for (int round = 0; round < 3; round++) {
		plant_vacuum(&plant, 4, 3, 6);
		plant_run(&plant, 0.5);
		assert_true(plant_run(&plant, 0.5) > 15);
	}
	assert_int_equal(plant.closings, 0);
	assert_true(plant.lag_most_ms <= LAG_TARGET_MS);
	pacer_free(&plant.pacer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_fills_may_write),
		cmocka_unit_test(nothing_is_judged_without_a_pulse_or_twice_in_a_moment),
		cmocka_unit_test(a_replica_that_slows_down_is_followed_and_never_overrun),
		cmocka_unit_test(one_that_stands_still_stops_the_fills),
		cmocka_unit_test(one_that_vanished_sets_nothing_and_is_forgotten),
		cmocka_unit_test(the_first_climb_is_steep_while_what_is_allowed_is_used),
		cmocka_unit_test(a_climb_stops_where_lag_begins),
		cmocka_unit_test(after_an_overload_it_climbs_from_half),
		cmocka_unit_test(positions_that_go_back_are_no_rates),
		cmocka_unit_test(images_are_taken_for_what_the_replica_shows_them_to_be),
		cmocka_unit_test(a_count_that_was_hardly_used_is_begun_without_haste),
		cmocka_unit_test(a_vacuum_of_ours_is_no_measure_of_what_comes_after_it),
		cmocka_unit_test(one_that_only_a_vacuum_slowed_is_as_fast_as_it_was),
		cmocka_unit_test(the_rest_is_used_and_nobody_is_late),
	};

	return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
