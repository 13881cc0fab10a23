#include "daemon/filler_inside.h"

#include "common/clock.h"
#include "daemon/catalog.h"
#include "daemon/ddl.h"
#include "daemon/delivery.h"

#include <stdlib.h>
#include <string.h>

/* A batch that takes so many times its target is cancelled by the server. */
#define PATIENCE_FACTOR 20
#define PATIENCE_LEAST_MS 1000
/* Doublings of it end here: somebody who keeps cancelling must not make it overflow. */
#define PATIENCE_MOST 64
/* A batch that is refused so often for something else than a lock says so, and takes its time where it was
 * not cancelled: whoever waited for it needs it small, not late. */
#define RETRIES_UNTOLD 5
#define RETRY_WITHIN_MS 20
#define RETRY_WITHIN_MOST_MS 5000
/* For a lock, so often that somebody keeps it. */
#define KEPT_AFTER_MS 1000

static int timeout_ms(const struct filler *filler)
{
	int ms = filler->task->job.knobs.batch_ms * PATIENCE_FACTOR;

	return (ms > PATIENCE_LEAST_MS ? ms : PATIENCE_LEAST_MS) * filler->patience;
}

static struct batch_order order_of(const struct filler *filler)
{
	const struct task *task = filler->task;

	return (struct batch_order){
		.job = &task->job,
		.relation = &task->relation,
		.oid = filler->oid,
		.leaf = filler->leaf,
		.filler = filler->number,
		.synchronous_commit = task->synchronous_commit,
		.statement_timeout_ms = timeout_ms(filler),
		.server_counts = filler->server_counts,
		.skip_locked = filler->refusals >= 2,
	};
}

static void batch_went_well(
	struct filler *filler, const struct window_batch *batch, const struct batch_outcome *outcome)
{
	struct filler_shared *shared = filler->shared;

	if (filler->refusals >= 2)
		shared->skipped = true;
	filler->refusals = 0;
	filler->retries = 0;
	filler->patience = 1;
	filler->doubted = false;
	filler->server_counts = outcome->counted;
	filler->window_rows += outcome->rows;
	shared->rows_found += outcome->rows;
	filler->window_moved += outcome->updated - outcome->hot;
	pace_spend(shared->share,
		&(struct pace_batch){.wal_bytes = outcome->wal_bytes,
			.wal_records = outcome->wal_records,
			.ms = outcome->took.active_ms,
			.napped_ms = outcome->took.napped_ms},
		clock_ms());
	stride_learn(&filler->stride, batch, outcome->took.ms, outcome->wal_bytes, clock_ms());
	window_done(&filler->window, batch, outcome->updated, outcome->hot);
}

static void got_row(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;
	char *row = catalog_read_row(reply);

	if (row)
		fault_add_context(&filler->why, "%s", row);
	fault_set_hint(&filler->why, "Mend the row, then set wanted = 'run'; or cancel the job and "
								 "insert another one with another expression (a job's own cannot "
								 "be changed). Everything filled so far stays.");
	free(row);
	filler_fail(filler, &filler->why);
}

