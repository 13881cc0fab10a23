#include "daemon/worker_inside.h"

#include "common/clock.h"
#include "daemon/change.h"

#include <inttypes.h>
#include <string.h>

static void start_move(struct worker *worker, enum stage to, const struct fault *why);

/* Of a table that became one of the tree behind the last sweep nobody has looked at the rows. Back to where
 * the triggers are made: they may be gone already. */
static bool has_joined(const struct worker *worker)
{
	const struct relation *relation = &worker->task.relation;

	if (!(job_stages(&worker->task.job) & STAGE_BIT(STAGE_FILLING)) || relation->column_generated)
		return false;
	for (size_t i = 0; i < relation->members_count; i++) {
		if (relation->members[i].joined && relation->members[i].pages > 0)
			return true;
	}
	return false;
}

/* The next stage, or the hold before it. */
static void leave_stage(struct worker *worker)
{
	struct job *job = &worker->task.job;
	unsigned stages = job_stages(job);
	enum stage to;

	/* Of a job that was cancelled at its very end: the server has numbered all rows. */
	if (worker->task.relation.column_generated)
		stages &= ~STAGE_BIT(STAGE_FILLING);
	to = stage_next(job->stage, stages);
	if ((job->stage == STAGE_INDEXING || job->stage == STAGE_SEALING) && has_joined(worker))
		to = STAGE_ADDING;

	if (job->holds & stage_hold_before(to)) {
		worker->held_at = stage_hold_before(to);
		worker_stop(worker);
		return;
	}
	start_move(worker, to, NULL);
}

static void filling_held(void *owner, const char *reason_or_null)
{
	struct worker *worker = owner;

	if (progress_throttle(&worker->progress, &worker->task, reason_or_null, clock_ms()))
		loop_timer_after(worker->tick, 0); /* the row is not to say otherwise for up to a second */
}

/* The table may have been renamed, or moved to another schema: the catalogue knows. */
static bool is_doubtful(const struct fault *why)
{
	static const char *const names_not_found[] = {"42P01", "3F000", "42703"};

	for (size_t i = 0; i < COUNT_OF(names_not_found); i++) {
		if (strcmp(why->sqlstate, names_not_found[i]) == 0)
			return true;
	}
	return false;
}

static void part_ended(void *owner, const struct fault *why)
{
	struct worker *worker = owner;
	struct fault copy = {0};

	if (why)
		fault_copy(&copy, why);
	worker_report_last(worker);
	worker_end_parts(worker);
	if (copy.kind == FAULT_FENCED)
		worker_abandon(worker);
	else if (why && is_doubtful(&copy) && !worker->stopping)
		worker_look_again(worker, &copy);
	else if (why)
		worker_fail(worker, &copy);
	else if (worker->goal != STAGE_DONE)
		worker_take_back(worker);
	else
		leave_stage(worker);
	fault_clear(&copy);
}

/* What to take away to get to the goal, as change_next() knows it. */
static enum stage way_back(const struct worker *worker)
{
	return worker->goal == STAGE_CANCELLED ? STAGE_CANCELLED : STAGE_ROLLING_BACK;
}

static bool something_is_left(const struct worker *worker)
{
	struct change_step step;

	if (!change_next(&worker->task.job, &worker->task.relation, way_back(worker), &step))
		return false;
	change_step_clear(&step);
	return true;
}

/* Cancels, or rolls back. Where nothing is left that takes no session: the table may be gone, or the worker
 * login may not log in. */
void worker_take_back(struct worker *worker)
{
	struct task *task = &worker->task;

	if (worker->goal == STAGE_ROLLED_BACK && task->job.stage != STAGE_ROLLING_BACK)
		start_move(worker, STAGE_ROLLING_BACK, NULL);
	else if (!something_is_left(worker))
		start_move(worker, worker->goal, NULL);
	else if (worker->goal == STAGE_CANCELLED && task->job.stage > STAGE_ADDING)
		start_move(worker, STAGE_ADDING, NULL); /* who thinks better of it half-way goes on from there */
	else if (!task->session)
		worker_open_session(worker);
	else if (worker_is_enlisted(worker))
		worker->builder = builder_new(task, way_back(worker), part_ended, worker);
}

static const struct filling_events filling_events = {.done = part_ended, .held = filling_held};

void worker_work(struct worker *worker)
{
	struct task *task = &worker->task;

	if (worker->stopping)
		return;
	if (worker->goal != STAGE_DONE) {
		worker_take_back(worker);
		return;
	}
	if (!worker_is_enlisted(worker))
		return;
	if (task->job.stage == STAGE_SEALING && has_joined(worker)) {
		start_move(worker, STAGE_ADDING, NULL);
		return;
	}
	switch (task->job.stage) {
	case STAGE_PLANNING:
		worker->planner = planner_new(task, part_ended, worker);
		return;
	case STAGE_ADDING:
	case STAGE_INDEXING:
	case STAGE_SEALING:
	case STAGE_ANALYZING:
		worker->builder = builder_new(task, task->job.stage, part_ended, worker);
		return;
	case STAGE_FILLING:
		worker->filling = filling_new(task, &filling_events, worker);
		return;
	case STAGE_QUEUED:
		leave_stage(worker);
		return;
	case STAGE_DONE:
	case STAGE_FAILED:
	case STAGE_CANCELLED:
	case STAGE_ROLLING_BACK:
	case STAGE_ROLLED_BACK:
		worker_stop(worker);
		return;
	}
}

static bool has_ended(enum stage stage)
{
	return stage == STAGE_DONE || stage == STAGE_FAILED || stage == STAGE_CANCELLED ||
		   stage == STAGE_ROLLED_BACK;
}

static void moved(void *owner, const struct fault *why)
{
	struct worker *worker = owner;
	struct log_about about = task_about(&worker->task);
	enum stage to = move_to(worker->move);

	if (why && why->kind != FAULT_FENCED)
		log_error(&about, "the control tables do not take that job %" PRId64 " is %s: %s",
			worker->task.job.id, stage_name(to), why->message);
	move_free(worker->move);
	worker->move = NULL;
	if (why) {
		worker_abandon(worker);
		return;
	}
	worker_report(worker);
	if (worker->task.job.stage != to || has_ended(to))
		worker_stop(worker);
	else
		worker_work(worker);
}

int worker_column_number(struct worker *worker)
{
	struct job *job = &worker->task.job;
	int seen = worker->task.relation.column_number;

	/* What is taken back by now may stand where the job's own column once stood. */
	if (seen > 0 && (worker->goal == STAGE_DONE || job->column_number == 0))
		job->column_number = seen;
	return job->column_number;
}

static void start_move(struct worker *worker, enum stage to, const struct fault *why)
{
	struct task *task = &worker->task;
	struct text kept = {0};

	if (to == STAGE_CANCELLED || to == STAGE_ROLLED_BACK)
		change_kept(&task->job, &task->relation, to, &kept);
	worker->move = move_new(task,
		&(struct queue_move){
			.to = to,
			.why = why,
			.kept = kept.length > 0 ? text_is(&kept) : NULL,
			.goal = worker->goal,
			.column_number = worker_column_number(worker),
		},
		moved, worker);
	text_free(&kept);
}

void worker_fail(struct worker *worker, const struct fault *why)
{
	worker_report_last(worker);
	worker_end_parts(worker);
	start_move(worker, STAGE_FAILED, why);
}
