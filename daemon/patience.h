/*
 * patience: for how long the limits of a job that cannot go bind the other jobs of its cluster.
 *
 * All jobs keep to the strictest lag_target_ms, so that each has its part. But a replica may be as far away
 * as a job's max_lag_ms, or the application alone may hold it there: then the job waits, and nobody who keeps
 * to its limits gets anywhere. After ten seconds of that it gives way: its limits bind nobody else. After a
 * minute they are tried again, for somewhat longer, and so on, with pauses twice as long each time, up to ten
 * minutes (learning what a replica takes by limits that are too strict costs the others most of those tries).
 * Only time in which another job may go counts, both ways; a gate that opens for a moment ends nothing, and
 * one that is shut for moments begins nothing.
 *
 * Pure: (gate, clock).
 */
#ifndef BACKFILLD_DAEMON_PATIENCE_H
#define BACKFILLD_DAEMON_PATIENCE_H

#include "common/base.h"

/* One job's; zeroed at first, and whenever there is no other job or it does not wait for its limits. */
struct patience {
	bool gives_way;
	int64_t looked_ms;
	int64_t open_ms;   /* for which its gate has been open, without a break */
	int64_t vain_ms;   /* of this try, that its gate was shut for longer than open */
	int64_t pause_ms;  /* after this try, should it be in vain; 0: it is the first */
	int64_t paused_ms; /* so far */
};

/* `is_open`: the job's gate; `another_goes`: another job makes use of its own. */
void patience_note(struct patience *patience, bool is_open, bool another_goes, int64_t now_ms);

#endif
