/*
 * leftover: counts the rows that are still pending. Reads the whole table, or all of its tree, and blocks
 * nobody.
 */
#ifndef BACKFILLD_DAEMON_LEFTOVER_H
#define BACKFILLD_DAEMON_LEFTOVER_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/job.h"
#include "daemon/relation.h"

void leftover_ask(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner);

/* Of a reply without fault. */
int64_t leftover_read(const struct reply *reply) MUST_USE;

#endif
