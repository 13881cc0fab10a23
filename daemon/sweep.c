#include "daemon/sweep.h"

#define PAUSE_LEAST_MS 1000
#define PAUSE_MOST_MS 30000

static bool is_hopeless(const struct sweep_walk *walk)
{
	return walk->number >= SWEEP_HOPELESS_AFTER && walk->rows_found > 0 &&
		   walk->rows_found >= walk->rows_before;
}

enum sweep_verdict sweep_judge(
	const struct job *job, const struct sweep_table *table, const struct sweep_walk *walk)
{
	bool clean = walk->whole && walk->rows_found == 0 && !walk->skipped;

	if (walk->number == 0)
		return SWEEP_WATCH;
	/* A batch cannot tell a row that was not pending from one that a trigger kept as it was. */
	if (clean && table->own_update_triggers && !job->volatile_value)
		return SWEEP_COUNT;
	if (clean)
		return SWEEP_DONE;
	if (job->sync == JOB_SYNC_NONE && walk->number >= SWEEP_MOST_WITHOUT_SYNC && !walk->skipped)
		return SWEEP_COUNT;
	return is_hopeless(walk) ? SWEEP_HOPELESS : SWEEP_AGAIN;
}

int64_t sweep_pause_ms(int skipping_sweeps)
{
	int64_t pause_ms = PAUSE_LEAST_MS;

	while (--skipping_sweeps > 0 && pause_ms < PAUSE_MOST_MS)
		pause_ms *= 2;
	return pause_ms < PAUSE_MOST_MS ? pause_ms : PAUSE_MOST_MS;
}
