/*
 * pace: what a job waits for, and what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pace_scene.h"

#include <string.h>

static const struct pace_wish usual = {
	.priority = 0, .fillers = 1, .max_lag_ms = 1000, .lag_target_ms = 500, .max_impact = 0};

#define PAUSE "a short pause, to learn how fast the application is without the fill (max_impact)"
#define STALE "the replica lag cannot be measured: no fresh sample from pg_stat_replication"

static void what_is_waited_for_and_in_which_order(void **state)
{
	static const struct {
		const char *what;
		const char *opens_at;
		bool silent, veto, learning;
		int max_impact;
		const char *reason; /* NULL: it goes */
	} cases[] = {
		{"nothing", NULL, false, false, false, 10, NULL},
		{"its daily window", "Monday 22:00", false, false, false, 10,
			"outside daily_window, which opens at Monday 22:00"},
		{"a sample", NULL, true, false, false, 10, STALE},
		{"the gate", NULL, false, true, false, 10, "throttle_query holds it: month's end"},
		{"a baseline", NULL, false, false, true, 10, PAUSE},
		{"a job that does not look at the application does not wait for its baseline", NULL, false, false,
			true, 0, NULL},
		{"the daily window before all", "22:00", true, true, true, 10,
			"outside daily_window, which opens at 22:00"},
		{"a stale sample is no evidence of anything else", NULL, true, true, true, 10, STALE},
		{"the gate before a baseline", NULL, false, true, true, 10, "throttle_query holds it: month's end"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct scene scene;
		struct pace_wish wish = usual;
		struct pace_share *other;
		struct pace_share *share;
		struct pace_verdict verdict;

		scene_begin(&scene);
		scene.per_s = cases[i].learning ? 100 : 0;
		wish.max_impact = 10; /* of another job, or nobody would look */
		other = pace_join(scene.pace, &wish, scene.now_ms);
		wish.max_impact = cases[i].max_impact;
		wish.opens_at = cases[i].opens_at;
		share = pace_join(scene.pace, &wish, scene.now_ms);
		scene_run(&scene, 3.5);
		if (cases[i].veto) {
			scene.signals.veto = SIGNALS_HOLD;
			scene.signals.veto_why = "month's end";
			scene_run(&scene, 0.2);
		}
		scene.silent = cases[i].silent;
		scene_run(&scene, cases[i].silent ? 1.5 : 0.05);
		pace_ask(share, scene.now_ms, &verdict);
		if (verdict.go != !cases[i].reason || !verdict.reason != !cases[i].reason ||
			(verdict.reason && strcmp(verdict.reason, cases[i].reason) != 0))
			fail_msg("%s: %s", cases[i].what, verdict.reason ? verdict.reason : "it goes");
		assert_true(verdict.go ? verdict.wait_ms == 0 : verdict.wait_ms > 0);
		assert_true(!pace_held_by(share) == !cases[i].reason);
		(void)other; /* pace_free() frees both */
		scene_end(&scene);
	}
}

