#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pace_scene.h"

#include "daemon/sizer.h"

#include <math.h>
#include <string.h>

#define TICK_MS 10
#define PULSE_MS 100

void scene_begin(struct scene *scene)
{
	*scene = (struct scene){.now_ms = START_MS,
		.written = {1e9},
		.replayed = 1e9,
		.signals = {.archiver_waiting = -1, .survey_ms = START_MS}};
	scene->pace = pace_new();
}

void scene_end(struct scene *scene)
{
	pace_free(scene->pace);
}

struct scene_job *scene_join(struct scene *scene, size_t i, const struct pace_wish *wish)
{
	scene->jobs[i] = (struct scene_job){.speed = 50, .batch_ms = 50, .record_bytes = 100};
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
	traffic->busy_sessions = scene->per_s > 0 ? 1 : 0;
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
	assert_true(verdict.part > 0.0 && verdict.part <= 1.0);
	assert_in_range(verdict.batch_bytes, 1, SIZER_MOST_BYTES);
	if (!verdict.go)
		return;
	job->batch.ms = fmax(fmin(sizer_batch_ms(job->batch_ms, verdict.part, 0.0),
							 (double)verdict.batch_bytes / (job->speed * MB) * 1000.0),
		TICK_MS);
	job->batch.ms = TICK_MS * ceil(job->batch.ms / TICK_MS);
	job->batch.wal_bytes = (int64_t)(job->speed * MB * job->batch.ms / 1000.0);
	job->batch.wal_records = (int64_t)((double)job->batch.wal_bytes / job->record_bytes);
	job->ends_ms = scene->now_ms + (int64_t)job->batch.ms;
}

void scene_run(struct scene *scene, double seconds)
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

void scene_measure(struct scene *scene, double seconds, struct rate rates[JOBS])
{
	struct scene_job before[JOBS];

	memcpy(before, scene->jobs, sizeof(before));
	scene_run(scene, seconds);
	for (size_t i = 0; i < JOBS; i++)
		rates[i] = (struct rate){(scene->jobs[i].bytes - before[i].bytes) / MB / seconds,
			(scene->jobs[i].ms - before[i].ms) / 1000.0 / seconds};
}
