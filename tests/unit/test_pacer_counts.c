/*
 * pacer: WAL that costs a replica more or less than its bytes tell: images of pages, and what a VACUUM
 * writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pacer_scene.h"

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
		cmocka_unit_test(images_are_taken_for_what_the_replica_shows_them_to_be),
		cmocka_unit_test(a_count_that_was_hardly_used_is_begun_without_haste),
		cmocka_unit_test(a_vacuum_of_ours_is_no_measure_of_what_comes_after_it),
		cmocka_unit_test(one_that_only_a_vacuum_slowed_is_as_fast_as_it_was),
	};

	return cmocka_run_group_tests_name("pacer_counts", tests, NULL, NULL);
}
