#include "daemon/worker_inside.h"

#include "common/clock.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>

#define TICK_MS 1000
#define SETTLE_AGAIN_MS 10
/* A batch still in flight so long after a stop is cancelled; the stop as a whole has 2 s. */
#define CANCEL_AFTER_MS 1200
/* And again, as long as there is one: of two under way only the first may have been hit. */
#define CANCEL_AGAIN_MS 300

static void put_down(struct worker *worker);
static void tick(void *owner);

static void go_on(void *owner)
{
	struct worker *worker = owner;

	worker->next(worker);
}

void worker_after(struct worker *worker, int64_t delay_ms, void (*next)(struct worker *))
{
	worker->next = next;
	loop_timer_after(worker->timer, delay_ms);
}

struct worker *worker_new(const struct worker_context *context, const struct queue_entry *entry,
	int64_t epoch, worker_ended *ended, void *owner)
{
	struct worker *worker = memory_new(sizeof(*worker));

	*worker = (struct worker){.context = context, .ended = ended, .owner = owner};
	worker->task.loop = context->loop;
	worker->task.control = context->control;
	worker->task.monitor = context->monitor;
	worker->task.presence = context->presence;
	worker->task.pace = context->pace;
	worker->task.database = context->database->name;
	worker->task.synchronous_commit = options_commit_name(context->options->defaults.synchronous_commit);
	worker->task.window_pages = context->window_pages;
	worker->task.shared_buffers = context->shared_buffers;
	worker->task.relation.server_version = context->server_version;
	job_copy(&worker->task.job, &entry->job);
	worker->task.job.epoch = epoch;
	worker->goal = job_goal(&worker->task.job);
	progress_start(&worker->progress, entry->rows_estimate, entry->throttled_ms);
	worker->timer = loop_timer_new(context->loop, go_on, worker);
	worker->tick = loop_timer_new(context->loop, tick, worker);
	loop_timer_after(worker->tick, TICK_MS);
	worker_after(worker, 0, worker_read_catalogue);
	return worker;
}

void worker_end_parts(struct worker *worker)
{
	if (worker->filling)
		progress_throttle(&worker->progress, &worker->task, NULL, clock_ms());
	planner_free(worker->planner);
	builder_free(worker->builder);
	filling_free(worker->filling);
	enlist_free(worker->enlist);
	worker->planner = NULL;
	worker->builder = NULL;
	worker->filling = NULL;
	worker->enlist = NULL;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	worker_end_parts(worker);
	session_forget(worker->task.control, worker);
	task_disconnect(&worker->task, worker->task.session);
	loop_timer_free(worker->timer);
	loop_timer_free(worker->tick);
	move_free(worker->move);
	progress_clear(&worker->progress);
	fault_clear(&worker->doubt);
	text_free(&worker->task.waiting_for);
	text_free(&worker->task.doing);
	relation_clear(&worker->task.relation);
	job_clear(&worker->task.job);
	free(worker);
}

/* The way out: parts at rest, then the claim is given back. */
static bool parts_at_rest(const struct worker *worker)
{
	if (worker->filling && !filling_at_rest(worker->filling))
		return false;
	return !worker->builder || builder_at_rest(worker->builder);
}

static void settle(struct worker *worker)
{
	if (parts_at_rest(worker)) {
		put_down(worker);
		return;
	}
	if (clock_ms() >= worker->cancel_ms) {
		worker->cancel_ms = clock_ms() + CANCEL_AGAIN_MS;
		queue_cancel_batches(worker->task.control, &worker->task.job);
	}
	worker_after(worker, SETTLE_AGAIN_MS, settle);
}

void worker_stop(struct worker *worker)
{
	if (worker->stopping)
		return;
	worker->stopping = true;
	worker->cancel_ms = clock_ms() + CANCEL_AFTER_MS;
	if (worker->builder)
		builder_stop(worker->builder);
	if (worker->filling)
		filling_stop(worker->filling);
	session_forget(worker->task.control, worker);
	worker_after(worker, 0, settle);
}

/* Also when the stop came while that was being put on record. */
static bool has_failed(const struct worker *worker)
{
	return worker->task.job.stage == STAGE_FAILED || (worker->move && move_to(worker->move) == STAGE_FAILED);
}

static void released(void *owner, const struct reply *reply)
{
	struct worker *worker = owner;

	if (reply_fault(reply) && task_may_retry(reply_fault(reply)))
		worker_after(worker, CONTROL_RETRY_MS, put_down);
	else
		worker->ended(worker->owner, worker, has_failed(worker));
}

static void put_down(struct worker *worker)
{
	struct task *task = &worker->task;

	worker_report_last(worker);
	worker_end_parts(worker);
	task_disconnect(task, task->session);
	task->session = NULL;
	queue_release(task->control, task->job.id, task->job.epoch,
		worker->held_at != STAGE_HOLD_NONE ? stage_hold_name(worker->held_at) : NULL,
		worker_column_number(worker), released, worker);
}

static void tell_ended(struct worker *worker)
{
	worker->ended(worker->owner, worker, false);
}

void worker_abandon(struct worker *worker)
{
	struct log_about about = task_about(&worker->task);

	log_warning(
		&about, "job %" PRId64 " is no longer held by this daemon; putting it down", worker->task.job.id);
	worker->stopping = true;
	session_forget(worker->task.control, worker);
	worker_end_parts(worker);
	task_disconnect(&worker->task, worker->task.session);
	worker->task.session = NULL;
	loop_timer_stop(worker->tick);
	worker_after(worker, 0, tell_ended);
}

void worker_update(struct worker *worker, const struct queue_entry *entry)
{
	struct job *job = &worker->task.job;

	job_follow(job, &entry->job);
	if (job->wanted == JOB_PAUSE || job_goal(job) != worker->goal)
		worker_stop(worker);
	else if (worker->filling)
		filling_update(worker->filling);
}

int64_t worker_job_id(const struct worker *worker)
{
	return worker->task.job.id;
}

void worker_report(struct worker *worker)
{
	struct filling_progress filled;

	if (worker->filling)
		filling_read_progress(worker->filling, &filled);
	progress_tell(&worker->progress, &worker->task, worker->filling ? &filled : NULL, clock_ms());
}

void worker_report_last(struct worker *worker)
{
	struct filling_progress filled;

	if (!worker->filling) {
		worker_report(worker);
		return;
	}
	filling_read_progress(worker->filling, &filled);
	progress_end(&worker->progress, &worker->task, &filled, clock_ms());
}

static void tick(void *owner)
{
	struct worker *worker = owner;

	loop_timer_after(worker->tick, TICK_MS);
	if (!worker->stopping && session_open_questions(worker->task.control) < 32)
		worker_report(worker);
}

void worker_describe(const struct worker *worker, struct text *line)
{
	struct filling_progress filled;

	if (worker->filling)
		filling_read_progress(worker->filling, &filled);
	progress_describe(&worker->task.job, worker->filling ? &filled : NULL, line);
}
