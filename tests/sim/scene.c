#include "tests/sim/scene.h"

#include "common/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

/* The mean impact counts from here. */
#define SETTLED_MS 30000.0
#define STRETCH_MS 5000.0
#define ORIGIN_MS 10000

bool scene_has(const struct scene *scene, const struct job_plan *plan)
{
	double s = scene->plant.ms / 1e3;

	return plan->fillers > 0 && s > plan->from_s && (plan->to_s <= 0 || s <= plan->to_s);
}

static struct pace_wish wish_of(const struct scene *scene, const struct job_plan *plan)
{
	return (struct pace_wish){
		.priority = plan->priority,
		.max_lag_ms = plan->max_lag_ms,
		.lag_target_ms = plan->lag_target_ms,
		.max_impact = plan->max_impact,
		.fillers = plan->fillers > 0 ? plan->fillers : 1,
		.max_wal_rate = (int64_t)(PLAN_MB * plan->max_wal_mb_per_s),
		.opens_at = curve_at(&plan->closed, scene->plant.ms / 1e3) > 0 ? "22:00 Europe/Berlin" : NULL,
	};
}

static void join(struct scene *scene, struct sim_job *job, int64_t now_ms)
{
	struct pace_wish wish = wish_of(scene, job->plan);

	job->share = pace_join(scene->pace, &wish, now_ms);
	job->fillers = memory_new((size_t)job->plan->fillers * sizeof(job->fillers[0]));
	job->last_moved_ms = scene->plant.ms;
	for (int i = 0; i < job->plan->fillers; i++)
		filler_start(&job->fillers[i], job, &scene->plant, &scene->application,
			scene->law == LAW_PACE ? NULL : &scene->rival);
}

static void end_fillers(struct sim_job *job)
{
	for (int i = 0; job->fillers && i < job->plan->fillers; i++)
		filler_end(&job->fillers[i]);
	free(job->fillers);
	job->fillers = NULL;
}

static void leave(struct sim_job *job)
{
	pace_leave(job->share);
	job->share = NULL;
	end_fillers(job);
}

static void look(struct scene *scene, int64_t now_ms)
{
	bool survey;
	double s = scene->plant.ms / 1e3;

	if (!watch_step(&scene->watch, &survey))
		return;
	scene->pulse_ms = (double)(scene->watch.signals.pulse_ms - scene->origin_ms);
	rival_sample(&scene->rival, &scene->watch.signals, now_ms);
	for (size_t i = 0; survey && i < PLAN_JOBS; i++) {
		struct signals_table table = {.surveyed_ms = now_ms};

		table.vacuum = curve_at(&scene->scenario->jobs[i].vacuum, s) >= 2   ? SIGNALS_WRAPAROUND
					   : curve_at(&scene->scenario->jobs[i].vacuum, s) >= 1 ? SIGNALS_AUTOVACUUM
																			: SIGNALS_NO_VACUUM;
		if (scene->jobs[i].share)
			pace_sample_table(scene->jobs[i].share, &table);
	}
	pace_sample(scene->pace, &scene->watch.signals, now_ms);
}

/* Whether something that only a survey tells stops the job. */
static bool survey_forbids(const struct scene *scene, const struct sim_job *job)
{
	const struct scenario *scenario = scene->scenario;
	double s = scene->plant.ms / 1e3;

	return curve_at(&job->plan->vacuum, s) >= 2 || curve_at(&scenario->veto, s) > 0 ||
		   curve_at(&scenario->slot_ending, s) > 0 || curve_at(&scenario->archiver, s) > 42;
}

/* Whether something else than lag stops it. */
static bool stopped(const struct scene *scene, const struct sim_job *job)
{
	const struct plant *plant = &scene->plant;

	for (size_t i = 0; i < plant->replicas_count; i++) {
		const struct plant_replica *replica = &plant->replicas[i];

		if (replica->seen && !replica->connected && plant->ms - replica->gone_since_ms <= WATCH_GRACE_MS)
			return true;
	}
	return plant->ms - scene->pulse_ms > SIGNALS_PULSE_STALE_MS || survey_forbids(scene, job) ||
		   curve_at(&job->plan->closed, plant->ms / 1e3) > 0;
}

/* Whether the primary could know of a replica that is too far behind; the ring's entries lie a pulse apart.
 */
static bool behind(struct plant *plant, const struct sim_job *job)
{
	for (size_t i = 0; i < plant->replicas_count; i++) {
		struct plant_replica *replica = &plant->replicas[i];

		if (replica->connected &&
			plant_lag_ms(plant, &plant->track, &replica->told) > job->plan->max_lag_ms + SIGNALS_PULSE_MS)
			return true;
	}
	return false;
}

