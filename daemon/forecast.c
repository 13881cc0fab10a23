#include "daemon/forecast.h"

#include <math.h>

/* A timer of a second that comes a little early is not to halve the samples. */
#define SAMPLE_EVERY_MS 900
#define QUARTER_EVERY_MS 15000

#define MINUTE_MS 60000
#define QUARTER_MS 900000

#define MEASURED_MS 30000
#define MEASURED_EARLY_MS 3000
#define MEASURED_EARLY_PART 0.05

#define LEAST_DOUBT 0.1
#define TEN_YEARS_S 3.2e8

static bool is_empty(const struct forecast *forecast)
{
	return forecast->minute.count == 0;
}

static const struct forecast_sample *newest(const struct forecast_ring *ring)
{
	return &ring->samples[(ring->count - 1) % FORECAST_SAMPLES];
}

static void keep(struct forecast_ring *ring, const struct forecast_sample *sample)
{
	ring->samples[ring->count++ % FORECAST_SAMPLES] = *sample;
}

/* The oldest that is kept and was noted at `from_ms` or later, in a walk not before this; NULL: there is
 * none.
 */
static const struct forecast_sample *oldest_since(
	const struct forecast_ring *ring, int64_t from_ms, int from_walk)
{
	size_t kept = ring->count < FORECAST_SAMPLES ? ring->count : FORECAST_SAMPLES;

	for (size_t i = ring->count - kept; i < ring->count; i++) {
		const struct forecast_sample *sample = &ring->samples[i % FORECAST_SAMPLES];

		if (sample->at_ms >= from_ms && sample->walk >= from_walk)
			return sample;
	}
	return NULL;
}

void forecast_note(struct forecast *forecast, int64_t now_ms, int walk, int64_t rows, double pages)
{
	struct forecast_sample sample = {.at_ms = now_ms, .walk = walk, .rows = rows, .pages = pages};
	bool begins = is_empty(forecast) || walk != forecast->begun.walk;

	if (!is_empty(forecast)) {
		const struct forecast_sample *last = newest(&forecast->minute);

		if (!begins && now_ms - last->at_ms < SAMPLE_EVERY_MS)
			return;
		sample.rows = rows > last->rows ? rows : last->rows;
		if (!begins && pages < last->pages)
			sample.pages = last->pages;
	}
	if (begins)
		forecast->begun = sample;
	keep(&forecast->minute, &sample);
	if (begins || now_ms - newest(&forecast->quarter)->at_ms >= QUARTER_EVERY_MS)
		keep(&forecast->quarter, &sample);
}

/* From where a rate over the last `window_ms` is to be taken, not before walk `from_walk`. */
static const struct forecast_sample *base(const struct forecast *forecast, int64_t window_ms, int from_walk)
{
	const struct forecast_ring *ring = window_ms > MINUTE_MS ? &forecast->quarter : &forecast->minute;
	int64_t from_ms = newest(&forecast->minute)->at_ms - window_ms;
	const struct forecast_sample *sample = oldest_since(ring, from_ms, from_walk);

	return sample ? sample : newest(&forecast->minute);
}

static double rows_rate(const struct forecast *forecast, int64_t window_ms)
{
	const struct forecast_sample *to = newest(&forecast->minute);
	const struct forecast_sample *from = base(forecast, window_ms, 0);

	if (to->at_ms - from->at_ms < SAMPLE_EVERY_MS)
		return -1.0;
	return (double)(to->rows - from->rows) * 1000.0 / (double)(to->at_ms - from->at_ms);
}

static double pages_rate(const struct forecast *forecast, int64_t window_ms)
{
	const struct forecast_sample *to = newest(&forecast->minute);
	const struct forecast_sample *from = base(forecast, window_ms, forecast->begun.walk);

	if (to->at_ms - from->at_ms < SAMPLE_EVERY_MS)
		return 0.0;
	return (to->pages - from->pages) * 1000.0 / (double)(to->at_ms - from->at_ms);
}

static bool is_measuring(const struct forecast *forecast, double pages_left)
{
	int64_t seen_ms = newest(&forecast->minute)->at_ms - forecast->begun.at_ms;
	double done = newest(&forecast->minute)->pages - forecast->begun.pages;

	if (seen_ms >= MEASURED_MS)
		return false;
	return seen_ms < MEASURED_EARLY_MS || done <= 0.0 || done < MEASURED_EARLY_PART * (done + pages_left);
}

static double doubt(const struct forecast *forecast)
{
	int64_t seen_ms = newest(&forecast->minute)->at_ms - forecast->begun.at_ms;

	return fmax(LEAST_DOUBT, 1.0 / sqrt(1.0 + (double)seen_ms / 1000.0));
}

static double within_reason(double seconds)
{
	return seconds <= TEN_YEARS_S ? seconds : -1.0;
}

static void find_range(const struct forecast *forecast, double pages_left, struct forecast_view *view)
{
	double minute = pages_rate(forecast, MINUTE_MS);
	double quarter = pages_rate(forecast, QUARTER_MS);
	double slower = fmin(minute, quarter);

	view->earliest_s = within_reason(pages_left / (fmax(minute, quarter) * (1.0 + doubt(forecast))));
	view->latest_s = slower > 0.0 ? within_reason(pages_left / (slower * (1.0 - doubt(forecast)))) : -1.0;
	if (view->latest_s >= 0.0)
		view->middle_s = (view->earliest_s + view->latest_s) / 2.0;
	else
		view->middle_s = within_reason(pages_left / quarter);
}

void forecast_read(const struct forecast *forecast, double pages_left, struct forecast_view *ret_view)
{
	*ret_view = (struct forecast_view){
		.rows_per_s = -1.0, .rows_per_s_15min = -1.0, .earliest_s = -1.0, .latest_s = -1.0, .middle_s = -1.0};
	if (is_empty(forecast))
		return;
	if (pages_left < 0.0)
		pages_left = 0.0;
	ret_view->rows_per_s = rows_rate(forecast, MINUTE_MS);
	ret_view->rows_per_s_15min = rows_rate(forecast, QUARTER_MS);
	if (is_measuring(forecast, pages_left))
		return;
	if (pages_rate(forecast, QUARTER_MS) <= 0.0) {
		ret_view->state = FORECAST_STANDING;
		return;
	}
	ret_view->state = FORECAST_RANGED;
	find_range(forecast, pages_left, ret_view);
}

const char *forecast_state_name(enum forecast_state state)
{
	switch (state) {
	case FORECAST_MEASURING:
		return "measuring";
	case FORECAST_RANGED:
		return "ranged";
	case FORECAST_STANDING:
		return "standing";
	}
	return "";
}
