#include "daemon/breath.h"

#include <math.h>

#define BURST_MS 0.2
/* pg_sleep() rounds up to whole milliseconds. */
#define NAP_LEAST_MS 1.0
#define NAP_MOST_MS 20.0
#define PART_LEAST 0.08

double breath_part(double part)
{
	return fmax(part, PART_LEAST);
}

struct breath breath_for(double part, double batch_ms, double trip_ms, double rows, double row_ms)
{
	double within, burst, nap_ms;

	if (part <= 0.0 || batch_ms <= 0.0 || row_ms <= 0.0 || rows <= 0.0)
		return (struct breath){0};
	/* While it is under way to the server it rests as well. */
	if (part * (1.0 + trip_ms / batch_ms) >= 1.0)
		return (struct breath){0};
	within = part / (1.0 - part * trip_ms / batch_ms);
	/* Whole rows and whole milliseconds: rather more of the time than less, the batch after it waits then. */
	burst = ceil(fmax(BURST_MS, NAP_LEAST_MS * within / (1.0 - within)) / row_ms - 1e-9);
	nap_ms = floor(burst * row_ms * (1.0 - within) / within + 1e-9);
	nap_ms = fmin(fmax(nap_ms, NAP_LEAST_MS), NAP_MOST_MS);
	burst =
		fmax(ceil(nap_ms * within / (1.0 - within) / row_ms - 1e-9), ceil(rows * nap_ms / BREATH_MOST_MS));
	return (struct breath){.rows = (int64_t)fmin(burst, 1e9), .nap_ms = (int)nap_ms};
}
