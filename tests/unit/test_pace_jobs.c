/*
 * pace: jobs that share what a cluster bears.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pace_scene.h"

#include <math.h>

#define ROUNDS 30

static const struct pace_wish usual = {
	.priority = 0, .fillers = 1, .max_lag_ms = 1000, .lag_target_ms = 500, .max_impact = 0};

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

static void how_jobs_share_what_a_cluster_bears(void **state)
{
	static const struct {
		const char *what;
		double replica_speed; /* MB a second; 0: there is none */
		struct {
			int priority;
			int64_t max_wal_rate; /* MB a second */
			double speed;         /* MB a second; 0: no job */
		} jobs[JOBS];
		double least[JOBS], most[JOBS]; /* MB a second */
	} cases[] = {
		{"one without limits", 0, {{0, 0, 50}}, {45}, {51}},
		{"one of a given rate", 0, {{0, 5, 50}}, {4.5}, {5.3}},
		{"one, and a replica that takes 20", 20, {{0, 0, 50}}, {15}, {21}},
		{"two equals", 20, {{0, 0, 50}, {0, 0, 50}}, {7.5, 7.5}, {11, 11}},
		{"two equals of different speed", 20, {{0, 0, 50}, {0, 0, 25}}, {7, 7}, {12, 12}},
		{"one that cannot use its half", 20, {{0, 0, 50}, {0, 0, 4}}, {10, 3.5}, {17, 4.1}},
		{"one of a given rate leaves the rest", 20, {{0, 0, 50}, {0, 3, 50}}, {12, 2.5}, {18, 3.3}},
		{"a higher priority takes all that it can use", 20, {{0, 0, 50}, {9, 0, 50}}, {0, 15}, {2, 21}},
		{"and leaves the rest", 20, {{0, 0, 50}, {9, 6, 50}}, {8, 5.2}, {15, 6.5}},
		{"three", 30, {{0, 0, 50}, {0, 0, 50}, {0, 0, 50}}, {7, 7, 7}, {11, 11, 11}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct scene scene;
		struct rate rates[JOBS];

		scene_begin(&scene);
		scene.replica_speed = cases[i].replica_speed;
		for (size_t j = 0; j < JOBS && cases[i].jobs[j].speed > 0; j++) {
			struct pace_wish wish = usual;

			wish.priority = cases[i].jobs[j].priority;
			wish.max_wal_rate = cases[i].jobs[j].max_wal_rate * (int64_t)MB;
			scene_join(&scene, j, &wish)->speed = cases[i].jobs[j].speed;
		}
		scene_run(&scene, 40);
		scene_measure(&scene, 20, rates);
		for (size_t j = 0; j < JOBS; j++) {
			if (rates[j].mb < cases[i].least[j] || rates[j].mb > cases[i].most[j])
				fail_msg("%s: number %zu has %g MB a second", cases[i].what, j, rates[j].mb);
		}
		scene_end(&scene);
	}
}

static void who_leaves_leaves_its_part_to_the_others(void **state)
{
	struct scene scene;
	struct rate rates[JOBS];

	(void)state;
	scene_begin(&scene);
	scene.replica_speed = 20;
	for (size_t i = 0; i < JOBS; i++)
		scene_join(&scene, i, &usual);
	scene_run(&scene, 40);
	pace_leave(scene.jobs[1].share); /* the middle one, and with a batch under way */
	scene.jobs[1].share = NULL;
	scene_run(&scene, 5);
	scene_measure(&scene, 20, rates);
	assert_true(rates[0].mb > 7.5 && rates[2].mb > 7.5);
	assert_true(rates[1].mb == 0);
	pace_leave(scene.jobs[0].share);
	scene.jobs[0].share = NULL;
	scene_run(&scene, 5);
	scene_measure(&scene, 20, rates);
	assert_true(rates[2].mb > 15);
	scene_join(&scene, 0, &usual); /* one more comes, and gets its part */
	scene_run(&scene, 5);
	scene_measure(&scene, 20, rates);
	assert_true(rates[0].mb > 7.5 && rates[2].mb > 7.5);
	scene_end(&scene);
}

