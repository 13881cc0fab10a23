#include "daemon/sweep.h"

#include "common/memory.h"

#include <inttypes.h>

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

char *sweep_describe(const struct sweep_walk *walk, int64_t pages)
{
	return memory_textf("sweep %d over %" PRId64 " pages %s%s", walk->number, pages,
		walk->rows_found == 0 ? "found no pending row" : "found rows to fill",
		walk->skipped  ? ", and left rows that others had locked"
		: !walk->whole ? ", but was interrupted"
					   : "");
}

void sweep_hopeless(const struct sweep_walk *walk, struct fault *ret_why)
{
	fault_set(ret_why, FAULT_JOB,
		"sweep %d still found %" PRId64 " rows to fill, no fewer than the one before", walk->number,
		walk->rows_found);
	fault_set_hint(ret_why, "Either value gives another result each time (a function declared "
							"IMMUTABLE or STABLE that is not), or rows are "
							"written past the trigger (logical replication, session_replication_role): "
							"mend that, then set wanted = 'run'.");
}

void sweep_kept(int64_t left, const char *triggers, struct fault *ret_why)
{
	fault_set(
		ret_why, FAULT_JOB, "%" PRId64 " rows stay without their value, though every batch succeeded", left);
	fault_set_hint(ret_why,
		"The table's own UPDATE trigger (%s) keeps them as they are: let it pass these updates, then set "
		"wanted = 'run'.",
		triggers);
}
