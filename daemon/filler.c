#include "daemon/filler_inside.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/enlist.h"
#include "daemon/queue.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define CONTROL_RETRY_MS 500

static void enlisted(void *owner, const struct fault *why);
static void ask_window(struct filler *filler);

static void keep_window(struct filler *filler, bool keeps)
{
	filler->shared->at_work += (int)keeps - (int)filler->has_window;
	filler->has_window = keeps;
	filler->shared->tables[filler->number] = keeps ? filler->oid : 0;
}

static void go_on(void *owner)
{
	struct filler *filler = owner;

	filler->next(filler);
}

void filler_after(struct filler *filler, int64_t delay_ms, void (*next)(struct filler *))
{
	filler->next = next;
	loop_timer_after(filler->timer, delay_ms);
}

/* Every connection starts here, the first and each after a loss: where the bookmark stands is read from the
 * table. */
static void opened(void *owner)
{
	struct filler *filler = owner;

	keep_window(filler, false);
	stride_forget(&filler->stride);
	if (!filler->stopping)
		filler->enlist = enlist_new(filler->task, filler->session, filler->number, enlisted, filler);
}

static void lost(void *owner, const struct fault *why)
{
	struct filler *filler = owner;
	char *sentence = memory_textf("no connection for filler %d: %s", filler->number, why->message);

	loop_timer_stop(filler->timer);
	session_forget(filler->task->control, filler);
	enlist_free(filler->enlist);
	filler->enlist = NULL;
	keep_window(filler, false);
	filler->at = filler->stopping ? AT_REST : AT_LINK;
	task_wait_for(filler->task, sentence);
	free(sentence);
}

static const struct session_events session_events = {.opened = opened, .lost = lost};

struct filler *filler_new(
	struct filler_shared *shared, int number, const struct filler_events *events, void *owner)
{
	struct filler *filler = memory_new(sizeof(*filler));
	struct task *task = shared->task;
	char *as = memory_textf("filler %d", number);

	assert(number < CREW_MOST);
	*filler = (struct filler){
		.shared = shared, .task = task, .number = number, .events = events, .owner = owner, .patience = 1};
	filler->timer = loop_timer_new(task->loop, go_on, filler);
	filler->session = task_connect(task, as, &session_events, filler);
	stride_start(&filler->stride, filler_pages_most(filler), task->job.knobs.batch_ms);
	free(as);
	return filler;
}

void filler_free(struct filler *filler)
{
	if (!filler)
		return;
	keep_window(filler, false);
	session_forget(filler->task->control, filler);
	enlist_free(filler->enlist);
	task_disconnect(filler->task, filler->session);
	free(filler->leaf);
	loop_timer_free(filler->timer);
	fault_clear(&filler->why);
	free(filler);
}

void filler_rest(struct filler *filler)
{
	loop_timer_stop(filler->timer);
	filler->at = AT_REST;
}

void filler_fail(struct filler *filler, const struct fault *why)
{
	filler_rest(filler);
	filler->events->failed(filler->owner, why);
}

