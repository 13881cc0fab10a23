/*
 * forecast: how fast it goes and when it will be over.
 *
 * Rates are effective ones, pauses and throttling included, over the last minute.
 */
#ifndef BACKFILLD_DAEMON_FORECAST_H
#define BACKFILLD_DAEMON_FORECAST_H

#include "common/base.h"

#define FORECAST_SAMPLES 64

struct forecast {
	struct {
		int64_t at_ms;
		int64_t rows;
		double pages;
	} samples[FORECAST_SAMPLES];
	size_t count; /* ever noted */
};

/* Notes the totals so far: rows filled, pages of work done. At most one sample a second is kept. */
void forecast_note(struct forecast *forecast, int64_t now_ms, int64_t rows, double pages);

/* Rows per second over the last minute; -1 while measuring (less than a second of samples). */
double forecast_rows_per_s(const struct forecast *forecast) MUST_USE;

/* Seconds until `pages_left` more pages are done; -1 while measuring (the first 5 s) or when nothing moves.
 */
double forecast_seconds_left(const struct forecast *forecast, double pages_left) MUST_USE;

#endif
