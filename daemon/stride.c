#include "daemon/stride.h"

#include <math.h>

#define FIRST_BATCH_PAGES 64

void stride_start(struct stride *stride, int64_t pages_most, int batch_ms)
{
	*stride = (struct stride){0};
	sizer_start(&stride->first_pass, FIRST_BATCH_PAGES, pages_most, batch_ms);
	stride->later_passes = stride->first_pass;
}

void stride_forget(struct stride *stride)
{
	volley_forget(&stride->volleys);
	stride->held_since_ms = 0;
}

static void rest(struct sizer *sizer, int batch_ms)
{
	sizer_start(sizer, sizer->pages, sizer->pages_most, batch_ms);
}

void stride_rest(struct stride *stride, int batch_ms)
{
	rest(&stride->first_pass, batch_ms);
	rest(&stride->later_passes, batch_ms);
	stride->held_since_ms = 0;
}

static struct sizer *sizer_of(struct stride *stride, int pass)
{
	return pass == 0 ? &stride->first_pass : &stride->later_passes;
}

/* Several at once, and the next ahead, only while nothing is in their way and none of them is long. */
static bool must_go_alone(const struct stride_ground *ground)
{
	return ground->batch_ms > VOLLEY_MOST_MS || ground->troubled || ground->window->search.on;
}

/* Of a page, how many rows a batch of that pass looks at. */
static double rows_per_page(const struct stride_ground *ground, int pass)
{
	int passes = ground->window->bookmark.passes;

	return fmax(pass < passes - 1 ? ground->rows_per_page / passes : ground->rows_per_page, 1.0);
}

bool stride_plan(struct stride *stride, const struct stride_ground *ground, struct stride_order *order)
{
	const struct pace_verdict *verdict = &order->verdict;
	int pass = volley_pass(&stride->volleys, ground->window);
	double trip_ms = stride->volleys.trip_ms;
	double ms = sizer_batch_ms(ground->batch_ms, verdict->part, trip_ms);
	double rows = rows_per_page(ground, pass);
	struct sizer *sizer = sizer_of(stride, pass);
	double page_ms = sizer_page_ms(sizer);
	int64_t pages;

	if (pass < 0)
		return false;
	sizer->target_ms = ground->batch_ms;
	sizer->pages_most = ground->pages_most;
	pages = sizer_pages(sizer, ms, verdict->batch_bytes);
	order->breath = (struct breath){0};
	if (verdict->part < 1.0 && ground->may_sleep)
		order->breath = breath_for(verdict->part, ms, trip_ms, rows * (double)pages, page_ms / rows);
	order->one_by_one = must_go_alone(ground) || pace_limits(verdict);
	return volley_plan(&stride->volleys, ground->window, pages, page_ms,
		order->one_by_one ? 0.0 : volley_ms(&stride->volleys), &order->volley);
}

static void note_wait(struct stride *stride, struct pace_share *share, bool go, int64_t now_ms)
{
	if (stride->held_since_ms != 0)
		pace_wait(share, now_ms - stride->held_since_ms);
	stride->held_since_ms = go ? 0 : now_ms;
}

enum stride_answer stride_next(
	struct stride *stride, const struct stride_ground *ground, int64_t now_ms, struct stride_order *ret_order)
{
	if (volley_pass(&stride->volleys, ground->window) < 0)
		return STRIDE_DONE;
	pace_ask(ground->share, now_ms, &ret_order->verdict);
	note_wait(stride, ground->share, ret_order->verdict.go, now_ms);
	if (!ret_order->verdict.go)
		return STRIDE_WAIT;
	return stride_plan(stride, ground, ret_order) ? STRIDE_GO : STRIDE_DONE;
}

bool stride_ahead(
	struct stride *stride, const struct stride_ground *ground, int64_t now_ms, struct stride_order *ret_order)
{
	return volley_pass(&stride->volleys, ground->window) >= 0 && !must_go_alone(ground) &&
		   pace_ask_ahead(ground->share, now_ms, &ret_order->verdict) && !pace_limits(&ret_order->verdict) &&
		   stride_plan(stride, ground, ret_order);
}

void stride_learn(
	struct stride *stride, const struct window_batch *batch, double ms, int64_t wal_bytes, int64_t now_ms)
{
	if (batch->end_page > batch->from_page)
		sizer_learn(sizer_of(stride, batch->pass), batch->end_page - batch->from_page, ms, wal_bytes, now_ms);
}

void stride_halve(struct stride *stride, const struct window_batch *batch, int64_t now_ms)
{
	sizer_halve(sizer_of(stride, batch->pass), batch->end_page - batch->from_page, now_ms);
}
