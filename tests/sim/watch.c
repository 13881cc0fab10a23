#include "tests/sim/watch.h"

#include <stdlib.h>

#define HEARTBEAT_BYTES 100
/* What its own questions cost the server. */
#define PULSE_COSTS_MS 0.3
#define SURVEY_COSTS_MS 3.0

void watch_start(struct watch *watch, struct plant *plant, struct application *application, int64_t origin_ms)
{
	struct replicas_rules rules = {.all = true, .grace_ms = WATCH_GRACE_MS};

	*watch = (struct watch){.plant = plant, .application = application, .origin_ms = origin_ms};
	watch->replicas = replicas_new(&rules);
	watch->signals = (struct signals){.archiver_waiting = -1, .cores = 4, .slots = &watch->slot};
}

void watch_end(struct watch *watch)
{
	replicas_free(watch->replicas);
}

static void look_at_replicas(struct watch *watch, int64_t now_ms)
{
	const struct plant *plant = watch->plant;
	size_t source;
	char *let_go;

	replicas_begin(watch->replicas, REPLICAS_OF_PRIMARY, now_ms);
	for (size_t i = 0; i < plant->replicas_count; i++) {
		const struct plant_replica *replica = &plant->replicas[i];
		struct replicas_seen seen = {
			.name = replica->plan->name,
			.replayed = (uint64_t)replica->told.replayed,
			.received = (uint64_t)replica->received,
		};

		if (replica->connected)
			replicas_note(watch->replicas, REPLICAS_OF_PRIMARY, &seen, now_ms);
	}
	while ((let_go = replicas_let_go(watch->replicas, now_ms, &source)))
		free(let_go);
}

static void take_pulse(struct watch *watch, int64_t now_ms)
{
	const struct plant *plant = watch->plant;
	struct signals *signals = &watch->signals;

	if (signals->pulse_ms == 0)
		replicas_restart(watch->replicas, now_ms);
	else if (now_ms - signals->pulse_ms > SIGNALS_PULSE_STALE_MS)
		replicas_resume(watch->replicas, now_ms);
	replicas_note_primary(watch->replicas, now_ms, (uint64_t)plant->flushed);
	look_at_replicas(watch, now_ms);
	signals->pulse_ms = now_ms;
	signals->written = (uint64_t)plant->written;
	signals->flushed = (uint64_t)plant->flushed;
	signals->replicas = replicas_read(watch->replicas, now_ms, &signals->replicas_count);
	watch->asked++;
	application_count(watch->application, &watch->own, plant->ms, 1, PULSE_COSTS_MS);
}

static void take_survey(struct watch *watch, int64_t now_ms)
{
	const struct scenario *scenario = watch->plant->scenario;
	double s = watch->plant->ms / 1e3;
	double waiting = curve_at(&scenario->archiver, s);

	watch->signals.survey_ms = now_ms;
	watch->signals.archiver_waiting = waiting > 0 ? (int64_t)waiting : -1;
	watch->signals.checkpoints_asked = watch->plant->checkpoints_asked;
	watch->signals.veto = curve_at(&scenario->veto, s) > 0 ? SIGNALS_HOLD : SIGNALS_NO_QUERY;
	watch->signals.veto_why = watch->signals.veto == SIGNALS_HOLD ? "the books are being closed" : NULL;
	watch->slot = (struct signals_slot){
		.name = "archive_of_records",
		.wal_status = curve_at(&scenario->slot_ending, s) > 0 ? SIGNALS_WAL_UNRESERVED : SIGNALS_WAL_RESERVED,
		.safe_bytes = -1,
		.retained_bytes = 1000000,
	};
	watch->signals.slots_count = 1;
	application_read(watch->application, now_ms, &watch->signals.traffic);
	watch->signals.traffic.ours = watch->asked++;
	application_count(watch->application, &watch->own, watch->plant->ms, 1, SURVEY_COSTS_MS);
}

static bool is_followed(const struct watch *watch)
{
	return watch->signals.replicas_count > 0;
}

static double pulse_every_ms(const struct watch *watch)
{
	return is_followed(watch) ? SIGNALS_PULSE_MS : SIGNALS_LONELY_PULSE_MS;
}

static bool due(double *next_ms, double every_ms, double ms)
{
	if (ms < *next_ms)
		return false;
	*next_ms += every_ms;
	return true;
}

static double survey_every_ms(const struct watch *watch)
{
	return watch->next_survey_ms < WATCH_SURVEY_MS ? WATCH_FIRST_SURVEY_MS : WATCH_SURVEY_MS;
}

bool watch_step(struct watch *watch, bool *ret_survey)
{
	struct plant *plant = watch->plant;
	const struct scenario *scenario = plant->scenario;
	int64_t now_ms = watch->origin_ms + (int64_t)plant->ms;
	bool pulse_is_due = plant->ms >= watch->next_pulse_ms;
	bool pulse = pulse_is_due && curve_at(&scenario->pulse_lost, plant->ms / 1e3) < 1;

	*ret_survey = due(&watch->next_survey_ms, survey_every_ms(watch), plant->ms) &&
				  curve_at(&scenario->survey_lost, plant->ms / 1e3) < 1;
	if (due(&watch->next_heartbeat_ms, SIGNALS_HEARTBEAT_MS, plant->ms) && is_followed(watch)) {
		plant_write(plant, HEARTBEAT_BYTES, HEARTBEAT_BYTES, true);
		watch->asked++;
		application_count(watch->application, &watch->own, plant->ms, 1, PULSE_COSTS_MS);
	}
	if (pulse)
		take_pulse(watch, now_ms);
	if (pulse_is_due)
		watch->next_pulse_ms += pulse_every_ms(watch);
	if (*ret_survey)
		take_survey(watch, now_ms);
	return pulse || *ret_survey;
}
