#include "daemon/filling_inside.h"

#include "common/memory.h"
#include "daemon/catalog.h"
#include "daemon/leftover.h"

#include <stdlib.h>

#define VACUUM_AGAIN_MS 20

static void count_left(struct filling *filling);
static void tell_end(struct filling *filling);
static void ask_for_joined(struct filling *filling);

static void tell(struct filling *filling, const char *kind, const char *detail, int64_t rows)
{
	queue_tell(filling->task->control, &filling->task->job,
		&(struct queue_event){
			.kind = kind, .detail = detail, .lock_wait_ms = -1, .duration_ms = -1, .rows = rows},
		NULL, NULL);
}

static void next_sweep(struct filling *filling)
{
	filling->rows_before += filling->shared.rows_found;
	filling->shared.rows_found = 0;
	filling->sweep = filling->walk.sweep + 1;
	if (!filling->shared.skipped) {
		filling_read_size(filling);
		return;
	}
	task_wait_for(filling->task, "rows that other transactions have locked; the next sweep takes them");
	filling_after(filling, sweep_pause_ms(filling->past.skipping), filling_read_size);
}

static void watched_updates(void *owner, const struct fault *why)
{
	struct filling *filling = owner;

	builder_free(filling->builder);
	filling->builder = NULL;
	if (why)
		filling_fail(filling, why);
	else
		next_sweep(filling);
}

/* From here on nothing becomes pending again behind a sweep's back. */
static void watch_updates(struct filling *filling)
{
	if (cleaner_is_busy(filling->cleaner)) {
		cleaner_stop(filling->cleaner);
		filling_after(filling, VACUUM_AGAIN_MS, watch_updates);
		return;
	}
	filling->builder = builder_new(filling->task, STAGE_FILLING, watched_updates, filling);
}

static void tell_sweep(struct filling *filling, const struct sweep_walk *walk)
{
	char *detail = sweep_describe(walk, filling->walk.pages);

	tell(filling, "sweep", detail, walk->rows_found);
	free(detail);
}

static void looked_for_joined(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	const struct member *joined;
	char *detail;

	if (filling->stopping || filling_control_failed(filling, reply_fault(reply), ask_for_joined))
		return;
	catalog_read(reply, filling->task->relation.server_version, &filling->task->relation);
	joined = walked_joined(&filling->walked, &filling->task->relation);
	if (!joined) {
		filling->then(filling);
		return;
	}
	detail = memory_textf("table %s has become one of the tree: one more sweep", joined->name);
	tell(filling, "leaf", detail, -1);
	free(detail);
	watch_updates(filling); /* an inheritance child has no trigger yet */
}

static void ask_for_joined(struct filling *filling)
{
	catalog_ask(filling->task->control, &filling->task->job, looked_for_joined, filling);
}

/* A clean sweep proves nothing of a table that was attached behind it. */
static void look_for_joined(struct filling *filling, void (*then)(struct filling *filling))
{
	filling->then = then;
	ask_for_joined(filling);
}

void filling_end_walk(struct filling *filling)
{
	const struct relation *relation = &filling->task->relation;
	struct sweep_table table = {.own_update_triggers = relation->update_triggers};
	struct sweep_walk walk = {
		.number = filling->walk.sweep,
		.whole = filling->walk.fresh,
		.rows_found = filling->shared.rows_found,
		.skipped = filling->shared.skipped,
	};
	enum sweep_verdict verdict = sweep_judge(&filling->task->job, &table, &filling->past, &walk);

	if (walk.number > 0)
		tell_sweep(filling, &walk);
	sweep_remember(&filling->past, &walk);
	switch (verdict) {
	case SWEEP_WATCH:
		watch_updates(filling);
		return;
	case SWEEP_AGAIN:
		next_sweep(filling);
		return;
	case SWEEP_COUNT:
		look_for_joined(filling, count_left);
		return;
	case SWEEP_DONE:
		look_for_joined(filling, tell_end);
		return;
	case SWEEP_HOPELESS:
		sweep_hopeless(&walk, &filling->why);
		filling->events->done(filling->owner, &filling->why);
		return;
	}
}

/* Once more before it is said: a row may have come in behind the sweep. */
static void judge_left(struct filling *filling, int64_t left)
{
	if (left == 0) {
		tell_end(filling);
	} else if (filling->counts++ == 0) {
		next_sweep(filling);
	} else {
		sweep_kept(left, filling->task->relation.update_triggers, &filling->why);
		filling->events->done(filling->owner, &filling->why);
	}
}

static void counted_left(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	const struct fault *why = reply_fault(reply);

	if (why && task_may_retry(why)) {
		filling_after(filling, CONTROL_RETRY_MS, count_left);
	} else if (why) {
		filling->events->done(filling->owner, why);
	} else if (filling->task->job.sync == JOB_SYNC_NONE) {
		tell(filling, "sweep", "rows written meanwhile are left to the application (sync = 'none')",
			leftover_read(reply));
		tell_end(filling);
	} else {
		judge_left(filling, leftover_read(reply));
	}
}

static void count_left(struct filling *filling)
{
	struct task *task = filling->task;

	task_wait_for(task, "the rows that are still pending to be counted");
	leftover_ask(task->session, &task->job, &task->relation, counted_left, filling);
}

/* The table's lock and the session are the vacuum's until it is through. */
static void tell_end(struct filling *filling)
{
	if (cleaner_is_busy(filling->cleaner)) {
		cleaner_stop(filling->cleaner);
		task_wait_for(filling->task, "the vacuum of the table to end");
		filling_after(filling, VACUUM_AGAIN_MS, tell_end);
		return;
	}
	task_wait_for(filling->task, NULL);
	filling->events->done(filling->owner, NULL);
}
