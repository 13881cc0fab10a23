#include "daemon/move.h"

#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>

#define RETRY_MS 500

struct move {
	struct task *task;
	struct queue_move how;
	struct fault why; /* FAULT_NONE: it did not fail */
	char *kept;
	task_done *done;
	void *owner;
	struct loop_timer *timer;
};

static void ask(void *owner);

struct move *move_new(struct task *task, const struct queue_move *how, task_done *done, void *owner)
{
	struct move *move = memory_new(sizeof(*move));

	*move = (struct move){.task = task, .how = *how, .done = done, .owner = owner};
	if (how->why) {
		fault_copy(&move->why, how->why);
		move->how.why = &move->why;
	}
	move->kept = memory_text(how->kept);
	move->how.kept = move->kept;
	move->timer = loop_timer_new(task->loop, ask, move);
	ask(move);
	return move;
}

void move_free(struct move *move)
{
	if (!move)
		return;
	session_forget(move->task->control, move);
	loop_timer_free(move->timer);
	fault_clear(&move->why);
	free(move->kept);
	free(move);
}

enum stage move_to(const struct move *move)
{
	return move->how.to;
}

static void log_move(const struct move *move)
{
	struct log_about about = task_about(move->task);
	const struct job *job = &move->task->job;

	if (move->how.to != STAGE_FAILED) {
		log_info(&about, "job %" PRId64 " on %s.%s: %s", job->id, job->table_name, job->column_name,
			stage_name(move->how.to));
		return;
	}
	about.sqlstate = move->why.sqlstate;
	log_error(&about, "job %" PRId64 " on %s.%s failed while %s: %s", job->id, job->table_name,
		job->column_name, stage_name(job->stage), move->why.message);
}

static void asked(void *owner, const struct reply *reply)
{
	struct move *move = owner;
	const struct fault *why = reply_fault(reply);
	bool overtaken = false;

	if (why && task_may_retry(why)) {
		task_wait_for(move->task, why->message);
		loop_timer_after(move->timer, RETRY_MS);
		return;
	}
	if (why) {
		move->done(move->owner, why);
		return;
	}
	if (!queue_read_move(reply, &overtaken)) {
		move->done(move->owner, &(struct fault){.kind = FAULT_FENCED});
		return;
	}
	task_wait_for(move->task, overtaken ? NULL : move->kept);
	if (!overtaken) {
		log_move(move);
		move->task->job.stage = move->how.to;
	}
	move->done(move->owner, NULL);
}

static void ask(void *owner)
{
	struct move *move = owner;

	queue_move(move->task->control, &move->task->job, &move->how, asked, move);
}
