/*
 * lag: how far a replica is behind, in time, by the primary's clock alone.
 *
 * The primary's flush position is remembered with the time it was seen. A replica that has replayed up to
 * an LSN is as far behind as the oldest remembered position beyond that LSN is old: zero when it has replayed
 * all, right also on an idle primary (where replay_lag is NULL or stale), and no login on the replica is
 * needed.
 */
#ifndef BACKFILLD_DAEMON_LAG_H
#define BACKFILLD_DAEMON_LAG_H

#include "common/base.h"

/* At 10 samples a second: more than four minutes; an older replica is "at least that far" behind. */
#define LAG_POSITIONS 2560

struct lag_ring {
	struct {
		int64_t at_ms;
		uint64_t lsn;
	} positions[LAG_POSITIONS];
	size_t count; /* ever noted */
};

/*
 * Remembers that the primary had flushed up to `lsn` at `now_ms`. Positions that do not move are noted once.
 */
void lag_note(struct lag_ring *ring, int64_t now_ms, uint64_t lsn);

/*
 * Milliseconds by which a replica that replayed up to `replay_lsn` is behind; -1 while that is not known: it
 * lacks even what the ring knew first, and may lack hours more.
 */
int64_t lag_of(const struct lag_ring *ring, int64_t now_ms, uint64_t replay_lsn) MUST_USE;

#endif
