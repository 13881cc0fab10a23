#include "tests/sim/scenarios.h"

#include <math.h>

/* Of the duty that would just be allowed, so much is to be used. */
#define LEAST_PART_OF_DUTY 0.55
/* A baseline of a hundred transactions is a few per cent wrong, and those are missing of the ten that are
 * promised: 0.32 to 0.90 with eight seeds, as before the start was made careful (0.38 to 0.88). */
#define LEAST_PART_OF_LITTLE 0.3
#define LITTLE_PER_S 100

/* Slope as it is at the end of the run. */
static void not_needlessly_slow(struct scene *scene)
{
	const struct scenario *scenario = scene->scenario;
	const struct job_plan *job = &scenario->jobs[0];
	double slope = curve_at(&scenario->application.slope, scenario->seconds);
	double allowed = fmin(job->fillers, job->max_impact / 100.0 / slope);
	bool little = curve_at(&scenario->application.per_s, scenario->seconds) < LITTLE_PER_S;

	if (scene->figures.duty < (little ? LEAST_PART_OF_LITTLE : LEAST_PART_OF_DUTY) * allowed)
		scene_complain(
			scene, "%.3f batches executed on average, and %.3f were allowed", scene->figures.duty, allowed);
}

#define APPLICATION(rate, steepness)                                                                         \
	{                                                                                                        \
		.per_s = STEADY(rate), .base_ms = STEADY(0.6), .slope = STEADY(steepness), .noise = 0.03             \
	}

#define IMPACT(a_name, a_what, rate, steepness, workers)                                                     \
	{                                                                                                        \
		.name = a_name, .what = a_what, .seconds = 300, .seed = 3, .foreground = STEADY(1),                  \
		.application = APPLICATION(rate, steepness), .fill = FILL_USUAL,                                     \
		.jobs = {{.fillers = workers, JOB_USUAL}}, .bounds = {.impact_most = 15},                            \
		.check = not_needlessly_slow,                                                                        \
	}

static const struct scenario table[] = {
	IMPACT("gentle", "an application that hardly notices: full speed", 400, 0.05, 1),
	IMPACT("slope_20", "an application slowed by 20 % by each batch that executes", 400, 0.2, 1),
	IMPACT("slope_50", "an application slowed by 50 %", 400, 0.5, 1),
	IMPACT("slope_100", "an application slowed by 100 %", 400, 1.0, 1),
	IMPACT("slope_300", "an application slowed by 300 %", 400, 3.0, 1),
	IMPACT("two_workers", "an application slowed by 50 % by each of two connections", 400, 0.5, 2),
	IMPACT("big_application", "five thousand transactions a second", 5000, 0.5, 1),
	IMPACT("small_application", "eighty transactions a second", 80, 0.5, 1),
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
		.bounds = {.impact_most = 15, .lag_p99_ms = 900, .lag_max_ms = 2000},
	},
};

struct scenarios scenarios_of_impact(void)
{
	return (struct scenarios){table, COUNT_OF(table)};
}
