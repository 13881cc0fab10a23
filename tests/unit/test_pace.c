/*
 * pace: jobs with wishes of their own on one cluster. What the laws do over time is the simulator's
 * (tests/sim).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/pace.h"
#include "daemon/sizer.h"

#include <math.h>

#define STEP_MS 1
#define BATCH_MS 100
#define JOBS_MOST 2
/* What a batch writes while it executes. */
#define BYTES_PER_MS 20000
/* An application of 400 transactions a second that each batch slows by half. */
#define PER_S 400.0
#define EACH_MS 0.6
#define SLOPE 0.5

/* One job with one filler. */
struct job {
	struct pace_share *share;
	struct pace_batch batch;
	bool executes;
	int64_t until_ms;
	double executed_ms;
};

struct scene {
	struct pace *pace;
	struct signals signals;
	int64_t now_ms;
	bool application;
	double transactions;
	double active_ms;
	int connection;
	struct job jobs[JOBS_MOST];
	size_t jobs_count;
};

static const struct pace_wish usual = {.fillers = 1, .max_lag_ms = 1000, .lag_target_ms = 500};

static void scene_begin(struct scene *scene)
{
	*scene = (struct scene){.pace = pace_new(), .now_ms = 1000};
	scene->signals.archiver_waiting = -1;
}

static void scene_end(struct scene *scene)
{
	pace_free(scene->pace);
}

static struct job *add_job(struct scene *scene, const struct pace_wish *wish)
{
	struct job *job = &scene->jobs[scene->jobs_count++];

	job->share = pace_join(scene->pace, wish, scene->now_ms);
	return job;
}

static void step_job(struct scene *scene, struct job *job)
{
	struct pace_verdict verdict;

	if (job->executes && scene->now_ms < job->until_ms)
		return;
	if (job->executes) {
		pace_spend(job->share, &job->batch, scene->now_ms);
		scene->signals.written += (uint64_t)job->batch.wal_bytes;
		scene->transactions += 1.0;
		scene->active_ms += 0.05; /* its COMMIT, more or less */
		job->executed_ms += job->batch.ms;
	}
	pace_ask(job->share, scene->now_ms, &verdict);
	job->executes = verdict.go;
	if (!verdict.go)
		return;
	job->batch.ms =
		fmin(sizer_batch_ms(BATCH_MS, verdict.part, 0.0), (double)verdict.batch_bytes / BYTES_PER_MS);
	job->batch.wal_bytes = (int64_t)(job->batch.ms * BYTES_PER_MS);
	job->batch.wal_records = job->batch.wal_bytes / 100;
	job->until_ms = scene->now_ms + (int64_t)job->batch.ms;
}

static void step(struct scene *scene)
{
	double executing = 0.0;

	scene->now_ms += STEP_MS;
	for (size_t i = 0; i < scene->jobs_count; i++) {
		step_job(scene, &scene->jobs[i]);
		executing += scene->jobs[i].executes ? 1.0 : 0.0;
	}
	if (scene->application) {
		scene->transactions += PER_S * STEP_MS / 1000.0;
		scene->active_ms += PER_S * STEP_MS / 1000.0 * EACH_MS * (1.0 + SLOPE * executing);
	}
	if (scene->now_ms % 100 != 0)
		return;
	scene->signals.pulse_ms = scene->now_ms;
	scene->signals.flushed = scene->signals.written;
	if (scene->now_ms % 1000 == 0) {
		scene->signals.survey_ms = scene->now_ms;
		scene->signals.traffic = (struct signals_traffic){.counted_ms = scene->now_ms,
			.connection = scene->connection,
			.transactions = (int64_t)scene->transactions,
			.active_ms = scene->active_ms};
	}
	pace_sample(scene->pace, &scene->signals, scene->now_ms);
}

static void run_steps(struct scene *scene, int steps)
{
	for (size_t i = 0; i < scene->jobs_count; i++)
		scene->jobs[i].executed_ms = 0.0;
	for (int i = 0; i < steps; i++)
		step(scene);
}

static void run(struct scene *scene, int seconds)
{
	run_steps(scene, seconds * 1000 / STEP_MS);
}

/* Part of the time in which its batches executed. */
static double busy(const struct job *job, int seconds)
{
	return job->executed_ms / 1000.0 / seconds;
}

static void assert_busy(const struct job *job, int seconds, double least, double most)
{
	if (busy(job, seconds) < least || busy(job, seconds) > most)
		fail_msg("it was busy for %.2f of the time, not %.2f to %.2f", busy(job, seconds), least, most);
}

