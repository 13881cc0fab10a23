/*
 * vacuum: what part of the time one may have, and the cost limit with which it has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/vacuum.h"

static void beside_batches_and_replicas_it_has_its_part(void **state)
{
	static const struct {
		const char *what;
		double time, used;
		bool replica_limits, stands;
		double vacuum_bytes;
		double part;
	} cases[] = {
		{"nothing limits", -1, 1, false, false, -1, 1.0},
		{"half of what batches may have", 0.2, 0.2, false, false, -1, 0.1},
		{"never more than all of the time", 4, 4, false, false, -1, 1.0},
		{"a replica limits: an eighth of what batches use", -1, 0.4, true, false, -1, 0.05},
		{"those of two workers", -1, 1.6, true, false, -1, 0.2},
		{"which stand still", -1, 0, true, false, -1, 0.04},
		{"both do: the lesser", 0.2, 1.6, true, false, -1, 0.1},
		{"both do, the replica more", 0.8, 0.4, true, false, -1, 0.05},
		{"batches may not go at all", 0.2, 0.2, false, true, -1, 0},
		/* 21 credits for 8192 bytes: 2563 a second, 5.4 before each sleep, where 260 are half of the time */
		{"max_wal_rate of 4 MB/s", -1, 1, false, false, 1e6, 0.0203},
		{"of 400 MB/s", -1, 1, false, false, 1e8, 0.6744},
		{"a tight one beside an application", 0.2, 0.2, false, false, 1e6, 0.0203},
		{"a wide one", 0.2, 0.2, false, false, 1e8, 0.1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double part = vacuum_part(&(struct pace_view){
			.time = cases[i].time,
			.used = cases[i].used,
			.replica_limits = cases[i].replica_limits,
			.stands = cases[i].stands,
			.vacuum_bytes = cases[i].vacuum_bytes,
		});

		if (part < 0.999 * cases[i].part || part > 1.001 * cases[i].part)
			fail_msg("%s: %g", cases[i].what, part);
	}
}

static void a_part_is_a_cost_limit(void **state)
{
	(void)state;
	assert_int_equal(vacuum_cost_limit(1.0), 2000);
	assert_int_equal(vacuum_cost_limit(0.5), 260);
	assert_int_equal(vacuum_cost_limit(0.0001), 1);
	for (double part = 0.05; part < 0.85; part += 0.05)
		assert_true(vacuum_cost_limit(part) < vacuum_cost_limit(part + 0.05));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_batches_and_replicas_it_has_its_part),
		cmocka_unit_test(a_part_is_a_cost_limit),
	};

	return cmocka_run_group_tests_name("vacuum", tests, NULL, NULL);
}
