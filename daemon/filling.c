#include "daemon/filling.h"

#include "common/memory.h"
#include "daemon/authority.h"
#include "daemon/builder.h"
#include "daemon/catalog.h"
#include "daemon/filler.h"
#include "daemon/pending.h"
#include "daemon/queue.h"
#include "daemon/vacuum.h"

#include <inttypes.h>
#include <stdlib.h>

#define CONTROL_RETRY_MS 500
#define LOCKED_ROWS_AGAIN_MS 1000
#define VACUUM_AGAIN_MS 20
#define SWEEPS_MOST_WITHOUT_SYNC 3
#define COUNT_DEADLINE_MS (INT64_C(6) * 3600 * 1000)

struct filling {
	struct task *task;
	task_done *done;
	void *owner;
	struct loop_timer *timer;
	void (*next)(struct filling *filling); /* what the timer goes on with */
	struct filler_shared shared;
	struct queue_walk walk;
	struct filler **fillers;
	size_t fillers_count;
	int64_t rows_before; /* found in walks that are over */
	int sweep;           /* to start next */
	bool walking;        /* a walk is under way; false between walks, whatever the fillers say */
	bool stopping;
	struct builder *builder; /* between the fill and its first sweep */
	bool vacuuming;          /* on the task's session, beside the fillers */
	struct fault why;        /* a filler failed: told when all are at rest */
};

static void read_size(struct filling *filling);
static void start_walk(struct filling *filling);
static void count_left(struct filling *filling);
static void filler_failed(void *owner, const struct fault *why);
static void tell_end(struct filling *filling);

static void go_on(void *owner)
{
	struct filling *filling = owner;

	filling->next(filling);
}

static void after(struct filling *filling, int64_t delay_ms, void (*next)(struct filling *))
{
	filling->next = next;
	loop_timer_after(filling->timer, delay_ms);
}

struct filling *filling_new(struct task *task, task_done *done, void *owner)
{
	struct filling *filling = memory_new(sizeof(*filling));
	const struct relation *relation = &task->relation;
	double rows_per_page =
		relation->pages > 0 && relation->rows > 0 ? relation->rows / (double)relation->pages : 64.0;

	*filling = (struct filling){.task = task, .done = done, .owner = owner, .shared = {.task = task}};
	filling->timer = loop_timer_new(task->loop, go_on, filling);
	window_course_start(&filling->shared.course,
		relation->column_indexed ? 1 : window_passes_for(rows_per_page, relation->secondary_indexes));
	after(filling, 0, read_size);
	return filling;
}

void filling_free(struct filling *filling)
{
	if (!filling)
		return;
	session_forget(filling->task->control, filling);
	session_forget(filling->task->session, filling);
	builder_free(filling->builder);
	for (size_t i = 0; i < filling->fillers_count; i++)
		filler_free(filling->fillers[i]);
	free(filling->fillers);
	loop_timer_free(filling->timer);
	pace_gate_free(&filling->shared.gate);
	fault_clear(&filling->why);
	free(filling);
}

/* Of the control session. True: the fault was dealt with. */
static bool control_failed(struct filling *filling, const struct fault *why, void (*again)(struct filling *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		after(filling, CONTROL_RETRY_MS, again);
	else
		filling->done(filling->owner, why);
	return true;
}

static void got_size(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	struct task *task = filling->task;

	if (filling->stopping || control_failed(filling, reply_fault(reply), read_size))
		return;
	catalog_read(reply, task->relation.server_version, &task->relation);
	if (!task->relation.exists) {
		fault_set(&filling->why, FAULT_JOB, "table %s is gone", task->job.table_name);
		fault_set_hint(&filling->why, "If it was dropped on purpose, delete the job.");
		filling->done(filling->owner, &filling->why);
		return;
	}
	start_walk(filling);
}

static void read_size(struct filling *filling)
{
	catalog_ask(filling->task->control, &filling->task->job, got_size, filling);
}

static bool all_idle(const struct filling *filling)
{
	for (size_t i = 0; i < filling->fillers_count; i++) {
		if (!filler_is_idle(filling->fillers[i]))
			return false;
	}
	return true;
}

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
	filling->sweep = filling->walk.sweep + 1;
	if (!filling->shared.skipped) {
		read_size(filling);
		return;
	}
	task_wait_for(filling->task, "rows that other transactions have locked; the next sweep takes them");
	after(filling, LOCKED_ROWS_AGAIN_MS, read_size);
}

