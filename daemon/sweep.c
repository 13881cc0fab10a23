#include "daemon/sweep.h"

#include "common/memory.h"

#include <inttypes.h>

#define PAUSE_LEAST_MS 1000
#define PAUSE_MOST_MS 30000

static bool is_hopeless(const struct sweep_past *past, const struct sweep_walk *walk)
{
	struct sweep_past with = *past;

	sweep_remember(&with, walk);
	if (walk->rows_found == 0)
		return false;
	if (!walk->skipped && past->skipping == 0 && with.clear >= SWEEP_HOPELESS_AFTER)
		return walk->rows_found >= past->rows;
	return with.rows_all >= SWEEP_HOPELESS_ROWS && with.rows_all / SWEEP_HOPELESS_TIMES >= with.rows_most;
}

enum sweep_verdict sweep_judge(const struct job *job, const struct sweep_table *table,
	const struct sweep_past *past, const struct sweep_walk *walk)
{
	bool clean = walk->whole && walk->rows_found == 0 && !walk->skipped;

	if (walk->number == 0)
		return SWEEP_WATCH;
	/* A batch cannot tell a row that was not pending from one that a trigger kept as it was. */
	if (clean && table->own_update_triggers && !job->volatile_value)
		return SWEEP_COUNT;
	if (clean)
		return SWEEP_DONE;
	if (job->sync == JOB_SYNC_NONE) {
		int most = walk->skipped ? SWEEP_MOST_BESIDE_LOCKS : SWEEP_MOST_WITHOUT_SYNC;

		return walk->number >= most ? SWEEP_COUNT : SWEEP_AGAIN;
	}
	return is_hopeless(past, walk) ? SWEEP_HOPELESS : SWEEP_AGAIN;
}

void sweep_remember(struct sweep_past *past, const struct sweep_walk *walk)
{
	past->rows = walk->rows_found;
	if (walk->number == 0)
		return;
	if (walk->number > 1)
		past->rows_all += walk->rows_found;
	if (walk->number > 1 && walk->rows_found > past->rows_most)
		past->rows_most = walk->rows_found;
	past->skipping = walk->skipped ? past->skipping + 1 : 0;
	past->clear += walk->skipped ? 0 : 1;
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
	fault_set(ret_why, FAULT_JOB, "sweep %d still found %" PRId64 " rows to fill, as those before it did",
		walk->number, walk->rows_found);
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
