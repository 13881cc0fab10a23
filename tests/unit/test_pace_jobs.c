/*
 * pace: what a job waits for and what is said of it; and jobs that share what a cluster bears, by a small
 * cluster of one replica and an application.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/pace.h"
#include "daemon/sizer.h"

#include <math.h>
#include <string.h>

#define MB (1024.0 * 1024.0)
#define START_MS 100000
#define TICK_MS 10
#define PULSE_MS 100
#define JOBS 3
#define PULSES_MOST 2000
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

/* ---- a cluster ---- */

struct scene_job {
	struct pace_share *share; /* NULL: it has left */
	double speed;             /* MB a second while a batch executes */
	int batch_ms;             /* of a whole one */
	struct pace_batch batch;
	int64_t ends_ms; /* 0: no batch is under way */
	double bytes;    /* ever */
	double ms;
};

struct scene {
	struct pace *pace;
	int64_t now_ms;
	struct signals signals;
	bool silent;          /* no samples come */
	double replica_speed; /* MB a second; 0: there is none */
	double replayed;
	double written[PULSES_MOST];
	int pulse;
	double per_s; /* transactions of the application, of 2 ms each */
	double transactions, active_ms;
	int64_t batches;
	struct scene_job jobs[JOBS];
};

static void scene_begin(struct scene *scene)
{
	*scene = (struct scene){.now_ms = START_MS,
		.written = {1e9},
		.replayed = 1e9,
		.signals = {.archiver_waiting = -1, .survey_ms = START_MS}};
	scene->pace = pace_new();
}

static void scene_end(struct scene *scene)
{
	pace_free(scene->pace);
}

static struct scene_job *scene_join(struct scene *scene, size_t i, const struct pace_wish *wish)
{
	scene->jobs[i] = (struct scene_job){.speed = 50, .batch_ms = 50};
	scene->jobs[i].share = pace_join(scene->pace, wish, scene->now_ms);
	return &scene->jobs[i];
}

static int64_t scene_lag_ms(const struct scene *scene)
{
	int pulse = scene->pulse;

	while (pulse > 0 && scene->written[pulse - 1] > scene->replayed)
		pulse--;
	return scene->written[scene->pulse] > scene->replayed ? (scene->pulse - pulse) * PULSE_MS : 0;
}

static void scene_survey(struct scene *scene)
{
	struct signals_traffic *traffic = &scene->signals.traffic;

	scene->signals.survey_ms = scene->now_ms;
	traffic->counted_ms = scene->now_ms;
	traffic->transactions = (int64_t)scene->transactions + scene->batches;
	traffic->active_ms = scene->active_ms;
	for (size_t i = 0; i < JOBS; i++)
		traffic->active_ms += scene->jobs[i].ms;
}

static void scene_pulse(struct scene *scene)
{
	struct signals_replica replica = {.name = "s1"};

	assert_true(scene->pulse + 1 < PULSES_MOST);
	scene->pulse++;
	scene->written[scene->pulse] = 1e9;
	for (size_t i = 0; i < JOBS; i++)
		scene->written[scene->pulse] += scene->jobs[i].bytes;
	scene->replayed =
		fmin(scene->replayed + scene->replica_speed * MB * PULSE_MS / 1000.0, scene->written[scene->pulse]);
	replica.lag_ms = scene_lag_ms(scene);
	replica.replayed = (uint64_t)scene->replayed;
	scene->signals.replicas = &replica;
	scene->signals.replicas_count = scene->replica_speed > 0 ? 1 : 0;
	scene->signals.pulse_ms = scene->now_ms;
	scene->signals.written = scene->signals.flushed = (uint64_t)scene->written[scene->pulse];
	if (scene->now_ms % 1000 == 0)
		scene_survey(scene);
	pace_sample(scene->pace, &scene->signals, scene->now_ms);
	scene->signals.replicas = NULL;
}

static void scene_work(struct scene *scene, struct scene_job *job)
{
	struct pace_verdict verdict;

	if (job->ends_ms != 0) {
		job->bytes += job->speed * MB * TICK_MS / 1000.0;
		job->ms += TICK_MS;
		if (scene->now_ms < job->ends_ms)
			return;
		job->ends_ms = 0;
		scene->batches++;
		pace_spend(job->share, &job->batch, scene->now_ms);
	}
	pace_ask(job->share, scene->now_ms, &verdict);
	assert_int_equal(verdict.go, verdict.wait_ms == 0);
	assert_true(verdict.batch_part > 0.0 && verdict.batch_part <= 1.0);
	assert_in_range(verdict.batch_bytes, 1, SIZER_MOST_BYTES);
	if (!verdict.go)
		return;
	job->batch.ms = fmax(
		fmin(job->batch_ms * verdict.batch_part, (double)verdict.batch_bytes / (job->speed * MB) * 1000.0),
		TICK_MS);
	job->batch.ms = TICK_MS * ceil(job->batch.ms / TICK_MS);
	job->batch.wal_bytes = (int64_t)(job->speed * MB * job->batch.ms / 1000.0);
	job->ends_ms = scene->now_ms + (int64_t)job->batch.ms;
}

