/*
 * impact_inside: what the files of the impact share. Not for others.
 *
 *	impact.c	when is looked at what, what others call
 *	impact_baseline.c	how fast the application is without the fill
 *	impact_slope.c	how much a batch that executes slows the application, and what that allows
 */
#ifndef BACKFILLD_DAEMON_IMPACT_INSIDE_H
#define BACKFILLD_DAEMON_IMPACT_INSIDE_H

#include "daemon/impact.h"

/* What sums tell of is forgotten by and by, as exp(-seconds / this). */
#define IMPACT_REMEMBER_S 30.0
/* Less was seen beside the fill since the last baseline: it tells nothing. */
#define IMPACT_BESIDE_LEAST_S 3.0
/* Sessions that execute at one time. Who executes for less has no backlog to catch up with, and is promised
 * what he would be if he did. */
#define IMPACT_BUSY 0.2

/* What the application did in the window. */
struct impact_done {
	double seconds;
	double transactions;
	double active_ms;
	double steered_ms; /* of batches that heed the duty */
	double ours;       /* transactions of ours */
};

/* Of a pause: what a transaction takes without us, and whether the duty before it was harmless. */
void impact_learn_baseline(
	struct impact *impact, const struct impact_done *done, int most_percent, int64_t now_ms);

/* What was seen beside the fill since the last baseline tells nothing any more. */
void impact_forget_beside(struct impact *impact);

/* Somebody is let go, whatever it costs. */
double impact_limit_duty(const struct impact *impact, double duty, double most) MUST_USE;

/* From baseline to baseline: what was seen beside the fill since the last one. */
void impact_learn_slope(struct impact *impact);

/* It is another application now. */
void impact_forget_slope(struct impact *impact);

/* Who executes for less than a fifth of the time may become slower by so many times max_impact; others 1. */
double impact_times_allowed(const struct impact *impact) MUST_USE;

/* The duty that stays well within most_percent. */
double impact_aimed_duty(const struct impact *impact, int most_percent) MUST_USE;

#endif
