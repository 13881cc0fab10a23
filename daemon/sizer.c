#include "daemon/sizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH_MOST 1.5
#define EMERGENCY 5.0
#define NO_GROWTH_MS 10000
/* Who meets a batch on its processor waits until it ends: of the transactions that met batches of 1, 2 and 3
 * ms every tenth took 1.5, 2.2 and 2.5 ms and more, where 0.6 ms were usual (pgbench, two processors).
 * Shorter than this they are mostly what one costs by itself (0.4 ms). */
#define LEAST_MS 1.0
#define SHORTENING 4.0

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

static double percentile_90(const struct sizer *sizer, const double *ring)
{
	double sorted[SIZER_SAMPLES];
	int count = sizer->samples < SIZER_SAMPLES ? sizer->samples : SIZER_SAMPLES;

	memcpy(sorted, ring, sizeof(sorted));
	qsort(sorted, (size_t)count, sizeof(sorted[0]), compare_real);
	return sorted[(count * 9 - 1) / 10];
}

static void set_pages(struct sizer *sizer, double pages)
{
	if (pages > (double)sizer->pages_most)
		pages = (double)sizer->pages_most;
	sizer->pages = pages < 1.0 ? 1 : (int64_t)pages;
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
	if (pages * 2 < (sizer->asked > 0 && sizer->asked < sizer->pages ? sizer->asked : sizer->pages))
		return;
	/* A page never costs nothing: the clock's own grain is the floor. */
	at = sizer->samples++ % SIZER_SAMPLES;
	sizer->page_ms[at] = (ms > 0.001 ? ms : 0.001) / (double)pages;
	sizer->page_bytes[at] = (wal_bytes > 0 ? (double)wal_bytes : 1.0) / (double)pages;
	wanted = sizer->target_ms / percentile_90(sizer, sizer->page_ms);
	wanted_by_wal = (double)sizer->most_bytes / percentile_90(sizer, sizer->page_bytes);
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
	return fmin(
		most_ms, fmax(fmax(most_ms * pow(part, SHORTENING), LEAST_MS), trip_ms * part / (1.0 - part)));
}

int64_t sizer_pages(struct sizer *sizer, double ms, int64_t bytes)
{
	double pages = (double)sizer->pages;

	if (sizer->samples > 0)
		pages = fmin(pages, fmin(ms / percentile_90(sizer, sizer->page_ms),
								(double)bytes / percentile_90(sizer, sizer->page_bytes)));
	sizer->asked = pages < 1.0 ? 1 : (int64_t)pages;
	return sizer->asked;
}

void sizer_halve(struct sizer *sizer, int64_t now_ms)
{
	set_pages(sizer, (double)sizer->pages / 2.0);
	sizer->no_growth_until_ms = now_ms + NO_GROWTH_MS;
}
