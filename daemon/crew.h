/*
 * crew: how many fillers a job with `workers = 0` has: as many as help, and as the server has cores to spare.
 *
 * Whether one more helps depends on what the fill waits for: processors, the disk, WAL, one index everybody
 * inserts into. No formula knows; the server's own throughput tells. So a crew starts with one filler and
 * climbs:
 *
 *	add one		the pace holds nothing back, and fillers + busy sessions of others leave a core idle
 *	keep it		the rate rose by a tenth: less is not worth a connection, and cannot be told from noise
 *	else take it away, and try again after 30 s; each turn from adding to taking away doubles that, up to
 *			10 min; one that was kept halves it
 *	take one away	the pace held back more than half of each of two steps: those that are left can use
 *			what it allows
 *	as many as fit	others and fillers together are more than the cores
 *
 * Why it does not flap: to add, the pace may hold back no more than a tenth of a step, and to take away it is
 * more than a half; one filler fewer than `half held back` still has all that is allowed. A core must be idle
 * to add, and half a session too many there to take away; the sessions of others are one look each step, so
 * they are smoothed over some 3 steps. Less than a tenth of one is nobody: what is left of one that was met
 * once would otherwise keep the last core for minutes.
 *
 * Why noise does not fool it: a rate is the mean of up to 16 steps, before (5 at least) and during a try.
 * Rates that scatter by 10 % (standard deviation) then leave 3.5 % for the comparison, against a threshold of
 * 10 %. A try is decided early only when it is clear: kept after 3 steps at a gain of 30 %, given up after 5
 * at less than 5 %. Steps in which the pace held back, in which the number at work is not the one wanted, and
 * the first after a change, are no evidence.
 *
 * Pure: (steps, clock). Between two steps lie about 2 s.
 */
#ifndef BACKFILLD_DAEMON_CREW_H
#define BACKFILLD_DAEMON_CREW_H

#include "common/base.h"

/* So many cores a server is taken to have when it does not tell. */
#define CREW_CORES_UNKNOWN 8

/* Never more, as with `workers`. */
#define CREW_MOST 32

/* Steps that a rate is the mean of, at most. */
#define CREW_SAMPLES 16

/* One job's; zeroed at first. */
struct crew {
	int fillers; /* wanted; 0: before the first step */
	bool trying; /* the last one added has yet to prove itself */
	double rates[CREW_SAMPLES];
	int samples;      /* of `rates`, ever since the number changed */
	int steps;        /* since it changed */
	double base_rate; /* before the try */
	double others;    /* busy sessions, smoothed */
	double others_before;
	int held_back; /* steps in a row */
	int64_t wait_ms;
	int64_t not_before_ms; /* the next try */
	bool added_last;       /* the last change was one more */
};

struct crew_step {
	int64_t now_ms;   /* clock_ms() */
	int fillers;      /* that had a window to work on */
	double rate;      /* of the job since the last step: rows or pages a second, always the same of the two */
	double throttled; /* share of the step that the pace held the fill back, 0 … 1 */
	double busy_others; /* sessions of others that were executing */
	int cores;          /* of the server; 0: not known */
};

/*
 * How many fillers the job shall have from now on: 1 … CREW_MOST. *ret_why: what for, as a sentence for the
 * history, not to be freed; NULL while nothing changes.
 */
int crew_size(struct crew *crew, const struct crew_step *step, const char **ret_why) MUST_USE;

#endif
