#include "daemon/lone.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/enlist.h"
#include "daemon/queue.h"
#include "sql.h"

#include <stdlib.h>

#define START_DEADLINE_MS 10000
/* An index of the biggest table there is, and everybody's transactions before it. */
#define DEADLINE_MS (INT64_C(7) * 24 * 3600 * 1000)
#define LOOK_MS 500

struct lone {
	struct task *task;
	char *sql;
	char *what;
	lone_done *done;
	void *owner;
	struct session *session;
	struct enlist *enlist;
	struct loop_timer *timer; /* looks at how far it is */
	int64_t since_ms;         /* the statement was sent; 0: not yet */
	bool cancelled;
};

static void look(void *owner);

/* Calls back; the lone may be gone afterwards. */
static void end(struct lone *lone, const struct fault *why)
{
	struct task *task = lone->task;
	int64_t duration_ms = lone->since_ms > 0 ? clock_ms() - lone->since_ms : 0;

	loop_timer_stop(lone->timer);
	pace_disturb(task->pace, clock_ms()); /* its time is among the application's now */
	text_clear(&task->doing);
	task_wait_for(task, NULL);
	lone->done(lone->owner, duration_ms, why);
}

static void carried_out(void *owner, const struct reply *reply)
{
	end(owner, reply_fault(reply));
}

static void carry_out(struct lone *lone)
{
	struct script *script = script_new();

	script_add(script, lone->sql);
	lone->since_ms = clock_ms();
	session_ask(lone->session, script, DEADLINE_MS, carried_out, lone);
	loop_timer_after(lone->timer, LOOK_MS);
}

static void started(void *owner, const struct reply *reply)
{
	struct lone *lone = owner;

	if (reply_fault(reply))
		end(lone, reply_fault(reply));
	else
		carry_out(lone);
}

static void enlisted(void *owner, const struct fault *why)
{
	struct lone *lone = owner;
	struct script *script;

	if (why) {
		end(lone, why);
		return;
	}
	enlist_free(lone->enlist);
	lone->enlist = NULL;
	script = script_new();
	script_add(script, sql_lone_start);
	script_bind(script, lone->task->relation.owner);
	script_bind(script, lone->task->job.search_path);
	session_ask(lone->session, script, START_DEADLINE_MS, started, lone);
}

static void opened(void *owner)
{
	struct lone *lone = owner;

	lone->enlist = enlist_new(lone->task, lone->session, ENLIST_LONE, enlisted, lone);
}

/* Before the statement was sent the session connects again by itself, afterwards its answer has told. */
static void lost(void *owner, const struct fault *why)
{
	struct lone *lone = owner;
	char *sentence = memory_textf("no connection for the worker login: %s", why->message);

	enlist_free(lone->enlist);
	lone->enlist = NULL;
	task_wait_for(lone->task, sentence);
	free(sentence);
}

static const struct session_events session_events = {.opened = opened, .lost = lost};

static void tell_wait(struct lone *lone, const struct reply *reply)
{
	char *sentence;

	if (!reply_text(reply, 0, 0, "waits_for")) {
		task_wait_for(lone->task, NULL);
		return;
	}
	sentence = memory_textf(
		"to %s it waits for every transaction that began before; the oldest is of pid %s (%s, %s, "
		"%.0f s old): %s",
		lone->what, reply_text(reply, 0, 0, "waits_for"), reply_text(reply, 0, 0, "application_name"),
		reply_text(reply, 0, 0, "state"), reply_real(reply, 0, 0, "age_s", 0),
		reply_text(reply, 0, 0, "query"));
	task_wait_for(lone->task, sentence);
	free(sentence);
}

static void tell_phase(struct lone *lone, const struct reply *reply)
{
	struct text *doing = &lone->task->doing;
	const char *phase = reply_text(reply, 0, 0, "phase");

	text_clear(doing);
	text_add(doing, lone->what);
	if (phase)
		text_addf(doing, ": %s", phase);
	if (phase && reply_text(reply, 0, 0, "per_cent"))
		text_addf(doing, ", %s %%", reply_text(reply, 0, 0, "per_cent"));
}

static void looked(void *owner, const struct reply *reply)
{
	struct lone *lone = owner;

	if (!reply_fault(reply) && reply_rows(reply, 0) == 1) {
		tell_wait(lone, reply);
		tell_phase(lone, reply);
	}
	loop_timer_after(lone->timer, LOOK_MS);
}

static void look(void *owner)
{
	struct lone *lone = owner;
	struct script *script = script_new();

	script_add(script, sql_lone_progress);
	script_bind_int(script, session_backend_pid(lone->session));
	session_ask(lone->task->control, script, START_DEADLINE_MS, looked, lone);
}

struct lone *lone_new(struct task *task, const char *sql, const char *what, lone_done *done, void *owner)
{
	struct lone *lone = memory_new(sizeof(*lone));

	*lone = (struct lone){
		.task = task, .sql = memory_text(sql), .what = memory_text(what), .done = done, .owner = owner};
	lone->timer = loop_timer_new(task->loop, look, lone);
	lone->session = task_connect(task, "alone", &session_events, lone);
	return lone;
}

void lone_cancel(struct lone *lone)
{
	if (lone->cancelled)
		return;
	lone->cancelled = true;
	queue_cancel_batches(lone->task->control, &lone->task->job);
}

void lone_free(struct lone *lone)
{
	if (!lone)
		return;
	session_forget(lone->task->control, lone);
	enlist_free(lone->enlist);
	task_disconnect(lone->task, lone->session);
	loop_timer_free(lone->timer);
	free(lone->sql);
	free(lone->what);
	free(lone);
}
