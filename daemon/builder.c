#include "daemon/builder_inside.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/catalog.h"
#include "daemon/culprit.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_AGAIN_MS 250
/* A step is not taken more often than this where the catalogue still lacks it: it may be undone once or
 * twice. */
#define TIMES_MOST 3

static void go_on(void *owner)
{
	struct builder *builder = owner;

	builder->next(builder);
}

void builder_after(struct builder *builder, int64_t delay_ms, void (*next)(struct builder *))
{
	builder->next = next;
	loop_timer_after(builder->timer, delay_ms);
}

struct builder *builder_new(struct task *task, enum stage stage, task_done *done, void *owner)
{
	struct builder *builder = memory_new(sizeof(*builder));

	*builder = (struct builder){.task = task, .stage = stage, .done = done, .owner = owner};
	builder->timer = loop_timer_new(task->loop, go_on, builder);
	builder_after(builder, 0, builder_look);
	return builder;
}

void builder_free(struct builder *builder)
{
	if (!builder)
		return;
	session_forget(builder->task->control, builder);
	session_forget(builder->task->session, builder);
	lone_free(builder->lone);
	loop_timer_free(builder->timer);
	change_step_clear(&builder->step);
	fault_clear(&builder->why);
	free(builder);
}

void builder_stop(struct builder *builder)
{
	builder->stopping = true;
	if (builder->lone)
		lone_cancel(builder->lone);
}

bool builder_at_rest(const struct builder *builder)
{
	return builder->stopping && !builder->in_flight;
}

void builder_end(struct builder *builder, const struct fault *why)
{
	struct fault told = {0};

	if (why)
		fault_copy(&told, why);
	task_wait_for(builder->task, NULL);
	builder->done(builder->owner, why ? &told : NULL);
	fault_clear(&told);
}

bool builder_control_failed(struct builder *builder, const struct fault *why, void (*again)(struct builder *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		builder_after(builder, CONTROL_RETRY_MS, again);
	else
		builder_end(builder, why);
	return true;
}

/* Of a table that is gone nothing has to be taken back. */
static bool takes_back(const struct builder *builder)
{
	return builder->stage == STAGE_CANCELLED || builder->stage == STAGE_ROLLING_BACK;
}

static void table_is_gone(struct builder *builder)
{
	struct fault why = {0};

	fault_set(&why, FAULT_JOB, "table %s is gone", builder->task->job.table_name);
	fault_set_hint(&why, "If it was dropped on purpose, cancel the job; nothing of it is left.");
	builder_end(builder, &why);
	fault_clear(&why);
}

static void leaves_no_trace(struct builder *builder)
{
	struct fault why = {0};

	fault_set(&why, FAULT_JOB, "%s succeeded %d times, but the catalogue does not show it",
		change_name(builder->taken), builder->times);
	fault_set_hint(&why,
		"Leave out a default_expr that is NULL, which is no default; otherwise look for what "
		"undoes the statement (an event trigger), then set wanted = 'run'.");
	builder_end(builder, &why);
	fault_clear(&why);
}

bool builder_has_taken(const struct builder *builder)
{
	return builder->taken == builder->step.kind && builder->taken_member == builder->step.member;
}

static bool drops_leftover(const struct change_step *step)
{
	return step->kind == CHANGE_INDEX_DROP || step->kind == CHANGE_UNIQUE_DROP;
}

void builder_ask_culprit(struct builder *builder, session_answer *answer)
{
	struct task *task = builder->task;

	culprit_ask(task->session, &task->job, &task->relation, builder->step.kind, answer, builder);
}

static void looked_for_culprit(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;
	const struct fault *why = reply_fault(reply);
	char *row = catalog_read_row(reply);

	if (why && task_may_retry(why)) {
		builder_after(builder, CONTROL_RETRY_MS, builder_wait);
	} else if (why) {
		builder_end(builder, why);
	} else if (!row) {
		builder_begin_step(builder);
	} else {
		culprit_accuse(&builder->task->job, builder->step.kind, row, &builder->why);
		builder_end(builder, &builder->why);
	}
	free(row);
}

/* By now all that the job made on the column is gone. */
static void would_go_along(struct builder *builder)
{
	const struct task *task = builder->task;

	fault_set(&builder->why, FAULT_JOB, "column %s of %s has %s, which the job has not made",
		task->job.column_name, task->job.table_name, task->relation.column_users);
	memcpy(builder->why.sqlstate, "2BP01", sizeof(builder->why.sqlstate));
	fault_set_hint(&builder->why, "DROP COLUMN would take that along: all else that the job had made is "
								  "taken back. Drop it, then set wanted = "
								  "'run': rolling back goes on.");
	builder_end(builder, &builder->why);
}

static void got_catalogue(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;
	struct task *task = builder->task;

	if (builder_control_failed(builder, reply_fault(reply), builder_look))
		return;
	catalog_read(reply, task->relation.server_version, &task->relation);
	if (!task->relation.exists && !takes_back(builder)) {
		table_is_gone(builder);
		return;
	}
	change_step_clear(&builder->step);
	if (!change_next(&task->job, &task->relation, builder->stage, &builder->step)) {
		builder_end(builder, NULL);
		return;
	}
	if (builder->times >= TIMES_MOST && builder_has_taken(builder)) {
		leaves_no_trace(builder);
		return;
	}
	builder->backoff_ms = BACKOFF_LEAST_MS;
	builder->refused = false;
	builder->waited_since_ms = clock_ms();
	if (builder->why.kind != FAULT_NONE && !drops_leftover(&builder->step)) {
		builder_end(builder, &builder->why);
		return;
	}
	if (builder->step.kind == CHANGE_UNDO_COLUMN && task->relation.column_users) {
		would_go_along(builder);
		return;
	}
	if (culprit_wanted_before(builder->step.kind))
		builder_ask_culprit(builder, looked_for_culprit);
	else
		builder_begin_step(builder);
}

void builder_look(struct builder *builder)
{
	struct task *task = builder->task;

	catalog_ask(task->control, &task->job, got_catalogue, builder);
}

void builder_wait(struct builder *builder)
{
	if (session_is_open(builder->task->session))
		builder_look(builder);
	else
		builder_after(builder, SESSION_AGAIN_MS, builder_wait);
}
