/*
 * impact_inside: what the files of the impact share. Not for others.
 *
 *	impact.c	when is looked at what, the baseline, what others call
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

/* From baseline to baseline: what was seen beside the fill since the last one. */
void impact_learn_slope(struct impact *impact);

/* It is another application now. */
void impact_forget_slope(struct impact *impact);

/* Who executes for less than a fifth of the time may become slower by so many times max_impact; others 1. */
double impact_times_allowed(const struct impact *impact) MUST_USE;

/* The duty that stays well within most_percent. */
double impact_aimed_duty(const struct impact *impact, int most_percent) MUST_USE;

#endif
