#include "tests/sim/scenarios.h"

#include <math.h>

/* Of the duty that would just be allowed, so much is to be used; less beside an application of which a
 * session and more executes, whose transactions queue besides (impact_slope.c). */
#define LEAST_PART_OF_DUTY 0.5
#define LEAST_PART_BESIDE_MORE 0.2
/* And where the application's own ups and downs hide most of it: 0.4 to 1.0, as the dice fall. */
#define LEAST_PART_IN_NOISE 0.35
/* Of the time; who executes for less is promised what he would be if he did. */
#define PROMISED_FROM 0.2

/* Slope as it is at the end of the run. */
static void expect_duty(struct scene *scene, double least_part)
{
	const struct scenario *scenario = scene->scenario;
	const struct job_plan *job = &scenario->jobs[0];
	double slope = curve_at(&scenario->application.slope, scenario->seconds);
	double busy = curve_at(&scenario->application.per_s, scenario->seconds) *
				  curve_at(&scenario->application.base_ms, scenario->seconds) / 1e3;
	double share = job->max_impact / 100.0 * fmax(PROMISED_FROM / busy, 1.0);
	double allowed = fmin(job->fillers, share / slope);
	double least = busy < 1.0 ? least_part : LEAST_PART_BESIDE_MORE;

	if (scene->figures.duty < least * allowed)
		scene_complain(
			scene, "%.3f batches executed on average, and %.3f were allowed", scene->figures.duty, allowed);
}

static void not_needlessly_slow(struct scene *scene)
{
	expect_duty(scene, LEAST_PART_OF_DUTY);
}

static void not_needlessly_slow_in_noise(struct scene *scene)
{
	expect_duty(scene, LEAST_PART_IN_NOISE);
}

#define APPLICATION(rate, steepness)                                                                         \
	{                                                                                                        \
		.per_s = STEADY(rate), .base_ms = STEADY(0.6), .slope = STEADY(steepness), .noise = 0.03             \
	}

#define IMPACT(a_name, a_what, rate, steepness, workers, most)                                               \
	{                                                                                                        \
		.name = a_name, .what = a_what, .seconds = 300, .seed = 3, .foreground = STEADY(1),                  \
		.application = APPLICATION(rate, steepness), .fill = FILL_USUAL,                                     \
		.jobs = {{.fillers = workers, JOB_USUAL}}, .bounds = {.impact_most = most},                          \
		.check = not_needlessly_slow,                                                                        \
	}

