#include "daemon/filler.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/batch.h"
#include "daemon/catalog.h"
#include "daemon/ddl.h"
#include "daemon/enlist.h"
#include "daemon/queue.h"
#include "daemon/sizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_RETRY_MS 500
#define FIRST_BATCH_PAGES 64
/* A batch that takes so many times its target is cancelled by the server. */
#define PATIENCE_FACTOR 20
#define PATIENCE_LEAST_MS 1000
/* Doublings of it end here: somebody who keeps cancelling must not make it overflow. */
#define PATIENCE_MOST 64

/* A batch that is refused so often for something else than a lock says so. */
#define RETRIES_UNTOLD 5

enum at { AT_LINK, AT_WINDOW, AT_BATCH, AT_IDLE, AT_REST };

struct filler {
	struct filler_shared *shared;
	struct task *task;
	int number;
	const struct filler_events *events;
	void *owner;
	struct session *session;
	struct enlist *enlist; /* while the session is being put on record */
	struct loop_timer *timer;
	void (*next)(struct filler *filler); /* what the timer goes on with */
	enum at at;
	bool stopping;
	struct window window;
	bool has_window;
	bool owes_window; /* one may have been given and is not finished, also while the connection is lost */
	struct window_batch batch;
	struct sizer sizer;
	bool server_counts;
	int refusals; /* lock timeouts of this stretch in a row */
	int retries;  /* of this stretch, for whatever passing fault */
	int patience; /* doubles when a single page takes too long */
	int64_t window_rows;
	int64_t window_since_ms;
	int64_t batch_since_ms;
	struct fault why; /* while the culprit's key is looked for */
};

static void enlisted(void *owner, const struct fault *why);
static void ask_window(struct filler *filler);
static void wait_for_gate(struct filler *filler);
static void ask_batch(struct filler *filler);

static void go_on(void *owner)
{
	struct filler *filler = owner;

	filler->next(filler);
}

static void after(struct filler *filler, int64_t delay_ms, void (*next)(struct filler *))
{
	filler->next = next;
	loop_timer_after(filler->timer, delay_ms);
}

/* Every connection starts here, the first and each after a loss: where the bookmark stands is read from the
 * table. */
static void opened(void *owner)
{
	struct filler *filler = owner;

	filler->has_window = false;
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
	filler->at = filler->stopping ? AT_REST : AT_LINK;
	task_wait_for(filler->task, sentence);
	free(sentence);
}

static const struct session_events session_events = {.opened = opened, .lost = lost};

/* A daemon that died must not leave a batch running for long. */
static struct script *greeting(void)
{
	struct script *script = script_new();

	script_add(script, "SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false)");
	return script;
}

/*
 * Rows that a batch leaves behind free no room while a neighbour's open batch may still see them. All open
 * batches together span at most a quarter of a window, so a pass has gone on long before the next one comes.
 */
static int64_t pages_most(const struct filler_shared *shared)
{
	int64_t pages = shared->task->window_pages / (4 * (int64_t)shared->workers);

	return pages > 0 ? pages : 1;
}

struct filler *filler_new(
	struct filler_shared *shared, int number, const struct filler_events *events, void *owner)
{
	struct filler *filler = memory_new(sizeof(*filler));
	struct task *task = shared->task;
	char *name = memory_textf("backfilld job %" PRId64 " filler %d", task->job.id, number);

	*filler = (struct filler){
		.shared = shared, .task = task, .number = number, .events = events, .owner = owner, .patience = 1};
	filler->timer = loop_timer_new(task->loop, go_on, filler);
	filler->session = session_new(task->loop, task->conninfo, name, greeting(), &session_events, filler);
	sizer_start(&filler->sizer, FIRST_BATCH_PAGES, pages_most(shared), task->job.knobs.batch_ms);
	free(name);
	return filler;
}

void filler_free(struct filler *filler)
{
	if (!filler)
		return;
	session_forget(filler->task->control, filler);
	enlist_free(filler->enlist);
	session_free(filler->session);
	loop_timer_free(filler->timer);
	fault_clear(&filler->why);
	free(filler);
}

