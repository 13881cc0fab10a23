#include "tests/sim/fillers.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

#define FIRST_BATCH_PAGES 64
#define BATCH_NOISE 0.1
/* A batch may begin so long after the reason against it arose: one pulse and what it takes to judge it. */
#define LATE_MS (100 + 250)
/* All that the server counts of a batch (impact.h). */
#define COMMIT_COUNTS_MS 0.05
/* Without its page image. */
#define RECORD_BYTES 100.0
/* Its own statement and bookmark. */
#define BATCH_BYTES 300.0

void filler_start(struct filler *filler, struct sim_job *job, struct plant *plant,
	struct application *application, struct rival *rival)
{
	const struct fill_plan *fill = &plant->scenario->fill;

	*filler = (struct filler){
		.job = job,
		.plant = plant,
		.application = application,
		.rival = rival,
		.dice.state = plant->scenario->seed + 100 + (uint64_t)(filler - job->fillers),
		.epochs = memory_new((size_t)fill->window_pages * sizeof(filler->epochs[0])),
	};
	for (int i = 0; i < fill->window_pages; i++)
		filler->epochs[i] = -1;
	sizer_start(&filler->first_pass, FIRST_BATCH_PAGES, fill->window_pages / (4 * job->plan->fillers),
		FILLERS_BATCH_MS);
	filler->later_passes = filler->first_pass;
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
	double images = fill->passes > 0 ? 1.0 / fill->passes : 1.0;

	return 1e3 * (fill->page_bytes + images * image_replay(fill) * fill->image_bytes) /
		   (fill->page_ms + images * fill->image_ms);
}

/* Pages whose image was not written since the checkpoint cost more. */
static void cost_batch(struct filler *filler)
{
	const struct fill_plan *fill = &filler->plant->scenario->fill;
	int images = 0;

	for (int i = 0; i < filler->batch_pages; i++) {
		int *epoch = &filler->epochs[filler->page + i];

		images += *epoch != filler->plant->epoch;
		*epoch = filler->plant->epoch;
	}
	filler->batch_ms = (filler->batch_pages * fill->page_ms + images * fill->image_ms) *
					   dice_factor(&filler->dice, BATCH_NOISE);
	filler->batch_images = images * fill->image_bytes;
	filler->batch_wal = BATCH_BYTES + filler->batch_images +
						filler->batch_pages * (fill->page_bytes + plant_index_bytes(filler->plant));
}

static struct sizer *sizer_now(struct filler *filler)
{
	return filler->pass == 0 ? &filler->first_pass : &filler->later_passes;
}

static void begin_batch(struct filler *filler, const struct pace_verdict *verdict, double ms)
{
	const struct fill_plan *fill = &filler->plant->scenario->fill;
	struct sim_job *job = filler->job;
	double most_ms = sizer_batch_ms(FILLERS_BATCH_MS, verdict->part, fill->turnaround_ms);
	int pages = (int)sizer_pages(sizer_now(filler), most_ms, verdict->batch_bytes);

	if (pages > fill->window_pages - filler->page)
		pages = fill->window_pages - filler->page;
	filler->batch_pages = pages;
	filler->waits = false;
	cost_batch(filler);
	filler->left_ms = filler->batch_ms;
	job->batches++;
	if (job->forbidden_ms >= 0 && ms - job->forbidden_ms > LATE_MS)
		job->late_batches++;
}

static void look_ahead(struct filler *filler, const struct pace_verdict *verdict, int64_t now_ms)
{
	filler->has_next = !filler->rival && !pace_limits(verdict) &&
					   pace_ask_ahead(filler->job->share, now_ms, &filler->next) &&
					   !pace_limits(&filler->next);
}

/* A pass over the window is followed by the next, the last by a new window. */
static void move_on(struct filler *filler)
{
	const struct fill_plan *fill = &filler->plant->scenario->fill;

	filler->page += filler->batch_pages;
	if (filler->page < fill->window_pages)
		return;
	filler->page = 0;
	if (++filler->pass < fill->passes)
		return;
	filler->pass = 0;
	for (int i = 0; i < fill->window_pages; i++)
		filler->epochs[i] = -1;
}

static void end_batch(struct filler *filler, int64_t now_ms)
{
	struct plant *plant = filler->plant;
	struct sim_job *job = filler->job;
	struct pace_batch batch = {
		.wal_bytes = (int64_t)filler->batch_wal,
		.wal_records = (int64_t)((filler->batch_wal - filler->batch_images) / RECORD_BYTES),
		.ms = filler->batch_ms,
	};

	plant->pages_since += filler->batch_pages;
	job->pages += filler->batch_pages;
	if (!plant->scenario->fill.counted_late)
		filler->session.told_ms = -INFINITY;
	application_count(filler->application, &filler->session, plant->ms, 1, COMMIT_COUNTS_MS);
	sizer_learn(sizer_now(filler), filler->batch_pages, filler->batch_ms, batch.wal_bytes, now_ms);
	if (filler->rival)
		rival_spend(filler->rival, filler->batch_wal);
	else
		pace_spend(job->share, &batch, now_ms);
	move_on(filler);
	filler->batch_pages = 0;
	filler->left_ms = plant->scenario->fill.turnaround_ms;
}

static void begin_next(struct filler *filler, double ms, int64_t now_ms)
{
	begin_batch(filler, &filler->next, ms);
	look_ahead(filler, &filler->next, now_ms);
}

static void ask(struct filler *filler, double ms, int64_t now_ms)
{
	struct pace_verdict verdict = {.part = 1, .batch_bytes = SIZER_MOST_BYTES};

	if (filler->rival) {
		verdict.wait_ms = rival_ask(filler->rival, now_ms);
		verdict.go = verdict.wait_ms == 0;
	} else {
		pace_ask(filler->job->share, now_ms, &verdict);
	}
	if (verdict.go) {
		begin_batch(filler, &verdict, ms);
		look_ahead(filler, &verdict, now_ms);
		return;
	}
	filler->waits = true;
	filler->left_ms = verdict.wait_ms > 0 ? (double)verdict.wait_ms : 1;
}

static void execute(struct filler *filler, double spent_ms)
{
	double bytes = filler->batch_wal * spent_ms / filler->batch_ms;
	double images = filler->batch_images * spent_ms / filler->batch_ms;
	double work = bytes - images * (1 - image_replay(&filler->plant->scenario->fill));

	plant_write(filler->plant, bytes, work, false);
	filler->job->wal_bytes += bytes;
	filler->job->work += work;
	filler->job->executed_ms += spent_ms;
	filler->executing_ms += spent_ms;
}

void filler_step(struct filler *filler, int64_t origin_ms)
{
	double end_ms = filler->plant->ms;
	double ms = end_ms - filler->plant->step_ms;

	filler->executing_ms = 0;
	while (ms < end_ms) {
		double spent_ms = fmin(filler->left_ms, end_ms - ms);

		filler->left_ms -= spent_ms;
		ms += spent_ms;
		if (filler->batch_pages > 0) {
			execute(filler, spent_ms);
			filler->job->last_moved_ms = ms;
		} else if (filler->waits) {
			filler->job->waited_ms += spent_ms;
		} else {
			filler->job->turned_ms += spent_ms;
		}
		if (filler->left_ms > 1e-6)
			continue;
		if (filler->batch_pages == 0) {
			ask(filler, ms, origin_ms + (int64_t)ms);
			continue;
		}
		end_batch(filler, origin_ms + (int64_t)ms);
		if (filler->has_next)
			begin_next(filler, ms, origin_ms + (int64_t)ms);
	}
}
