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
/* Who waits for a batch that is as old has it cancelled, which is looked for as often; then it is tried
 * again. */
#define CANCEL_AFTER_MS 50
#define CANCEL_EVERY_MS 50
#define AGAIN_MS 20

static int64_t pages_most(const struct filler *filler)
{
	return filler->plant->scenario->fill.window_pages / (4 * filler->job->plan->fillers);
}

static const struct volleys *under_way(const struct filler *filler)
{
	return &filler->stride.volleys;
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
	filler->held = true;
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
		.troubled = filler->troubled,
	};
}

/* Pages whose image was not written since the checkpoint cost more. */
static int count_images(const struct filler *filler, const struct window_batch *stretch)
{
	int images = 0;

	for (int64_t page = stretch->from_page; page < stretch->end_page; page++)
		images += filler->epochs[page] != filler->plant->epoch;
	return images;
}

static void note_images(struct filler *filler, const struct window_batch *stretch, double part)
{
	int64_t pages = (int64_t)(part * (double)(stretch->end_page - stretch->from_page));

	for (int64_t i = 0; i < pages; i++)
		filler->epochs[stretch->from_page + i] = filler->plant->epoch;
}

/* The last pass looks at whatever is left. */
static double rows_of(const struct window_batch *stretch)
{
	double rows = (double)(stretch->end_page - stretch->from_page) * ROWS_PER_PAGE;

	return stretch->pass < stretch->passes - 1 ? rows / stretch->passes : rows;
}

/* It sleeps each time that it has looked at so many rows. */
static double naps_ms(struct filler *filler, const struct breath *breath, double rows)
{
	double naps;

	if (breath->rows == 0)
		return 0.0;
	filler->rows_unslept += rows;
	naps = floor(filler->rows_unslept / (double)breath->rows);
	filler->rows_unslept -= naps * (double)breath->rows;
	return naps * breath->nap_ms;
}

static const struct window_batch *stretch_now(const struct filler *filler)
{
	return &under_way(filler)->under_way[filler->volley].batches[filler->batch];
}

static struct sim_batch *batch_now(struct filler *filler)
{
	return &filler->volleys[filler->volley].batches[filler->batch];
}

static double ahead_ms(const struct filler *filler, double ms)
{
	return 1e3 * curve_at(&filler->plant->scenario->clock_ahead, ms / 1e3);
}

static void begin_batch(struct filler *filler, double ms)
{
	const struct fill_plan *fill = &filler->plant->scenario->fill;
	const struct window_batch *stretch = stretch_now(filler);
	struct sim_batch *batch = batch_now(filler);
	struct sim_job *job = filler->job;
	double pages = (double)(stretch->end_page - stretch->from_page);
	int images = count_images(filler, stretch);

	*batch = (struct sim_batch){
		.ms = (pages * fill->page_ms + images * fill->image_ms) * dice_factor(&filler->dice, BATCH_NOISE),
		.napped_ms = naps_ms(filler, &filler->volleys[filler->volley].breath, rows_of(stretch)),
		.images = images * fill->image_bytes,
		.ahead_ms = ahead_ms(filler, ms),
	};
	batch->wal = BATCH_BYTES + batch->images + pages * (fill->page_bytes + plant_index_bytes(filler->plant));
	filler->batch_left_ms = batch->ms + batch->napped_ms;
	filler->cancel_left_ms = curve_at(&filler->plant->scenario->wanted_rows, ms / 1e3) > 0
								 ? CANCEL_AFTER_MS + CANCEL_EVERY_MS * dice_unit(&filler->dice)
								 : INFINITY;
	job->batches++;
	if (job->forbidden_ms >= 0 && ms - job->forbidden_ms > LATE_MS)
		job->late_batches++;
}

static bool executes(const struct filler *filler)
{
	return !filler->refused && filler->volley < under_way(filler)->count;
}

static void send(struct filler *filler, const struct stride_order *order, double ms, int64_t now_ms)
{
	bool is_idle = under_way(filler)->count == filler->volley;

	filler->volleys[under_way(filler)->count] = (struct sim_volley){.breath = order->breath};
	volley_begin(&filler->stride.volleys, &order->volley, now_ms);
	filler->wait_left_ms = INFINITY;
	filler->held = false;
	filler->batch = is_idle ? 0 : filler->batch;
	if (is_idle)
		begin_batch(filler, ms);
}

