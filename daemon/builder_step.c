#include "daemon/builder_inside.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/catalog.h"
#include "daemon/culprit.h"
#include "daemon/ddl.h"
#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

#define DEPENDENT_OBJECTS "2BP01" /* dependent_objects_still_exist */
#define LOOK_AGAIN_MS 250
#define BACKOFF_MOST_MS 30000

static void look_at_holders(struct builder *builder);
static void take_step(struct builder *builder);

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

static void told_intent(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;

	if (builder_control_failed(builder, reply_fault(reply), builder_begin_step))
		return;
	if (queue_read_told(reply))
		look_at_holders(builder);
	else
		builder_end(builder, &(struct fault){.kind = FAULT_FENCED});
}

void builder_begin_step(struct builder *builder)
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

	if (builder_control_failed(builder, reply_fault(reply), look_at_holders))
		return;
	if (ddl_read_holders(reply, &task->job, &sentence)) {
		task_wait_for(task, text_is(&sentence));
		builder_after(builder, LOOK_AGAIN_MS, look_at_holders);
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
	builder_after(builder, delay_ms, again);
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
	builder_end(builder, &builder->why);
}

static void others_depend(struct builder *builder, const struct fault *why)
{
	const struct job *job = &builder->task->job;

	fault_copy(&builder->why, why);
	fault_set_hint(&builder->why,
		"%sDrop what depends on column %s of %s, or make it do without, then set wanted = 'run': rolling "
		"back "
		"goes on.",
		builder->step.kind == CHANGE_UNDO_COLUMN ? "All else that the job had made is taken back. " : "",
		job->column_name, job->table_name);
	builder_end(builder, &builder->why);
}

static void step_failed(struct builder *builder, const struct fault *why)
{
	tell(builder, "error", why->message, NULL, NULL);
	if (builder->stage == STAGE_ROLLING_BACK && strcmp(why->sqlstate, DEPENDENT_OBJECTS) == 0) {
		others_depend(builder, why);
		return;
	}
	if (why->kind == FAULT_DATA && culprit_explains(builder->step.kind)) {
		fault_copy(&builder->why, why);
		builder_ask_culprit(builder, got_culprit);
		return;
	}
	builder_end(builder, why);
}

static void step_is_taken(struct builder *builder, const struct ddl_outcome *outcome)
{
	char *step = change_describe(&builder->step);

	task_wait_for(builder->task, NULL);
	tell(builder, "statement", step, outcome, NULL);
	free(step);
	builder->times = builder_has_taken(builder) ? builder->times + 1 : 1;
	builder->taken = builder->step.kind;
	builder->taken_member = builder->step.member;
	if (builder->step.kind == CHANGE_ANALYZE)
		builder->task->relation.analyzed = true;
	builder_look(builder);
}

static void end_lone(struct builder *builder)
{
	lone_free(builder->lone);
	builder->lone = NULL;
}

/* A partition may have joined: what it lacks comes first, or the server scans it under this lock. */
static bool adopts(const struct change_step *step)
{
	return step->kind == CHANGE_REFERENCE_ADOPT;
}

static void took_step(void *owner, const struct reply *reply)
{
	struct builder *builder = owner;
	const struct fault *why = reply_fault(reply);
	struct ddl_outcome outcome;

	builder->in_flight = false;
	if (why && why->kind == FAULT_LINK) {
		/* Whether it was done is not known here; the catalogue knows, once there is a session again. */
		builder_after(builder, CONTROL_RETRY_MS, builder_wait);
		return;
	}
	if (why && task_may_retry(why)) {
		back_off(builder, why, adopts(&builder->step) ? builder_wait : look_at_holders);
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
		builder_after(builder, CONTROL_RETRY_MS, builder_wait);
	} else if (task_may_retry(why)) {
		back_off(builder, why, builder_wait);
	} else {
		tell(builder, "error", why->message, NULL, NULL);
		fault_copy(&builder->why, why);
		culprit_hint_at_index(&builder->task->job, &builder->why);
		builder_after(builder, 0, builder_wait);
	}
	end_lone(builder);
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
		builder_wait(builder);
		return;
	}
	builder->in_flight = true;
	if (builder->step.alone) {
		take_lone_step(builder);
		return;
	}
	ddl_ask(task->session, &task->job, &task->relation, &builder->step,
		pace_part(task->pace, task->job.knobs.max_impact > 0, clock_ms()), took_step, builder);
}
