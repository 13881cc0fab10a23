#include "daemon/monitor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/session.h"
#include "common/sqlstate.h"
#include "daemon/outage.h"
#include "daemon/pressure.h"
#include "daemon/replicas.h"
#include "daemon/rhythm.h"
#include "daemon/surveyor.h"
#include "daemon/veto.h"
#include "sql.h"

#include <stdlib.h>

/* The first ones come quicker: until there are some nothing may be filled. */
#define FIRST_PULSES 8
#define FIRST_PULSES_EVERY_MS 50
#define QUERY_EVERY_MS 1000
/* Between an answer and the next question, however long it took. */
#define REST_MS 10

/* What may be unreadable: the survey's parts, and these; of the last one for each cascade. The operator's
 * query comes after them: it holds by itself. */
enum { PART_PULSE = SURVEY_PARTS, PART_CASCADES };

/* A standby that is asked for its replicas. */
struct cascade {
	struct rhythm *asking; /* NULL: at rest */
	bool answered;         /* ever, with a list */
	char *trouble;         /* why it gives none; NULL: it does */
};

struct monitor {
	struct loop *loop;
	const struct options_database *database;
	monitor_sampled *sampled;
	void *owner;
	struct session *session; /* NULL: at rest */
	struct loop_timer *timer;
	struct outages *outages;
	struct surveyor *surveyor;
	struct replicas *replicas;
	struct cascade *cascades;
	struct rhythm *asking; /* the operator's query; NULL: there is none, or at rest */
	struct veto veto;
	int pulses; /* since the connection stands */
	int64_t asked_ms;
	int64_t asked; /* pulses and surveys, ever: they are among the transactions that the server counts */
	int64_t heartbeat_due_ms;
	int64_t pulse_ms;
	uint64_t flushed;
	uint64_t written;
	bool followed; /* by somebody who replays, or should */
	struct signals signals;
};

static void ask_pulse(void *owner);
static void surveyed(void *owner);

static size_t cascades_of(const struct monitor *monitor)
{
	return monitor->database->cascades_count;
}

static size_t part_of_query(const struct monitor *monitor)
{
	return PART_CASCADES + cascades_of(monitor);
}

static void tell(struct monitor *monitor, const char *kind, char *sentence)
{
	log_warning(&(struct log_about){.database = monitor->database->name}, "%s", sentence);
	pressure_tell(monitor->session, kind, sentence);
	free(sentence);
}

static void tell_sampled(void *owner)
{
	struct monitor *monitor = owner;

	if (monitor->sampled)
		monitor->sampled(monitor->owner);
}

struct replicas_rules monitor_rules(const struct options_database *database)
{
	return (struct replicas_rules){
		.all = database->replicas_all,
		.listed = database->replicas,
		.listed_count = database->replicas_count,
		.delayed = database->delayed_replicas,
		.delayed_count = database->delayed_replicas_count,
		.cascades = database->cascades_count,
		.grace_ms = (int64_t)database->replica_grace_s * 1000,
	};
}

struct monitor *monitor_new(
	struct loop *loop, const struct options_database *database, monitor_sampled *sampled, void *owner)
{
	struct monitor *monitor = memory_new(sizeof(*monitor));
	struct replicas_rules rules = monitor_rules(database);

	*monitor = (struct monitor){.loop = loop, .database = database, .sampled = sampled, .owner = owner};
	monitor->timer = loop_timer_new(loop, ask_pulse, monitor);
	monitor->outages = outages_new(part_of_query(monitor) + 1, database->name);
	monitor->surveyor = surveyor_new(loop, monitor->outages, surveyed, monitor);
	monitor->replicas = replicas_new(&rules);
	monitor->cascades = memory_new((cascades_of(monitor) + 1) * sizeof(monitor->cascades[0]));
	return monitor;
}

static void close_connections(struct monitor *monitor)
{
	loop_timer_stop(monitor->timer);
	surveyor_stop(monitor->surveyor);
	outages_use(monitor->outages, NULL);
	session_free(monitor->session);
	monitor->session = NULL;
	for (size_t i = 0; i < cascades_of(monitor); i++) {
		rhythm_free(monitor->cascades[i].asking);
		monitor->cascades[i].asking = NULL;
		memory_set_text(&monitor->cascades[i].trouble, NULL);
	}
	rhythm_free(monitor->asking);
	monitor->asking = NULL;
}

void monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	close_connections(monitor);
	loop_timer_free(monitor->timer);
	surveyor_free(monitor->surveyor);
	outages_free(monitor->outages);
	replicas_free(monitor->replicas);
	veto_free(&monitor->veto);
	free(monitor->cascades);
	free(monitor);
}

/* ---- replicas ---- */

/* Why who has vanished there is not seen; NULL: nothing is known. */
static const char *trouble_of(const struct monitor *monitor, size_t source)
{
	return source == REPLICAS_OF_PRIMARY ? NULL : monitor->cascades[source - 1].trouble;
}

static char *farewell(const struct monitor *monitor, const char *name, const char *trouble_or_null)
{
	return memory_textf("replica %s has been gone for %d s (replica_grace_s) and is no longer waited for%s%s",
		name, monitor->database->replica_grace_s, trouble_or_null ? ": " : "",
		trouble_or_null ? trouble_or_null : "");
}

static void let_go(struct monitor *monitor, int64_t now_ms)
{
	size_t source;
	char *name;

	while ((name = replicas_let_go(monitor->replicas, now_ms, &source))) {
		tell(monitor, "replica", farewell(monitor, name, trouble_of(monitor, source)));
		free(name);
	}
}

static void note_list(struct monitor *monitor, size_t source, const struct reply *reply, int64_t now_ms)
{
	struct replicas_seen seen;

	replicas_begin(monitor->replicas, source, now_ms);
	for (size_t row = 0; pressure_read_replica(reply, row, &seen); row++)
		replicas_note(monitor->replicas, source, &seen, now_ms);
}

static void surveyed(void *owner)
{
	struct monitor *monitor = owner;
	const char *lost = surveyor_survey(monitor->surveyor)->newly_lost;

	monitor->asked++;
	if (lost)
		tell(monitor, "slot",
			memory_textf("replication slot %s has lost WAL that it needs (wal_status lost): whoever uses it "
						 "must be made anew",
				lost));
	tell_sampled(monitor);
}

/* It is there, or nobody knows: it must be mended, or taken off `cascades`. */
static void cascade_is_unreadable(struct monitor *monitor, size_t number, const char *why, const char *hint)
{
	outages_begin(monitor->outages, PART_CASCADES + number,
		memory_textf("pg_stat_replication of cascades[%zu] cannot be read: %s%s%s", number, why,
			hint ? "; " : "", hint ? hint : ""));
	replicas_keep(monitor->replicas, number + 1);
}

/* It vanished, whatever was the matter with it before. */
static void cascade_is_gone(struct monitor *monitor, size_t number, const char *why)
{
	struct log_about about = {.database = monitor->database->name};

	log_debug(&about, "no sample: cascades[%zu]: %s", number, why);
	outages_end(monitor->outages, PART_CASCADES + number);
	replicas_keep_no_more(monitor->replicas, number + 1, clock_ms());
}

static void cascade_failed(struct monitor *monitor, size_t number, const struct fault *why)
{
	struct cascade *cascade = &monitor->cascades[number];

	memory_set_text(&cascade->trouble, why->message);
	if (cascade->answered && why->kind == FAULT_LINK && !sqlstate_is_refusal(why->sqlstate, why->message))
		cascade_is_gone(monitor, number, why->message);
	else
		cascade_is_unreadable(monitor, number, why->message, why->hint);
}

static void cascade_answered(void *owner, size_t number, const struct reply *reply, const struct fault *why)
{
	struct monitor *monitor = owner;
	struct cascade *cascade = &monitor->cascades[number];

	if (why) {
		cascade_failed(monitor, number, why);
	} else if (!pressure_may_see(reply)) {
		char *rights = survey_missing_rights(rhythm_login(cascade->asking));

		cascade_is_unreadable(monitor, number, rights, NULL);
		free(rights);
	} else {
		cascade->answered = true;
		memory_set_text(&cascade->trouble, NULL);
		outages_end(monitor->outages, PART_CASCADES + number);
		note_list(monitor, number + 1, reply, clock_ms());
	}
}

