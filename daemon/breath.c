#include "daemon/breath.h"

#include <math.h>

#define BURST_MS 0.2
/* pg_sleep() rounds up to whole milliseconds. */
#define NAP_LEAST_MS 1.0
#define NAP_MOST_MS 20.0

struct breath breath_for(double part, double batch_ms, double trip_ms, double row_ms)
{
	/* What it rests for while it is under way to the server it need not sleep. */
	double within = part * (1.0 + part * trip_ms / batch_ms);
	double burst_ms, nap_ms;

	if (part >= 1.0 || within >= 1.0 || part <= 0.0 || batch_ms <= 0.0 || row_ms <= 0.0)
		return (struct breath){0};
	burst_ms = fmax(BURST_MS, NAP_LEAST_MS * within / (1.0 - within));
	nap_ms = fmin(ceil(burst_ms * (1.0 - within) / within - 1e-9), NAP_MOST_MS);
	burst_ms = nap_ms * within / (1.0 - within);
	return (struct breath){
		.rows = (int64_t)fmin(fmax(burst_ms / row_ms, 1.0), 1e6),
		.nap_ms = (int)nap_ms,
	};
}
