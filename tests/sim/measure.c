/*
 * What a run is measured by, and held to.
 */
#include "tests/sim/scene.h"

#include "common/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing moves for that long: then there must be a reason to read. */
#define SILENT_MS 1100
/* Each turn of a reason is a row of the history. */
#define TURNS_MOST 30.0
#define TURNS_A_MINUTE 10.0
/* The time told as throttled may be off by so much of the job's time, and by so many seconds. */
#define THROTTLED_OFF_PART 0.02
#define THROTTLED_OFF_S 0.5

static void measure_lag(struct scene *scene)
{
	struct plant *plant = &scene->plant;
	double most = 0;
	double later_ms;
	bool any = false;

	for (size_t i = 0; i < plant->replicas_count; i++) {
		struct plant_replica *replica = &plant->replicas[i];
		if (!replica->seen || !replica->connected)
			continue;
		while (plant_next_delay(plant, replica, &later_ms)) {
			figures_note_lag(&scene->later[i], later_ms);
			if (plant->ms >= 1e3 * scene->scenario->bounds.late_from_s)
				figures_note_lag(&scene->late, later_ms);
		}
		most = fmax(most, plant_lag_ms(plant, &plant->track, &replica->at));
		any = true;
	}
	scene->line_lag_ms = fmax(scene->line_lag_ms, most);
	if (any)
		figures_note_lag(&scene->lag, most);
}

static void measure_voice(struct scene *scene, struct sim_job *job)
{
	bool silent = scene->plant.ms - job->last_moved_ms > SILENT_MS;
	const char *why = pace_held_by(job->share);

	if (silent && !why)
		scene->figures.silences++;
	if (why && strcmp(why, "max_wal_rate") == 0 && job->plan->max_wal_mb_per_s <= 0)
		scene->figures.inventions++;
	if (job->told != (why != NULL))
		scene->figures.turns++;
	job->told = why != NULL;
}

void scene_measure(struct scene *scene)
{
	bool second = scene->plant.ms >= scene->next_second_ms;

	measure_lag(scene);
	if (!second || scene->law != LAW_PACE)
		return;
	scene->next_second_ms += 1000;
	for (size_t i = 0; i < PLAN_JOBS; i++) {
		if (scene->jobs[i].share)
			measure_voice(scene, &scene->jobs[i]);
	}
	if (scene->jobs[0].share)
		forecast_note(&scene->forecast, scene->origin_ms + (int64_t)scene->plant.ms, 0,
			(int64_t)(60 * scene->jobs[0].pages), scene->jobs[0].pages);
}

