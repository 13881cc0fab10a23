#include "daemon/enlist.h"

#include "common/memory.h"
#include "daemon/queue.h"

#include <stdlib.h>

#define CONTROL_RETRY_MS 500
#define STILL_THERE_MS 100

struct enlist {
	struct task *task;
	struct session *session;
	int place;
	task_done *done;
	void *owner;
	struct loop_timer *timer;
	bool asked_again;
	void (*next)(struct enlist *enlist); /* what the timer goes on with */
};

static void end_leftovers(struct enlist *enlist);
static void record(struct enlist *enlist);

static void go_on(void *owner)
{
	struct enlist *enlist = owner;

	enlist->next(enlist);
}

static void after(struct enlist *enlist, int64_t delay_ms, void (*next)(struct enlist *))
{
	enlist->next = next;
	loop_timer_after(enlist->timer, delay_ms);
}

struct enlist *enlist_new(struct task *task, struct session *session, int place, task_done *done, void *owner)
{
	struct enlist *enlist = memory_new(sizeof(*enlist));

	*enlist = (struct enlist){.task = task, .session = session, .place = place, .done = done, .owner = owner};
	enlist->timer = loop_timer_new(task->loop, go_on, enlist);
	end_leftovers(enlist);
	return enlist;
}

void enlist_free(struct enlist *enlist)
{
	if (!enlist)
		return;
	session_forget(enlist->task->control, enlist);
	loop_timer_free(enlist->timer);
	free(enlist);
}

/* True: the fault was dealt with. */
static bool failed(struct enlist *enlist, const struct fault *why, void (*again)(struct enlist *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		after(enlist, CONTROL_RETRY_MS, again);
	else
		enlist->done(enlist->owner, why);
	return true;
}

static void ended_leftovers(void *owner, const struct reply *reply)
{
	struct enlist *enlist = owner;
	char *sentence;
	int pid;

	if (failed(enlist, reply_fault(reply), end_leftovers))
		return;
	if (queue_read_reap(reply, &pid) == 0) {
		record(enlist);
		return;
	}
	sentence = memory_textf("the former holder's session (pid %d) to end", pid);
	task_wait_for(enlist->task, sentence);
	free(sentence);
	after(enlist, STILL_THERE_MS, end_leftovers);
}

static void end_leftovers(struct enlist *enlist)
{
	queue_reap(enlist->task->control, &enlist->task->job, enlist->place, ended_leftovers, enlist);
}

static void recorded(void *owner, const struct reply *reply)
{
	struct enlist *enlist = owner;
	struct fault why = {0};

	if (failed(enlist, reply_fault(reply), record))
		return;
	if (queue_read_enlist(reply)) {
		task_wait_for(enlist->task, NULL);
		enlist->done(enlist->owner, NULL);
		return;
	}
	/* A session that was just terminated, and does not know it yet, looks the same. */
	if (!enlist->asked_again) {
		enlist->asked_again = true;
		after(enlist, CONTROL_RETRY_MS, record);
		return;
	}
	fault_set(&why, FAULT_JOB, "the worker login's session (pid %d) is not among the server's",
		session_backend_pid(enlist->session));
	fault_set_hint(&why, "Connect to the server directly: a transaction pooler cannot carry this work.");
	enlist->done(enlist->owner, &why);
	fault_clear(&why);
}

static void record(struct enlist *enlist)
{
	queue_enlist(enlist->task->control, &enlist->task->job, enlist->place,
		session_backend_pid(enlist->session), recorded, enlist);
}
