/*
 * pacer_scene: a primary and its replicas of known speed, which replay what it writes; the fills write as
 * much as the pacer allows.
 */
#ifndef BACKFILLD_TESTS_UNIT_PACER_SCENE_H
#define BACKFILLD_TESTS_UNIT_PACER_SCENE_H

#include "daemon/pacer.h"

#include <math.h>

#define MB (1024.0 * 1024.0)
#define STEP_MS 100
#define LAG_TARGET_MS 500
#define MAX_LAG_MS 1000
#define STEPS_MOST 3000
#define REPLICAS 3
#define AS_MUCH_AS_MAY INFINITY

struct plant_replica {
	const char *name; /* NULL: there is none */
	double speed;     /* MB a second, of WAL without images */
	double replayed;
	bool gone;
	bool unknown; /* its lag */
};

struct plant {
	struct pacer pacer;
	int step;
	double written[STEPS_MOST]; /* at the end of each step */
	double mix[STEPS_MOST];     /* bytes for one of work, of what was written in it */
	double filled[PACER_COUNTS];
	double foreground; /* MB a second */
	double dear;       /* work for a byte of it; 0: 1 */
	double want;       /* of the fills, MB a second */
	double images;     /* the fills' bytes for a plain byte; 0: 1 */
	bool narrow;       /* network: a byte is a byte */
	struct plant_replica replicas[REPLICAS];
	bool closed; /* the gate */
	int closings;
	double lag_most_ms; /* of all replicas, since it was set to 0 */
};

/* To be ended with pacer_free(&plant->pacer). */
void plant_begin(struct plant *plant);
void plant_add(struct plant *plant, size_t i, const char *name, double speed);

void plant_step(struct plant *plant);

/* MB a second that the fills wrote. */
double plant_run(struct plant *plant, double seconds);

/* A VACUUM of ours that writes so many MB a second, each of so much work, for so long. */
void plant_vacuum(struct plant *plant, double mb, double dear, double seconds);

#endif