static void who_may_not_go_leaves_its_part_to_the_others(void **state)
{
	static const int priorities[] = {0, 9};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(priorities); i++) {
		struct scene scene;
		struct pace_wish wish = usual;
		struct rate rates[JOBS];

		scene_begin(&scene);
		scene.replica_speed = 20;
		scene_join(&scene, 0, &usual);
		wish.priority = priorities[i];
		wish.opens_at = "22:00";
		scene_join(&scene, 1, &wish);
		scene_run(&scene, 40);
		scene_measure(&scene, 20, rates);
		if (rates[0].mb < 15)
			fail_msg("%g MB a second beside one of priority %d", rates[0].mb, priorities[i]);
		scene_end(&scene);
	}
}

/* It has waited for its window for a while; from then on it is served first. */
static void who_may_go_again_has_its_part_at_once(void **state)
{
	struct scene scene;
	struct pace_wish wish = usual;
	struct rate rates[JOBS];
	struct pace_verdict verdict;

	(void)state;
	scene_begin(&scene);
	scene.replica_speed = 20;
	scene_join(&scene, 0, &usual);
	wish.priority = 9;
	wish.opens_at = "22:00";
	scene_join(&scene, 1, &wish);
	scene_run(&scene, 40);
	wish.opens_at = NULL;
	pace_change(scene.jobs[1].share, &wish);
	scene_run(&scene, 0.5);
	scene_measure(&scene, 2, rates);
	assert_true(rates[1].mb > 12);
	scene_run(&scene, 10);
	pace_ask(scene.jobs[0].share, scene.now_ms, &verdict);
	assert_string_equal(verdict.reason,
		"replica s1 takes no more WAL than this without falling behind; jobs of higher priority come first");
	scene_end(&scene);
}

/* What such a job has promised would bind the others for nothing. */
static void the_limits_of_a_job_outside_its_window_bind_nobody_else(void **state)
{
	static const bool other_is_there[] = {false, true};
	double busy[COUNT_OF(other_is_there)];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(other_is_there); i++) {
		struct scene scene;
		struct pace_wish wish = usual;
		struct rate rates[JOBS];

		scene_begin(&scene);
		scene.per_s = 200;
		wish.max_impact = 20;
		scene_join(&scene, 0, &wish);
		wish.max_impact = 1;
		wish.opens_at = "22:00";
		if (other_is_there[i])
			scene_join(&scene, 1, &wish);
		scene_run(&scene, 60);
		scene_measure(&scene, 60, rates);
		busy[i] = rates[0].busy;
		scene_end(&scene);
	}
	if (busy[1] < 0.8 * busy[0])
		fail_msg("%g of a connection, beside one that is away %g", busy[0], busy[1]);
}

static void beside_an_autovacuum_a_job_has_half_its_speed(void **state)
{
	static const int impacts[] = {0, 10};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(impacts); i++) {
		struct scene scene;
		struct pace_wish wish = usual;
		struct rate before[JOBS], beside[JOBS], after[JOBS];

		scene_begin(&scene);
		wish.max_impact = impacts[i];
		scene_join(&scene, 0, &wish);
		scene_join(&scene, 1, &wish);
		scene_run(&scene, 10);
		scene_measure(&scene, 5, before);
		pace_sample_table(scene.jobs[0].share, &(struct signals_table){.vacuum = SIGNALS_AUTOVACUUM});
		scene_run(&scene, 2);
		scene_measure(&scene, 20, beside);
		if (fabs(beside[0].busy / before[0].busy - 0.5) > 0.08)
			fail_msg("%g of a connection, beside an autovacuum %g", before[0].busy, beside[0].busy);
		assert_true(beside[1].busy > 0.9 * before[1].busy); /* another table */
		pace_sample_table(scene.jobs[0].share, &(struct signals_table){.vacuum = SIGNALS_NO_VACUUM});
		scene_run(&scene, 5);
		scene_measure(&scene, 10, after);
		assert_true(after[0].busy > 0.9 * before[0].busy);
		scene_end(&scene);
	}
}

