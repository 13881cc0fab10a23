#include "daemon/builder.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/catalog.h"
#include "daemon/change.h"
#include "daemon/culprit.h"
#include "daemon/ddl.h"
#include "daemon/lone.h"
#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

#define DEPENDENT_OBJECTS "2BP01" /* dependent_objects_still_exist */
#define CONTROL_RETRY_MS 500
#define LOOK_AGAIN_MS 250
/* A step is not taken more often than this where the catalogue still lacks it: it may be undone once or
 * twice. */
#define TIMES_MOST 3
#define BACKOFF_LEAST_MS 200
#define BACKOFF_MOST_MS 30000

struct builder {
	struct task *task;
	enum stage stage;
	task_done *done;
	void *owner;
	struct loop_timer *timer;
	void (*next)(struct builder *builder); /* what the timer goes on with */
	struct change_step step;               /* being worked on; script NULL: none */
	struct lone *lone;                     /* carries out a step that stands alone */
	enum change_kind taken;                /* the step that succeeded last */
	size_t taken_member;
	int times; /* in a row; 0: none yet */
	int64_t backoff_ms;
	bool refused;            /* this step, at least once */
	int64_t waited_since_ms; /* when this step was first ready to go */
	bool stopping;
	bool in_flight; /* a step was sent and not answered */
	struct fault
		why; /* what the stage fails with, while its row is looked for, or an invalid index is dropped */
};

static void look_at_catalogue(struct builder *builder);
static void tell_intent(struct builder *builder);
static void look_at_holders(struct builder *builder);
static void take_step(struct builder *builder);
static void wait_for_session(struct builder *builder);

static void go_on(void *owner)
{
	struct builder *builder = owner;

	builder->next(builder);
}

static void after(struct builder *builder, int64_t delay_ms, void (*next)(struct builder *))
{
	builder->next = next;
	loop_timer_after(builder->timer, delay_ms);
}

struct builder *builder_new(struct task *task, enum stage stage, task_done *done, void *owner)
{
	struct builder *builder = memory_new(sizeof(*builder));

	*builder = (struct builder){.task = task, .stage = stage, .done = done, .owner = owner};
	builder->timer = loop_timer_new(task->loop, go_on, builder);
	after(builder, 0, look_at_catalogue);
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

/* Calls back; the builder may be gone afterwards. */
static void end(struct builder *builder, const struct fault *why)
{
	struct fault told = {0};

	if (why)
		fault_copy(&told, why);
	task_wait_for(builder->task, NULL);
	builder->done(builder->owner, why ? &told : NULL);
	fault_clear(&told);
}

/* Of the control session: True when the fault was dealt with. */
static bool control_failed(struct builder *builder, const struct fault *why, void (*again)(struct builder *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		after(builder, CONTROL_RETRY_MS, again);
	else
		end(builder, why);
	return true;
}

static void tell(struct builder *builder, const char *kind, const char *detail,
	const struct ddl_outcome *outcome, session_answer *answer)
{
	char *statement = change_text(&builder->step);

	queue_tell(builder->task->control, &builder->task->job,
		&(struct queue_event){
			.kind = kind,
			.detail = detail,
			.statement = statement,
			.lock_wait_ms = outcome ? outcome->lock_wait_ms : -1,
			.duration_ms = outcome ? outcome->duration_ms : -1,
			.rows = -1,
		},
		answer, builder);
	free(statement);
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
	fault_set_hint(&why, "If it was dropped on purpose, delete the job; nothing of it is left.");
	end(builder, &why);
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
	end(builder, &why);
	fault_clear(&why);
}

/* The step that was taken last, once more? */
static bool is_taken(const struct builder *builder)
{
	return builder->taken == builder->step.kind && builder->taken_member == builder->step.member;
}

static bool drops_leftover(const struct change_step *step)
{
	return step->kind == CHANGE_INDEX_DROP || step->kind == CHANGE_UNIQUE_DROP;
}

static void ask_culprit(struct builder *builder, session_answer *answer)
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
		after(builder, CONTROL_RETRY_MS, wait_for_session);
	} else if (why) {
		end(builder, why);
	} else if (!row) {
		tell_intent(builder);
	} else {
		culprit_accuse(&builder->task->job, builder->step.kind, row, &builder->why);
		end(builder, &builder->why);
	}
	free(row);
}

