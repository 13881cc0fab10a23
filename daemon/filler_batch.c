#include "daemon/filler_inside.h"

#include "common/clock.h"
#include "daemon/catalog.h"
#include "daemon/ddl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A batch that takes so many times its target is cancelled by the server. */
#define PATIENCE_FACTOR 20
#define PATIENCE_LEAST_MS 1000
/* Doublings of it end here: somebody who keeps cancelling must not make it overflow. */
#define PATIENCE_MOST 64
/* A batch that is refused so often for something else than a lock says so. */
#define RETRIES_UNTOLD 5

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
			.ms = outcome->active_ms,
			.napped_ms = outcome->napped_ms},
		clock_ms());
	if (batch->end_page > batch->from_page)
		sizer_learn(filler_sizer(filler, batch->pass), batch->end_page - batch->from_page, outcome->ms,
			outcome->wal_bytes, clock_ms());
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
	bool slow = cancelled && clock_ms() - filler->batch_begun_ms >= timeout_ms(filler);

	if (lock)
		filler->refusals++;
	else if (++filler->retries > RETRIES_UNTOLD)
		task_wait_for(filler->task, why->message);
	if (filler->refusals > 2)
		ddl_ask_holders(filler->task->control, &filler->task->job, &filler->task->relation, "ROW EXCLUSIVE",
			session_backend_pid(filler->session), got_holders, filler);
	if (slow && is_one_page(&filler->batch))
		filler->patience = filler->patience < PATIENCE_MOST ? 2 * filler->patience : PATIENCE_MOST;
	if (!cancelled || slow || !goes_in_parts(filler))
		sizer_halve(filler_sizer(filler, filler->batch.pass),
			filler->batch.end_page - filler->batch.from_page, clock_ms());
	filler_after(filler, filler->refusals > 2 ? 1000 : clock_jitter(20), filler_fill);
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
	int committed = volley_read(&filler->volleys, reply, &order, &volley, outcomes);
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
	if (filler->volleys.count > 0)
		fill_ahead(filler);
	else
		filler_fill(filler);
}

/* Several at once, and the next ahead, only while nothing is in their way and none of them is long. */
static bool goes_one_by_one(const struct filler *filler, const struct pace_verdict *verdict)
{
	return pace_limits(verdict) || filler->task->job.knobs.batch_ms > VOLLEY_MOST_MS ||
		   filler->refusals > 0 || filler->retries > 0 || filler->window.search.on;
}

/* Of a page, how many rows a batch of the present pass looks at. */
static double rows_per_page(struct filler *filler)
{
	const struct window_bookmark *at = &filler->window.bookmark;
	const struct member *table = relation_member(&filler->task->relation, filler->oid);
	double rows = relation_rows_per_page(table ? table->pages : 0, table ? table->rows : 0.0);

	return fmax(at->pass < at->passes - 1 ? rows / at->passes : rows, 1.0);
}

static struct breath breath_of(
	struct filler *filler, double part, double batch_ms, int64_t pages, double page_ms)
{
	double rows = rows_per_page(filler);

	if (part >= 1.0 || !filler->task->relation.may_sleep)
		return (struct breath){0};
	return breath_for(part, batch_ms, filler->volleys.trip_ms, rows * (double)pages, page_ms / rows);
}

/* In that pass; batches that take together_ms in all. */
static void ask_volley(
	struct filler *filler, const struct pace_verdict *verdict, int pass, double together_ms)
{
	struct volleys *volleys = &filler->volleys;
	struct sizer *sizer = filler_sizer(filler, pass);
	double ms = sizer_batch_ms(filler->task->job.knobs.batch_ms, verdict->part, volleys->trip_ms);
	struct batch_order order = order_of(filler);
	double page_ms = sizer_page_ms(sizer);
	struct volley volley;
	int64_t pages;

	sizer->target_ms = filler->task->job.knobs.batch_ms;
	sizer->pages_most = filler_pages_most(filler);
	pages = sizer_pages(sizer, ms, verdict->batch_bytes);
	order.breath = breath_of(filler, verdict->part, ms, pages, page_ms);
	if (volley_plan(volleys, &filler->window, pages, page_ms, together_ms, &volley))
		volley_ask(volleys, &volley, filler->session, &order, got_volley, filler);
}

/* What the pace has to know of the job as it is now. */
static void tell_pace(struct filler *filler)
{
	struct task *task = filler->task;
	struct pace_share *share = filler->shared->share;
	const struct signals_table *table = monitor_table(task->monitor, task->job.table_oid);
	struct pace_wish wish;

	task_wish(task, filler->shared->workers, clock_ms(), &wish);
	pace_change(share, &wish);
	if (table)
		pace_sample_table(share, table);
}

/* While a volley is under way: what may not go now is asked for once that is answered. */
static void fill_ahead(struct filler *filler)
{
	int pass = volley_pass(&filler->volleys, &filler->window);
	struct pace_verdict verdict;

	if (filler->stopping || pass < 0)
		return;
	tell_pace(filler);
	if (pace_ask_ahead(filler->shared->share, clock_ms(), &verdict) && !goes_one_by_one(filler, &verdict))
		ask_volley(filler, &verdict, pass, volley_ms(&filler->volleys));
}

/* Whether the next batch may go; false: it is waited for. */
static bool pace_lets_go(struct filler *filler, struct pace_verdict *ret_verdict)
{
	struct task *task = filler->task;

	tell_pace(filler);
	pace_ask(filler->shared->share, clock_ms(), ret_verdict);
	if (ret_verdict->reason || (ret_verdict->go && filler->held))
		task_wait_for(task, ret_verdict->reason);
	if (ret_verdict->reason || ret_verdict->go) {
		filler->held = ret_verdict->reason != NULL;
		filler->events->held(filler->owner, ret_verdict->reason);
	}
	if (ret_verdict->go)
		return true;
	filler_after(filler, ret_verdict->wait_ms, filler_fill);
	return false;
}

struct sizer *filler_sizer(struct filler *filler, int pass)
{
	return pass == 0 ? &filler->first_pass : &filler->later_passes;
}

/*
 * Rows that a batch leaves behind free no room while a neighbour's open batch may still see them. All open
 * batches together span at most a quarter of a window, so a pass has gone on long before the next one comes.
 */
int64_t filler_pages_most(const struct filler *filler)
{
	int64_t pages = filler->task->window_pages / (4 * (int64_t)filler->shared->workers);

	return pages > 0 ? pages : 1;
}

void filler_fill(struct filler *filler)
{
	int pass = volley_pass(&filler->volleys, &filler->window);
	struct pace_verdict verdict;

	if (filler->stopping) {
		filler_rest(filler);
		return;
	}
	if (pass < 0) {
		filler_finish_window(filler);
		return;
	}
	filler->at = AT_BATCH;
	if (!pace_lets_go(filler, &verdict))
		return;
	if (goes_one_by_one(filler, &verdict)) {
		ask_volley(filler, &verdict, pass, 0.0);
		return;
	}
	ask_volley(filler, &verdict, pass, volley_ms(&filler->volleys));
	fill_ahead(filler);
}
