#include "daemon/director.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/session.h"
#include "daemon/fitness.h"
#include "daemon/monitor.h"
#include "daemon/presence.h"
#include "daemon/queue.h"
#include "daemon/roster.h"
#include "daemon/task.h"
#include "daemon/watcher.h"
#include "daemon/worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_AGAIN_MS 5000
#define WINDOW_PAGES 4096
#define BUSY_POLL_MS 1000

struct director {
	struct loop *loop;
	const struct options *options;
	const struct options_database *database;
	const char *holder;
	director_told *told;
	void *owner;
	struct session *control;
	struct monitor *monitor;
	struct presence *presence;
	struct pace *pace;
	struct watcher *watcher;
	struct loop_timer *timer;
	void (*next)(struct director *director); /* what the timer goes on with */
	struct worker_context context;
	struct roster roster;
	struct text trouble; /* empty: serving */
	struct queue_entry claiming;
	bool claim_in_flight;
	size_t
		passed_over; /* claimable jobs that were not to be had just now: those behind them get their turn */
	bool look_in_flight;
	bool look_again; /* something happened while a look was in flight */
	bool stopping;
	bool serving;
	int failures;
	int64_t looked_ms;
};

static void say_hello(struct director *director);
static void check_version(struct director *director);
static void look(struct director *director);

static struct log_about about(const struct director *director)
{
	return (struct log_about){.database = director->database->name};
}

static void go_on(void *owner)
{
	struct director *director = owner;

	director->next(director);
}

static void after(struct director *director, int64_t delay_ms, void (*next)(struct director *))
{
	director->next = next;
	loop_timer_after(director->timer, delay_ms);
}

/* Said once, not at every attempt. */
static void set_trouble(struct director *director, const char *message, const char *hint)
{
	struct log_about database = about(director);
	struct text sentence = {0};

	text_addf(&sentence, "%s%s%s", message, hint ? "; " : "", hint ? hint : "");
	if (strcmp(text_is(&sentence), text_is(&director->trouble)) != 0)
		log_error(&database, "database %s is not served: %s", director->database->name, text_is(&sentence));
	text_free(&director->trouble);
	director->trouble = sentence;
	director->serving = false;
}

static void opened(void *owner)
{
	struct director *director = owner;

	if (!director->stopping)
		say_hello(director);
}

static void lost(void *owner, const struct fault *why)
{
	struct director *director = owner;

	director->claim_in_flight = director->look_in_flight = false;
	if (!director->stopping)
		set_trouble(director, why->message, why->hint);
}

static void notified(void *owner, const char *channel, const char *payload)
{
	struct director *director = owner;

	(void)channel;
	(void)payload; /* only a reason to look */
	if (director->serving)
		after(director, 0, look);
}

static const struct session_events session_events = {.opened = opened, .lost = lost, .notified = notified};

/* Nothing the control login asks waits for long, for a lock or for a standby that is gone. */
static struct script *greeting(void)
{
	struct script *script = script_new();

	script_add(script, "SET synchronous_commit = local");
	script_add(script, "SET statement_timeout = '8s'");
	script_add(script, "SET lock_timeout = '500ms'");
	script_add(script, "SET search_path = pg_catalog, pg_temp");
	script_add(script, "SET jit = off");
	/* Or what is prepared is planned anew the first five times, which takes longer than its answer. */
	script_add(script, "SET plan_cache_mode = force_generic_plan");
	script_add(script, "LISTEN backfill");
	return script;
}

static void sampled(void *owner)
{
	struct director *director = owner;

	struct signals signals = *monitor_signals(director->monitor);

	signals.traffic.ours += watcher_looks(director->watcher) + session_asked(director->control);
	signals.blind = watcher_blind(director->watcher);
	pace_sample(director->pace, &signals, clock_ms());
}

struct director *director_new(struct loop *loop, const struct options *options,
	const struct options_database *database, const char *holder, director_told *told, void *owner)
{
	struct director *director = memory_new(sizeof(*director));

	*director = (struct director){.loop = loop,
		.options = options,
		.database = database,
		.holder = holder,
		.told = told,
		.owner = owner};
	text_add(&director->trouble, "not connected yet");
	director->timer = loop_timer_new(loop, go_on, director);
	director->monitor = monitor_new(loop, database, sampled, director);
	director->pace = pace_new();
	director->control =
		session_new(loop, database->conninfo, "backfilld", greeting(), &session_events, director);
	director->presence = presence_new();
	director->watcher = watcher_new(loop, database, director->control, director->presence);
	return director;
}

