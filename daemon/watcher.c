#include "daemon/watcher.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/text.h"
#include "daemon/queue.h"
#include "daemon/yield.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOLERATED_MS 50
/* Where a look fails on a connection that stands, the next one would fail as well. */
#define LOOK_AGAIN_MS 1000
#define TELL_EVERY_MS 1000
/* However little of ours is at work: whether it can look must be known. */
#define LOOK_LEAST_MS 1000
/* Whoever waits for an advisory lock may wait for ever, and for somebody else. */
#define ADVISORY_EVERY_MS 1000
/* So long an answer, or a connection, may take. */
#define UNSEEN_MS 2000

/* What a job gave way to, not told yet when `times` is above 0. */
struct given_way {
	int64_t job_id;
	int64_t epoch;
	enum stage stage;
	int64_t times;
	int64_t waited_ms;    /* the longest of them */
	struct text sentence; /* about that one */
	int64_t told_ms;
};

struct watcher {
	struct loop *loop;
	const struct options_database *database;
	struct session *control;
	const struct presence *presence;
	int64_t looks;
	int64_t seen_ms;         /* when it looked last */
	int64_t asked_ms;        /* what is not answered yet, or to connect; 0: nothing is asked */
	int64_t tolerated_ms;    /* that somebody waits for us; and to look again after */
	struct session *session; /* NULL: at rest */
	struct loop_timer *timer;
	char *blind;         /* why it cannot look, which was said; NULL: it can */
	bool proven;         /* the question that cancels was answered, on this connection */
	int64_t advisory_ms; /* when it asked last who holds advisory locks that are waited for */
	struct given_way *jobs;
	size_t jobs_count;
};

static void look(void *owner);

struct watcher *watcher_new(struct loop *loop, const struct options_database *database,
	struct session *control, const struct presence *presence)
{
	struct watcher *watcher = memory_new(sizeof(*watcher));

	watcher->loop = loop;
	watcher->database = database;
	watcher->control = control;
	watcher->presence = presence;
	watcher->timer = loop_timer_new(loop, look, watcher);
	return watcher;
}

static void forget_jobs(struct watcher *watcher)
{
	for (size_t i = 0; i < watcher->jobs_count; i++)
		text_free(&watcher->jobs[i].sentence);
	free(watcher->jobs);
	watcher->jobs = NULL;
	watcher->jobs_count = 0;
}

void watcher_free(struct watcher *watcher)
{
	if (!watcher)
		return;
	session_free(watcher->session);
	loop_timer_free(watcher->timer);
	forget_jobs(watcher);
	free(watcher->blind);
	free(watcher);
}

static struct log_about about(const struct watcher *watcher)
{
	return (struct log_about){.database = watcher->database->name};
}

/* Said once, however many looks fail. */
static void lose_sight(struct watcher *watcher, const struct fault *why)
{
	struct log_about database = about(watcher);
	bool was_blind = watcher->blind != NULL;
	char *sentence;

	memory_set_text(&watcher->blind, why->message);
	if (was_blind)
		return;
	sentence = memory_textf(
		"cannot see who waits for locks of the backfill (%s); no batch goes until it can", why->message);
	log_warning(&database, "%s%s%s", sentence, why->hint ? "; " : "", why->hint ? why->hint : "");
	yield_tell_sight(watcher->control, sentence);
	free(sentence);
}

static void see_again(struct watcher *watcher)
{
	static const char sentence[] = "sees again who waits for locks of the backfill";
	struct log_about database = about(watcher);

	if (watcher->blind) {
		log_info(&database, "%s", sentence);
		yield_tell_sight(watcher->control, sentence);
	}
	memory_set_text(&watcher->blind, NULL);
}

static void opened(void *owner)
{
	struct watcher *watcher = owner;

	watcher->proven = false;
	loop_timer_after(watcher->timer, 0);
}

static void lost(void *owner, const struct fault *why)
{
	struct watcher *watcher = owner;

	loop_timer_stop(watcher->timer);
	lose_sight(watcher, why);
}

static const struct session_events events = {.opened = opened, .lost = lost};

/* A look that takes longer is none. */
static struct script *greeting(void)
{
	struct script *script = script_new();

	script_add(script, "SET statement_timeout = '2s'");
	script_add(script, "SET lock_timeout = '500ms'");
	script_add(script, "SET search_path = pg_catalog, pg_temp");
	script_add(script, "SET jit = off");
	/* Or what has a parameter is planned anew the first five times. */
	script_add(script, "SET plan_cache_mode = force_generic_plan");
	return script;
}

static struct given_way *find_job(struct watcher *watcher, const struct yield *yield)
{
	struct given_way *job;

	for (size_t i = 0; i < watcher->jobs_count; i++) {
		if (watcher->jobs[i].job_id == yield->job_id)
			return &watcher->jobs[i];
	}
	watcher->jobs = memory_resize(watcher->jobs, (watcher->jobs_count + 1) * sizeof(watcher->jobs[0]));
	job = &watcher->jobs[watcher->jobs_count++];
	*job = (struct given_way){.job_id = yield->job_id, .told_ms = clock_ms() - TELL_EVERY_MS};
	return job;
}

