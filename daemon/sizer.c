#include "daemon/sizer.h"

#include "daemon/breath.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH_MOST 1.5
#define EMERGENCY 5.0
#define NO_GROWTH_MS 10000
/* What a batch costs by itself: to be planned, started, and told. */
#define OWN_MS 0.4

void sizer_start(struct sizer *sizer, int64_t pages, int64_t pages_most, int target_ms)
{
	*sizer = (struct sizer){
		.pages = pages < pages_most ? pages : pages_most,
		.pages_most = pages_most,
		.target_ms = target_ms,
		.most_bytes = SIZER_MOST_BYTES,
	};
}

static int compare_real(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

static double percentile(const struct sizer *sizer, const double *ring, int percent)
{
	double sorted[SIZER_SAMPLES];
	int count = sizer->samples < SIZER_SAMPLES ? sizer->samples : SIZER_SAMPLES;

	memcpy(sorted, ring, sizeof(sorted));
	qsort(sorted, (size_t)count, sizeof(sorted[0]), compare_real);
	return sorted[(count * percent - 1) / 100];
}

static void set_pages(struct sizer *sizer, double pages)
{
	if (pages > (double)sizer->pages_most)
		pages = (double)sizer->pages_most;
	sizer->pages = pages < 1.0 ? 1 : (int64_t)pages;
}

/* Of the batch that is under way: fewer where little is allowed. */
static int64_t asked(const struct sizer *sizer)
{
	return sizer->asked > 0 && sizer->asked < sizer->pages ? sizer->asked : sizer->pages;
}

void sizer_learn(struct sizer *sizer, int64_t pages, double ms, int64_t wal_bytes, int64_t now_ms)
{
	double wanted;
	double wanted_by_wal;
	double most;
	int at;

	if (ms > EMERGENCY * sizer->target_ms) {
		sizer->samples = 0;
		set_pages(sizer, (double)pages / 10.0);
		return;
	}
	if (pages * 2 < asked(sizer))
		return;
	/* A page never costs nothing: the clock's own grain is the floor. */
	at = sizer->samples++ % SIZER_SAMPLES;
	sizer->page_ms[at] = (ms > 0.001 ? ms : 0.001) / (double)pages;
	sizer->net_ms[at] = fmax(ms - OWN_MS, OWN_MS / 10.0) / (double)pages;
	sizer->page_bytes[at] = (wal_bytes > 0 ? (double)wal_bytes : 1.0) / (double)pages;
	wanted = sizer->target_ms / percentile(sizer, sizer->page_ms, 90);
	wanted_by_wal = (double)sizer->most_bytes / percentile(sizer, sizer->page_bytes, 90);
	if (wanted > wanted_by_wal)
		wanted = wanted_by_wal;
	/* One page more, so that a single page can grow at all; never more than what is wanted. */
	most = (double)sizer->pages * GROWTH_MOST + 1.0;
	if (wanted > most)
		wanted = most;
	if (wanted > (double)sizer->pages && now_ms < sizer->no_growth_until_ms)
		return;
	set_pages(sizer, wanted);
}

double sizer_batch_ms(double most_ms, double part, double trip_ms)
{
	if (part >= 1.0)
		return most_ms;
	return fmin(most_ms, fmax(fmin(BREATH_MOST_MS, most_ms) * part, trip_ms * part / (1.0 - part)));
}

/* What a page writes at first, by its image. */
#define PAGE_BYTES 8192.0

double sizer_page_ms(const struct sizer *sizer)
{
	return sizer->samples > 0 ? percentile(sizer, sizer->net_ms, 50) : 0.0;
}

int64_t sizer_pages(struct sizer *sizer, double ms, int64_t bytes)
{
	double pages = (double)sizer->pages;
	double by_time;

	if (sizer->samples > 0) {
		/* Of one that is short the 90th percentile is mostly what others did to it. */
		by_time = ms < sizer->target_ms ? ceil(fmax(ms - OWN_MS, ms / 4.0) / sizer_page_ms(sizer))
										: ms / percentile(sizer, sizer->page_ms, 90);
		pages = fmin(pages, fmin(by_time, (double)bytes / percentile(sizer, sizer->page_bytes, 90)));
	} else {
		pages = fmin(pages * fmin(ms / sizer->target_ms, 1.0), (double)bytes / PAGE_BYTES);
	}
	sizer->asked = pages < 1.0 ? 1 : (int64_t)pages;
	return sizer->asked;
}

void sizer_halve(struct sizer *sizer, int64_t pages, int64_t now_ms)
{
	set_pages(sizer, fmin((double)pages, (double)sizer->pages) / 2.0);
	sizer->no_growth_until_ms = now_ms + NO_GROWTH_MS;
}
