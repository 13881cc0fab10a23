#include "tests/sim/fillers.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

#define BATCH_NOISE 0.1
#define ROWS_PER_PAGE 60
/* A batch may begin so long after the reason against it arose: one pulse and what it takes to judge it. */
#define LATE_MS (100 + 250)
/* All that the server counts of a batch (impact.h). */
#define COMMIT_COUNTS_MS 0.05
/* Without its page image. */
#define RECORD_BYTES 100.0
/* Its own statement and bookmark. */
#define BATCH_BYTES 300.0

static int64_t pages_most(const struct filler *filler)
{
	return filler->plant->scenario->fill.window_pages / (4 * filler->job->plan->fillers);
}

static void begin_window(struct filler *filler)
{
	const struct fill_plan *fill = &filler->plant->scenario->fill;

	window_start(
		&filler->window, &(struct window_bookmark){.end_page = fill->window_pages, .passes = fill->passes});
	for (int i = 0; i < fill->window_pages; i++)
		filler->epochs[i] = -1;
}

void filler_start(struct filler *filler, struct sim_job *job, struct plant *plant,
	struct application *application, struct rival *rival)
{
	*filler = (struct filler){
		.job = job,
		.plant = plant,
		.application = application,
		.rival = rival,
		.dice.state = plant->scenario->seed + 100 + (uint64_t)(filler - job->fillers),
		.epochs = memory_new((size_t)plant->scenario->fill.window_pages * sizeof(filler->epochs[0])),
	};
	stride_start(&filler->stride, pages_most(filler), FILLERS_BATCH_MS);
	begin_window(filler);
}

void filler_end(struct filler *filler)
{
	free(filler->epochs);
}

static double image_replay(const struct fill_plan *fill)
{
	return fill->image_replay > 0 ? fill->image_replay : 1;
}

double fill_speed(const struct fill_plan *fill)
{
	double images = 1.0 / fill->passes;

	return 1e3 * (fill->page_bytes + images * image_replay(fill) * fill->image_bytes) /
		   (fill->page_ms + images * fill->image_ms);
}

static struct stride_ground ground_of(const struct filler *filler)
{
	return (struct stride_ground){
		.window = &filler->window,
		.share = filler->job->share,
		.batch_ms = FILLERS_BATCH_MS,
		.pages_most = pages_most(filler),
		.rows_per_page = ROWS_PER_PAGE,
		.may_sleep = true,
	};
}

/* Pages whose image was not written since the checkpoint cost more. */
static int write_images(struct filler *filler, const struct window_batch *stretch)
{
	int images = 0;

	for (int64_t page = stretch->from_page; page < stretch->end_page; page++) {
		images += filler->epochs[page] != filler->plant->epoch;
		filler->epochs[page] = filler->plant->epoch;
	}
	return images;
}

/* It sleeps each time that it has looked at so many rows. */
static double naps_ms(const struct breath *breath, double rows)
{
	return breath->rows > 0 ? floor(rows / (double)breath->rows) * breath->nap_ms : 0.0;
}

static void begin_batch(struct filler *filler, double ms)
{
	const struct fill_plan *fill = &filler->plant->scenario->fill;
	const struct window_batch *stretch = &filler->stride.volleys.under_way[0].batches[filler->executing];
	struct sim_job *job = filler->job;
	double pages = (double)(stretch->end_page - stretch->from_page);
	double rows = pages * ROWS_PER_PAGE / stretch->passes;
	int images = write_images(filler, stretch);
	struct sim_batch *batch = &filler->batches[filler->executing];

	*batch = (struct sim_batch){
		.ms = (pages * fill->page_ms + images * fill->image_ms) * dice_factor(&filler->dice, BATCH_NOISE),
		.napped_ms = naps_ms(&filler->breaths[0], rows),
		.images = images * fill->image_bytes,
	};
	batch->wal = BATCH_BYTES + batch->images + pages * (fill->page_bytes + plant_index_bytes(filler->plant));
	filler->left_ms = batch->ms + batch->napped_ms;
	filler->at = FILLER_EXECUTES;
	job->batches++;
	if (job->forbidden_ms >= 0 && ms - job->forbidden_ms > LATE_MS)
		job->late_batches++;
}

static void end_batch(struct filler *filler)
{
	const struct window_batch *stretch = &filler->stride.volleys.under_way[0].batches[filler->executing];
	struct plant *plant = filler->plant;
	double pages = (double)(stretch->end_page - stretch->from_page);

	plant->pages_since += pages;
	filler->job->pages += pages;
	if (!plant->scenario->fill.counted_late)
		filler->session.told_ms = -INFINITY;
	application_count(filler->application, &filler->session, plant->ms, 1, COMMIT_COUNTS_MS);
}

static void send(struct filler *filler, const struct stride_order *order, int64_t now_ms)
{
	filler->breaths[filler->stride.volleys.count] = order->breath;
	volley_begin(&filler->stride.volleys, &order->volley, now_ms);
}

static void begin_volley(struct filler *filler, double ms)
{
	filler->executing = 0;
	begin_batch(filler, ms);
}

static void fill_ahead(struct filler *filler, int64_t now_ms)
{
	struct stride_ground ground = ground_of(filler);
	struct stride_order order;

	if (!filler->rival && stride_ahead(&filler->stride, &ground, now_ms, &order))
		send(filler, &order, now_ms);
}

