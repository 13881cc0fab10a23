/*
 * roster: the workers of one database.
 */
#ifndef BACKFILLD_DAEMON_ROSTER_H
#define BACKFILLD_DAEMON_ROSTER_H

#include "common/base.h"
#include "common/session.h"
#include "common/text.h"
#include "daemon/worker.h"

/* Zeroed: nobody. */
struct roster {
	struct worker **workers;
	size_t count;
};

/* Takes the worker; roster_remove() frees it, roster_free() all. */
void roster_add(struct roster *roster, struct worker *worker);
void roster_remove(struct roster *roster, struct worker *worker);
void roster_free(struct roster *roster);

/* Who works on the job; NULL: nobody. */
struct worker *roster_find(const struct roster *roster, int64_t job_id) MUST_USE;

/* The answer of a look no longer shows a worker's claim: it is fenced already, and only does not know yet. */
void roster_abandon_lost(struct roster *roster, const struct reply *look);

void roster_stop(struct roster *roster);

/* What each is at, for the status line. */
void roster_describe(const struct roster *roster, struct text *lines);

#endif
