/*
 * scene: one run of a scenario: plant, application, watch, pace and fillers on a virtual clock, and what came
 * of it.
 */
#ifndef BACKFILLD_TESTS_SIM_SCENE_H
#define BACKFILLD_TESTS_SIM_SCENE_H

#include "daemon/forecast.h"
#include "tests/sim/figures.h"
#include "tests/sim/fillers.h"
#include "tests/sim/watch.h"

#include <stdio.h>

/* What a check of a scenario does not agree with. */
#define SCENE_COMPLAINTS 20
/* Of 5 s each, in which the impact is taken. */
#define SCENE_STRETCHES 256

struct scene {
	const struct scenario *scenario;
	enum law law;
	FILE *trace; /* NULL: none is wanted */
	struct plant plant;
	struct application application;
	struct watch watch;
	struct rival rival;
	struct pace *pace;
	struct sim_job jobs[PLAN_JOBS];
	struct forecast forecast; /* of the first job */
	double executing;         /* batches, in the last step */
	int64_t origin_ms;
	double pulse_ms; /* plant's time of the last pulse */
	double duty_sum;
	double duty_ms;
	struct application_mark settled; /* when that began */
	struct application_mark stretch; /* when the present one did */
	double stretch_ends_ms;
	double stretches[SCENE_STRETCHES]; /* per cent */
	size_t stretches_count;
	double next_second_ms;
	/* of the trace's present line */
	double line_ms;
	double line_wal;
	double line_foreground;
	double line_lag_ms;
	double line_executed_ms;
	struct figures_lag lag;
	struct figures_lag later[PLAN_REPLICAS];
	struct figures_lag late; /* of all of them, from bounds.late_from_s on */
	struct figures figures;
	char *complaints[SCENE_COMPLAINTS];
	size_t complaints_count;
};

/* Runs it. `ret_scene` is the caller's to end. */
void scene_run(struct scene *ret_scene, const struct scenario *scenario, enum law law, FILE *trace);
void scene_end(struct scene *scene);

/* Holds the figures to the scenario's bounds, and to what holds for all. */
void scene_judge(struct scene *scene);

void scene_complain(struct scene *scene, const char *format, ...) PRINTF_LIKE(2, 3);

/* Whether the job is there now. */
bool scene_has(const struct scene *scene, const struct job_plan *plan) MUST_USE;

/* Inner: measures the step that has just been. */
void scene_measure(struct scene *scene);
void scene_sum_up(struct scene *scene);
void scene_trace_head(struct scene *scene);
void scene_trace(struct scene *scene);

#endif
