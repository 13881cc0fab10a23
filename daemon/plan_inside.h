/*
 * plan_inside: what the files of the plan room share. Not for others.
 *
 *	plan.c			what the catalogue forbids, the type, the probe of the expressions
 *	plan_outlook.c	what is missing or may go wrong
 *	plan_store.c	the steps, written down
 */
#ifndef BACKFILLD_DAEMON_PLAN_INSIDE_H
#define BACKFILLD_DAEMON_PLAN_INSIDE_H

#include "daemon/plan.h"

/* Of what is not allowed: the GRANT that would allow it. */
void plan_hint_at_grant(struct fault *why, const struct relation *relation);

#endif
