/*
 * figures: what is measured of a run.
 */
#ifndef BACKFILLD_TESTS_SIM_FIGURES_H
#define BACKFILLD_TESTS_SIM_FIGURES_H

#include "common/base.h"

/* One bar a millisecond, the last for all beyond. */
#define FIGURES_BARS 60001

struct figures_lag {
	uint32_t bars[FIGURES_BARS];
	int64_t count;
	double most_ms;
};

void figures_note_lag(struct figures_lag *lag, double lag_ms);

/* The lag that `part` (0 to 1) of the notes do not pass. */
double figures_lag_ms(const struct figures_lag *lag, double part) MUST_USE;

/* Of a whole run. */
struct figures {
	double lag_p99_ms; /* of the slowest replica, at any moment */
	double lag_max_ms;
	double later_p99_ms; /* by which a commit reached a replica later than if nothing had been filled */
	double later_max_ms;
	double late_p99_ms; /* later_p99_ms from bounds.late_from_s on */
	double wal_bytes;   /* of all fills */
	double work;        /* that replaying it is */
	double ideal_work;  /* that an all-knowing fill would have made without any lag of its own */
	double headroom;    /* the former work in per cent of the latter */
	double busy;        /* per cent of the fillers' time */
	double throttled;   /* per cent of the jobs' time */
	double impact;      /* mean, per cent */
	double impact_p95;  /* the same in stretches of 5 s */
	double duty;        /* mean number of batches executing, while the impact's mean was taken */
	int64_t late_batches;
	int64_t silences;     /* seconds in which nothing moved and no reason was told */
	int64_t inventions;   /* seconds in which a reason was told that there is not */
	int64_t turns;        /* of a reason that came or went */
	double throttled_off; /* seconds by which the time told as throttled differs from what it was */
};

#endif
