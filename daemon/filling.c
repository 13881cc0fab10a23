#include "daemon/filling_inside.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/catalog.h"
#include "daemon/vacuum.h"

#include <stdlib.h>

/* A vacuum that starts beyond this part of the walk would only be ended again. */
#define LAST_PART 0.9

static void start_walk(struct filling *filling);
static void look_at_fillers(void *owner, struct foreman_look *ret_look);
static void want_fillers(void *owner);

static const struct foreman_events foreman_events = {.look = look_at_fillers, .wants = want_fillers};

static void go_on(void *owner)
{
	struct filling *filling = owner;

	filling->next(filling);
}

void filling_after(struct filling *filling, int64_t delay_ms, void (*next)(struct filling *))
{
	filling->next = next;
	loop_timer_after(filling->timer, delay_ms);
}

struct filling *filling_new(struct task *task, const struct filling_events *events, void *owner)
{
	struct filling *filling = memory_new(sizeof(*filling));
	const struct relation *relation = &task->relation;
	struct pace_wish wish;
	int indexes = relation->secondary_indexes + (relation->key_columns != NULL);
	double rows_per_page = relation_rows_per_page(relation->pages, relation->rows);

	*filling = (struct filling){.task = task, .events = events, .owner = owner, .shared = {.task = task}};
	task_wish(task, 1, clock_ms(), &wish);
	filling->shared.share = pace_join(task->pace, &wish, clock_ms());
	filling->foreman = foreman_new(task, &foreman_events, filling);
	filling->shared.workers = foreman_fillers(filling->foreman);
	filling->timer = loop_timer_new(task->loop, go_on, filling);
	monitor_watch_table(task->monitor, task->job.table_oid);
	filling->cleaner = cleaner_new(task);
	window_course_start(
		&filling->shared.course, relation->column_indexed ? 1 : window_passes_for(rows_per_page, indexes));
	filling_after(filling, 0, filling_read_size);
	return filling;
}

void filling_free(struct filling *filling)
{
	if (!filling)
		return;
	monitor_unwatch_table(filling->task->monitor, filling->task->job.table_oid);
	session_forget(filling->task->control, filling);
	session_forget(filling->task->session, filling);
	builder_free(filling->builder);
	cleaner_free(filling->cleaner);
	foreman_free(filling->foreman);
	team_free(&filling->team);
	loop_timer_free(filling->timer);
	pace_leave(filling->shared.share);
	fault_clear(&filling->why);
	walked_clear(&filling->walked);
	free(filling);
}