/* ---- the pulse ---- */

/* Somebody replays, whether he is waited for or not, or is missed, or may do so behind another standby. */
static bool is_followed(const struct monitor *monitor, const struct reply *reply)
{
	struct replicas_seen first;
	size_t count;
	bool waited_for = replicas_read(monitor->replicas, monitor->pulse_ms, &count) && count > 0;

	return waited_for || pressure_read_replica(reply, 0, &first) || cascades_of(monitor) > 0;
}

static void note_pulse(struct monitor *monitor, const struct reply *reply)
{
	int64_t now_ms = clock_ms();
	bool is_first = monitor->pulse_ms == 0;

	outages_end(monitor->outages, PART_PULSE);
	if (is_first)
		replicas_restart(monitor->replicas, now_ms);
	else if (now_ms - monitor->pulse_ms > SIGNALS_PULSE_STALE_MS)
		replicas_resume(monitor->replicas, now_ms);
	monitor->flushed = pressure_read_flushed(reply);
	monitor->written = pressure_read_written(reply);
	replicas_note_primary(monitor->replicas, now_ms, monitor->flushed);
	note_list(monitor, REPLICAS_OF_PRIMARY, reply, now_ms);
	if (is_first)
		replicas_miss_listed(monitor->replicas, now_ms);
	let_go(monitor, now_ms);
	monitor->pulse_ms = now_ms;
	monitor->followed = is_followed(monitor, reply);
}

static int64_t pulse_every_ms(const struct monitor *monitor)
{
	if (monitor->pulses < FIRST_PULSES)
		return FIRST_PULSES_EVERY_MS;
	return monitor->followed ? SIGNALS_PULSE_MS : SIGNALS_LONELY_PULSE_MS;
}

static void rest(struct monitor *monitor)
{
	int64_t rest_ms = monitor->asked_ms + pulse_every_ms(monitor) - clock_ms();

	monitor->pulses++;
	loop_timer_after(monitor->timer, rest_ms > REST_MS ? rest_ms : REST_MS);
}

static void felt_pulse(void *owner, const struct reply *reply)
{
	struct monitor *monitor = owner;

	if (reply_fault(reply))
		outages_note(monitor->outages, PART_PULSE, pressure_failed_part(reply), reply_fault(reply));
	else if (!pressure_may_see(reply))
		outages_begin(monitor->outages, SURVEY_RIGHTS, survey_missing_rights(session_user(monitor->session)));
	else
		note_pulse(monitor, reply);
	rest(monitor);
	tell_sampled(monitor);
}

/* Nobody would tell how far it has come, if nobody replays it. */
static bool heartbeat_is_due(struct monitor *monitor, int64_t now_ms)
{
	if (now_ms < monitor->heartbeat_due_ms || !monitor->followed)
		return false;
	/* After a pause the missed ones are not made up for. */
	if (now_ms - monitor->heartbeat_due_ms > SIGNALS_HEARTBEAT_MS)
		monitor->heartbeat_due_ms = now_ms;
	monitor->heartbeat_due_ms += SIGNALS_HEARTBEAT_MS;
	return true;
}

static void ask_pulse(void *owner)
{
	struct monitor *monitor = owner;

	if (!session_is_open(monitor->session))
		return;
	monitor->asked_ms = clock_ms();
	monitor->asked++;
	pressure_ask(monitor->session, heartbeat_is_due(monitor, monitor->asked_ms), felt_pulse, monitor);
}

/* ---- the operator's query ---- */

static void query_answered(void *owner, size_t number, const struct reply *reply, const struct fault *why)
{
	struct monitor *monitor = owner;

	(void)number;
	veto_read(&monitor->veto, reply, why);
	if (monitor->veto.wrong)
		outages_begin(monitor->outages, part_of_query(monitor),
			memory_textf("throttle_query is of no use: %s", monitor->veto.why));
	else
		outages_end(monitor->outages, part_of_query(monitor));
	tell_sampled(monitor);
}

/* ---- watching ---- */

static void opened(void *owner)
{
	struct monitor *monitor = owner;

	monitor->pulses = 0;
	monitor->pulse_ms = 0; /* it may be another server now */
	loop_timer_after(monitor->timer, 0);
	surveyor_start(monitor->surveyor, monitor->session);
}

