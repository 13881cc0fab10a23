/*
 * pacer: how many bytes of WAL a second all fills of a cluster may write, so that its replicas follow.
 *
 * Bytes of WAL are the currency, not rows: a row after a checkpoint costs a page image, later it does not. A
 * replica that is behind shows what it can replay; one that keeps up shows only that it can do more:
 *
 *	allowance = capacity - foreground + (0.5 × lag_target × capacity - backlog) / 0.5 s
 *
 * holds its backlog at half of the target; while it keeps up and the allowance is used, the capacity is
 * probed upwards, by 6 % each 250 ms (at the very start from 8 MB/s, by 50 %), never beyond 1.1 times what
 * was written. The least of all replicas counts. After an overload (the gate had to close) the fills start at
 * half of what they had and climb, by 25 % while the replicas keep up and by 6 % otherwise.
 *
 * A replica's report is judged when it comes. Between two reports nothing new is known, until one is overdue:
 * then it stands still. What it is behind while next to nothing is written is the network's delay, not its
 * own, and does not count (up to 0.3 of the target).
 *
 * Source: simulated against a gate alone, sleep-and-recheck and AIMD: 99 % of the headroom used, and commits
 * 0.5 s later on the replica at most (p99), tests/sim.
 */
#ifndef BACKFILLD_DAEMON_PACER_H
#define BACKFILLD_DAEMON_PACER_H

#include "common/base.h"
#include "daemon/signals.h"

struct pacer_replica {
	char *name;
	uint64_t replayed;
	int64_t seen_ms;     /* clock of the judgement that saw it last */
	int64_t reported_ms; /* when its last report was seen */
	double gap_ms;       /* between two reports */
	int64_t mark_ms;     /* a second and more ago */
	uint64_t mark;       /* what it had replayed then */
	double base_ms;      /* lag that is the network's */
	double capacity;     /* bytes a second; INFINITY: not known */
	double allowance;    /* as last judged */
	bool behind;
};

struct pacer {
	int64_t judged_ms; /* 0: never */
	uint64_t written;
	int64_t own_bytes;
	double all; /* bytes a second, over the last second */
	double own;
	double foreground;
	double allowance;    /* bytes a second; INFINITY: no limit */
	double capacity;     /* of the replica that sets the allowance; INFINITY: none does */
	const char *slowest; /* its name; NULL: none. On loan until the next judgement */
	double before;       /* what the fills wrote before an overload; 0: there was none */
	double ramp;         /* the most they may write after it; INFINITY: it is over */
	bool strained;       /* a replica begins to fall behind */
	bool first_climb;    /* nothing is known of any replica yet: it climbs fast */
	struct pacer_replica *replicas;
	size_t replicas_count;
};

/* A zeroed pacer starts so; pacer_free() gives back what it holds. */
void pacer_start(struct pacer *pacer);
void pacer_free(struct pacer *pacer);

/*
 * Judges the pulse anew, at most every 100 ms. own_bytes: what the fills have written, ever.
 */
void pacer_sample(
	struct pacer *pacer, const struct signals *signals, int64_t own_bytes, int lag_target_ms, int64_t now_ms);

/* The gate has closed. */
void pacer_overloaded(struct pacer *pacer);

/* Nobody may go still: the climb after the overload has not begun, unless a replica has shown meanwhile what
 * it can. */
void pacer_stand(struct pacer *pacer);

#endif