static void a_used_portion_is_told_when_a_person_would_notice(void **state)
{
	static const struct {
		const char *what;
		int64_t max_wal_rate;
		int vacuum;
		int max_impact;
		double replica_speed; /* MB a second */
		struct pace_batch batch;
		int64_t later_ms;
		const char *reason; /* NULL: none is told */
		bool go;
	} cases[] = {
		{"a batch's turn", 1048576, SIGNALS_NO_VACUUM, 0, 0, {524288, 5242, 10, 0}, 0, NULL, false},
		{"its turn has come", 1048576, SIGNALS_NO_VACUUM, 0, 0, {524288, 5242, 10, 0}, 500, NULL, true},
		{"a long wait for max_wal_rate", 1048576, SIGNALS_NO_VACUUM, 0, 0, {5 << 20, 52428, 10, 0}, 0,
			"max_wal_rate", false},
		{"the end of it", 1048576, SIGNALS_NO_VACUUM, 0, 0, {5 << 20, 52428, 10, 0}, 4700, "max_wal_rate",
			false},
		{"no limits", 0, SIGNALS_NO_VACUUM, 0, 0, {500 << 20, 5242880, 100000, 0}, 0, NULL, true},
		{"the first batches beside a replica nobody knows", 0, SIGNALS_NO_VACUUM, 0, 1000,
			{40 << 20, 419430, 10, 0}, 0, "the start is slow: what the replicas take is not known yet",
			false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct scene scene;
		struct pace_wish wish = usual;
		struct signals_table table = {.surveyed_ms = START_MS, .vacuum = cases[i].vacuum};
		struct pace_share *share;
		struct pace_verdict verdict;

		scene_begin(&scene);
		scene.replica_speed = cases[i].replica_speed;
		wish.max_wal_rate = cases[i].max_wal_rate;
		wish.max_impact = cases[i].max_impact;
		share = pace_join(scene.pace, &wish, scene.now_ms);
		pace_sample_table(share, &table);
		scene_run(&scene, 0.3);
		pace_ask(share, scene.now_ms, &verdict);
		assert_true(verdict.go);
		pace_spend(share, &cases[i].batch, scene.now_ms);
		pace_ask(share, scene.now_ms, &verdict);
		if (cases[i].later_ms > 0) {
			scene_run(&scene, (double)cases[i].later_ms / 1000.0);
			pace_ask(share, scene.now_ms, &verdict);
		}
		if (verdict.go != cases[i].go || !verdict.reason != !cases[i].reason ||
			(verdict.reason && strcmp(verdict.reason, cases[i].reason) != 0))
			fail_msg("%s: %s, %s", cases[i].what, verdict.go ? "goes" : "waits",
				verdict.reason ? verdict.reason : "not said for what");
		assert_true(verdict.wait_ms <= 100);
		scene_end(&scene);
	}
}

/* Two connections that both wait all the time have waited as long as has passed, not twice that. */
static void what_connections_wait_is_added_up_as_their_mean(void **state)
{
	struct scene scene;
	struct pace_wish wish = usual;
	struct pace_share *share;

	(void)state;
	scene_begin(&scene);
	wish.fillers = 2;
	share = pace_join(scene.pace, &wish, scene.now_ms);
	for (int i = 0; i < 300; i++) {
		pace_wait(share, 5);
		pace_wait(share, 10);
	}
	assert_int_equal(pace_throttled_ms(share), 2250);
	pace_spend(share, &(struct pace_batch){.ms = 1, .napped_ms = 35}, scene.now_ms);
	assert_int_equal(pace_throttled_ms(share), 2267);
	/* Fewer are wanted, and both are at work yet; or one has nothing left to do. */
	wish.fillers = 1;
	wish.at_work = 2;
	pace_change(share, &wish);
	pace_wait(share, 100);
	assert_int_equal(pace_throttled_ms(share), 2317);
	wish.fillers = 2;
	wish.at_work = 1;
	pace_change(share, &wish);
	pace_wait(share, 100);
	assert_int_equal(pace_throttled_ms(share), 2417);
	scene_end(&scene);
}

/* A batch goes whenever it asks, and sleeps most of its time: that too is being held back. */
static void naps_are_told_and_added_up(void **state)
{
	struct scene scene;
	struct pace_wish wish = usual;
	struct pace_verdict verdict;
	struct pace_share *share;
	const struct pace_batch batch = {.wal_bytes = 1000, .wal_records = 10, .ms = 1, .napped_ms = 35};
	int64_t asleep_ms = 0;

	(void)state;
	scene_begin(&scene);
	scene.per_s = 400;
	wish.max_impact = 10;
	share = pace_join(scene.pace, &wish, scene.now_ms);
	for (int batches = 0; batches < 600; batches++) {
		pace_ask(share, scene.now_ms, &verdict);
		scene_run(&scene, 0.04);
		if (!verdict.go)
			continue;
		pace_spend(share, &batch, scene.now_ms);
		asleep_ms += 35;
	}
	pace_ask(share, scene.now_ms, &verdict);
	assert_true(asleep_ms > 10000);
	assert_string_equal(verdict.reason, "the application would be slowed by more than max_impact");
	assert_true(pace_throttled_ms(share) >= asleep_ms);
	scene_end(&scene);
}

/* The monitor has looked while the job was planned. */
static void beside_nobody_the_first_batch_goes_at_full_speed(void **state)
{
	(void)state;
	for (int seen = 0; seen < 2; seen++) {
		struct scene scene;
		struct pace_wish wish = usual;
		struct pace_share *share;
		struct pace_verdict verdict;

		scene_begin(&scene);
		wish.max_impact = 10;
		scene_run(&scene, seen ? 2.5 : 0);
		share = pace_join(scene.pace, &wish, scene.now_ms);
		scene_run(&scene, 0.15);
		pace_ask(share, scene.now_ms, &verdict);
		assert_true(verdict.go);
		assert_true(seen ? verdict.part == 1.0 : verdict.part < 0.2);
		scene_end(&scene);
	}
}

/* Another is still executing: nobody waits. */
static void what_may_not_go_ahead_has_not_waited(void **state)
{
	static const struct {
		const char *what;
		int64_t max_wal_rate;
		bool silent;
		bool goes;
	} cases[] = {
		{"nothing is in the way", 0, false, true},
		{"its portion is used", 1048576, false, false},
		{"nothing is known of the replicas", 0, true, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct pace_batch batch = {4 << 20, 41943, 100, 0};
		struct scene scene;
		struct pace_wish wish = usual;
		struct pace_share *share;
		struct pace_verdict verdict;

		scene_begin(&scene);
		wish.max_wal_rate = cases[i].max_wal_rate;
		share = pace_join(scene.pace, &wish, scene.now_ms);
		scene_run(&scene, 3.5);
		pace_ask(share, scene.now_ms, &verdict);
		assert_true(verdict.go);
		pace_spend(share, &batch, scene.now_ms);
		scene.silent = cases[i].silent;
		scene_run(&scene, cases[i].silent ? 1.5 : 0.05);
		if (pace_ask_ahead(share, scene.now_ms, &verdict) != cases[i].goes)
			fail_msg("%s", cases[i].what);
		pace_ask(share, scene.now_ms, &verdict);
		assert_true(verdict.go == cases[i].goes);
		scene_end(&scene);
	}
}

/* Or the history would say each second that it is over, and that it begins. */
static void what_may_not_go_ahead_changes_nothing_of_what_is_waited_for(void **state)
{
	const struct pace_batch batch = {5 << 20, 52428, 10, 0};
	struct scene scene;
	struct pace_wish wish = usual;
	struct pace_share *share;
	struct pace_verdict verdict;

	(void)state;
	scene_begin(&scene);
	wish.max_wal_rate = 1048576;
	share = pace_join(scene.pace, &wish, scene.now_ms);
	scene_run(&scene, 0.5);
	pace_ask(share, scene.now_ms, &verdict);
	pace_spend(share, &batch, scene.now_ms);
	pace_ask(share, scene.now_ms, &verdict);
	assert_string_equal(pace_held_by(share), "max_wal_rate");
	assert_false(pace_ask_ahead(share, scene.now_ms, &verdict));
	assert_string_equal(pace_held_by(share), "max_wal_rate");
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_waited_for_and_in_which_order),
		cmocka_unit_test(a_used_portion_is_told_when_a_person_would_notice),
		cmocka_unit_test(what_connections_wait_is_added_up_as_their_mean),
		cmocka_unit_test(naps_are_told_and_added_up),
		cmocka_unit_test(beside_nobody_the_first_batch_goes_at_full_speed),
		cmocka_unit_test(what_may_not_go_ahead_has_not_waited),
		cmocka_unit_test(what_may_not_go_ahead_changes_nothing_of_what_is_waited_for),
	};

	return cmocka_run_group_tests_name("pace_waits", tests, NULL, NULL);
}