void director_free(struct director *director)
{
	if (!director)
		return;
	roster_free(&director->roster);
	monitor_free(director->monitor);
	pace_free(director->pace);
	watcher_free(director->watcher);
	presence_free(director->presence);
	session_free(director->control);
	loop_timer_free(director->timer);
	queue_entry_clear(&director->claiming);
	text_free(&director->trouble);
	free(director);
}

/* Of the checks after a connect. True: the fault was dealt with. */
static bool check_failed(struct director *director, const struct fault *why, void (*again)(struct director *))
{
	if (!why)
		return false;
	set_trouble(director, why->message, why->hint);
	after(director, CHECK_AGAIN_MS, again);
	return true;
}

/* Every check after a connect ends here: not fit, looked at again later. */
static void is_not_fit(struct director *director, struct fault *why)
{
	set_trouble(director, why->message, why->hint);
	fault_clear(why);
	after(director, CHECK_AGAIN_MS, say_hello);
}

static void got_hello(void *owner, const struct reply *reply)
{
	struct director *director = owner;
	struct session *control = director->control;
	struct queue_database database;
	struct fault why = {0};

	if (director->stopping || check_failed(director, reply_fault(reply), say_hello))
		return;
	queue_read_hello(reply, &database);
	if (!fitness_of_server(&database, session_server_version(control), session_backend_pid(control), &why) ||
		(!database.installed && !fitness_of_schema(0, &why)) || !fitness_of_login(&database, &why)) {
		is_not_fit(director, &why);
		return;
	}
	director->context = (struct worker_context){
		.loop = director->loop,
		.control = control,
		.monitor = director->monitor,
		.presence = director->presence,
		.pace = director->pace,
		.options = director->options,
		.database = director->database,
		.server_version = session_server_version(control),
		.window_pages = window_pages_for(WINDOW_PAGES, database.shared_buffers, 1),
		.shared_buffers = database.shared_buffers,
	};
	check_version(director);
}

static void say_hello(struct director *director)
{
	queue_hello(director->control, got_hello, director);
}

static void got_version(void *owner, const struct reply *reply)
{
	struct director *director = owner;
	struct log_about database = about(director);
	struct fault why = {0};

	if (director->stopping || check_failed(director, reply_fault(reply), check_version))
		return;
	if (!fitness_of_schema(queue_read_version(reply), &why)) {
		is_not_fit(director, &why);
		return;
	}
	text_clear(&director->trouble);
	director->serving = true;
	log_info(&database, "serving database %s", director->database->name);
	director->told(director->owner, director, DIRECTOR_SERVING);
	if (!director->stopping)
		look(director);
}

static void check_version(struct director *director)
{
	queue_version(director->control, got_version, director);
}

static void tell_when_stopped(struct director *director);

static void worker_has_ended(void *owner, struct worker *worker, bool failed)
{
	struct director *director = owner;

	roster_remove(&director->roster, worker);
	director->failures += failed;
	monitor_watch(director->monitor, director->roster.count > 0);
	watcher_watch(director->watcher, director->roster.count > 0);
	if (director->stopping)
		tell_when_stopped(director);
	else if (director->serving)
		after(director, 0, look);
}

static void start_worker(struct director *director, const struct queue_entry *entry, int64_t epoch)
{
	roster_add(&director->roster, worker_new(&director->context, entry, epoch, worker_has_ended, director));
	monitor_watch(director->monitor, true);
	watcher_watch(director->watcher, true);
}

static void claimed(void *owner, const struct reply *reply)
{
	struct director *director = owner;
	struct log_about database = about(director);
	int64_t epoch = queue_read_claim(reply);

	director->claim_in_flight = false;
	director->passed_over = epoch > 0 ? 0 : director->passed_over + 1;
	if (epoch > 0 && !director->stopping)
		start_worker(director, &director->claiming, epoch);
	else if (reply_fault(reply))
		log_debug(&database, "job %" PRId64 " was not to be had: %s", director->claiming.job.id,
			reply_fault(reply)->message);
	if (director->serving && !director->stopping)
		after(director, epoch > 0 ? 0 : 100, look);
}

/* Takes the entry's contents. */
static void claim(struct director *director, struct queue_entry *entry)
{
	queue_entry_clear(&director->claiming);
	director->claiming = *entry;
	*entry = (struct queue_entry){0};
	director->claim_in_flight = true;
	queue_claim(director->control, director->claiming.job.id, director->holder, claimed, director);
}

static bool has_room(const struct director *director)
{
	return !director->stopping && !director->claim_in_flight &&
		   director->roster.count < (size_t)director->options->jobs_at_once;
}

/*
 * A claim of ours that nobody works on: its answer was lost with a connection, or its worker was fenced while
 * this process was frozen and nobody else took over. Renewed it would keep the job from everybody; claimed
 * anew it gets an epoch of its own, and sessions of the old one are ended first.
 */