static enum stride_answer ask_rival(
	struct filler *filler, const struct stride_ground *ground, int64_t now_ms, struct stride_order *order)
{
	order->verdict = (struct pace_verdict){.part = 1, .batch_bytes = SIZER_MOST_BYTES};
	order->verdict.wait_ms = rival_ask(filler->rival, now_ms);
	if (order->verdict.wait_ms > 0)
		return STRIDE_WAIT;
	return stride_plan(&filler->stride, ground, order) ? STRIDE_GO : STRIDE_DONE;
}

static void fill(struct filler *filler, double ms, int64_t now_ms)
{
	struct stride_ground ground = ground_of(filler);
	struct stride_order order;
	enum stride_answer answer = filler->rival ? ask_rival(filler, &ground, now_ms, &order)
											  : stride_next(&filler->stride, &ground, now_ms, &order);

	if (answer == STRIDE_DONE) {
		begin_window(filler);
		fill(filler, ms, now_ms);
		return;
	}
	if (answer == STRIDE_WAIT) {
		filler->at = FILLER_WAITS;
		filler->left_ms = order.verdict.wait_ms > 0 ? (double)order.verdict.wait_ms : 1;
		return;
	}
	send(filler, &order, now_ms);
	begin_volley(filler, ms);
	if (!order.one_by_one)
		fill_ahead(filler, now_ms);
}

static void learn(
	struct filler *filler, const struct window_batch *stretch, const struct sim_batch *batch, int64_t now_ms)
{
	struct pace_batch spent = {
		.wal_bytes = (int64_t)batch->wal,
		.wal_records = (int64_t)((batch->wal - batch->images) / RECORD_BYTES),
		.ms = batch->ms,
		.napped_ms = batch->napped_ms,
	};

	if (filler->rival)
		rival_spend(filler->rival, batch->wal);
	else
		pace_spend(filler->job->share, &spent, now_ms);
	stride_learn(&filler->stride, stretch, batch->ms, spent.wal_bytes, now_ms);
	window_done(&filler->window, stretch, ROWS_PER_PAGE, ROWS_PER_PAGE);
}

/* The first volley has been answered. */
static void end_volley(struct filler *filler, double ms, int64_t now_ms)
{
	struct volley volley = volley_end(&filler->stride.volleys, now_ms);
	double batches_ms = 0;

	for (int i = 0; i < volley.count; i++) {
		batches_ms += filler->batches[i].ms + filler->batches[i].napped_ms;
		learn(filler, &volley.batches[i], &filler->batches[i], now_ms);
	}
	volley_learn(&filler->stride.volleys, &volley, batches_ms, now_ms);
	filler->breaths[0] = filler->breaths[1];
	if (filler->stride.volleys.count == 0) {
		fill(filler, ms, now_ms);
		return;
	}
	begin_volley(filler, ms);
	fill_ahead(filler, now_ms);
}

static void execute(struct filler *filler, double spent_ms)
{
	const struct sim_batch *batch = &filler->batches[filler->executing];
	double part = spent_ms / (batch->ms + batch->napped_ms);
	double bytes = batch->wal * part;
	double work = bytes - batch->images * part * (1 - image_replay(&filler->plant->scenario->fill));

	plant_write(filler->plant, bytes, work, false);
	filler->job->wal_bytes += bytes;
	filler->job->work += work;
	filler->job->executed_ms += batch->ms * part;
	filler->job->waited_ms += batch->napped_ms * part;
	filler->executing_ms += batch->ms * part;
}

static void spend(struct filler *filler, double spent_ms, double ms)
{
	filler->left_ms -= spent_ms;
	if (filler->at == FILLER_EXECUTES) {
		execute(filler, spent_ms);
		filler->job->last_moved_ms = ms;
	} else if (filler->at == FILLER_WAITS) {
		filler->job->waited_ms += spent_ms;
	} else {
		filler->job->turned_ms += spent_ms;
	}
}

/* The server has carried out a batch: the next of the volley follows, or the one that was sent ahead, or it
 * waits for us. */
static void follow(struct filler *filler, double ms, int64_t now_ms)
{
	const struct volleys *volleys = &filler->stride.volleys;

	end_batch(filler);
	if (++filler->executing < volleys->under_way[0].count) {
		begin_batch(filler, ms);
	} else if (volleys->count > 1) {
		end_volley(filler, ms, now_ms);
	} else {
		filler->at = FILLER_TURNS;
		filler->left_ms = filler->plant->scenario->fill.turnaround_ms;
	}
}

void filler_step(struct filler *filler, int64_t origin_ms)
{
	double end_ms = filler->plant->ms;
	double ms = end_ms - filler->plant->step_ms;

	filler->executing_ms = 0;
	while (ms < end_ms) {
		double spent_ms = fmin(filler->left_ms, end_ms - ms);
		int64_t now_ms;

		ms += spent_ms;
		now_ms = origin_ms + (int64_t)ms;
		spend(filler, spent_ms, ms);
		if (filler->left_ms > 1e-6)
			continue;
		if (filler->at == FILLER_EXECUTES)
			follow(filler, ms, now_ms);
		else if (filler->at == FILLER_TURNS)
			end_volley(filler, ms, now_ms);
		else
			fill(filler, ms, now_ms);
	}
}