static void watched_updates(void *owner, const struct fault *why)
{
	struct filling *filling = owner;

	builder_free(filling->builder);
	filling->builder = NULL;
	if (why)
		filler_failed(filling, why);
	else
		next_sweep(filling);
}

/* From here on nothing becomes pending again behind a sweep's back. */
static void watch_updates(struct filling *filling)
{
	if (filling->vacuuming) {
		after(filling, VACUUM_AGAIN_MS, watch_updates);
		return;
	}
	filling->builder = builder_new(filling->task, watched_updates, filling);
}

/* A sweep found under way was interrupted: what its first part found is not known, so it proves nothing. */
static void walk_is_over(struct filling *filling)
{
	const struct queue_walk *walk = &filling->walk;
	bool clean = walk->fresh && filling->shared.rows_found == 0 && !filling->shared.skipped;
	char *detail;

	if (walk->sweep == 0) {
		watch_updates(filling);
		return;
	}
	detail = memory_textf("sweep %d over %" PRId64 " pages found %s", walk->sweep, walk->pages,
		clean ? "no pending row" : "rows to fill, or was interrupted");
	tell(filling, "sweep", detail, filling->shared.rows_found);
	free(detail);
	if (clean)
		tell_end(filling);
	else if (filling->task->job.sync == JOB_SYNC_NONE && walk->sweep >= SWEEPS_MOST_WITHOUT_SYNC &&
			 !filling->shared.skipped)
		count_left(filling);
	else
		next_sweep(filling);
}

static void filler_idle(void *owner)
{
	struct filling *filling = owner;

	if (!filling->walking || filling->stopping || !all_idle(filling))
		return;
	filling->walking = false;
	walk_is_over(filling);
}

static void vacuumed(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	const struct fault *why = reply_fault(reply);

	filling->vacuuming = false;
	tell(filling, "vacuum", why ? why->message : "index entries of moved rows are taken away", -1);
}

/* Without it an index over values in no order doubles. */
static void filler_progressed(void *owner)
{
	struct filling *filling = owner;
	struct task *task = filling->task;
	double moved = (double)filling->shared.rows_moved;

	if (filling->vacuuming || filling->stopping || !session_is_open(task->session))
		return;
	/* While the horizon stands still there is nothing that a vacuum could take away. */
	if (filling->shared.course.stuck)
		return;
	if (task->relation.rows <= 0 || moved < VACUUM_AFTER_SHARE * task->relation.rows)
		return;
	filling->vacuuming = true;
	filling->shared.rows_moved = 0;
	vacuum_ask(task->session, &task->job, &task->relation, vacuumed, filling);
}

static void filler_failed(void *owner, const struct fault *why)
{
	struct filling *filling = owner;

	if (filling->why.kind == FAULT_NONE)
		fault_copy(&filling->why, why);
	filling_stop(filling);
}

static const struct filler_events filler_events = {
	.progressed = filler_progressed, .idle = filler_idle, .failed = filler_failed};

static void have_fillers(struct filling *filling)
{
	size_t wanted = filling->task->job.knobs.workers > 1 ? (size_t)filling->task->job.knobs.workers : 1;

	if (wanted > filling->fillers_count)
		filling->fillers = memory_resize(filling->fillers, wanted * sizeof(filling->fillers[0]));
	while (filling->fillers_count < wanted) {
		size_t i = filling->fillers_count++;

		filling->fillers[i] = filler_new(&filling->shared, (int)i, &filler_events, filling);
	}
}