static void give_back(struct director *director, const struct job *job)
{
	queue_release(director->control, job->id, job->epoch, NULL, 0, NULL, NULL);
}

static bool take_look(struct director *director, const struct reply *reply)
{
	struct queue_entry entry = {0};
	bool runnable = false;
	size_t claimable = 0;

	for (size_t row = 0; row < reply_rows(reply, 0); row++) {
		struct worker *worker;

		queue_read_look(reply, row, &entry);
		worker = roster_find(&director->roster, entry.job.id);
		if (entry.mine && worker)
			worker_update(worker, &entry);
		runnable = runnable || !entry.mine || !worker;
		if (entry.mine && !worker && !director->claim_in_flight)
			give_back(director, &entry.job);
		else if (!entry.mine && !entry.elsewhere && !worker && claimable++ >= director->passed_over &&
				 has_room(director))
			claim(director, &entry);
	}
	if (claimable <= director->passed_over)
		director->passed_over = 0;
	queue_entry_clear(&entry);
	return runnable;
}

/* While jobs run, leases are renewed and knobs are read at least once a second. */
static int64_t look_again_ms(const struct director *director)
{
	if (director->roster.count > 0 && director->options->poll_ms > BUSY_POLL_MS)
		return BUSY_POLL_MS;
	return director->options->poll_ms;
}

static void looked(void *owner, const struct reply *reply)
{
	struct director *director = owner;
	bool runnable;

	director->look_in_flight = false;
	if (director->stopping)
		return;
	/* What waiting does not mend is said, and checked from the start: the schema may be gone. */
	if (reply_fault(reply) && !task_may_retry(reply_fault(reply))) {
		check_failed(director, reply_fault(reply), say_hello);
		return;
	}
	if (reply_fault(reply)) {
		if (director->serving)
			after(director, look_again_ms(director), look);
		return;
	}
	/* A claim in flight is not in this answer yet. */
	if (!director->claim_in_flight)
		roster_abandon_lost(&director->roster, reply);
	runnable = take_look(director, reply);
	after(director, director->look_again ? 0 : look_again_ms(director), look);
	director->look_again = false;
	if (!runnable && director->roster.count == 0 && !director->claim_in_flight)
		director->told(director->owner, director, DIRECTOR_IDLE);
}

static void look(struct director *director)
{
	const struct options_knobs *knobs = &director->options->defaults;
	struct job_knobs defaults = {
		.batch_ms = knobs->batch_ms,
		.workers = knobs->workers,
		.max_lag_ms = knobs->max_lag_ms,
		.lag_target_ms = knobs->lag_target_ms,
		.max_wal_rate = knobs->max_wal_rate,
		.max_impact = knobs->max_impact,
		.lock_timeout_ms = knobs->lock_timeout_ms,
		.ddl_lock_timeout_ms = knobs->ddl_lock_timeout_ms,
	};

	if (!director->serving || director->stopping)
		return;
	if (director->look_in_flight) {
		director->look_again = true;
		return;
	}
	director->look_in_flight = true;
	if (clock_ms() - director->looked_ms >= look_again_ms(director)) {
		director->looked_ms = clock_ms();
		queue_seen(director->control, director->holder);
		queue_renew(director->control, director->holder, NULL, NULL);
		queue_find_reborn(director->control);
		queue_read_evidence(director->control);
		queue_explain_waiting(
			director->control, director->roster.count >= (size_t)director->options->jobs_at_once);
	}
	queue_look(director->control, director->holder, &defaults, looked, director);
}

static void said_goodbye(void *owner, const struct reply *reply)
{
	struct director *director = owner;

	(void)reply;
	director->told(director->owner, director, DIRECTOR_STOPPED);
}

static void tell_stopped(struct director *director)
{
	director->told(director->owner, director, DIRECTOR_STOPPED);
}

static void tell_when_stopped(struct director *director)
{
	if (director->roster.count > 0)
		return;
	if (director->serving)
		queue_gone(director->control, director->holder, said_goodbye, director);
	else
		after(director, 0, tell_stopped);
}

void director_stop(struct director *director)
{
	if (director->stopping)
		return;
	director->stopping = true;
	loop_timer_stop(director->timer);
	roster_stop(&director->roster);
	tell_when_stopped(director);
}

const char *director_trouble(const struct director *director)
{
	return director->serving ? NULL : text_is(&director->trouble);
}

int director_failures(const struct director *director)
{
	return director->failures;
}

void director_describe(const struct director *director, struct text *lines)
{
	roster_describe(&director->roster, lines);
}