/* Judges by what the plant itself knows. Lag is known from the next pulse on, what only a survey tells may be
 * known a survey later. */
static void forbid(struct scene *scene, struct sim_job *job)
{
	job->stopped = stopped(scene, job);
	if (!job->stopped && !behind(&scene->plant, job))
		job->forbidden_ms = -1;
	else if (job->forbidden_ms < 0 && (job->stopped || scene->pulse_ms >= scene->plant.ms))
		job->forbidden_ms = scene->plant.ms + (survey_forbids(scene, job) ? WATCH_SURVEY_MS : 0);
}

static void step_job(struct scene *scene, struct sim_job *job, int64_t now_ms)
{
	struct pace_wish wish = wish_of(scene, job->plan);

	if (!scene_has(scene, job->plan)) {
		if (job->share)
			leave(job);
		return;
	}
	if (!job->share)
		join(scene, job, now_ms);
	pace_change(job->share, &wish);
	forbid(scene, job);
	job->present_ms += scene->plant.step_ms;
	for (int i = 0; i < job->plan->fillers; i++) {
		filler_step(&job->fillers[i], scene->origin_ms);
		scene->executing += job->fillers[i].executing_ms / scene->plant.step_ms;
	}
}

/* What the all-knowing fill may do in this step. */
static double ideal_most(const struct scene *scene)
{
	double most = 0;

	for (size_t i = 0; i < PLAN_JOBS; i++) {
		const struct sim_job *job = &scene->jobs[i];
		double speed = job->plan->fillers * fill_speed(&scene->scenario->fill);

		if (!job->share || job->stopped)
			continue;
		if (job->plan->max_wal_mb_per_s > 0)
			speed = fmin(speed, PLAN_MB * job->plan->max_wal_mb_per_s);
		if (curve_at(&job->plan->vacuum, scene->plant.ms / 1e3) > 0)
			speed /= 2;
		most += speed * scene->plant.step_ms / 1e3;
	}
	return most;
}

static void note_stretch(struct scene *scene)
{
	double ms = scene->plant.ms;

	if (ms < scene->stretch_ends_ms)
		return;
	if (scene->stretch_ends_ms > 0 && scene->stretches_count < SCENE_STRETCHES)
		scene->stretches[scene->stretches_count++] = application_impact(&scene->application, &scene->stretch);
	scene->stretch = application_mark(&scene->application);
	scene->stretch_ends_ms = ms + STRETCH_MS;
}

static void step(struct scene *scene)
{
	struct plant *plant = &scene->plant;
	int64_t now_ms;

	plant_step(plant);
	now_ms = scene->origin_ms + (int64_t)plant->ms;
	application_step(&scene->application, plant->ms, plant->step_ms, scene->executing);
	if (plant->ms >= SETTLED_MS) {
		if (scene->duty_ms == 0)
			scene->settled = application_mark(&scene->application);
		note_stretch(scene);
		scene->duty_sum += scene->executing * plant->step_ms;
		scene->duty_ms += plant->step_ms;
	}
	look(scene, now_ms);
	scene->executing = 0;
	for (size_t i = 0; i < PLAN_JOBS; i++)
		step_job(scene, &scene->jobs[i], now_ms);
	plant_fill_ideally(plant, ideal_most(scene), WATCH_GRACE_MS);
	scene_measure(scene);
	scene_trace(scene);
}

void scene_run(struct scene *scene, const struct scenario *scenario, enum law law, FILE *trace)
{
	*scene = (struct scene){.scenario = scenario, .law = law, .trace = trace, .pace = pace_new()};
	scene->origin_ms = scenario->origin_ms > 0 ? scenario->origin_ms : ORIGIN_MS;
	plant_start(&scene->plant, scenario);
	scene->line_foreground = scene->plant.written_alone;
	application_start(&scene->application, &scenario->application, scenario->seed);
	watch_start(&scene->watch, &scene->plant, &scene->application, scene->origin_ms);
	rival_start(&scene->rival, law);
	for (size_t i = 0; i < PLAN_JOBS; i++)
		scene->jobs[i] = (struct sim_job){.plan = &scenario->jobs[i], .forbidden_ms = -1};
	scene_trace_head(scene);
	while (scene->plant.ms < 1e3 * scenario->seconds)
		step(scene);
	scene_sum_up(scene);
}

void scene_end(struct scene *scene)
{
	for (size_t i = 0; i < PLAN_JOBS; i++)
		end_fillers(&scene->jobs[i]);
	pace_free(scene->pace);
	watch_end(&scene->watch);
	plant_free(&scene->plant);
	for (size_t i = 0; i < scene->complaints_count; i++)
		free(scene->complaints[i]);
}
