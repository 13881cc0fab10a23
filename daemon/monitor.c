#include "daemon/monitor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/session.h"
#include "daemon/lag.h"
#include "daemon/pressure.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_EVERY_MS 250
/* The first samples come quicker: until there are some nothing may be filled. */
#define FIRST_SAMPLES 8
#define FIRST_SAMPLES_EVERY_MS 50

struct replica {
	char *name;
	uint64_t replayed;
	int64_t seen_ms;
};

struct monitor {
	struct loop *loop;
	const struct options_database *database;
	struct session *session; /* NULL: at rest */
	struct loop_timer *timer;
	struct lag_ring ring;
	int64_t sampled_ms;
	int samples; /* since the connection stands */
	struct replica *replicas;
	size_t replicas_count;
	struct signals_replica *told; /* what the signals point to */
	struct signals signals;
};

static void sample(void *owner);

struct monitor *monitor_new(struct loop *loop, const struct options_database *database)
{
	struct monitor *monitor = memory_new(sizeof(*monitor));

	monitor->loop = loop;
	monitor->database = database;
	monitor->timer = loop_timer_new(loop, sample, monitor);
	return monitor;
}

static void forget_replicas(struct monitor *monitor)
{
	for (size_t i = 0; i < monitor->replicas_count; i++)
		free(monitor->replicas[i].name);
	free(monitor->replicas);
	monitor->replicas = NULL;
	monitor->replicas_count = 0;
}

void monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	session_free(monitor->session);
	loop_timer_free(monitor->timer);
	forget_replicas(monitor);
	free(monitor->told);
	free(monitor);
}

static void opened(void *owner)
{
	struct monitor *monitor = owner;

	monitor->ring.count = 0; /* it may be another server now */
	monitor->samples = 0;
	loop_timer_after(monitor->timer, 0);
}

static const struct session_events events = {.opened = opened};

/* A heartbeat must never wait for a synchronous standby that is gone. */
static struct script *greeting(void)
{
	struct script *script = script_new();

	script_add(script, "SET synchronous_commit = off");
	script_add(script, "SET statement_timeout = '4s'");
	return script;
}

void monitor_watch(struct monitor *monitor, bool on)
{
	if (on == (monitor->session != NULL))
		return;
	if (on) {
		/* Those that were there when it last looked are missed from now on, should they be gone. */
		for (size_t i = 0; i < monitor->replicas_count; i++)
			monitor->replicas[i].seen_ms = clock_ms();
		monitor->session = session_new(
			monitor->loop, monitor->database->conninfo, "backfilld monitor", greeting(), &events, monitor);
		return;
	}
	loop_timer_stop(monitor->timer);
	session_free(monitor->session);
	monitor->session = NULL;
	monitor->sampled_ms = 0;
	monitor->ring.count = 0;
}

static bool listed(const struct options_database *database, const char *name)
{
	if (database->replicas_all)
		return true;
	for (size_t i = 0; i < database->replicas_count; i++) {
		if (strcmp(database->replicas[i], name) == 0)
			return true;
	}
	return false;
}

static struct replica *find_replica(const struct monitor *monitor, const char *name)
{
	for (size_t i = 0; i < monitor->replicas_count; i++) {
		if (strcmp(monitor->replicas[i].name, name) == 0)
			return &monitor->replicas[i];
	}
	return NULL;
}

/* Replicas of one name are one replica: the slowest of them. */
static void note_replica(struct monitor *monitor, const char *name, uint64_t replayed, int64_t now_ms)
{
	struct replica *replica = find_replica(monitor, name);

	if (!replica) {
		monitor->replicas =
			memory_resize(monitor->replicas, (monitor->replicas_count + 1) * sizeof(monitor->replicas[0]));
		replica = &monitor->replicas[monitor->replicas_count++];
		*replica = (struct replica){.name = memory_text(name)};
	}
	if (replica->seen_ms != now_ms || replayed < replica->replayed)
		replica->replayed = replayed;
	replica->seen_ms = now_ms;
}