/* Of the control session. True: the fault was dealt with. */
static bool control_failed(struct filler *filler, const struct fault *why, void (*again)(struct filler *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		filler_after(filler, CONTROL_RETRY_MS, again);
	else
		filler_fail(filler, why);
	return true;
}

static void enlisted(void *owner, const struct fault *why)
{
	struct filler *filler = owner;
	struct fault told = {0};

	if (why)
		fault_copy(&told, why);
	enlist_free(filler->enlist);
	filler->enlist = NULL;
	if (why)
		filler_fail(filler, &told);
	else
		ask_window(filler);
	fault_clear(&told);
}

static void left(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;

	if (!control_failed(filler, reply_fault(reply), ask_window))
		ask_window(filler);
}

/* It was detached or dropped: its rows are no business of the job's any more. */
static void leave(struct filler *filler, uint32_t oid)
{
	struct task *task = filler->task;
	const struct member *member = relation_member(&task->relation, oid);
	char *detail = memory_textf("%s %s is left out: it has been detached or dropped",
		member ? "table" : "a table of the tree under", member ? member->name : task->job.table_name);

	queue_tell(task->control, &task->job,
		&(struct queue_event){
			.kind = "leaf", .detail = detail, .lock_wait_ms = -1, .duration_ms = -1, .rows = -1},
		NULL, NULL);
	free(detail);
	queue_leave(task->control, &task->job, filler->number, oid, left, filler);
}

/* There may be no filler any more afterwards. */
static void become_idle(struct filler *filler)
{
	filler->at = AT_IDLE;
	filler->events->idle(filler->owner);
}

static bool is_wanted(const struct filler *filler)
{
	return filler->number == 0 || filler->number < filler->shared->workers || filler->owes_window;
}

static void got_window(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;
	struct queue_window window;

	if (control_failed(filler, reply_fault(reply), ask_window))
		return;
	if (filler->stopping) {
		filler_rest(filler); /* a window that was given stays ours, in the bookmark */
		return;
	}
	if (!queue_read_window(reply, &window)) {
		filler->owes_window = false;
		filler->shared->handed_out = true;
		become_idle(filler);
		return;
	}
	if (window.gone) {
		leave(filler, window.oid);
		return;
	}
	if (filler->oid != window.oid)
		filler->doubted = false;
	filler->oid = window.oid;
	memory_set_text(&filler->leaf, window.leaf);
	window_start(&filler->window, &window.bookmark);
	keep_window(filler, true);
	filler->window_rows = 0;
	filler->window_since_ms = clock_ms();
	filler_fill(filler);
}

int64_t filler_window_pages(const struct filler *filler)
{
	const struct task *task = filler->task;
	int fillers = filler->shared->workers + pace_fillers_beside(filler->shared->share);

	return window_pages_for(task->window_pages, task->shared_buffers, fillers);
}

static void ask_window(struct filler *filler)
{
	struct task *task = filler->task;

	if (filler->stopping) {
		filler_rest(filler);
		return;
	}
	if (!is_wanted(filler)) {
		become_idle(filler);
		return;
	}
	filler->at = AT_WINDOW;
	filler->owes_window = true; /* perhaps: the answer may be lost with our own connection */
	queue_ask_window(task->control, &task->job, filler->number, filler_window_pages(filler),
		filler->shared->course.passes, session_user(filler->session), got_window, filler);
}

void filler_look_again(struct filler *filler)
{
	keep_window(filler, false);
	ask_window(filler);
}

static void tell_window(struct filler *filler)
{
	struct task *task = filler->task;
	const struct window_bookmark *at = &filler->window.bookmark;
	const struct window_tally *tally = &filler->window.tally;
	int64_t updated = tally->first_updated + tally->later_updated;
	int64_t hot = tally->first_hot + tally->later_hot;
	char *detail = memory_textf("%s%spages %" PRId64 " to %" PRId64 " in %d passes, %.0f %% updated in place",
		filler->leaf ? filler->leaf : "", filler->leaf ? ": " : "", at->from_page, at->end_page - 1,
		at->passes, updated > 0 ? 100.0 * (double)hot / (double)updated : 0.0);

	queue_tell(task->control, &task->job,
		&(struct queue_event){
			.kind = "window",
			.detail = detail,
			.lock_wait_ms = -1,
			.duration_ms = clock_ms() - filler->window_since_ms,
			.rows = filler->window_rows,
		},
		NULL, NULL);
	free(detail);
}

/* Somebody always holds it, if only for a millisecond: who has for as long as the window took, as far as that
 * is known. */
static const char *horizon_holder(const struct filler *filler)
{
	const struct signals_horizon *horizon = &monitor_signals(filler->task->monitor)->horizon;
	int64_t window_ms = clock_ms() - filler->window_since_ms;

	return horizon->held_s < 0 || 2000 * horizon->held_s >= window_ms ? horizon->who : NULL;
}

static void tell_turn(struct filler *filler, enum window_turn turn)
{
	struct task *task = filler->task;
	const char *holder;
	char *detail;

	if (turn == WINDOW_NO_TURN)
		return;
	holder = turn == WINDOW_GOT_STUCK ? horizon_holder(filler) : NULL;
	filler->shared->pinned = holder != NULL;
	if (turn == WINDOW_GOT_FREE)
		detail = memory_textf(
			"updates find room in their pages again; filling in %d passes", filler->shared->course.passes);
	else if (holder)
		detail =
			memory_textf("updates find no room in their pages, since something holds the xmin horizon (%s); "
						 "filling in one pass until it moves",
				holder);
	else
		detail = memory_text("updates find no room in their pages: their rows grow by more than the passes "
							 "before free, or short transactions hold the xmin horizon; filling in one pass "
							 "for a while");
	queue_tell(task->control, &task->job,
		&(struct queue_event){
			.kind = "passes", .detail = detail, .lock_wait_ms = -1, .duration_ms = -1, .rows = -1},
		NULL, NULL);
	free(detail);
}

void filler_tell_moved(struct filler *filler)
{
	struct member *table = relation_member(&filler->task->relation, filler->oid);

	if (table) {
		table->rows_moved += filler->window_moved;
		filler->events->moved(filler->owner, table);
	}
	filler->window_moved = 0;
}

void filler_finish_window(struct filler *filler)
{
	struct filler_shared *shared = filler->shared;
	const struct window *window = &filler->window;
	enum window_turn turn = window_course_learn(&shared->course, window->bookmark.passes, &window->tally);
	bool goes_on;

	shared->pages_done += window_pages_done(&window->bookmark);
	keep_window(filler, false);
	filler->owes_window = false;
	goes_on = !filler->stopping && is_wanted(filler);
	/* The fill does not wait for what is told. */
	if (goes_on)
		ask_window(filler);
	if (filler->window_rows > 0)
		tell_window(filler);
	tell_turn(filler, turn);
	filler_tell_moved(filler);
	if (!goes_on)
		ask_window(filler); /* it becomes idle, or rests */
}

void filler_resume(struct filler *filler)
{
	if (filler->at != AT_IDLE)
		return;
	stride_rest(&filler->stride, filler->task->job.knobs.batch_ms);
	ask_window(filler);
}

void filler_stop(struct filler *filler)
{
	filler->stopping = true;
	if (filler->at == AT_IDLE || filler->at == AT_LINK || loop_timer_pending(filler->timer))
		filler_rest(filler);
}

bool filler_at_rest(const struct filler *filler)
{
	return filler->at == AT_REST && session_open_questions(filler->session) == 0;
}

bool filler_is_idle(const struct filler *filler)
{
	return filler->at == AT_IDLE || (filler->at == AT_LINK && !filler->owes_window);
}

void filler_disturb(struct filler *filler)
{
	if (filler->has_window)
		window_disturb(&filler->window);
}

int64_t filler_batch_pages(const struct filler *filler)
{
	return filler->stride.later_passes.pages;
}

double filler_pages_done(const struct filler *filler)
{
	return filler->has_window ? window_pages_done(&filler->window.bookmark) : 0.0;
}
