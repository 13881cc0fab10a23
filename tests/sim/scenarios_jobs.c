#include "tests/sim/scenarios.h"

#include <math.h>

static double share_of(const struct scene *scene, size_t job)
{
	return 100 * scene->jobs[job].wal_bytes / scene->figures.wal_bytes;
}

static void hold_share(struct scene *scene, size_t job, double least, double most)
{
	double share = share_of(scene, job);

	if (share < least || share > most)
		scene_complain(scene, "job %zu had %.1f %% of what was written, not %.1f to %.1f %%", job + 1, share,
			least, most);
}

static void halves(struct scene *scene)
{
	hold_share(scene, 0, 45, 55);
}

static void thirds(struct scene *scene)
{
	for (size_t i = 0; i < 3; i++)
		hold_share(scene, i, 28, 39);
}

/* The second could use all that there is. */
static void the_second_first(struct scene *scene)
{
	hold_share(scene, 1, 93, 100);
}

/* The first may have 4 MB/s, and the second takes the rest of 22. */
static void the_second_has_the_rest(struct scene *scene)
{
	double first = scene->jobs[0].wal_bytes / PLAN_MB / scene->scenario->seconds;

	if (first < 3.6 || first > 4.2)
		scene_complain(scene, "a job limited to 4 MB/s wrote %.2f", first);
}

/* Half of what there is in a third of the time. */
static void the_second_has_a_sixth(struct scene *scene)
{
	hold_share(scene, 1, 14.5, 19);
}

static void the_second_gets_there(struct scene *scene)
{
	hold_share(scene, 1, 45, 100);
}

/* A replica of 10 MB/s is 4 s behind, and the foreground's 5 MB/s go on. */
#define DRAINS_S 8

/* It has all of 5 MB/s from when the backlog is gone. */
static void the_second_went_at_once(struct scene *scene)
{
	double second = scene->jobs[1].wal_bytes / PLAN_MB;

	if (second < 0.8 * 400 * 5)
		scene_complain(scene, "it wrote %.0f MB", second);
}

static void at_its_limit(struct scene *scene)
{
	double rate = scene->figures.wal_bytes / PLAN_MB / scene->scenario->seconds;

	if (rate < 4.75 || rate > 5.1)
		scene_complain(scene, "a job limited to 5 MB/s wrote %.2f", rate);
}

static const struct scenario table[] = {
	{
		.name = "max_wal_rate",
		.what = "max_wal_rate is kept, and used",
		.seconds = 120,
		.replicas = {{.name = "standby1", .replay = STEADY(100), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 2, JOB_USUAL, .max_wal_mb_per_s = 5}},
		.bounds = {.headroom = 96, .lag_p99_ms = 50},
		.check = at_its_limit,
	},
	{
		.name = "two_equal",
		.what = "two jobs of one priority get half each",
		.seconds = 180,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}, {.fillers = 2, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 300, .lag_max_ms = 500},
		.check = halves,
	},
	{
		.name = "three_equal",
		.what = "three jobs of one priority get a third each",
		.seconds = 180,
		.noise = 0.2,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}, {.fillers = 2, JOB_USUAL}, {.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 500, .lag_max_ms = 800},
		.check = thirds,
	},
	{
		.name = "priority",
		.what = "the job of higher priority is served first",
		.seconds = 180,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}, {.fillers = 1, JOB_USUAL, .priority = 5}},
		.bounds = {.headroom = 95, .lag_p99_ms = 500, .lag_max_ms = 600},
		.check = the_second_first,
	},
	{
		.name = "own_limit",
		.what = "what a limited job cannot use goes to the other",
		.seconds = 180,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL, .priority = 5, .max_wal_mb_per_s = 4}, {.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 400, .lag_max_ms = 550},
		.check = the_second_has_the_rest,
	},
	{
		.name = "second_comes",
		.what = "a second job comes and goes",
		.seconds = 240,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}, {.fillers = 1, JOB_USUAL, .from_s = 80, .to_s = 160}},
		.bounds = {.headroom = 95, .lag_p99_ms = 450, .lag_max_ms = 550},
		.check = the_second_has_a_sixth,
	},
	{
		.name = "stricter_job",
		.what = "beside a job with a low max_lag_ms, which can be kept, both get half",
		.seconds = 240,
		.foreground = {.period_s = 60, .at = {{0, 3}, {30, 24}, {40, 3}}},
		.replicas = {{.name = "standby1", .replay = STEADY(20), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, .max_lag_ms = 300, .lag_target_ms = 150, .max_impact = 10},
			{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 94, .lag_p99_ms = 250, .lag_max_ms = 350},
		.check = halves,
	},
	{
		.name = "limit_that_nobody_can_keep",
		.what = "of a replica 0.1 s away a job with a low max_lag_ms waits, and the other goes on",
		.seconds = 900,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(20), .transport_ms = 100, .report_ms = 20}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, .max_lag_ms = 150, .lag_target_ms = 75, .max_impact = 10},
			{.fillers = 1, JOB_USUAL}},
		.bounds = {.headroom = 68, .lag_p99_ms = 300, .lag_max_ms = 500},
		.check = the_second_first,
	},
	{
		.name = "limit_kept_by_day",
		.what = "a job with a low max_lag_ms whose daily window opens beside one that has let the replica "
				"fall behind",
		.seconds = 4000,
		.step_ms = 10,
		.foreground = STEADY(5),
		.replicas = {{.name = "standby1", .replay = STEADY(10), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, .max_lag_ms = 30000, .lag_target_ms = 5000},
			{.fillers = 1, JOB_USUAL, .priority = 10, .closed = {.at = {{0, 1}, {3600, 0}}}}},
		.bounds = {.headroom = 97,
			.lag_p99_ms = 4600,
			.lag_max_ms = 6500,
			.late_from_s = 3600 + DRAINS_S,
			.late_p99_ms = 480},
		.check = the_second_went_at_once,
	},
	{
		.name = "limit_that_takes_long_to_keep",
		.what =
			"a job with a low max_lag_ms comes to one that has let the replica fall behind: it has its turn",
		.seconds = 600,
		.foreground = STEADY(9),
		.replicas = {{.name = "standby1", .replay = STEADY(10), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, .max_lag_ms = 30000, .lag_target_ms = 5000},
			{.fillers = 1, JOB_USUAL, .priority = 10, .from_s = 60}},
		.bounds = {.headroom = 95, .lag_p99_ms = 6000, .lag_max_ms = 6700},
		.check = the_second_gets_there,
	},
	{
		.name = "workers",
		.what = "four connections of one job share its budget",
		.seconds = 120,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = STEADY(25), REPLICA_NEAR}},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 4, JOB_USUAL}},
		.bounds = {.headroom = 95, .lag_p99_ms = 450, .lag_max_ms = 600},
	},
};

struct scenarios scenarios_of_jobs(void)
{
	return (struct scenarios){table, COUNT_OF(table)};
}