static void fill_ahead(struct filler *filler, double ms, int64_t now_ms)
{
	struct stride_ground ground = ground_of(filler);
	struct stride_order order;

	if (!filler->rival && stride_ahead(&filler->stride, &ground, now_ms, &order))
		send(filler, &order, ms, now_ms);
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
		filler->held = true;
		filler->wait_left_ms = order.verdict.wait_ms > 0 ? (double)order.verdict.wait_ms : 1;
		return;
	}
	send(filler, &order, ms, now_ms);
	if (!order.one_by_one)
		fill_ahead(filler, ms, now_ms);
}

static void learn(
	struct filler *filler, const struct window_batch *stretch, const struct sim_batch *batch, int64_t now_ms)
{
	struct pace_batch spent = {
		.wal_bytes = (int64_t)batch->wal,
		.wal_records = (int64_t)((batch->wal - batch->images) / RECORD_BYTES),
		.ms = batch->took.active_ms,
		.napped_ms = batch->took.napped_ms,
	};

	filler->troubled = false;
	if (filler->rival)
		rival_spend(filler->rival, batch->wal);
	else
		pace_spend(filler->job->share, &spent, now_ms);
	stride_learn(&filler->stride, stretch, batch->took.ms, spent.wal_bytes, now_ms);
	window_done(&filler->window, stretch, ROWS_PER_PAGE, ROWS_PER_PAGE);
}

/* The first volley is under way no more; `committed` of its batches are done. */
static struct volley take_answer(struct filler *filler, int committed, int64_t now_ms)
{
	struct volley volley = volley_end(&filler->stride.volleys, now_ms);

	for (int i = 0; i < committed; i++)
		learn(filler, &volley.batches[i], &filler->volleys[0].batches[i], now_ms);
	filler->volleys[0] = filler->volleys[1];
	filler->volley--;
	return volley;
}

/* What the server says that those of the first volley took, as far as that can be: as `delivery` reads it. */
static double read_times(struct filler *filler, int64_t now_ms)
{
	const struct volley *volley = &under_way(filler)->under_way[0];
	double ms = 0;

	for (int i = 0; i < volley->count; i++) {
		struct lapse *took = &filler->volleys[0].batches[i].took;

		lapse_bound(took, (double)(now_ms - volley->asked_ms), volley->count);
		ms += took->active_ms + took->napped_ms;
	}
	return ms;
}

static void answered(struct filler *filler, double ms, int64_t now_ms)
{
	double took_ms = read_times(filler, now_ms);
	struct volley volley = take_answer(filler, under_way(filler)->under_way[0].count, now_ms);

	volley_learn(&filler->stride.volleys, &volley, took_ms, now_ms);
	if (under_way(filler)->count > 0)
		fill_ahead(filler, ms, now_ms);
	else
		fill(filler, ms, now_ms);
}

/* Somebody waits for a row of it. What it wrote is written, and what is behind it fails as well. */
static void cancel(struct filler *filler)
{
	const struct sim_batch *batch = batch_now(filler);

	note_images(filler, stretch_now(filler), 1 - filler->batch_left_ms / (batch->ms + batch->napped_ms));
	filler->volleys[filler->volley].answer_ms = filler->plant->scenario->fill.turnaround_ms;
	filler->refused = true;
}

/* The answer to what was cancelled; those to what was before it have come. */
static void cancelled(struct filler *filler, int64_t now_ms)
{
	struct window_batch stretch = *stretch_now(filler);

	(void)read_times(filler, now_ms);
	(void)take_answer(filler, filler->batch, now_ms);
	volley_forget(&filler->stride.volleys);
	filler->volley = 0;
	filler->refused = false;
	stride_halve(&filler->stride, &stretch, now_ms);
	filler->troubled = true;
	filler->wait_left_ms = AGAIN_MS;
	filler->job->cancelled++;
}

