#include "daemon/lag.h"

void lag_note(struct lag_ring *ring, int64_t now_ms, uint64_t lsn)
{
	size_t last = (ring->count + LAG_POSITIONS - 1) % LAG_POSITIONS;

	/* A failover that lost WAL: what was remembered is of a history that nobody replays any more. */
	if (ring->count > 0 && ring->positions[last].lsn > lsn)
		ring->count = 0;
	if (ring->count > 0 && ring->positions[last].lsn == lsn)
		return;
	ring->positions[ring->count % LAG_POSITIONS].at_ms = now_ms;
	ring->positions[ring->count % LAG_POSITIONS].lsn = lsn;
	ring->count++;
}

int64_t lag_of(const struct lag_ring *ring, int64_t now_ms, uint64_t replay_lsn)
{
	size_t kept = ring->count < LAG_POSITIONS ? ring->count : LAG_POSITIONS;
	int64_t oldest_beyond_ms = now_ms;
	bool wrapped = ring->count > LAG_POSITIONS;

	for (size_t back = 1; back <= kept; back++) {
		size_t i = (ring->count - back) % LAG_POSITIONS;

		if (ring->positions[i].lsn <= replay_lsn)
			return now_ms - oldest_beyond_ms;
		oldest_beyond_ms = ring->positions[i].at_ms;
	}
	/* A full ring tells at least how old its oldest position is. */
	return kept == 0 || wrapped ? now_ms - oldest_beyond_ms : -1;
}
