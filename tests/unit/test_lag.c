/*
 * lag: never negative, zero when all is replayed, and as old as the oldest position that is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/lag.h"

#define ROUNDS 300

static uint64_t dice = 99;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

static void how_far_behind(void **state)
{
	static const struct {
		const char *what;
		uint64_t replayed;
		int64_t lag_ms; /* at 10000; the primary was at 100 at 9000, 200 at 9250, 300 at 9500, 300 at 9750 */
	} cases[] = {
		{"it has replayed all", 300, 0},
		{"it is ahead of our last look", 400, 0},
		{"it lacks the last position, which was first seen at 9500", 299, 500},
		{"it has exactly the one before", 200, 500},
		{"it lacks two", 199, 750},
		{"it lacks everything we know of, and perhaps more", 0, -1},
	};
	struct lag_ring ring = {0};

	(void)state;
	assert_int_equal(lag_of(&ring, 10000, 0), 0); /* nothing is known that it lacks */
	lag_note(&ring, 9000, 100);
	lag_note(&ring, 9250, 200);
	lag_note(&ring, 9500, 300);
	lag_note(&ring, 9750, 300);
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (lag_of(&ring, 10000, cases[i].replayed) != cases[i].lag_ms)
			fail_msg("%s: %d", cases[i].what, (int)lag_of(&ring, 10000, cases[i].replayed));
}

static void a_failover_that_lost_wal_starts_anew(void **state)
{
	struct lag_ring ring = {0};

	(void)state;
	lag_note(&ring, 1000, 5000);
	lag_note(&ring, 1250, 6000);
	lag_note(&ring, 1500, 5500); /* the new primary never had the rest */
	lag_note(&ring, 1750, 5600);
	assert_int_equal(lag_of(&ring, 2000, 5600), 0);
	assert_int_equal(lag_of(&ring, 2000, 5550), 250);
}

static void an_idle_primary_makes_no_lag(void **state)
{
	struct lag_ring ring = {0};

	(void)state;
	for (int64_t now_ms = 0; now_ms < 3600000; now_ms += 250) {
		lag_note(&ring, now_ms, 100);
		assert_int_equal(lag_of(&ring, now_ms, 100), 0);
	}
	assert_int_equal(ring.count, 1);
}

static void a_replica_older_than_the_ring_is_at_least_that_far_behind(void **state)
{
	struct lag_ring ring = {0};
	int64_t now_ms = 0;

	(void)state;
	for (int i = 1; i <= 3 * LAG_POSITIONS; i++)
		lag_note(&ring, now_ms = 250 * i, (uint64_t)i);
	assert_int_equal(lag_of(&ring, now_ms, 0), 250 * (LAG_POSITIONS - 1));
	assert_int_equal(lag_of(&ring, now_ms, 3 * LAG_POSITIONS - 1), 0);
	assert_int_equal(lag_of(&ring, now_ms + 100, 3 * LAG_POSITIONS - 2), 350);
}

static void it_is_known_or_not_and_falls_with_what_is_replayed(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct lag_ring ring = {0};
		int64_t now_ms = any(0, 100000);
		uint64_t flushed = (uint64_t)any(1, 1000);

		for (int64_t i = any(1, 2000); i > 0; i--) {
			now_ms += any(0, 400);
			flushed += (uint64_t)any(0, 3);
			lag_note(&ring, now_ms, flushed);
		}
		now_ms += any(0, 400);
		assert_int_equal(lag_of(&ring, now_ms, flushed), 0);
		for (uint64_t behind = 0; behind < flushed; behind += (uint64_t)any(1, 50)) {
			int64_t lag_ms = lag_of(&ring, now_ms, flushed - behind);

			assert_true(lag_ms >= -1);
			assert_true(lag_ms == -1 || lag_ms >= lag_of(&ring, now_ms, flushed - behind / 2));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_far_behind),
		cmocka_unit_test(a_failover_that_lost_wal_starts_anew),
		cmocka_unit_test(an_idle_primary_makes_no_lag),
		cmocka_unit_test(a_replica_older_than_the_ring_is_at_least_that_far_behind),
		cmocka_unit_test(it_is_known_or_not_and_falls_with_what_is_replayed),
	};

	return cmocka_run_group_tests_name("lag", tests, NULL, NULL);
}
