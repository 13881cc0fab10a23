#include "tests/sim/scenarios.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

/* The same run with another clock must write the same at the same time. */
static void nothing_changes(struct scene *scene)
{
	struct scenario other = *scene->scenario;
	struct scene *again = memory_new(sizeof(*again));

	other.origin_ms = 5000;
	scene_run(again, &other, LAW_PACE, NULL);
	if (fabs(again->figures.wal_bytes - scene->figures.wal_bytes) > 1e3 ||
		again->figures.lag_max_ms != scene->figures.lag_max_ms)
		scene_complain(scene, "it depends on what the clock says: %.3f MB there, %.3f MB here",
			again->figures.wal_bytes / PLAN_MB, scene->figures.wal_bytes / PLAN_MB);
	scene_end(again);
	free(again);
}

static void half_speed(struct scene *scene)
{
	double busy = scene->figures.busy;

	/* A third of the time undisturbed, two thirds at half speed. */
	if (fabs(busy - 66.7) > 7)
		scene_complain(scene, "it worked %.1f %% of the time, not some 67 %%", busy);
}

/* For half of the time: batches become shorter than 50 ms, and what is lost by that is little. */
static void batches_get_shorter(struct scene *scene)
{
	const struct sim_job *job = &scene->jobs[0];
	const struct fill_plan *fill = &scene->scenario->fill;
	double most = 1e3 * scene->scenario->seconds / (fill->page_ms + fill->image_ms / fill->passes);

	if (job->pages < 0.85 * most)
		scene_complain(scene, "%.0f %% of the pages were filled that could be", 100 * job->pages / most);
	if (job->cancelled < 2 || job->cancelled > 15)
		scene_complain(scene, "%lld batches were cancelled", (long long)job->cancelled);
}

/* Or it would say nothing. */
static void batches_were_hit(struct scene *scene)
{
	if (scene->jobs[0].clock_set < 5)
		scene_complain(scene, "the clock was set during %lld batches", (long long)scene->jobs[0].clock_set);
}

/* A replica and an application both limit it, whatever clocks say. */
#define CLOCKS                                                                                               \
	.seconds = 100, .noise = 0.3, .seed = 5, .foreground = STEADY(3),                                        \
	.replicas = {{.name = "standby1", .replay = {.at = {{0, 20}, {50, 10}}}, REPLICA_NEAR}},                 \
	.application = {.per_s = STEADY(200), .base_ms = STEADY(1), .slope = STEADY(0.2)}, .fill = FILL_USUAL,   \
	.jobs = {{.fillers = 1, JOB_USUAL}},                                                                     \
	.bounds = {.lag_p99_ms = 600, .lag_max_ms = 700, .impact_most = 4, .headroom = 65}

static const struct scenario table[] = {
	{
		.name = "lost_samples",
		.what = "samples are lost and come late: what cannot be seen is not assumed healthy",
		.seconds = 200,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(20), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.pulse_lost = {.period_s = 40, .at = {{0, 0}, {10, 1}, {15, 0}, {25, 1}, {25.8, 0}}},
		.bounds = {.headroom = 94, .lag_p99_ms = 550, .lag_max_ms = 850, .throttled_least = 68},
	},
	{
		.name = "sparse_samples",
		.what = "every other sample is missing",
		.seconds = 200,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(20), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.pulse_lost = {.period_s = 0.7, .at = {{0, 0}, {0.3, 1}}},
		.bounds = {.headroom = 95, .lag_p99_ms = 900, .lag_max_ms = 1400},
	},
	{
		.name = "no_surveys",
		.what = "surveys stop for 30 s: after 10 s nothing goes",
		.seconds = 120,
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.survey_lost = {.at = {{0, 0}, {40, 1}, {70, 0}}},
		.bounds = {.headroom = 75, .throttled_least = 16, .throttled_most = 20},
	},
	{
		.name = "monotonic_clock",
		.what = "wherever the monotonic clock began nothing changes",
		.origin_ms = INT64_C(40) * 24 * 3600 * 1000,
		CLOCKS,
		.check = nothing_changes,
	},
	{
		.name = "wall_clock",
		.what = "the server's wall clock is put forward by an hour, and back again, every few seconds",
		.clock_ahead = {.period_s = 7, .at = {{0, 0}, {3.5, 3600}}},
		CLOCKS,
		.check = batches_were_hit,
	},
	{
		.name = "window",
		.what = "an hour and a half outside the daily window, then on at once",
		.seconds = 5700,
		.step_ms = 10,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(20), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL, .closed = {.at = {{0, 0}, {60, 1}, {5460, 0}}}}},
		.bounds = {.headroom = 95, .lag_p99_ms = 250, .lag_max_ms = 850, .throttled_least = 94},
	},
	{
		.name = "veto",
		.what = "the operator's query, the archiver and a slot each stop it",
		.seconds = 160,
		.fill = FILL_EVEN,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.veto = {.at = {{0, 0}, {20, 1}, {40, 0}}},
		.archiver = {.at = {{0, 3}, {60, 60}, {80, 3}}},
		.slot_ending = {.at = {{0, 0}, {100, 1}, {120, 0}}},
		.bounds = {.headroom = 93, .throttled_least = 36, .throttled_most = 43},
	},
	{
		.name = "vacuum",
		.what = "beside an autovacuum of its table it runs at half speed",
		.seconds = 180,
		.fill = FILL_EVEN,
		.jobs = {{.fillers = 1, JOB_USUAL, .vacuum = {.at = {{0, 0}, {60, 1}}}}},
		.check = half_speed,
	},
	{
		.name = "wanted_rows",
		.what =
			"somebody waits for a row of every batch: after 50 ms it is cancelled, and comes back smaller",
		.seconds = 120,
		.fill = {.page_ms = 0.2, .page_bytes = 1800, .passes = 1, .window_pages = 4096, .turnaround_ms = 0.5},
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.wanted_rows = {.at = {{0, 0}, {30, 1}, {90, 0}}},
		.check = batches_get_shorter,
	},
	{
		.name = "wraparound",
		.what = "an autovacuum against wraparound stops it, and it goes on afterwards",
		.seconds = 120,
		.fill = FILL_EVEN,
		.jobs = {{.fillers = 1, JOB_USUAL, .vacuum = {.at = {{0, 0}, {40, 2}, {80, 0}}}}},
		.bounds = {.headroom = 95, .throttled_least = 32, .throttled_most = 37},
	},
};

struct scenarios scenarios_of_gates(void)
{
	return (struct scenarios){table, COUNT_OF(table)};
}