static void note(struct watcher *watcher, const struct yield *yield)
{
	struct log_about database = about(watcher);
	struct given_way *job = find_job(watcher, yield);
	char *sentence = yield_sentence(yield);

	log_debug(&database, "job %" PRId64 ": %s", yield->job_id, sentence);
	job->epoch = yield->epoch;
	job->stage = yield->stage;
	if (job->times++ == 0 || yield->waited_ms > job->waited_ms) {
		job->waited_ms = yield->waited_ms;
		text_clear(&job->sentence);
		text_add(&job->sentence, sentence);
	}
	free(sentence);
}

static void tell(struct watcher *watcher, struct given_way *job)
{
	if (job->times > 1)
		text_addf(&job->sentence, " (the longest of %" PRId64 " in %" PRId64 " ms)", job->times,
			clock_ms() - job->told_ms);
	queue_tell(watcher->control, &(struct job){.id = job->job_id, .epoch = job->epoch, .stage = job->stage},
		&(struct queue_event){
			.kind = "yield",
			.detail = text_is(&job->sentence),
			.lock_wait_ms = job->waited_ms,
			.duration_ms = -1,
			.rows = -1,
		},
		NULL, NULL);
	job->times = 0;
	job->told_ms = clock_ms();
}

static void tell_due(struct watcher *watcher, bool all)
{
	for (size_t i = 0; i < watcher->jobs_count; i++) {
		struct given_way *job = &watcher->jobs[i];

		if (job->times > 0 && (all || clock_ms() - job->told_ms >= TELL_EVERY_MS))
			tell(watcher, job);
	}
}

/* Of a question that failed. */
static bool failed(struct watcher *watcher, const struct fault *why)
{
	if (!why)
		return false;
	loop_timer_after(watcher->timer, LOOK_AGAIN_MS);
	watcher->proven = false;
	lose_sight(watcher, why);
	return true;
}

static void look_again(struct watcher *watcher)
{
	loop_timer_after(watcher->timer, watcher->tolerated_ms);
	watcher->seen_ms = clock_ms();
	watcher->asked_ms = 0;
	see_again(watcher);
	tell_due(watcher, false);
}

static void cancelled(void *owner, const struct reply *reply)
{
	struct watcher *watcher = owner;
	struct yield yield;

	if (failed(watcher, reply_fault(reply)))
		return;
	watcher->proven = true;
	for (size_t row = 0; yield_read(reply, row, &yield); row++)
		note(watcher, &yield);
	look_again(watcher);
}

static bool is_advisory_due(const struct watcher *watcher, const struct reply *reply)
{
	return yield_read_advisory(reply) && clock_ms() - watcher->advisory_ms >= ADVISORY_EVERY_MS;
}

static void looked(void *owner, const struct reply *reply)
{
	struct watcher *watcher = owner;
	bool advisory;

	if (failed(watcher, reply_fault(reply)))
		return;
	watcher->tolerated_ms = yield_read_tolerated_ms(reply, TOLERATED_MS);
	advisory = is_advisory_due(watcher, reply);
	if (watcher->proven && !advisory && !yield_read_anybody(reply)) {
		look_again(watcher);
		return;
	}
	if (advisory)
		watcher->advisory_ms = clock_ms();
	watcher->looks++;
	yield_cancel(watcher->session, watcher->tolerated_ms, advisory, cancelled, watcher);
}

/* Until somebody can have waited for us for too long; a little longer, or those who came right at its
 * beginning would only be met by the next look. */
static int64_t may_rest_ms(const struct watcher *watcher)
{
	int64_t now_ms = clock_ms();
	int64_t since_ms = presence_since_ms(watcher->presence, now_ms);

	if (!watcher->proven || now_ms - watcher->seen_ms >= LOOK_LEAST_MS)
		return 0;
	return since_ms == 0 ? watcher->tolerated_ms : since_ms + watcher->tolerated_ms * 5 / 4 - now_ms;
}

static void look(void *owner)
{
	struct watcher *watcher = owner;
	int64_t rest_ms;

	if (!session_is_open(watcher->session))
		return;
	rest_ms = may_rest_ms(watcher);
	if (rest_ms > 0) {
		loop_timer_after(watcher->timer, rest_ms);
		return;
	}
	watcher->looks++;
	watcher->asked_ms = clock_ms();
	yield_ask_anybody(watcher->session, looked, watcher);
}

const char *watcher_blind(const struct watcher *watcher)
{
	if (!watcher->blind && watcher->asked_ms != 0 && clock_ms() - watcher->asked_ms > UNSEEN_MS)
		return "the server has not answered for 2 s";
	return watcher->blind;
}

int64_t watcher_looks(const struct watcher *watcher)
{
	return watcher->looks;
}

void watcher_watch(struct watcher *watcher, bool on)
{
	if (on == (watcher->session != NULL))
		return;
	if (on) {
		watcher->asked_ms = clock_ms();
		watcher->session = session_new(
			watcher->loop, watcher->database->conninfo, "backfilld watcher", greeting(), &events, watcher);
		return;
	}
	loop_timer_stop(watcher->timer);
	session_free(watcher->session);
	watcher->session = NULL;
	watcher->asked_ms = 0;
	tell_due(watcher, true);
	forget_jobs(watcher);
}
