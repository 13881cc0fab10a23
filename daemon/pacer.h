/*
 * pacer: how many bytes of WAL a second all fills of a cluster may write, so that its replicas follow.
 *
 * WAL is the currency, not rows: a row after a checkpoint costs a page image, later it does not. And it is
 * counted twice, because a replica may be held up by its network and disks, for which a byte is a byte, or by
 * the processor that replays, for which images are cheap (plain.h): each count has a capacity, an allowance
 * and a climb of its own, and the fills keep within both. A replica that is behind shows what it can take in
 * that of both of which it was thought to be nearer to the limit; one that keeps up shows only that it can do
 * more:
 *
 *	allowance = capacity - foreground + (0.19 × lag_target × capacity - backlog) / 0.18 s
 *
 * holds its backlog at a fifth of the target (of one that reports seldom: at half of the time between two
 * reports, corrected in that time). By a count of which no more than a third was used lately nothing is
 * added for want of a backlog: at the start of a window's second pass, which writes no images, the fill was
 * half as fast again as the replica, and the lag went to 0.8 s. What is written and not flushed, beyond twice
 * what usually is, belongs to the backlog: behind a disk that hung for 0.7 s the batches wrote on, 9 MB came
 * at once, and the lag went to 1.4 s. (A replica that was never behind has no backlog to be told.)
 *
 * While a replica keeps up and the allowance is used, the capacity is probed upwards, by 6 % each 250 ms (at
 * the very start from 8 MB/s, by 50 %, until lag begins), never beyond 1.1 times what was written. The least
 * of all replicas counts. After an overload (the gate had to close) the fills start at half of what they had
 * and climb, by 25 % while the replicas keep up and by 6 % otherwise.
 *
 * A replica's report is judged when it comes. Between two reports nothing new is known, until one is overdue:
 * then it stands still. What it is behind while next to nothing is written is the network's delay, not its
 * own, and does not count: up to 0.3 of the target, since it may also be what the application has left it to
 * do; all of it once it has been the same for 15 s, which such a backlog hardly ever is. Else nothing would
 * ever go beside a replica 0.4 s away.
 *
 * Source: simulated against a gate alone, sleep-and-recheck and AIMD: 99 % of the headroom used in the
 * reference of tests/sim, and commits 0.5 s later on the replica at most (p99).
 */
#ifndef BACKFILLD_DAEMON_PACER_H
#define BACKFILLD_DAEMON_PACER_H

#include "common/base.h"
#include "daemon/plain.h"
#include "daemon/signals.h"

enum pacer_count { PACER_BYTES, PACER_PLAIN, PACER_COUNTS };

/* Of a replica, in one count. */
struct pacer_taken {
	double replayed;  /* position */
	double mark;      /* the same, a second and more ago */
	double shown;     /* the most that it has replayed in a second while it kept up */
	double capacity;  /* a second; INFINITY: not known */
	double before;    /* the same, before a VACUUM of ours; 0: there was none */
	double allowance; /* as last judged */
};

struct pacer_replica {
	char *name;
	size_t source;
	uint64_t replayed;
	int64_t seen_ms;     /* clock of the judgement that saw it last */
	int64_t reported_ms; /* when its last report was seen */
	double gap_ms;       /* between two reports */
	int64_t mark_ms;
	double base_ms;        /* lag that is taken for the network's */
	double far_ms;         /* of this, what it certainly is */
	int64_t calm_since_ms; /* since when hardly anything is written, and the lag is the same; 0: not now */
	double calm_first_ms;  /* what it was then */
	double calm_least_ms;  /* the same: from this */
	double calm_most_ms;   /* to this */
	bool behind;
	struct pacer_taken taken[PACER_COUNTS];
};

/* Of the primary, in one count; rates are a second's, over the last second. */
struct pacer_flow {
	double written; /* position */
	double filled;  /* by the fills, ever */
	double all;
	double own;
	double own_lately; /* over less */
	double foreground;
	double unflushed;    /* that is usually written and not flushed */
	double allowance;    /* INFINITY: no limit */
	double capacity;     /* of the replica that sets the allowance; INFINITY: none does */
	const char *slowest; /* its name; NULL: none. On loan until the next judgement */
	double before;       /* what the fills wrote before an overload; 0: there was none */
	double ramp;         /* the most they may write after it; INFINITY: it is over */
};

struct pacer {
	int64_t judged_ms; /* 0: never */
	struct pacer_flow flows[PACER_COUNTS];
	uint64_t flushed;   /* the primary's WAL, when it was last seen to move */
	int64_t flushed_ms; /* and when that was */
	struct plain_map map;
	bool strained;     /* a replica begins to fall behind */
	bool first_climb;  /* nothing is known of any replica yet: it climbs fast */
	int vacuums;       /* of ours, at work now */
	uint64_t vacuumed; /* what was written when the last one had ended; 0: not known yet */
	struct pacer_replica *replicas;
	size_t replicas_count;
};

/* An exponential average, `seconds` after it was `old`: what was seen since has the more weight the fewer
 * seconds `over_s` it goes over. */
double pacer_smooth(double old, double seen, double seconds, double over_s) MUST_USE;

/* A zeroed pacer starts so; pacer_free() gives back what it holds. */
void pacer_start(struct pacer *pacer);
void pacer_free(struct pacer *pacer);

/*
 * Judges the pulse anew, at most every 100 ms. `filled`: what the fills have written, ever.
 */
void pacer_sample(struct pacer *pacer, const struct signals *signals, const double filled[PACER_COUNTS],
	int lag_target_ms, int64_t now_ms);

/*
 * A VACUUM of ours is at work, one more or (began false) one less. Its WAL is dear to replay: what a replica
 * takes of that is no measure of what it takes of the fills', and is forgotten when it has replayed it.
 */
void pacer_accompany(struct pacer *pacer, bool began);

/* The gate has closed. */
void pacer_overloaded(struct pacer *pacer);

/* Nobody may go still: the climb after the overload has not begun, unless a replica has shown meanwhile what
 * it can. */
void pacer_stand(struct pacer *pacer);

#endif