static void started_walk(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	size_t before = filling->fillers_count;

	if (filling->stopping || control_failed(filling, reply_fault(reply), start_walk))
		return;
	if (!queue_read_walk(reply, &filling->walk)) {
		after(filling, CONTROL_RETRY_MS, start_walk);
		return;
	}
	filling->shared.rows_found = 0;
	filling->shared.skipped = false;
	filling->shared.pages_done = (double)filling->walk.pages_done;
	if (filling->walk.sweep > 0)
		filling->shared.course.passes = filling->shared.course.passes_most = 1;
	filling->walking = true;
	have_fillers(filling);
	for (size_t i = 0; i < before; i++)
		filler_resume(filling->fillers[i]);
}

static void start_walk(struct filling *filling)
{
	struct task *task = filling->task;

	queue_start_walk(task->control, &task->job, filling->sweep, task->relation.pages, started_walk, filling);
}

static void counted_left(void *owner, const struct reply *reply)
{
	struct filling *filling = owner;
	int64_t left;

	if (reply_fault(reply)) {
		tell(filling, "sweep", "rows left without a value could not be counted", -1);
	} else {
		left = reply_int(reply, AUTHORITY_STATEMENTS, 0, "left", 0);
		tell(filling, "sweep", "rows written meanwhile were left to the application (sync = 'none')", left);
	}
	tell_end(filling);
}

static void count_left(struct filling *filling)
{
	struct task *task = filling->task;
	struct script *script = script_new();
	struct text sql = {0};

	authority_begin(script, &(struct authority){
								.owner = task->relation.owner,
								.search_path = task->job.search_path,
								.lock_timeout_ms = task->job.knobs.lock_timeout_ms,
							});
	text_addf(&sql, "SELECT pg_catalog.count(*) AS left FROM ONLY %s WHERE ", task->job.table_name);
	pending_add(&sql, &task->job);
	script_add(script, text_is(&sql));
	script_add(script, "COMMIT");
	text_free(&sql);
	session_ask(task->session, script, COUNT_DEADLINE_MS, counted_left, filling);
}

/* The table's lock and the session are the vacuum's until it is through. */
static void tell_end(struct filling *filling)
{
	if (filling->vacuuming) {
		task_wait_for(filling->task, "the vacuum of the table to end");
		after(filling, VACUUM_AGAIN_MS, tell_end);
		return;
	}
	task_wait_for(filling->task, NULL);
	filling->done(filling->owner, NULL);
}

void filling_update(struct filling *filling)
{
	if (filling->stopping || !filling->walking)
		return;
	have_fillers(filling);
	for (size_t i = 0; i < filling->fillers_count; i++)
		filler_resume(filling->fillers[i]);
}

static void tell_failure_at_rest(struct filling *filling)
{
	struct fault why = {0};

	if (!filling_at_rest(filling)) {
		after(filling, 10, tell_failure_at_rest);
		return;
	}
	fault_copy(&why, &filling->why);
	filling->done(filling->owner, &why);
	fault_clear(&why);
}

void filling_stop(struct filling *filling)
{
	filling->stopping = true;
	loop_timer_stop(filling->timer);
	if (filling->builder)
		builder_stop(filling->builder);
	for (size_t i = 0; i < filling->fillers_count; i++)
		filler_stop(filling->fillers[i]);
	if (filling->why.kind != FAULT_NONE)
		after(filling, 0, tell_failure_at_rest);
}

bool filling_at_rest(const struct filling *filling)
{
	if (filling->builder && !builder_at_rest(filling->builder))
		return false;
	for (size_t i = 0; i < filling->fillers_count; i++) {
		if (!filler_at_rest(filling->fillers[i]))
			return false;
	}
	return true;
}

void filling_read_progress(const struct filling *filling, struct filling_progress *ret_progress)
{
	double done = filling->shared.pages_done;

	for (size_t i = 0; i < filling->fillers_count; i++)
		done += filler_pages_done(filling->fillers[i]);
	if (done > (double)filling->walk.pages)
		done = (double)filling->walk.pages;
	*ret_progress = (struct filling_progress){
		.sweep = filling->walk.sweep,
		.pages_done = (int64_t)done,
		.pages_total = filling->walk.pages,
		.rows = filling->rows_before + filling->shared.rows_found,
		.throttled = filling->shared.gate.closed,
		.throttle_reason = text_is(&filling->shared.gate.reason),
	};
}