static void row_failed(struct filler *filler, const struct fault *why)
{
	struct task *task = filler->task;

	if (!window_narrow(&filler->window, &filler->batch)) {
		filler_fill(filler);
		return;
	}
	fault_copy(&filler->why, why);
	catalog_ask_row(filler->session, &task->job, &task->relation,
		filler->leaf ? relation_member(&task->relation, filler->oid) : NULL, filler->batch.from_page,
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

static int64_t retry_after_ms(const struct filler *filler, bool cancelled)
{
	int64_t within_ms = RETRY_WITHIN_MS;

	if (filler->refusals > 2)
		return KEPT_AFTER_MS;
	if (cancelled)
		return clock_jitter(within_ms);
	for (int i = RETRIES_UNTOLD; i < filler->retries && within_ms < RETRY_WITHIN_MOST_MS; i++)
		within_ms *= 2;
	return clock_jitter(within_ms < RETRY_WITHIN_MOST_MS ? within_ms : RETRY_WITHIN_MOST_MS);
}

static bool is_one_page(const struct window_batch *batch)
{
	return batch->end_page - batch->from_page <= 1;
}

/* A page that is cancelled, each time before it is done: somebody waits for one of its rows, or it has had
 * all the time there is. */
static bool goes_in_parts(struct filler *filler)
{
	return is_one_page(&filler->batch) && !window_narrow(&filler->window, &filler->batch);
}

/* First once more and smaller, then without the rows that are locked; a single page that is slow gets more
 * time, until it has had the most and goes in parts. */
static void batch_was_refused(struct filler *filler, const struct fault *why)
{
	bool lock = strcmp(why->sqlstate, "55P03") == 0;
	bool cancelled = strcmp(why->sqlstate, "57014") == 0;
	bool slow = cancelled && clock_ms() - filler->batch_begun_ms >= timeout_ms(filler);
	bool gets_more_time = slow && filler->patience < PATIENCE_MOST;

	if (lock)
		filler->refusals++;
	else if (++filler->retries > RETRIES_UNTOLD)
		task_wait_for(filler->task, why->message);
	if (filler->refusals > 2)
		ddl_ask_holders(filler->task->control, &filler->task->job, &filler->task->relation, "ROW EXCLUSIVE",
			session_backend_pid(filler->session), got_holders, filler);
	if (gets_more_time && is_one_page(&filler->batch))
		filler->patience *= 2;
	if (!cancelled || gets_more_time || !goes_in_parts(filler))
		stride_halve(&filler->stride, &filler->batch, clock_ms());
	filler_after(filler, retry_after_ms(filler, cancelled), filler_fill);
}

/* What the server says of a table or column that went away under the fill lacks what to do about it. */
static void fail_for_good(struct filler *filler, const struct fault *why)
{
	bool unknown = strcmp(why->sqlstate, "42P01") == 0 || strcmp(why->sqlstate, "42703") == 0;

	/* A leaf may have been renamed or detached. */
	if (unknown && filler->leaf && !filler->doubted) {
		filler->doubted = true;
		filler_look_again(filler);
		return;
	}
	fault_copy(&filler->why, why);
	if (strcmp(why->sqlstate, "42P01") == 0)
		fault_set_hint(&filler->why,
			"If the table was dropped, cancel the job; if it was renamed, rename it back "
			"and set wanted = 'run', or enqueue a job for its new name.");
	else if (strcmp(why->sqlstate, "42703") == 0)
		fault_set_hint(&filler->why,
			"If the column was dropped, cancel the job; if it was renamed, or another "
			"that the value reads, rename it back and set wanted = 'run'.");
	filler_fail(filler, &filler->why);
}

static void batch_failed(struct filler *filler, const struct fault *why)
{
	switch (why->kind) {
	case FAULT_BUSY:
		batch_was_refused(filler, why);
		return;
	case FAULT_LINK:
		return; /* lost() was or will be told, opened() starts again from the bookmark */
	case FAULT_SCARCE:
		task_wait_for(filler->task, why->message);
		filler_after(filler, 1000 + clock_jitter(4000), filler_fill);
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

static void fill_ahead(struct filler *filler);

static void got_volley(void *owner, const struct reply *reply)
{
	struct filler *filler = owner;
	struct batch_order order = order_of(filler);
	struct batch_outcome outcomes[VOLLEY_MOST];
	struct volley volley;
	int committed = delivery_read(&filler->stride.volleys, reply, &order, &volley, outcomes);
	bool failed = committed < volley.count;

	for (int i = 0; i < committed; i++)
		batch_went_well(filler, &volley.batches[i], &outcomes[i]);
	if (filler->window.bookmark.passes == 1)
		filler_tell_moved(filler); /* there are no passes to spoil */
	if (failed)
		session_forget(filler->session, filler); /* the one behind it */
	if (!session_is_open(filler->session))
		return; /* lost() is told, and opened() begins again from the bookmark */
	if (failed) {
		filler->batch = volley.batches[committed];
		filler->batch_begun_ms = volley.begun_ms;
		batch_failed(filler, reply_fault(reply));
		return;
	}
	task_wait_for(filler->task, NULL);
	if (filler->stride.volleys.count > 0)
		fill_ahead(filler);
	else
		filler_fill(filler);
}

/*
 * Rows that a batch leaves behind free no room while a neighbour's open batch may still see them. All open
 * batches of the job together span at most a quarter of what a window of one filler alone would have, and
 * each at most a quarter of its own window, so a pass has gone on long before the next one comes.
 */
int64_t filler_pages_most(const struct filler *filler)
{
	int64_t together = filler->task->window_pages / (4 * (int64_t)filler->shared->workers);
	int64_t own = filler_window_pages(filler) / 4;
	int64_t pages = together < own ? together : own;

	return pages > 0 ? pages : 1;
}

static struct stride_ground ground_of(const struct filler *filler)
{
	const struct task *task = filler->task;
	const struct member *table = relation_member(&filler->task->relation, filler->oid);

	return (struct stride_ground){
		.window = &filler->window,
		.share = filler->shared->share,
		.batch_ms = task->job.knobs.batch_ms,
		.pages_most = filler_pages_most(filler),
		.rows_per_page = relation_rows_per_page(table ? table->pages : 0, table ? table->rows : 0.0),
		.may_sleep = task->relation.may_sleep,
		.troubled = filler->refusals > 0 || filler->retries > 0,
	};
}

static void send_volley(struct filler *filler, const struct stride_order *stride)
{
	struct batch_order order = order_of(filler);

	order.breath = stride->breath;
	delivery_ask(&filler->stride.volleys, &stride->volley, filler->session, &order, got_volley, filler);
}

/* What the pace has to know of the job as it is now. */
static void tell_pace(struct filler *filler)
{
	struct task *task = filler->task;
	struct pace_share *share = filler->shared->share;
	struct pace_wish wish;
	struct signals_table table;

	task_wish(task, filler->shared->workers, clock_ms(), &wish);
	wish.at_work = filler->shared->at_work;
	pace_change(share, &wish);
	/* A vacuum of a partition that no filler is in is none of the job's business. */
	if (monitor_read_table(task->monitor, task->job.table_oid, filler->shared->tables, CREW_MOST, &table))
		pace_sample_table(share, &table);
}

/* While a volley is under way: what may not go now is asked for once that is answered. */
static void fill_ahead(struct filler *filler)
{
	struct stride_ground ground = ground_of(filler);
	struct stride_order order;

	if (filler->stopping)
		return;
	tell_pace(filler);
	if (stride_ahead(&filler->stride, &ground, clock_ms(), &order))
		send_volley(filler, &order);
}

/* What holds the fill back, or does so no more. */
static void tell_verdict(struct filler *filler, const struct pace_verdict *verdict)
{
	if (verdict->reason || (verdict->go && filler->held))
		task_wait_for(filler->task, verdict->reason);
	if (verdict->reason || verdict->go) {
		filler->held = verdict->reason != NULL;
		filler->events->held(filler->owner, verdict->reason);
	}
}

void filler_fill(struct filler *filler)
{
	struct stride_ground ground = ground_of(filler);
	struct stride_order order;
	enum stride_answer answer;

	if (filler->stopping) {
		filler_rest(filler);
		return;
	}
	tell_pace(filler);
	answer = stride_next(&filler->stride, &ground, clock_ms(), &order);
	if (answer == STRIDE_DONE) {
		filler_finish_window(filler);
		return;
	}
	filler->at = AT_BATCH;
	tell_verdict(filler, &order.verdict);
	if (answer == STRIDE_WAIT) {
		filler_after(filler, order.verdict.wait_ms, filler_fill);
		return;
	}
	send_volley(filler, &order);
	if (!order.one_by_one)
		fill_ahead(filler);
}
