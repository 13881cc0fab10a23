#include "daemon/planner.h"

#include "common/memory.h"
#include "daemon/catalog.h"
#include "daemon/plan.h"

#include <stdlib.h>

#define RETRY_MS 500

struct planner {
	struct task *task;
	task_done *done;
	void *owner;
	struct loop_timer *timer;
	void (*next)(struct planner *planner); /* what the timer goes on with */
	struct plan_probe probe;
	char *value_plan; /* NULL: it reads no other table, or nobody knows */
};

static void refuse_or_ask_type(struct planner *planner);
static void ask_type(struct planner *planner);
static void ask_probe(struct planner *planner);
static void ask_value(struct planner *planner);
static void ask_names(struct planner *planner);
static void look_again(struct planner *planner);
static void store(struct planner *planner);

static void go_on(void *owner)
{
	struct planner *planner = owner;

	planner->next(planner);
}

static void after(struct planner *planner, int64_t delay_ms, void (*next)(struct planner *))
{
	planner->next = next;
	loop_timer_after(planner->timer, delay_ms);
}

struct planner *planner_new(struct task *task, task_done *done, void *owner)
{
	struct planner *planner = memory_new(sizeof(*planner));

	*planner = (struct planner){.task = task, .done = done, .owner = owner};
	planner->timer = loop_timer_new(task->loop, go_on, planner);
	after(planner, 0, refuse_or_ask_type);
	return planner;
}

void planner_free(struct planner *planner)
{
	if (!planner)
		return;
	session_forget(planner->task->control, planner);
	session_forget(planner->task->session, planner);
	loop_timer_free(planner->timer);
	plan_probe_free(&planner->probe);
	free(planner->value_plan);
	free(planner);
}

/* Calls back; the planner may be gone afterwards. */
static void end(struct planner *planner, const struct fault *why)
{
	task_wait_for(planner->task, NULL);
	planner->done(planner->owner, why);
}

static void end_with(struct planner *planner, struct fault *why)
{
	struct fault told = *why;

	*why = (struct fault){0};
	end(planner, &told);
	fault_clear(&told);
}

/* True: it is tried again, and until then that is what the job waits for. */
static bool tries_again(struct planner *planner, const struct fault *why, void (*again)(struct planner *))
{
	if (!why || !task_may_retry(why))
		return false;
	task_wait_for(planner->task, why->message);
	after(planner, RETRY_MS, again);
	return true;
}

/* True: it was dealt with. A lost worker session is the worker's to mend: it starts planning anew. */
static bool retried(struct planner *planner, const struct fault *why, void (*again)(struct planner *))
{
	bool is_lost = why && why->kind == FAULT_LINK && task_may_retry(why);

	return is_lost || tries_again(planner, why, again);
}

static void got_type(void *owner, const struct reply *reply)
{
	struct planner *planner = owner;
	struct task *task = planner->task;
	struct fault why = {0};

	if (retried(planner, reply_fault(reply), refuse_or_ask_type))
		return;
	if (plan_read_type(reply, &task->job, &task->relation, &why))
		ask_probe(planner);
	else
		end_with(planner, &why);
}

static void got_refusals(void *owner, const struct reply *reply)
{
	struct planner *planner = owner;
	struct fault why = {0};

	if (tries_again(planner, reply_fault(reply), refuse_or_ask_type))
		return;
	if (reply_fault(reply))
		end(planner, reply_fault(reply));
	else if (plan_read_refusals(reply, &why))
		ask_type(planner);
	else
		end_with(planner, &why);
}

static void refuse_or_ask_type(struct planner *planner)
{
	struct task *task = planner->task;
	struct fault why = {0};

	if (plan_allows(&task->job, &task->relation, &why))
		plan_ask_refusals(task->control, &task->job, got_refusals, planner);
	else
		end_with(planner, &why);
}

static void ask_type(struct planner *planner)
{
	struct task *task = planner->task;

	if (task->job.column_type) {
		plan_ask_type(task->session, &task->job, &task->relation, got_type, planner);
		return;
	}
	memory_set_text(&task->job.exact_type, task->relation.column_type);
	ask_probe(planner);
}

static void got_probe(void *owner, const struct reply *reply)
{
	struct planner *planner = owner;
	struct task *task = planner->task;
	struct fault why = {0};

	if (retried(planner, reply_fault(reply), ask_probe))
		return;
	if (plan_read_probe(reply, &planner->probe, &task->job, &task->relation, &why))
		ask_value(planner);
	else
		end_with(planner, &why);
}

static void ask_probe(struct planner *planner)
{
	struct task *task = planner->task;

	plan_probe_free(&planner->probe);
	plan_ask_probe(task->session, &planner->probe, &task->job, &task->relation, got_probe, planner);
}

/* It is for people: a plan that cannot be had stops no job. */
static void got_value(void *owner, const struct reply *reply)
{
	struct planner *planner = owner;
	struct fault why = {0};

	if (retried(planner, reply_fault(reply), ask_value))
		return;
	if (plan_read_value(reply, &planner->task->relation, &planner->value_plan, &why))
		ask_names(planner);
	else
		end_with(planner, &why);
}

static void ask_value(struct planner *planner)
{
	struct task *task = planner->task;

	if (task->job.value)
		plan_ask_value(task->session, &task->job, &task->relation, got_value, planner);
	else
		ask_names(planner);
}

static void got_names(void *owner, const struct reply *reply)
{
	struct planner *planner = owner;
	const struct fault *why = reply_fault(reply);

	if (tries_again(planner, why, ask_names))
		return;
	if (why)
		end(planner, why);
	else if (plan_read_names(reply, &planner->task->job))
		look_again(planner);
	else
		end(planner, &(struct fault){.kind = FAULT_FENCED});
}

static void ask_names(struct planner *planner)
{
	struct task *task = planner->task;

	plan_ask_names(task->control, &task->job, got_names, planner);
}

static void looked_again(void *owner, const struct reply *reply)
{
	struct planner *planner = owner;
	struct task *task = planner->task;
	const struct fault *why = reply_fault(reply);

	if (tries_again(planner, why, look_again))
		return;
	if (why) {
		end(planner, why);
		return;
	}
	catalog_read(reply, task->relation.server_version, &task->relation);
	if (task->relation.exists)
		store(planner);
	else
		refuse_or_ask_type(planner);
}

/* Is something of these names there? */
static void look_again(struct planner *planner)
{
	struct task *task = planner->task;

	catalog_ask(task->control, &task->job, looked_again, planner);
}

static void stored(void *owner, const struct reply *reply)
{
	struct planner *planner = owner;
	const struct fault *why = reply_fault(reply);

	if (tries_again(planner, why, store))
		return;
	if (!why && !plan_read_stored(reply))
		end(planner, &(struct fault){.kind = FAULT_FENCED});
	else
		end(planner, why);
}

static void store(struct planner *planner)
{
	struct task *task = planner->task;

	plan_store(task->control, &task->job, &task->relation, planner->value_plan, stored, planner);
}
