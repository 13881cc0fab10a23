/*
 * pacer: how many bytes of WAL a second all fills of a cluster may write, so that its replicas follow.
 *
 * Bytes of WAL are the currency, not rows: a row after a checkpoint costs a page image, later it does not.
 * While a replica keeps up nobody knows what it could take: fills start at 16 MB/s and double that each 250
 * ms, until (after 1.5 s) there is no limit, or a replica falls behind. Once it is, the rate at which it
 * replays is its capacity, and
 *
 *	allowance = capacity - foreground + (0.6 × lag_target × capacity - backlog) / 1 s
 *
 * holds its backlog at 0.6 of the target; while it keeps up and the allowance is used, the capacity is probed
 * upwards, by 6 % each 250 ms. The least of all replicas counts. After an overload (the gate had to close)
 * the fills start at half of what they had and climb the same way.
 *
 * Source: simulated against a gate alone, sleep-and-recheck and AIMD: 99 % of the headroom used at a lag p99
 * of 0.3 s, tests/sim.
 */
#ifndef BACKFILLD_DAEMON_PACER_H
#define BACKFILLD_DAEMON_PACER_H

#include "common/base.h"
#include "daemon/signals.h"

struct pacer_replica {
	char *name;
	uint64_t replayed;
	int64_t seen_ms; /* clock of the judgement that saw it last */
	double capacity; /* bytes a second; INFINITY: not known */
	bool behind;
	int64_t kept_up_since_ms;
};

struct pacer {
	int64_t judged_ms; /* 0: never */
	uint64_t written;
	int64_t own_bytes;
	double foreground; /* bytes a second, over the last second */
	double own;
	double allowance;    /* bytes a second; INFINITY: no limit */
	double capacity;     /* of the replica that sets the allowance; INFINITY: none does */
	const char *slowest; /* its name; NULL: none. On loan until the next judgement */
	double before;       /* what the fills wrote before an overload; 0: there was none */
	double ramp;         /* the most they may write while they start; INFINITY: that is over */
	struct pacer_replica *replicas;
	size_t replicas_count;
};

/* A zeroed pacer starts so; pacer_free() gives back what it holds. */
void pacer_start(struct pacer *pacer);
void pacer_free(struct pacer *pacer);

/*
 * Judges the pulse anew, at most every 250 ms. own_bytes: what the fills have written, ever.
 */
void pacer_sample(
	struct pacer *pacer, const struct signals *signals, int64_t own_bytes, int lag_target_ms, int64_t now_ms);

/* The gate has closed. */
void pacer_overloaded(struct pacer *pacer);

#endif
