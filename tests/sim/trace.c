/*
 * A run as lines of CSV, for tests/sim/plot and for people.
 */
#include "tests/sim/scene.h"

#include <math.h>

#define LINES 600
/* What the forecast is asked about. */
#define A_FEW_PAGES 1e6

void scene_trace_head(struct scene *scene)
{
	if (scene->trace)
		fprintf(scene->trace,
			"s,fill_mb_s,foreground_mb_s,replay_mb_s,lag_ms,lag_seen_ms,allowance_mb_s,capacity_mb_s,"
			"share_mb_s,foreground_seen_mb_s,duty,duty_allowed,impact_seen,throttled_s,earliest_s,latest_s,"
			"reason\n");
}

static double least_replay(const struct plant *plant)
{
	double least = -1;

	for (size_t i = 0; i < plant->replicas_count; i++) {
		if (plant->replicas[i].connected && (least < 0 || plant->replicas[i].rate < least))
			least = plant->replicas[i].rate;
	}
	return least;
}

static double lag_seen(const struct signals *signals)
{
	double most = -1;

	for (size_t i = 0; i < signals->replicas_count; i++)
		most = fmax(most, (double)signals->replicas[i].lag_ms);
	return most;
}

/* -1 stands for no limit. */
static double in_mb(double bytes)
{
	return bytes < 0 ? -1 : bytes / PLAN_MB;
}

static void line(struct scene *scene, double seconds)
{
	const struct sim_job *job = &scene->jobs[0];
	struct pace_view view = {0};
	struct forecast_view forecast;
	double wal = 0;
	double executed_ms = 0;
	const char *reason = NULL;
	double throttled_s = 0;

	for (size_t i = 0; i < PLAN_JOBS; i++) {
		wal += scene->jobs[i].wal_bytes;
		executed_ms += scene->jobs[i].executed_ms;
	}
	if (job->share) {
		pace_read(job->share, &view);
		reason = pace_held_by(job->share);
		throttled_s = (double)pace_throttled_ms(job->share) / 1e3;
	}
	forecast_read(&scene->forecast, A_FEW_PAGES, &forecast);
	fprintf(scene->trace,
		"%.2f,%.3f,%.3f,%.3f,%.0f,%.0f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.1f,%.1f,%.0f,%.0f,\"%s\"\n",
		scene->plant.ms / 1e3, (wal - scene->line_wal) / seconds / PLAN_MB,
		(scene->plant.written_alone - scene->line_foreground) / seconds / PLAN_MB,
		in_mb(least_replay(&scene->plant)), scene->line_lag_ms, lag_seen(&scene->watch.signals),
		in_mb(view.allowance), in_mb(view.capacity), in_mb(view.share), in_mb(view.foreground),
		(executed_ms - scene->line_executed_ms) / seconds / 1e3, view.duty, view.impact, throttled_s,
		forecast.earliest_s, forecast.latest_s, reason ? reason : "");
	scene->line_wal = wal;
	scene->line_executed_ms = executed_ms;
	scene->line_foreground = scene->plant.written_alone;
	scene->line_lag_ms = 0;
}

void scene_trace(struct scene *scene)
{
	double every_ms = fmax(250, 1e3 * scene->scenario->seconds / LINES);

	if (!scene->trace || scene->plant.ms - scene->line_ms < every_ms)
		return;
	line(scene, (scene->plant.ms - scene->line_ms) / 1e3);
	scene->line_ms = scene->plant.ms;
}