static void rest(struct filler *filler)
{
	loop_timer_stop(filler->timer);
	filler->at = AT_REST;
}

static void fail(struct filler *filler, const struct fault *why)
{
	rest(filler);
	filler->events->failed(filler->owner, why);
}

/* Of the control session. True: the fault was dealt with. */
static bool control_failed(struct filler *filler, const struct fault *why, void (*again)(struct filler *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		after(filler, CONTROL_RETRY_MS, again);
	else
		fail(filler, why);
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
		fail(filler, &told);
	else
		ask_window(filler);
	fault_clear(&told);
}

static void got_window(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;
	struct window_bookmark bookmark;

	if (control_failed(filler, reply_fault(reply), ask_window))
		return;
	if (filler->stopping) {
		rest(filler); /* a window that was given stays ours, in the bookmark */
		return;
	}
	if (!queue_read_window(reply, &bookmark)) {
		filler->owes_window = false;
		filler->at = AT_IDLE;
		filler->events->idle(filler->owner);
		return;
	}
	window_start(&filler->window, &bookmark);
	filler->has_window = true;
	filler->window_rows = 0;
	filler->window_since_ms = clock_ms();
	wait_for_gate(filler);
}

static void ask_window(struct filler *filler)
{
	struct task *task = filler->task;

	if (filler->stopping) {
		rest(filler);
		return;
	}
	if (filler->number > 0 && filler->number >= filler->shared->workers && !filler->owes_window) {
		filler->at = AT_IDLE;
		filler->events->idle(filler->owner);
		return;
	}
	filler->at = AT_WINDOW;
	filler->owes_window = true; /* perhaps: the answer may be lost with our own connection */
	queue_ask_window(task->control, &task->job, filler->number, task->window_pages,
		filler->shared->course.passes, session_user(filler->session), got_window, filler);
}

static void wait_for_gate(struct filler *filler)
{
	struct task *task = filler->task;
	struct pace_share *share = filler->shared->share;
	const struct signals_table *table = monitor_table(task->monitor, task->job.table_oid);
	struct pace_verdict verdict;
	struct pace_wish wish;

	if (filler->stopping) {
		rest(filler);
		return;
	}
	filler->at = AT_BATCH;
	task_wish(task, filler->shared->workers, clock_ms(), &wish);
	pace_change(share, &wish);
	if (table)
		pace_sample_table(share, table);
	pace_ask(share, clock_ms(), &verdict);
	if (!verdict.go) {
		if (verdict.reason) {
			task_wait_for(task, verdict.reason);
			filler->events->held(filler->owner, verdict.reason);
		}
		after(filler, verdict.wait_ms, wait_for_gate);
		return;
	}
	filler->events->held(filler->owner, NULL);
	filler->sizer.target_ms = task->job.knobs.batch_ms * verdict.batch_part;
	filler->sizer.most_bytes = verdict.batch_bytes;
	filler->sizer.pages_most = pages_most(filler->shared);
	ask_batch(filler);
}

static void tell_window(struct filler *filler)
{
	struct task *task = filler->task;
	const struct window_bookmark *at = &filler->window.bookmark;
	const struct window_tally *tally = &filler->window.tally;
	int64_t updated = tally->first_updated + tally->later_updated;
	int64_t hot = tally->first_hot + tally->later_hot;
	char *detail =
		memory_textf("pages %" PRId64 " to %" PRId64 " in %d passes, %.0f %% updated in place", at->from_page,
			at->end_page - 1, at->passes, updated > 0 ? 100.0 * (double)hot / (double)updated : 0.0);

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

static void tell_turn(struct filler *filler, enum window_turn turn)
{
	struct task *task = filler->task;
	const char *who = monitor_signals(task->monitor)->horizon.who;
	char *detail;

	if (turn == WINDOW_NO_TURN)
		return;
	if (turn == WINDOW_GOT_STUCK)
		detail =
			memory_textf("updates find no room in their pages, since something holds the xmin horizon (%s); "
						 "filling in one pass until it moves",
				who ? who : "a long transaction, a slot, a standby's feedback");
	else
		detail =
			memory_textf("the xmin horizon moves again; filling in %d passes", filler->shared->course.passes);
	queue_tell(task->control, &task->job,
		&(struct queue_event){
			.kind = "passes", .detail = detail, .lock_wait_ms = -1, .duration_ms = -1, .rows = -1},
		NULL, NULL);
	free(detail);
}

static void finish_window(struct filler *filler)
{
	struct filler_shared *shared = filler->shared;
	const struct window *window = &filler->window;

	if (filler->window_rows > 0)
		tell_window(filler);
	tell_turn(filler, window_course_learn(&shared->course, window->bookmark.passes, &window->tally));
	shared->pages_done += window_pages_done(&window->bookmark);
	filler->has_window = filler->owes_window = false;
	ask_window(filler);
}

static void batch_went_well(struct filler *filler, const struct reply *reply)
{
	struct batch_outcome outcome;
	const struct window_batch *batch = &filler->batch;

	batch_read(reply, &outcome);
	if (filler->refusals >= 2)
		filler->shared->skipped = true;
	filler->refusals = 0;
	filler->retries = 0;
	filler->patience = 1;
	filler->server_counts = outcome.counted;
	filler->window_rows += outcome.rows;
	filler->shared->rows_found += outcome.rows;
	filler->shared->rows_moved += outcome.updated - outcome.hot;
	pace_spend(filler->shared->share,
		&(struct pace_batch){.wal_bytes = outcome.wal_bytes, .ms = outcome.active_ms}, clock_ms());
	filler->events->progressed(filler->owner);
	if (batch->end_page > batch->from_page)
		sizer_learn(
			&filler->sizer, batch->end_page - batch->from_page, outcome.ms, outcome.wal_bytes, clock_ms());
	window_done(&filler->window, batch, outcome.updated, outcome.hot);
	task_wait_for(filler->task, NULL);
	wait_for_gate(filler);
}

static void got_row(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;
	char *row = catalog_read_row(reply);

	if (row)
		fault_add_context(&filler->why, "%s", row);
	fault_set_hint(&filler->why, "Mend the row, then set wanted = 'run'; or delete the job and insert it "
								 "with another expression (a job's own cannot "
								 "be changed). Everything filled so far stays.");
	free(row);
	fail(filler, &filler->why);
}

static void row_failed(struct filler *filler, const struct fault *why)
{
	struct task *task = filler->task;

	if (!window_narrow(&filler->window, &filler->batch)) {
		wait_for_gate(filler);
		return;
	}
	fault_copy(&filler->why, why);
	catalog_ask_row(filler->session, &task->job, &task->relation, filler->batch.from_page,
		filler->batch.from_item, got_row, filler);
}

static void got_holders(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;
	struct text sentence = {0};

	if (reply_fault(reply) || !ddl_read_holders(reply, &filler->task->job, &sentence))
		text_add(&sentence, "rows or the table are locked by others for longer than lock_timeout_ms");
	task_wait_for(filler->task, text_is(&sentence));
	text_free(&sentence);
}

static int timeout_ms(const struct filler *filler)
{
	int ms = filler->task->job.knobs.batch_ms * PATIENCE_FACTOR;

	return (ms > PATIENCE_LEAST_MS ? ms : PATIENCE_LEAST_MS) * filler->patience;
}

static bool is_one_page(const struct window_batch *batch)
{
	return batch->end_page - batch->from_page <= 1;
}

/* A page that is cancelled because somebody waits for one of its rows, each time before it is done. */
static bool goes_in_parts(struct filler *filler)
{
	return is_one_page(&filler->batch) && !window_narrow(&filler->window, &filler->batch);
}

/* First once more and smaller, then without the rows that are locked; a single page that is slow gets more
 * time. */
static void batch_was_refused(struct filler *filler, const struct fault *why)
{
	bool lock = strcmp(why->sqlstate, "55P03") == 0;
	bool cancelled = strcmp(why->sqlstate, "57014") == 0;
	bool slow = cancelled && clock_ms() - filler->batch_since_ms >= timeout_ms(filler);

	if (lock)
		filler->refusals++;
	else if (++filler->retries > RETRIES_UNTOLD)
		task_wait_for(filler->task, why->message);
	if (filler->refusals > 2)
		ddl_ask_holders(filler->task->control, &filler->task->job, "ROW EXCLUSIVE",
			session_backend_pid(filler->session), got_holders, filler);
	if (slow && is_one_page(&filler->batch))
		filler->patience = filler->patience < PATIENCE_MOST ? 2 * filler->patience : PATIENCE_MOST;
	if (!cancelled || slow || !goes_in_parts(filler))
		sizer_halve(&filler->sizer, clock_ms());
	after(filler, filler->refusals > 2 ? 1000 : clock_jitter(20), wait_for_gate);
}

/* What the server says of a table or column that went away under the fill lacks what to do about it. */
static void fail_for_good(struct filler *filler, const struct fault *why)
{
	fault_copy(&filler->why, why);
	if (strcmp(why->sqlstate, "42P01") == 0)
		fault_set_hint(&filler->why,
			"If the table was dropped, delete the job; if it was renamed, rename it back "
			"and set wanted = 'run', or enqueue a job for its new name.");
	else if (strcmp(why->sqlstate, "42703") == 0)
		fault_set_hint(&filler->why,
			"If the column was dropped, delete the job; if it was renamed, or another "
			"that the value reads, rename it back and set wanted = 'run'.");
	fail(filler, &filler->why);
}

static void got_batch(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;
	const struct fault *why = reply_fault(reply);

	if (!why) {
		batch_went_well(filler, reply);
		return;
	}
	switch (why->kind) {
	case FAULT_BUSY:
		batch_was_refused(filler, why);
		return;
	case FAULT_LINK:
		return; /* lost() was or will be told, opened() starts again from the bookmark */
	case FAULT_SCARCE:
		task_wait_for(filler->task, why->message);
		after(filler, 1000 + clock_jitter(4000), wait_for_gate);
		return;
	case FAULT_DATA:
		row_failed(filler, why);
		return;
	case FAULT_NONE:
	case FAULT_JOB:
	case FAULT_FENCED:
		fail_for_good(filler, why);
		return;
	}
}

static void ask_batch(struct filler *filler)
{
	struct task *task = filler->task;

	if (!window_next(&filler->window, filler->sizer.pages, &filler->batch)) {
		finish_window(filler);
		return;
	}
	filler->batch_since_ms = clock_ms();
	batch_ask(filler->session,
		&(struct batch_order){
			.job = &task->job,
			.relation = &task->relation,
			.stretch = &filler->batch,
			.filler = filler->number,
			.synchronous_commit = task->synchronous_commit,
			.statement_timeout_ms = timeout_ms(filler),
			.server_counts = filler->server_counts,
			.skip_locked = filler->refusals >= 2,
		},
		got_batch, filler);
}

void filler_resume(struct filler *filler)
{
	if (filler->at != AT_IDLE)
		return;
	sizer_start(
		&filler->sizer, filler->sizer.pages, filler->sizer.pages_most, filler->task->job.knobs.batch_ms);
	ask_window(filler);
}

void filler_stop(struct filler *filler)
{
	filler->stopping = true;
	if (filler->at == AT_IDLE || filler->at == AT_LINK || loop_timer_pending(filler->timer))
		rest(filler);
}

bool filler_at_rest(const struct filler *filler)
{
	return filler->at == AT_REST;
}

bool filler_is_idle(const struct filler *filler)
{
	return filler->at == AT_IDLE || (filler->at == AT_LINK && !filler->owes_window);
}

int64_t filler_batch_pages(const struct filler *filler)
{
	return filler->sizer.pages;
}

double filler_pages_done(const struct filler *filler)
{
	return filler->has_window ? window_pages_done(&filler->window.bookmark) : 0.0;
}