static void a_job_that_does_not_look_at_the_application_is_not_held_for_it(void **state)
{
	struct scene scene;
	struct pace_wish wish = usual;
	struct rate rates[JOBS];
	struct pace_view view;

	(void)state;
	scene_begin(&scene);
	scene.per_s = 200;
	wish.max_impact = 10;
	scene_join(&scene, 0, &wish);
	scene_join(&scene, 1, &usual);
	scene_run(&scene, 5);
	scene_measure(&scene, 5, rates);
	pace_read(scene.jobs[0].share, &view);
	assert_true(view.duty > 0 && view.duty < 1);
	assert_false(view.replica_limits);
	assert_true(rates[0].busy < 0.6);
	assert_true(fabs(view.used - rates[0].busy) < 0.1);
	assert_true(rates[1].busy > 0.9);
	assert_true(fabs(pace_at_work_beside(scene.jobs[1].share) - view.used) < 1e-6);
	assert_true(pace_at_work_beside(scene.jobs[0].share) > 0.5); /* of ten seconds it has been there for */
	scene_end(&scene);
}

/* What was learnt beside one job is true for the next, but that nobody was there. */
static void an_application_that_comes_between_two_jobs_is_noticed(void **state)
{
	static const struct {
		const char *what;
		double seconds;      /* of the first job */
		double before, then; /* transactions a second */
		double least, most;  /* seconds of batches in the second job's first */
	} cases[] = {
		{"nobody", 20, 0, 0, 0.9, 1},
		{"nobody, then an application", 20, 0, 200, 0.03, 0.2},
		{"the same, after a job of a moment", 0.4, 0, 200, 0.03, 0.2},
		{"an application", 20, 200, 200, 0.05, 0.5},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct scene scene;
		struct pace_wish wish = usual;
		struct rate rates[JOBS];

		scene_begin(&scene);
		wish.max_impact = 10;
		scene.per_s = cases[i].before;
		scene_run(&scene, 3); /* the surveys of the time in which it is planned */
		scene_join(&scene, 0, &wish);
		scene_run(&scene, cases[i].seconds);
		pace_leave(scene.jobs[0].share);
		scene.jobs[0].share = NULL;
		scene.per_s = cases[i].then;
		scene_run(&scene, 3);
		scene_join(&scene, 1, &wish);
		scene_measure(&scene, 1, rates);
		if (rates[1].busy < cases[i].least || rates[1].busy > cases[i].most)
			fail_msg("%s: %g of a connection at once", cases[i].what, rates[1].busy);
		scene_end(&scene);
	}
}

/* They come to little by the other count; a limit in that is so many bytes the more. */
static void page_images_are_as_many_bytes_as_the_replica_takes(void **state)
{
	struct scene scene;
	struct rate rates[JOBS];
	struct pace_view view;

	(void)state;
	scene_begin(&scene);
	scene.replica_speed = 40;
	scene_join(&scene, 0, &usual)->record_bytes = 8192;
	scene.jobs[0].speed = 200;
	scene_run(&scene, 20);
	scene_measure(&scene, 20, rates);
	assert_true(rates[0].mb > 33 && rates[0].mb < 42);
	pace_read(scene.jobs[0].share, &view);
	assert_true(view.capacity > 30 * MB && view.capacity < 60 * MB);
	assert_true(view.replica_limits);
	scene_end(&scene);
}