static void got_catalogue(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;
	struct task *task = builder->task;

	if (control_failed(builder, reply_fault(reply), look_at_catalogue))
		return;
	catalog_read(reply, task->relation.server_version, &task->relation);
	if (!task->relation.exists && !takes_back(builder)) {
		table_is_gone(builder);
		return;
	}
	change_step_clear(&builder->step);
	if (!change_next(&task->job, &task->relation, builder->stage, &builder->step)) {
		end(builder, NULL);
		return;
	}
	if (builder->times >= TIMES_MOST && is_taken(builder)) {
		leaves_no_trace(builder);
		return;
	}
	builder->backoff_ms = BACKOFF_LEAST_MS;
	builder->refused = false;
	builder->waited_since_ms = clock_ms();
	if (builder->why.kind != FAULT_NONE && !drops_leftover(&builder->step)) {
		end(builder, &builder->why);
		return;
	}
	if (culprit_wanted_before(builder->step.kind))
		ask_culprit(builder, looked_for_culprit);
	else
		tell_intent(builder);
}

static void look_at_catalogue(struct builder *builder)
{
	struct task *task = builder->task;

	catalog_ask(task->control, &task->job, got_catalogue, builder);
}

static void told_intent(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;

	if (control_failed(builder, reply_fault(reply), tell_intent))
		return;
	if (queue_read_told(reply))
		look_at_holders(builder);
	else
		end(builder, &(struct fault){.kind = FAULT_FENCED});
}

static void tell_intent(struct builder *builder)
{
	char *step = change_describe(&builder->step);

	tell(builder, "intent", step, NULL, told_intent);
	free(step);
}

static void got_holders(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;
	struct task *task = builder->task;
	struct text sentence = {0};

	if (control_failed(builder, reply_fault(reply), look_at_holders))
		return;
	if (ddl_read_holders(reply, &task->job, &sentence)) {
		task_wait_for(task, text_is(&sentence));
		after(builder, LOOK_AGAIN_MS, look_at_holders);
	} else {
		/* What an attempt was refused for stays told until one succeeds. */
		if (!builder->refused)
			task_wait_for(task, NULL);
		take_step(builder);
	}
	text_free(&sentence);
}

static void look_at_holders(struct builder *builder)
{
	struct task *task = builder->task;

	ddl_ask_holders(task->control, &task->job, &task->relation, builder->step.lock_mode,
		session_backend_pid(task->session), got_holders, builder);
}

/* Full jitter: anywhere between nothing and the present bound, which doubles. */
static void back_off(struct builder *builder, const struct fault *why, void (*again)(struct builder *))
{
	struct task *task = builder->task;
	int64_t delay_ms = BACKOFF_LEAST_MS / 4 + clock_jitter(builder->backoff_ms);
	char *step = change_describe(&builder->step);
	char *sentence = memory_textf("%s was refused (%s); trying again, waiting since %lld s", step,
		why->message, (long long)((clock_ms() - builder->waited_since_ms) / 1000));

	task_wait_for(task, sentence);
	free(sentence);
	free(step);
	if (!builder->refused)
		tell(builder, "refused", why->message, NULL, NULL);
	builder->refused = true;
	builder->backoff_ms =
		2 * builder->backoff_ms < BACKOFF_MOST_MS ? 2 * builder->backoff_ms : BACKOFF_MOST_MS;
	after(builder, delay_ms, again);
}

static void got_culprit(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;
	char *row = catalog_read_row(reply);

	if (row) {
		culprit_hint(builder->step.kind, row, &builder->why);
		fault_add_context(&builder->why, "%s", row);
	}
	free(row);
	end(builder, &builder->why);
}

