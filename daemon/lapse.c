#include "daemon/lapse.h"

/* Of clock_ms(), by which it is known how long ago they were asked for. */
#define GRAIN_MS 1.0
/* A clock that is being set right may run so much faster. */
#define SLEW 1.2

void lapse_bound(struct lapse *lapse, double since_ms, int batches)
{
	double most_ms = since_ms * SLEW + GRAIN_MS;
	double all_ms = lapse->active_ms + lapse->napped_ms;

	if (lapse->ms >= 0.0 && lapse->active_ms >= 0.0 && all_ms <= most_ms)
		return;
	lapse->napped_ms = 0.0;
	lapse->ms = lapse->active_ms = (since_ms + GRAIN_MS) / batches;
}