static int compare_reals(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Sorts them; 0 of none. */
static double percentile_95(double *values, size_t count)
{
	qsort(values, count, sizeof(values[0]), compare_reals);
	return count > 0 ? values[(count * 95 - 1) / 100] : 0.0;
}

void scene_sum_up(struct scene *scene)
{
	struct figures *figures = &scene->figures;
	double busy_ms = 0;
	double fillers_ms = 0;
	double present_ms = 0;
	double throttled_ms = 0;

	for (size_t i = 0; i < PLAN_JOBS; i++) {
		const struct sim_job *job = &scene->jobs[i];

		figures->wal_bytes += job->wal_bytes;
		figures->work += job->work;
		busy_ms += job->executed_ms + job->turned_ms;
		fillers_ms += job->present_ms * job->plan->fillers;
		figures->late_batches += job->late_batches;
		if (!job->share)
			continue;
		present_ms += job->present_ms;
		throttled_ms += (double)pace_throttled_ms(job->share);
		figures->throttled_off = fmax(figures->throttled_off,
			fabs((double)pace_throttled_ms(job->share) - job->waited_ms / job->plan->fillers) / 1e3);
	}
	figures->lag_p99_ms = figures_lag_ms(&scene->lag, 0.99);
	figures->lag_max_ms = scene->lag.most_ms;
	for (size_t i = 0; i < PLAN_REPLICAS; i++) {
		figures->later_p99_ms = fmax(figures->later_p99_ms, figures_lag_ms(&scene->later[i], 0.99));
		figures->later_max_ms = fmax(figures->later_max_ms, scene->later[i].most_ms);
	}
	figures->late_p99_ms = figures_lag_ms(&scene->late, 0.99);
	figures->ideal_work = scene->plant.ideal_work;
	figures->headroom = 100 * figures->work / fmax(1, figures->ideal_work);
	figures->busy = 100 * busy_ms / fmax(1, fillers_ms);
	figures->throttled = 100 * throttled_ms / fmax(1, present_ms);
	figures->impact = application_impact(&scene->application, &scene->settled);
	figures->impact_p95 = percentile_95(scene->stretches, scene->stretches_count);
	figures->duty = scene->duty_sum / fmax(1, scene->duty_ms);
}

void scene_complain(struct scene *scene, const char *format, ...)
{
	va_list values;
	char *said;

	if (scene->complaints_count == SCENE_COMPLAINTS)
		return;
	va_start(values, format);
	if (vasprintf(&said, format, values) < 0)
		abort();
	va_end(values);
	scene->complaints[scene->complaints_count++] = said;
}

static void hold_above(struct scene *scene, const char *what, double value, double least)
{
	if (least > 0 && value < least)
		scene_complain(scene, "%s is %.1f, and should be at least %.1f", what, value, least);
}

static void hold_below(struct scene *scene, const char *what, double value, double most)
{
	if (most > 0 && value > most)
		scene_complain(scene, "%s is %.1f, and should be at most %.1f", what, value, most);
}

/* What holds for every run. */
static void judge_invariants(struct scene *scene)
{
	const struct figures *figures = &scene->figures;

	if (figures->late_batches > 0)
		scene_complain(scene, "%lld batches began though the gate should long have been closed",
			(long long)figures->late_batches);
	if (figures->silences > 0)
		scene_complain(
			scene, "in %lld seconds nothing moved and no reason was told", (long long)figures->silences);
	if (figures->inventions > 0)
		scene_complain(
			scene, "in %lld seconds a limit was told that there is not", (long long)figures->inventions);
	if ((double)figures->turns > TURNS_MOST + TURNS_A_MINUTE * scene->plant.ms / 60e3)
		scene_complain(scene, "a reason came and went %lld times", (long long)figures->turns);
	if (figures->throttled_off > THROTTLED_OFF_S + THROTTLED_OFF_PART * scene->plant.ms / 1e3)
		scene_complain(scene, "the throttled time told is %.1f s off", figures->throttled_off);
}

void scene_judge(struct scene *scene)
{
	const struct bounds *bounds = &scene->scenario->bounds;
	const struct figures *figures = &scene->figures;

	hold_below(scene, "what a commit reaches the replica later because of us (ms), 99th percentile",
		figures->later_p99_ms, bounds->lag_p99_ms);
	hold_below(scene, "what a commit reaches the replica later because of us (ms), most",
		figures->later_max_ms, bounds->lag_max_ms);
	hold_below(scene, "the same from late_from_s on (ms), 99th percentile", figures->late_p99_ms,
		bounds->late_p99_ms);
	hold_above(scene, "the part of the headroom used (%)", figures->headroom, bounds->headroom);
	hold_above(scene, "the part of the time in which fillers worked (%)", figures->busy, bounds->busy);
	hold_below(scene, "the mean impact (%)", figures->impact, bounds->impact_most);
	hold_below(scene, "the impact (%) in stretches of 5 s, 95th percentile", figures->impact_p95,
		bounds->impact_p95);
	hold_below(scene, "the throttled part of the time (%)", figures->throttled, bounds->throttled_most);
	hold_above(scene, "the throttled part of the time (%)", figures->throttled, bounds->throttled_least);
	judge_invariants(scene);
	if (scene->scenario->check)
		scene->scenario->check(scene);
}