static void others_depend(struct builder *builder, const struct fault *why)
{
	const struct job *job = &builder->task->job;

	fault_copy(&builder->why, why);
	fault_set_hint(&builder->why,
		"All else that the job had made is taken back. Drop what depends on column %s of %s, or make it do "
		"without, then set wanted = 'run': rolling back goes on.",
		job->column_name, job->table_name);
	end(builder, &builder->why);
}

static void step_failed(struct builder *builder, const struct fault *why)
{
	tell(builder, "error", why->message, NULL, NULL);
	if (builder->step.kind == CHANGE_UNDO_COLUMN && strcmp(why->sqlstate, DEPENDENT_OBJECTS) == 0) {
		others_depend(builder, why);
		return;
	}
	if (why->kind == FAULT_DATA && culprit_explains(builder->step.kind)) {
		fault_copy(&builder->why, why);
		ask_culprit(builder, got_culprit);
		return;
	}
	end(builder, why);
}

static void step_is_taken(struct builder *builder, const struct ddl_outcome *outcome)
{
	char *step = change_describe(&builder->step);

	task_wait_for(builder->task, NULL);
	tell(builder, "statement", step, outcome, NULL);
	free(step);
	builder->times = is_taken(builder) ? builder->times + 1 : 1;
	builder->taken = builder->step.kind;
	builder->taken_member = builder->step.member;
	if (builder->step.kind == CHANGE_ANALYZE)
		builder->task->relation.analyzed = true;
	look_at_catalogue(builder);
}

static void end_lone(struct builder *builder)
{
	lone_free(builder->lone);
	builder->lone = NULL;
}

static void took_step(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;
	const struct fault *why = reply_fault(reply);
	struct ddl_outcome outcome;

	builder->in_flight = false;
	if (why && why->kind == FAULT_LINK) {
		/* Whether it was done is not known here; the catalogue knows, once there is a session again. */
		after(builder, CONTROL_RETRY_MS, wait_for_session);
		return;
	}
	if (why && task_may_retry(why)) {
		back_off(builder, why, look_at_holders);
		return;
	}
	if (why) {
		step_failed(builder, why);
		return;
	}
	ddl_read(reply, &builder->step, &outcome);
	step_is_taken(builder, &outcome);
}

/* Whatever became of an index that was being built, the catalogue tells; one that is invalid goes before the
 * job fails. */
static void took_lone_step(void *owner, int64_t duration_ms, const struct fault *why)
{
	struct builder *builder = owner;
	struct ddl_outcome outcome = {.lock_wait_ms = -1, .duration_ms = duration_ms};

	builder->in_flight = false;
	if (!why) {
		end_lone(builder);
		step_is_taken(builder, &outcome);
		return;
	}
	if (why->kind == FAULT_LINK || builder->stopping) {
		after(builder, CONTROL_RETRY_MS, wait_for_session);
	} else if (task_may_retry(why)) {
		back_off(builder, why, wait_for_session);
	} else {
		tell(builder, "error", why->message, NULL, NULL);
		fault_copy(&builder->why, why);
		culprit_hint_at_duplicate(&builder->task->job, &builder->why);
		after(builder, 0, wait_for_session);
	}
	end_lone(builder);
}

/* A step asked for without a connection would be carried out on the next one, though nobody waits for it
 * then. */
static void wait_for_session(struct builder *builder)
{
	if (session_is_open(builder->task->session))
		look_at_catalogue(builder);
	else
		after(builder, LOOK_AGAIN_MS, wait_for_session);
}

static void take_lone_step(struct builder *builder)
{
	char *step = change_describe(&builder->step);

	builder->lone =
		lone_new(builder->task, builder->step.script->statements[0].sql, step, took_lone_step, builder);
	free(step);
}

static void take_step(struct builder *builder)
{
	struct task *task = builder->task;

	if (builder->stopping)
		return;
	if (!session_is_open(task->session)) {
		wait_for_session(builder);
		return;
	}
	builder->in_flight = true;
	if (builder->step.alone) {
		take_lone_step(builder);
		return;
	}
	ddl_ask(task->session, &task->job, &task->relation, &builder->step, took_step, builder);
}
