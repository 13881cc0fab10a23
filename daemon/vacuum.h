/*
 * vacuum: takes the index entries away that moved rows leave behind, before the indexes split for want of
 * room.
 *
 * A row that no longer fits its page leaves a dead entry in every index. A freshly built leaf has room for a
 * tenth more; beyond that an index over values in no order splits every leaf and doubles, since PostgreSQL's
 * own bottom-up deletion gives up on it. Measured on 1 M rows, three indexes, a value of a quarter of the
 * row: index over random bigints +100 % without, 0 % with a VACUUM for each 6 % of the rows moved, for 4 % of
 * the time.
 */
#ifndef BACKFILLD_DAEMON_VACUUM_H
#define BACKFILLD_DAEMON_VACUUM_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/job.h"
#include "daemon/relation.h"

/* Vacuum when so large a part of the rows has moved since the last one: safely below the free tenth of a
 * leaf. */
#define VACUUM_AFTER_SHARE 0.06

/* The statement, for history; to be freed. */
char *vacuum_statement(const struct job *job) MUST_USE;

/*
 * Asked on a session that does nothing else meanwhile. A table that is being vacuumed or altered is passed
 * over. It yields the processor as autovacuum does, ten times as fast; it truncates nothing, so it never asks
 * for a stronger lock.
 */
void vacuum_ask(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner);

#endif