static void beside_an_autovacuum_it_runs_at_half_speed(void **state)
{
	static const struct {
		const char *what;
		int before_s; /* at full speed */
		int pause_s;  /* outside its daily window */
	} cases[] = {
		{"after some time at full speed", 10, 0},
		{"from the start, when its own speed is not known", 0, 0},
		{"after a night outside its daily window", 10, 3600},
		{"after a short pause", 10, 30},
	};
	const struct signals_table vacuum = {.surveyed_ms = 1, .vacuum = SIGNALS_AUTOVACUUM};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct pace_wish shut = usual;
		struct scene scene;
		struct job *job;

		scene_begin(&scene);
		job = add_job(&scene, &usual);
		run(&scene, cases[i].before_s);
		shut.opens_at = "22:00";
		pace_change(job->share, &shut);
		run(&scene, cases[i].pause_s);
		pace_change(job->share, &usual);
		pace_sample_table(job->share, &vacuum);
		run(&scene, 5);
		run(&scene, 20);
		if (busy(job, 20) < 0.35 || busy(job, 20) > 0.6)
			fail_msg("%s: busy for %.2f of the time", cases[i].what, busy(job, 20));
		scene_end(&scene);
	}
}

/* "Does not look" is for one job: it is not slowed by the other's promise, and takes nothing from it. */
static void a_job_that_does_not_look_is_none_of_those_that_do(void **state)
{
	struct pace_wish looks = usual;
	struct scene scene;
	struct job *careful;
	struct job *careless;
	struct pace_verdict verdict;
	double alone;

	(void)state;
	looks.max_impact = 10;
	scene_begin(&scene);
	scene.application = true;
	careful = add_job(&scene, &looks);
	run(&scene, 60);
	run(&scene, 120);
	alone = busy(careful, 120);
	careless = add_job(&scene, &usual);
	run(&scene, 60);
	run(&scene, 120);
	assert_busy(careless, 120, 0.9, 1.0);
	/* the application is a slower one beside the other job, and a tenth of that is more */
	assert_busy(careful, 120, 0.6 * alone, 2.5 * alone);
	pace_ask(careless->share, scene.now_ms, &verdict);
	assert_float_equal(verdict.part, 1.0, 0.0);
	scene_end(&scene);
}

/* After a failover the counters are another server's: more of everything, of which nothing was ours. */
static void another_server_does_not_make_it_unlimited(void **state)
{
	struct pace_wish looks = usual;
	struct scene scene;
	struct job *job;

	(void)state;
	looks.max_impact = 10;
	scene_begin(&scene);
	scene.application = true;
	job = add_job(&scene, &looks);
	run(&scene, 180);
	scene.connection++;
	scene.transactions += 1e6;
	scene.active_ms += 2e7;
	for (int minute = 0; minute < 5; minute++) {
		run(&scene, 60);
		assert_busy(job, 60, 0.05, 0.2);
	}
	scene_end(&scene);
}

/* However long the gate was closed. */
static void after_an_overload_it_starts_at_half(void **state)
{
	static const int closed_s[] = {1, 5, 20, 600};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(closed_s); i++) {
		struct scene scene;
		struct job *job;

		scene_begin(&scene);
		job = add_job(&scene, &usual);
		run(&scene, 20);
		assert_busy(job, 20, 0.9, 1.0);
		scene.signals.veto = SIGNALS_HOLD;
		run(&scene, closed_s[i]);
		scene.signals.veto = SIGNALS_GO;
		run_steps(&scene, 30); /* two good samples */
		run(&scene, 1);
		assert_busy(job, 1, 0.3, 0.75);
		run(&scene, 10);
		run(&scene, 10);
		assert_busy(job, 10, 0.9, 1.0);
		scene_end(&scene);
	}
}

static void an_analyze_goes_by_what_was_learnt_beside_the_fill(void **state)
{
	struct pace_wish looking = usual;
	struct scene scene;

	(void)state;
	looking.max_impact = 10;
	scene_begin(&scene);
	assert_true(pace_part(scene.pace, true, scene.now_ms) == 0.43); /* nothing was: as autovacuum does */
	assert_true(pace_part(scene.pace, false, scene.now_ms) == 1.0); /* max_impact = 0 */
	add_job(&scene, &looking);
	assert_true(
		pace_part(scene.pace, true, scene.now_ms) == 0.2); /* not known yet: little, but not nothing */
	run(&scene, 5);
	assert_true(pace_part(scene.pace, true, scene.now_ms) == 1.0); /* an idle server */
	pace_leave(scene.jobs[0].share);
	scene.jobs_count = 0;
	assert_true(pace_part(scene.pace, true, scene.now_ms + 59000) == 1.0);
	assert_true(pace_part(scene.pace, true, scene.now_ms + 61000) == 0.43);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_an_autovacuum_it_runs_at_half_speed),
		cmocka_unit_test(an_analyze_goes_by_what_was_learnt_beside_the_fill),
		cmocka_unit_test(a_job_that_does_not_look_is_none_of_those_that_do),
		cmocka_unit_test(another_server_does_not_make_it_unlimited),
		cmocka_unit_test(after_an_overload_it_starts_at_half),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