bool filling_control_failed(struct filling *filling, const struct fault *why, void (*again)(struct filling *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		filling_after(filling, CONTROL_RETRY_MS, again);
	else
		filling->events->done(filling->owner, why);
	return true;
}

static void got_size(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	struct task *task = filling->task;

	if (filling->stopping || filling_control_failed(filling, reply_fault(reply), filling_read_size))
		return;
	catalog_read(reply, task->relation.server_version, &task->relation);
	if (!task->relation.exists) {
		fault_set(&filling->why, FAULT_JOB, "table %s is gone", task->job.table_name);
		fault_set_hint(&filling->why, "If it was dropped on purpose, cancel the job.");
		filling->events->done(filling->owner, &filling->why);
		return;
	}
	task->window_pages = window_pages_within(task->window_pages, task->relation.pages);
	start_walk(filling);
}

void filling_read_size(struct filling *filling)
{
	catalog_ask(filling->task->control, &filling->task->job, got_size, filling);
}

static void filler_idle(void *owner)
{
	struct filling *filling = owner;

	/* Whoever is idle because fewer are wanted knows nothing of the walk. */
	if (!filling->walking || filling->stopping || !filling->shared.handed_out ||
		!team_is_idle(&filling->team))
		return;
	filling->walking = false;
	filling_end_walk(filling);
}

static double pages_done(const struct filling *filling)
{
	double done = filling->shared.pages_done + team_pages_done(&filling->team);

	return done < (double)filling->walk.pages ? done : (double)filling->walk.pages;
}

/* Without vacuums an index over values in no order doubles; while somebody holds the horizon they take
 * nothing away, and after the last window there is nothing to double. */
static bool may_vacuum(const struct filling *filling)
{
	bool last = pages_done(filling) >= LAST_PART * (double)filling->walk.pages;

	return !filling->stopping && !filling->shared.pinned && filling->walk.sweep == 0 && !last;
}

static void filler_moved(void *owner, struct member *table)
{
	struct filling *filling = owner;
	struct pace_view pace;

	if (!may_vacuum(filling))
		return;
	pace_read(filling->shared.share, &pace);
	if (cleaner_consider(filling->cleaner, table, &pace))
		team_disturb(&filling->team);
}

void filling_fail(struct filling *filling, const struct fault *why)
{
	if (filling->why.kind == FAULT_NONE)
		fault_copy(&filling->why, why);
	filling_stop(filling);
}

static void filler_failed(void *owner, const struct fault *why)
{
	filling_fail(owner, why);
}

static void filler_held(void *owner, const char *reason_or_null)
{
	struct filling *filling = owner;
	struct pace_view pace;

	pace_read(filling->shared.share, &pace);
	cleaner_heed(filling->cleaner, &pace, may_vacuum(filling));
	filling->events->held(filling->owner, reason_or_null);
}

static const struct filler_events filler_events = {
	.moved = filler_moved, .idle = filler_idle, .held = filler_held, .failed = filler_failed};

static void have_fillers(struct filling *filling)
{
	filling->shared.workers = foreman_fillers(filling->foreman);
	team_grow(&filling->team, &filling->shared, &filler_events, filling);
}

static void started_walk(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	size_t before = filling->team.count;

	if (filling->stopping || filling_control_failed(filling, reply_fault(reply), start_walk))
		return;
	if (!queue_read_walk(reply, &filling->walk)) {
		filling_after(filling, CONTROL_RETRY_MS, start_walk);
		return;
	}
	filling->shared.rows_found = 0;
	filling->shared.skipped = filling->shared.handed_out = false;
	filling->shared.pages_done = (double)filling->walk.pages_done;
	if (filling->walk.sweep > 0)
		filling->shared.course.passes = filling->shared.course.passes_most = 1;
	filling->walking = true;
	foreman_begin(filling->foreman);
	have_fillers(filling);
	team_resume(&filling->team, before);
}

static void start_walk(struct filling *filling)
{
	struct task *task = filling->task;

	/* Of a walk that is found under way they may have been others: it is no whole one, and another follows.
	 */
	walked_remember(&filling->walked, &task->relation);
	queue_start_walk(task->control, &task->job, &task->relation, filling->sweep, started_walk, filling);
}

void filling_update(struct filling *filling)
{
	if (filling->stopping || !filling->walking)
		return;
	have_fillers(filling);
	team_resume(&filling->team, filling->team.count);
}

static void tell_failure_at_rest(struct filling *filling)
{
	struct fault why = {0};

	if (!filling_at_rest(filling)) {
		filling_after(filling, 10, tell_failure_at_rest);
		return;
	}
	fault_copy(&why, &filling->why);
	filling->events->done(filling->owner, &why);
	fault_clear(&why);
}

void filling_stop(struct filling *filling)
{
	filling->stopping = true;
	loop_timer_stop(filling->timer);
	if (filling->builder)
		builder_stop(filling->builder);
	team_stop(&filling->team);
	if (filling->why.kind != FAULT_NONE)
		filling_after(filling, 0, tell_failure_at_rest);
}

bool filling_at_rest(const struct filling *filling)
{
	return (!filling->builder || builder_at_rest(filling->builder)) && team_at_rest(&filling->team);
}

static void look_at_fillers(void *owner, struct foreman_look *ret_look)
{
	const struct filling *filling = owner;

	*ret_look = (struct foreman_look){
		.fillers = team_working(&filling->team),
		.beside = pace_at_work_beside(filling->shared.share),
		.pages = pages_done(filling),
		.throttled_ms = pace_throttled_ms(filling->shared.share),
	};
}

static void want_fillers(void *owner)
{
	filling_update(owner);
}

void filling_read_progress(const struct filling *filling, struct filling_progress *ret_progress)
{
	*ret_progress = (struct filling_progress){
		.sweep = filling->walk.sweep,
		.pages_done = (int64_t)pages_done(filling),
		.pages_total = filling->walk.pages,
		.rows = filling->rows_before + filling->shared.rows_found,
		.throttled = pace_held_by(filling->shared.share) != NULL,
		.throttle_reason = pace_held_by(filling->shared.share),
		.throttled_ms = pace_throttled_ms(filling->shared.share),
		.batch_pages = team_batch_pages(&filling->team),
	};
	pace_read(filling->shared.share, &ret_progress->pace);
}