/* It tells the time that a batch took by its wall clock. */
static void tell_time(struct filler *filler, double ms)
{
	struct sim_batch *batch = batch_now(filler);
	double set_ms = ahead_ms(filler, ms) - batch->ahead_ms;

	batch->took.ms = batch->took.active_ms = batch->ms + set_ms;
	batch->took.napped_ms = batch->napped_ms;
	filler->job->clock_set += set_ms != 0;
}

/* The server has carried out a batch: the next of the volley follows, or the volley behind it. */
static void end_batch(struct filler *filler, double ms)
{
	const struct window_batch *stretch = stretch_now(filler);
	struct plant *plant = filler->plant;
	double pages = (double)(stretch->end_page - stretch->from_page);

	tell_time(filler, ms);
	note_images(filler, stretch, 1);
	plant->pages_since += pages;
	filler->job->pages += pages;
	if (!plant->scenario->fill.counted_late)
		filler->session.told_ms = -INFINITY;
	application_count(filler->application, &filler->session, plant->ms, 1, COMMIT_COUNTS_MS);
	if (++filler->batch == under_way(filler)->under_way[filler->volley].count) {
		filler->volleys[filler->volley++].answer_ms = plant->scenario->fill.turnaround_ms;
		filler->batch = 0;
	}
	if (executes(filler))
		begin_batch(filler, ms);
}

static void execute(struct filler *filler, double spent_ms)
{
	const struct sim_batch *batch = batch_now(filler);
	double part = spent_ms / (batch->ms + batch->napped_ms);
	double bytes = batch->wal * part;
	double work = bytes - batch->images * part * (1 - image_replay(&filler->plant->scenario->fill));

	plant_write(filler->plant, bytes, work, false);
	filler->job->wal_bytes += bytes;
	filler->job->work += work;
	filler->job->executed_ms += batch->ms * part;
	filler->job->waited_ms += batch->napped_ms * part;
	filler->executing_ms += batch->ms * part;
	filler->batch_left_ms -= spent_ms;
	filler->cancel_left_ms -= spent_ms;
}

/* Volleys whose answers are on their way. */
static int answers(const struct filler *filler)
{
	return filler->volley + filler->refused;
}

static double answer_left_ms(const struct filler *filler)
{
	return answers(filler) > 0 ? filler->volleys[0].answer_ms : INFINITY;
}

/* Until the next thing happens. */
static double left_ms(const struct filler *filler)
{
	double left = fmin(filler->wait_left_ms, answer_left_ms(filler));

	return executes(filler) ? fmin(left, fmin(filler->batch_left_ms, filler->cancel_left_ms)) : left;
}

static void spend(struct filler *filler, double spent_ms, double ms)
{
	for (int i = 0; i < answers(filler); i++)
		filler->volleys[i].answer_ms -= spent_ms;
	filler->wait_left_ms -= spent_ms;
	if (executes(filler)) {
		execute(filler, spent_ms);
		filler->job->last_moved_ms = ms;
	} else if (filler->held) {
		filler->job->waited_ms += spent_ms;
	} else {
		filler->job->turned_ms += spent_ms;
	}
}

static void happens(struct filler *filler, double ms, int64_t now_ms)
{
	const double now = 1e-6;

	if (executes(filler) && filler->batch_left_ms <= now)
		end_batch(filler, ms);
	else if (executes(filler) && filler->cancel_left_ms <= now)
		cancel(filler);
	else if (answer_left_ms(filler) <= now && filler->volley == 0)
		cancelled(filler, now_ms);
	else if (answer_left_ms(filler) <= now)
		answered(filler, ms, now_ms);
	else if (filler->wait_left_ms <= now)
		fill(filler, ms, now_ms);
}

void filler_step(struct filler *filler, int64_t origin_ms)
{
	double end_ms = filler->plant->ms;
	double ms = end_ms - filler->plant->step_ms;

	filler->executing_ms = 0;
	while (ms < end_ms) {
		double spent_ms = fmin(fmax(left_ms(filler), 0), end_ms - ms);

		ms += spent_ms;
		spend(filler, spent_ms, ms);
		happens(filler, ms, origin_ms + (int64_t)ms);
	}
}
