#include "daemon/forecast.h"

#define SAMPLE_EVERY_MS 1000
#define ETA_AFTER_MS 5000

static size_t newest(const struct forecast *forecast)
{
	return (forecast->count - 1) % FORECAST_SAMPLES;
}

static size_t oldest(const struct forecast *forecast)
{
	return forecast->count > FORECAST_SAMPLES ? forecast->count % FORECAST_SAMPLES : 0;
}

static int64_t span_ms(const struct forecast *forecast)
{
	if (forecast->count < 2)
		return 0;
	return forecast->samples[newest(forecast)].at_ms - forecast->samples[oldest(forecast)].at_ms;
}

void forecast_note(struct forecast *forecast, int64_t now_ms, int64_t rows, double pages)
{
	size_t at;

	if (forecast->count > 0 && now_ms - forecast->samples[newest(forecast)].at_ms < SAMPLE_EVERY_MS)
		return;
	at = forecast->count++ % FORECAST_SAMPLES;
	forecast->samples[at].at_ms = now_ms;
	forecast->samples[at].rows = rows;
	forecast->samples[at].pages = pages;
}

double forecast_rows_per_s(const struct forecast *forecast)
{
	int64_t ms = span_ms(forecast);
	int64_t rows;

	if (ms < SAMPLE_EVERY_MS)
		return -1.0;
	rows = forecast->samples[newest(forecast)].rows - forecast->samples[oldest(forecast)].rows;
	return (double)rows * 1000.0 / (double)ms;
}

double forecast_seconds_left(const struct forecast *forecast, double pages_left)
{
	int64_t ms = span_ms(forecast);
	double pages;

	if (ms < ETA_AFTER_MS)
		return -1.0;
	pages = forecast->samples[newest(forecast)].pages - forecast->samples[oldest(forecast)].pages;
	if (pages <= 0.0)
		return -1.0;
	return pages_left * (double)ms / 1000.0 / pages;
}
