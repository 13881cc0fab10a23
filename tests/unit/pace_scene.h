/*
 * pace_scene: a small cluster of one replica and an application, in which up to JOBS jobs fill at the pace
 * they are given.
 */
#ifndef BACKFILLD_TESTS_UNIT_PACE_SCENE_H
#define BACKFILLD_TESTS_UNIT_PACE_SCENE_H

#include "daemon/pace.h"

#define MB (1024.0 * 1024.0)
#define START_MS 100000 /* when a scene begins */
#define JOBS 3
#define PULSES_MOST 2000

struct scene_job {
	struct pace_share *share; /* NULL: it has left */
	double speed;             /* MB a second while a batch executes */
	int batch_ms;             /* of a whole one */
	double record_bytes;
	struct pace_batch batch;
	int64_t ends_ms; /* 0: no batch is under way */
	double bytes;    /* ever */
	double ms;
};

struct scene {
	struct pace *pace;
	int64_t now_ms;
	struct signals signals;
	bool silent;          /* no samples come */
	double replica_speed; /* MB a second; 0: there is none */
	double replayed;
	double written[PULSES_MOST];
	int pulse;
	double per_s; /* transactions of the application, of 2 ms each */
	double transactions, active_ms;
	int64_t batches;
	struct scene_job jobs[JOBS];
};

void scene_begin(struct scene *scene);
void scene_end(struct scene *scene);

/* The job in place `i`. */
struct scene_job *scene_join(struct scene *scene, size_t i, const struct pace_wish *wish);

void scene_run(struct scene *scene, double seconds);

/* What each job does a second from now on, of WAL in MB and of execution in seconds. */
struct rate {
	double mb, busy;
};

void scene_measure(struct scene *scene, double seconds, struct rate rates[JOBS]);

#endif
