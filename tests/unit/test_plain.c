/*
 * plain: what WAL counts without its page images, and where a position in the WAL is in that count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/plain.h"

#include <math.h>

#define EXACT 1e-6

static void what_wal_counts(void **state)
{
	static const struct {
		const char *what;
		int64_t bytes, records;
		double from, to;
	} cases[] = {
		{"nothing", 0, 0, 0, 0},
		{"a record of 100 bytes counts 100", 100, 1, 100, 100},
		{"so do a million of them", 100000000, 1000000, 1e8, 1e8},
		{"an image of 8 kB counts as a dozen of these", 8192, 1, 1000, 1500},
		{"a long record is less work than as many bytes of short ones", 2000, 1, 400, 420},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double plain = plain_bytes(cases[i].bytes, cases[i].records);

		if (plain < cases[i].from - EXACT || plain > cases[i].to + EXACT)
			fail_msg("%s: %g", cases[i].what, plain);
	}
}

static void where_a_position_is(void **state)
{
	static const struct {
		uint64_t lsn;
		double plain;
	} cases[] = {
		{900, 900},                 /* before all that is known: byte by byte */
		{1000, 1000},               /* noted */
		{1300, 1100},               /* halfway to the next, where images are */
		{1600, 1200}, {1650, 1250}, /* none here */
		{1700, 1300}, {1750, 1350}, /* not written when that was noted */
	};
	struct plain_map map = {0};

	(void)state;
	assert_true(plain_at(&map, 77) == 77);
	plain_note(&map, 1000, 1000);
	plain_note(&map, 1600, 1200);
	plain_note(&map, 1700, 1300);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double plain = plain_at(&map, cases[i].lsn);

		if (fabs(plain - cases[i].plain) > EXACT)
			fail_msg("%d: %g", (int)cases[i].lsn, plain);
	}
}

static void it_never_goes_back_but_with_the_wal_itself(void **state)
{
	struct plain_map map = {0};

	(void)state;
	plain_note(&map, 1000, 1000);
	plain_note(&map, 2000, 2000);
	plain_note(&map, 2000, 1200); /* a batch has told that most of it were images */
	assert_true(plain_at(&map, 2000) == 2000);
	plain_note(&map, 3000, 1900);
	assert_true(plain_at(&map, 3000) == 2000 && plain_at(&map, 2500) == 2000);
	assert_int_equal(map.count, 3);
	plain_note(&map, 500, 400); /* another primary */
	assert_int_equal(map.count, 1);
	assert_true(plain_at(&map, 500) == 400 && plain_at(&map, 400) == 300);
}

static void what_is_too_old_is_counted_from_the_oldest(void **state)
{
	struct plain_map map = {0};
	uint64_t oldest = 10 * 10;

	(void)state;
	for (uint64_t i = 0; i < PLAIN_POSITIONS + 10; i++)
		plain_note(&map, 10 * i, 5.0 * (double)i);
	assert_true(fabs(plain_at(&map, oldest) - 50) < EXACT);
	assert_true(fabs(plain_at(&map, oldest + 15) - 57.5) < EXACT);
	assert_true(fabs(plain_at(&map, oldest - 20) - 30) < EXACT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_wal_counts),
		cmocka_unit_test(where_a_position_is),
		cmocka_unit_test(it_never_goes_back_but_with_the_wal_itself),
		cmocka_unit_test(what_is_too_old_is_counted_from_the_oldest),
	};

	return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