static const struct session_events events = {.opened = opened};

/* A heartbeat must never wait for a synchronous standby that is gone. */
static struct script *greeting(void)
{
	struct script *script = script_new();

	script_add(script, "SET synchronous_commit = off");
	script_add(script, "SET statement_timeout = '4s'");
	/* Or what has a parameter is planned anew each time. */
	script_add(script, "SET plan_cache_mode = force_generic_plan");
	return script;
}

static void open_cascades(struct monitor *monitor)
{
	for (size_t i = 0; i < cascades_of(monitor); i++) {
		struct rhythm_question question = {
			.conninfo = monitor->database->cascades[i],
			.name = "backfilld monitor",
			.sql = sql_cascade,
			.every_ms = SIGNALS_PULSE_MS,
			.deadline_ms = PRESSURE_DEADLINE_MS,
		};

		monitor->cascades[i].asking =
			rhythm_new(monitor->loop, &question, NULL, i, cascade_answered, monitor);
	}
}

static void open_query(struct monitor *monitor)
{
	struct rhythm_question question = {
		.conninfo = monitor->database->conninfo,
		.name = "backfilld throttle",
		.sql = monitor->database->throttle_query,
		.every_ms = QUERY_EVERY_MS,
		.rests = true,
		.deadline_ms = VETO_TIMEOUT_MS * 2,
	};

	if (!question.sql || !question.sql[0])
		return;
	veto_begin(&monitor->veto);
	monitor->asking = rhythm_new(monitor->loop, &question, veto_greeting(), 0, query_answered, monitor);
}

void monitor_watch(struct monitor *monitor, bool on)
{
	if (on == (monitor->session != NULL))
		return;
	monitor->pulse_ms = 0;
	if (!on) {
		close_connections(monitor);
		return;
	}
	replicas_restart(monitor->replicas, clock_ms());
	monitor->session = session_new(
		monitor->loop, monitor->database->conninfo, "backfilld monitor", greeting(), &events, monitor);
	surveyor_hurry(monitor->surveyor);
	outages_use(monitor->outages, monitor->session);
	open_cascades(monitor);
	open_query(monitor);
}

void monitor_watch_table(struct monitor *monitor, uint32_t table_oid)
{
	survey_add_table(surveyor_survey(monitor->surveyor), table_oid);
	surveyor_hurry(monitor->surveyor);
}

void monitor_unwatch_table(struct monitor *monitor, uint32_t table_oid)
{
	survey_drop_table(surveyor_survey(monitor->surveyor), table_oid);
}

bool monitor_read_table(struct monitor *monitor, uint32_t table_oid, const uint32_t *parts,
	size_t parts_count, struct signals_table *ret_table)
{
	return survey_read_table(surveyor_survey(monitor->surveyor), table_oid, parts, parts_count, ret_table);
}

/* ---- what is known ---- */

const struct signals *monitor_signals(struct monitor *monitor)
{
	struct signals *signals = &monitor->signals;

	*signals = (struct signals){
		.pulse_ms = monitor->pulse_ms,
		.flushed = monitor->flushed,
		.written = monitor->written,
		.min_replicas = monitor->database->min_replicas,
		.survey_ms = surveyor_ended_ms(monitor->surveyor),
		.unreadable = outages_first(monitor->outages, part_of_query(monitor)),
		.veto = monitor->veto.verdict,
		.veto_why = monitor->veto.why,
	};
	signals->replicas = replicas_read(monitor->replicas, monitor->pulse_ms, &signals->replicas_count);
	survey_tell(surveyor_survey(monitor->surveyor), signals);
	signals->traffic.ours = monitor->asked;
	return signals;
}

int64_t monitor_lag_ms(struct monitor *monitor)
{
	const struct signals *signals = monitor_signals(monitor);
	int64_t lag_ms = -1;

	for (size_t i = 0; i < signals->replicas_count; i++) {
		if (signals->replicas[i].vanished_ago == 0 && signals->replicas[i].lag_ms > lag_ms)
			lag_ms = signals->replicas[i].lag_ms;
	}
	return lag_ms;
}
