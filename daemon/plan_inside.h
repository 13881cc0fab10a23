/*
 * plan_inside: what the files of the plan room share. Not for others.
 *
 *	plan.c			what the catalogue forbids, the type
 *	plan_probe.c	the probe of the expressions on a temporary copy
 *	plan_outlook.c	what is missing or may go wrong
 *	plan_store.c	the steps, written down
 */
#ifndef BACKFILLD_DAEMON_PLAN_INSIDE_H
#define BACKFILLD_DAEMON_PLAN_INSIDE_H

#include "daemon/plan.h"

/* What is asked of the worker's session is answered by then, and each of its statements ends itself before.
 */
#define PLAN_DEADLINE_MS 60000
#define PLAN_STATEMENT_TIMEOUT_MS 30000

/* The job cannot be done, and what to do: always false. */
bool plan_refuse(struct fault *why, const char *message, const char *hint) MUST_USE;

/* Of what is not allowed: the GRANT that would allow it. */
void plan_hint_at_grant(struct fault *why, const struct relation *relation);

#endif
