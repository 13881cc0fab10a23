/*
 * watch: samples the plant for the pace, as the monitor samples a server.
 *
 * A pulse ten times a second, a survey once a second, a heartbeat four times a second; lags by the same ring.
 */
#ifndef BACKFILLD_TESTS_SIM_WATCH_H
#define BACKFILLD_TESTS_SIM_WATCH_H

#include "daemon/lag.h"
#include "daemon/signals.h"
#include "tests/sim/application.h"
#include "tests/sim/plant.h"

#define WATCH_PULSE_MS 100
#define WATCH_SURVEY_MS 1000
#define WATCH_FIRST_SURVEY_MS 100 /* within the first second */
#define WATCH_HEARTBEAT_MS 250
/* replica_grace_s of the config. */
#define WATCH_GRACE_MS 60000

struct watch {
	struct plant *plant;
	struct application *application;
	struct application_session own; /* the monitor's transactions are counted too */
	int64_t asked;                  /* transactions of it so far */
	int64_t origin_ms;              /* the clock at the plant's 0 */
	struct lag_ring ring;
	double next_pulse_ms;
	double next_survey_ms;
	double next_heartbeat_ms;
	int64_t seen_ms[PLAN_REPLICAS]; /* 0: never, or no longer waited for */
	struct signals_replica told[PLAN_REPLICAS];
	struct signals_slot slot;
	struct signals signals;
};

void watch_start(
	struct watch *watch, struct plant *plant, struct application *application, int64_t origin_ms);

/* True: something new was seen, and stands in `signals`. `ret_survey`: also a survey. */
bool watch_step(struct watch *watch, bool *ret_survey) MUST_USE;

#endif