static const struct scenario table[] = {
	IMPACT("gentle", "an application that hardly notices: full speed", 400, 0.05, 1, 15),
	IMPACT("slope_20", "an application slowed by 20 % by each batch that executes", 400, 0.2, 1, 15),
	IMPACT("slope_50", "an application slowed by 50 %", 400, 0.5, 1, 15),
	IMPACT("slope_100", "an application slowed by 100 %", 400, 1.0, 1, 15),
	IMPACT("slope_300", "an application slowed by 300 %", 400, 3.0, 1, 15),
	IMPACT("two_workers", "an application slowed by 50 % by each of two connections", 400, 0.5, 2, 15),
	IMPACT("big_application", "five thousand transactions a second", 5000, 0.5, 1, 15),
	IMPACT("small_application",
		"eighty transactions a second, less than a twentieth of the time: 42 % is allowed", 80, 0.5, 1, 47),
	{
		.name = "counted_late",
		.what = "before PostgreSQL 15: what of the transactions is ours the server tells late",
		.seconds = 300,
		.seed = 3,
		.foreground = STEADY(1),
		.application = APPLICATION(400, 0.5),
		.fill = {FILL_PAGES, .counted_late = true},
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 15},
		.check = not_needlessly_slow,
	},
	{
		.name = "reports",
		.what = "each 37 s a statement of a minute ends, which the server counts then",
		.seconds = 300,
		.seed = 3,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(400),
			.base_ms = STEADY(0.6),
			.slope = STEADY(0.5),
			.noise = 0.03,
			.report_every_s = 37,
			.report_s = 60},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 15},
		.check = not_needlessly_slow,
	},
	{
		.name = "noisy_application",
		.what = "an application whose times are noisy",
		.seconds = 600,
		.seed = 9,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(400), .base_ms = STEADY(0.6), .slope = STEADY(0.5), .noise = 0.15},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 15},
		.check = not_needlessly_slow_in_noise,
	},
	{
		.name = "shared_machine",
		.what = "four thousand transactions a second on a machine that others use too",
		.seconds = 600,
		.seed = 3,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(4000),
			.base_ms = STEADY(0.45),
			.slope = STEADY(0.7),
			.noise = 0.03,
			.wander = 0.08},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 10, .impact_p95 = 12},
		.check = not_needlessly_slow,
	},
	{
		.name = "roomy_machine",
		.what = "four thousand transactions a second on a machine that has processors to spare",
		.seconds = 900,
		.seed = 3,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(4000),
			.base_ms = STEADY(0.6),
			.slope = STEADY(0.1),
			.noise = 0.03,
			.wander = 0.05},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 8, .impact_p95 = 12},
		.check = not_needlessly_slow,
	},
	{
		.name = "small_on_a_shared_machine",
		.what = "a hundred transactions a second, which vary by more than is allowed: 40 %",
		.seconds = 600,
		.seed = 3,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(100),
			.base_ms = STEADY(0.5),
			.slope = STEADY(0.5),
			.noise = 0.15,
			.wander = 0.2},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 45},
		.check = not_needlessly_slow,
	},
	{
		.name = "drifting_baseline",
		.what = "the application itself becomes slower, and faster again",
		.seconds = 900,
		.seed = 3,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(400),
			.base_ms = {.ramp = true, .at = {{0, 0.6}, {300, 1.2}, {600, 0.6}, {900, 0.6}}},
			.slope = STEADY(0.5),
			.noise = 0.03},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 15},
		.check = not_needlessly_slow,
	},
	{
		.name = "other_statements",
		.what = "the application's mix changes at once: twice the time a transaction",
		.seconds = 600,
		.seed = 3,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(400),
			.base_ms = {.at = {{0, 0.6}, {200, 1.2}, {400, 0.6}}},
			.slope = STEADY(0.5),
			.noise = 0.03},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 15},
		.check = not_needlessly_slow,
	},
	{
		.name = "becomes_sensitive",
		.what = "the application becomes sensitive in the middle of the run",
		.seconds = 400,
		.seed = 3,
		.foreground = STEADY(1),
		.application = {.per_s = STEADY(400),
			.base_ms = STEADY(0.6),
			.slope = {.at = {{0, 0.2}, {200, 1.0}}},
			.noise = 0.03},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 15},
		.check = not_needlessly_slow,
	},
	{
		.name = "unmeasurable",
		.what = "three transactions a second cannot be measured: full speed",
		.seconds = 180,
		.seed = 3,
		.application = APPLICATION(3, 2.0),
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.busy = 95},
	},
	{
		.name = "not_looked_at",
		.what = "max_impact = 0 does not look",
		.seconds = 100,
		.seed = 3,
		.application = APPLICATION(400, 1.0),
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, .max_lag_ms = 1000, .lag_target_ms = 500}},
		.bounds = {.busy = 97},
	},
	{
		.name = "application_comes_and_goes",
		.what = "the application comes and goes: full speed while it is away",
		.seconds = 600,
		.seed = 3,
		.foreground = {.period_s = 120, .at = {{0, 0}, {60, 1}}},
		.application = {.per_s = {.period_s = 120, .at = {{0, 0}, {60, 400}}},
			.base_ms = STEADY(0.6),
			.slope = STEADY(0.5),
			.noise = 0.03},
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 1, JOB_USUAL}},
		.bounds = {.impact_most = 15, .busy = 50},
	},
	{
		.name = "lag_and_impact",
		.what = "a slow replica and a sensitive application at once",
		.seconds = 300,
		.seed = 3,
		.noise = 0.2,
		.foreground = STEADY(3),
		.replicas = {{.name = "standby1", .replay = {.at = {{0, 25}, {100, 7}, {200, 25}}}, REPLICA_NEAR}},
		.application = APPLICATION(400, 0.5),
		.fill = FILL_USUAL,
		.jobs = {{.fillers = 2, JOB_USUAL}},
		.bounds = {.impact_most = 10, .lag_p99_ms = 450, .lag_max_ms = 650, .headroom = 37},
	},
};

struct scenarios scenarios_of_impact(void)
{
	return (struct scenarios){table, COUNT_OF(table)};
}
