/*
 * pacer_inside: what the files of the pacer share. Not for others.
 *
 *	pacer.c	what the primary writes and the fills may write, what others call
 *	pacer_replica.c	what one replica takes, as its reports show
 */
#ifndef BACKFILLD_DAEMON_PACER_INSIDE_H
#define BACKFILLD_DAEMON_PACER_INSIDE_H

#include "daemon/pacer.h"

#define PACER_PROBE 1.06 /* each 250 ms */

/* One judgement's inputs. */
struct pacer_judgement {
	int64_t at_ms;
	double seconds; /* since the one before */
	uint64_t written;
	uint64_t flushed;
	int lag_target_ms;
	bool used_up[PACER_COUNTS]; /* the fills wrote what they were allowed to */
	bool climbing;              /* by one count or the other they use what the climb lets them */
};

/* `value` after so long a climb, by `step` each 250 ms. */
double pacer_climb(double value, double step, double seconds) MUST_USE;

/* Where that is in one count. */
double pacer_position(const struct pacer *pacer, int count, uint64_t lsn) MUST_USE;

/* What is written and not on disk: no replica has been sent it. */
double pacer_unflushed(const struct pacer *pacer, int count, const struct pacer_judgement *now) MUST_USE;

/* What it shows it can take, and what all may write for its sake. */
void pacer_judge_replica(
	struct pacer *pacer, const struct signals_replica *seen, const struct pacer_judgement *now);

#endif