static void tell_gone(struct monitor *monitor, const char *name)
{
	char *sentence =
		memory_textf("replica %s has been gone for %d s (replica_grace_s) and is no longer waited for", name,
			monitor->database->replica_grace_s);

	log_warning(&(struct log_about){.database = monitor->database->name}, "%s", sentence);
	pressure_tell(monitor->session, "replica", sentence);
	free(sentence);
}

/* One that must be kept close and is not there at all counts as gone from now on. */
static void miss_listed(struct monitor *monitor, int64_t now_ms)
{
	const struct options_database *database = monitor->database;

	for (size_t i = 0; !database->replicas_all && i < database->replicas_count; i++) {
		if (!find_replica(monitor, database->replicas[i]))
			note_replica(monitor, database->replicas[i], 0, now_ms - 1);
	}
}

/* A replica that vanished is not a replica without lag; after the grace it is no longer waited for. */
static void drop_long_gone(struct monitor *monitor, int64_t now_ms)
{
	int64_t grace_ms = (int64_t)monitor->database->replica_grace_s * 1000;
	size_t kept = 0;

	for (size_t i = 0; i < monitor->replicas_count; i++) {
		struct replica *replica = &monitor->replicas[i];

		if (now_ms - replica->seen_ms <= grace_ms) {
			monitor->replicas[kept++] = *replica;
			continue;
		}
		tell_gone(monitor, replica->name);
		free(replica->name);
	}
	monitor->replicas_count = kept;
}

static void sampled(void *owner, const struct reply *reply)
{
	struct monitor *monitor = owner;
	int64_t now_ms = clock_ms();
	const char *name;
	uint64_t replayed;

	loop_timer_after(
		monitor->timer, monitor->samples++ < FIRST_SAMPLES ? FIRST_SAMPLES_EVERY_MS : SAMPLE_EVERY_MS);
	if (reply_fault(reply)) {
		log_debug(&(struct log_about){.database = monitor->database->name}, "no lag sample: %s",
			reply_fault(reply)->message);
		return;
	}
	lag_note(&monitor->ring, now_ms, pressure_read_flushed(reply));
	for (size_t row = 0; pressure_read_replica(reply, row, &name, &replayed); row++) {
		if (listed(monitor->database, name))
			note_replica(monitor, name, replayed, now_ms);
	}
	if (monitor->sampled_ms == 0)
		miss_listed(monitor, now_ms);
	drop_long_gone(monitor, now_ms);
	monitor->sampled_ms = now_ms;
}

static void sample(void *owner)
{
	struct monitor *monitor = owner;

	if (monitor->session && session_is_open(monitor->session))
		pressure_ask(monitor->session, sampled, monitor);
}

const struct signals *monitor_signals(struct monitor *monitor)
{
	monitor->told = memory_resize(monitor->told, (monitor->replicas_count + 1) * sizeof(monitor->told[0]));
	for (size_t i = 0; i < monitor->replicas_count; i++) {
		const struct replica *replica = &monitor->replicas[i];

		monitor->told[i] = (struct signals_replica){
			.name = replica->name,
			.lag_ms = lag_of(&monitor->ring, monitor->sampled_ms, replica->replayed),
			.replayed = replica->replayed,
			.vanished_ago = monitor->sampled_ms - replica->seen_ms,
		};
	}
	monitor->signals = (struct signals){
		.pulse_ms = monitor->sampled_ms,
		.survey_ms = monitor->sampled_ms,
		.archiver_waiting = -1,
		.replicas = monitor->told,
		.replicas_count = monitor->replicas_count,
		.min_replicas = monitor->database->min_replicas,
	};
	return &monitor->signals;
}

int64_t monitor_lag_ms(struct monitor *monitor)
{
	const struct signals *signals = monitor_signals(monitor);
	int64_t lag_ms = -1;

	for (size_t i = 0; i < signals->replicas_count; i++) {
		if (signals->replicas[i].lag_ms > lag_ms)
			lag_ms = signals->replicas[i].lag_ms;
	}
	return lag_ms;
}
