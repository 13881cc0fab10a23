/*
 * watch: samples the plant for the pace, as the monitor samples a server.
 *
 * Pulses and heartbeats as often as it does, a survey once a second; who is a replica, and how far it is
 * behind, by the daemon's own `replicas`.
 */
#ifndef BACKFILLD_TESTS_SIM_WATCH_H
#define BACKFILLD_TESTS_SIM_WATCH_H

#include "daemon/replicas.h"
#include "daemon/signals.h"
#include "tests/sim/application.h"
#include "tests/sim/plant.h"

#define WATCH_SURVEY_MS 1000
#define WATCH_FIRST_SURVEY_MS 100 /* within the first second */
/* replica_grace_s of the config. */
#define WATCH_GRACE_MS 60000

struct watch {
	struct plant *plant;
	struct application *application;
	struct application_session own; /* the monitor's transactions are counted too */
	int64_t asked;                  /* transactions of it so far */
	int64_t origin_ms;              /* the clock at the plant's 0 */
	struct replicas *replicas;
	double next_pulse_ms;
	double next_survey_ms;
	double next_heartbeat_ms;
	struct signals_slot slot;
	struct signals signals;
};

void watch_start(
	struct watch *watch, struct plant *plant, struct application *application, int64_t origin_ms);
void watch_end(struct watch *watch);

/* True: something new was seen, and stands in `signals`. `ret_survey`: also a survey. */
bool watch_step(struct watch *watch, bool *ret_survey) MUST_USE;

#endif