static void scene_run(struct scene *scene, double seconds)
{
	int64_t end_ms = scene->now_ms + (int64_t)(seconds * 1000);

	while (scene->now_ms < end_ms) {
		scene->now_ms += TICK_MS;
		scene->transactions += scene->per_s * TICK_MS / 1000.0;
		scene->active_ms += scene->per_s * 2.0 * TICK_MS / 1000.0;
		for (size_t i = 0; i < JOBS; i++) {
			if (scene->jobs[i].share)
				scene_work(scene, &scene->jobs[i]);
		}
		if (!scene->silent && scene->now_ms % PULSE_MS == 0)
			scene_pulse(scene);
	}
}

/* What each job does a second from now on, of WAL in MB and of execution in seconds. */
struct rate {
	double mb, busy;
};

static void scene_measure(struct scene *scene, double seconds, struct rate rates[JOBS])
{
	struct scene_job before[JOBS];

	memcpy(before, scene->jobs, sizeof(before));
	scene_run(scene, seconds);
	for (size_t i = 0; i < JOBS; i++)
		rates[i] = (struct rate){(scene->jobs[i].bytes - before[i].bytes) / MB / seconds,
			(scene->jobs[i].ms - before[i].ms) / 1000.0 / seconds};
}

/* ---- what is waited for ---- */

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
		{"a batch's turn", 1048576, SIGNALS_NO_VACUUM, 0, 0, {524288, 10}, 0, NULL, false},
		{"its turn has come", 1048576, SIGNALS_NO_VACUUM, 0, 0, {524288, 10}, 500, NULL, true},
		{"a long wait for max_wal_rate", 1048576, SIGNALS_NO_VACUUM, 0, 0, {5 << 20, 10}, 0, "max_wal_rate",
			false},
		{"the end of it", 1048576, SIGNALS_NO_VACUUM, 0, 0, {5 << 20, 10}, 4700, "max_wal_rate", false},
		{"no limits", 0, SIGNALS_NO_VACUUM, 0, 0, {500 << 20, 100000}, 0, NULL, true},
		{"the first batches beside a replica nobody knows", 0, SIGNALS_NO_VACUUM, 0, 1000, {40 << 20, 10}, 0,
			"the start is slow: what the replicas take is not known yet", false},
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

static void what_it_was_made_to_wait_is_added_up(void **state)
{
	struct scene scene;
	struct pace_wish wish = usual;
	struct pace_share *share;
	struct pace_verdict verdict;

	(void)state;
	scene_begin(&scene);
	share = pace_join(scene.pace, &wish, scene.now_ms);
	scene_run(&scene, 1);
	pace_ask(share, scene.now_ms, &verdict);
	assert_true(verdict.go);
	assert_int_equal(pace_throttled_ms(share, scene.now_ms), 0);
	wish.opens_at = "22:00";
	pace_change(share, &wish);
	pace_ask(share, scene.now_ms, &verdict);
	scene_run(&scene, 3);
	assert_int_equal(pace_throttled_ms(share, scene.now_ms), 3000); /* it still waits */
	assert_string_equal(pace_held_by(share), "outside daily_window, which opens at 22:00");
	wish.opens_at = NULL;
	pace_change(share, &wish);
	pace_ask(share, scene.now_ms, &verdict);
	assert_true(verdict.go);
	assert_null(pace_held_by(share));
	scene_run(&scene, 5);
	assert_int_equal(pace_throttled_ms(share, scene.now_ms), 3000);
	scene_end(&scene);
}

/* ---- who gets how much ---- */

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
	assert_true(rates[0].busy < 0.6);
	assert_true(rates[1].busy > 0.9);
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
	pace_spend(scene.jobs[0].share, &(struct pace_batch){0, 5000}, scene.now_ms);
	pace_ask(scene.jobs[0].share, scene.now_ms, &verdict);
	assert_false(verdict.go);
	assert_string_equal(verdict.reason, "the application would be slowed by more than max_impact");
	assert_true(verdict.batch_part < 1.0);
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
		cmocka_unit_test(what_is_waited_for_and_in_which_order),
		cmocka_unit_test(a_used_portion_is_told_when_a_person_would_notice),
		cmocka_unit_test(what_it_was_made_to_wait_is_added_up),
		cmocka_unit_test(how_jobs_share_what_a_cluster_bears),
		cmocka_unit_test(who_leaves_leaves_its_part_to_the_others),
		cmocka_unit_test(beside_an_autovacuum_a_job_has_half_its_speed),
		cmocka_unit_test(a_job_that_does_not_look_at_the_application_is_not_held_for_it),
		cmocka_unit_test(the_application_is_told_of_when_it_is_why),
		cmocka_unit_test(whatever_jobs_do_the_others_go_on),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