static void a_limit_of_its_own_is_no_replica(void **state)
{
	struct scene scene;
	struct pace_wish wish = usual;
	struct pace_view view;

	(void)state;
	scene_begin(&scene);
	scene.replica_speed = 40;
	wish.max_wal_rate = 8 * (int64_t)MB;
	scene_join(&scene, 0, &usual)->speed = 200;
	scene_run(&scene, 10);
	pace_read(scene.jobs[0].share, &view);
	assert_true(view.replica_limits);
	pace_change(scene.jobs[0].share, &wish);
	scene_run(&scene, 10);
	pace_read(scene.jobs[0].share, &view);
	assert_false(view.replica_limits);
	scene_end(&scene);
}

static void the_application_is_told_of_when_it_is_why(void **state)
{
	struct scene scene;
	struct pace_wish wish = usual;
	struct pace_verdict verdict;

	(void)state;
	scene_begin(&scene);
	scene.per_s = 200;
	wish.max_impact = 10;
	scene_join(&scene, 0, &wish);
	scene_run(&scene, 8);
	scene.jobs[0].ends_ms = 0;
	pace_spend(scene.jobs[0].share, &(struct pace_batch){.ms = 5000}, scene.now_ms);
	pace_ask(scene.jobs[0].share, scene.now_ms, &verdict);
	assert_false(verdict.go);
	assert_string_equal(verdict.reason, "the application would be slowed by more than max_impact");
	assert_true(verdict.part < 1.0);
	scene_end(&scene);
}

/* Whoever fails batches, joins, leaves and changes its mind: nobody is stuck, nobody writes without end. */
static void whatever_jobs_do_the_others_go_on(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct scene scene;
		struct rate rates[JOBS];

		scene_begin(&scene);
		scene.replica_speed = (double)any(10, 40);
		scene.per_s = any(0, 1) == 0 ? 0 : 200;
		scene_join(&scene, 0, &usual); /* this one stays */
		for (int turn = 0; turn < 200; turn++) {
			size_t i = (size_t)any(1, JOBS - 1);
			struct scene_job *job = &scene.jobs[i];
			struct pace_wish wish = usual;

			wish.max_impact = (int)any(0, 1) * 10;
			wish.max_wal_rate = any(0, 2) * (int64_t)MB;
			if (!job->share) {
				scene_join(&scene, i, &wish);
			} else if (any(0, 3) == 0) {
				pace_leave(job->share);
				*job = (struct scene_job){.bytes = job->bytes, .ms = job->ms};
			} else if (any(0, 1) == 0) {
				job->ends_ms = 0; /* its batch failed */
			} else {
				pace_change(job->share, &wish);
			}
			scene_run(&scene, 0.3);
		}
		scene_measure(&scene, 20, rates);
		if (rates[0].mb < 0.15 * scene.replica_speed || rates[0].mb > 1.1 * scene.replica_speed)
			fail_msg("%g MB a second of %g", rates[0].mb, scene.replica_speed);
		scene_end(&scene);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_jobs_share_what_a_cluster_bears),
		cmocka_unit_test(who_leaves_leaves_its_part_to_the_others),
		cmocka_unit_test(who_may_not_go_leaves_its_part_to_the_others),
		cmocka_unit_test(who_may_go_again_has_its_part_at_once),
		cmocka_unit_test(the_limits_of_a_job_outside_its_window_bind_nobody_else),
		cmocka_unit_test(beside_an_autovacuum_a_job_has_half_its_speed),
		cmocka_unit_test(a_job_that_does_not_look_at_the_application_is_not_held_for_it),
		cmocka_unit_test(an_application_that_comes_between_two_jobs_is_noticed),
		cmocka_unit_test(page_images_are_as_many_bytes_as_the_replica_takes),
		cmocka_unit_test(a_limit_of_its_own_is_no_replica),
		cmocka_unit_test(the_application_is_told_of_when_it_is_why),
		cmocka_unit_test(whatever_jobs_do_the_others_go_on),
	};

	return cmocka_run_group_tests_name("pace_jobs", tests, NULL, NULL);
}
