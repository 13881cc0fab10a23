/*
 * walked: which tables a walk goes over, so that one that joins the tree behind its back is noticed.
 *
 * A clean sweep proves nothing of a partition that was attached, or a table that became an inheritance child,
 * after it had begun.
 */
#ifndef BACKFILLD_DAEMON_WALKED_H
#define BACKFILLD_DAEMON_WALKED_H

#include "common/base.h"
#include "daemon/relation.h"

/* Zeroed: none. */
struct walked {
	uint32_t *oids;
	size_t count;
};

/* From now on they are those of the relation that have rows. */
void walked_remember(struct walked *walked, const struct relation *relation);

/* A table with rows that is not among them; NULL: none. On loan from the relation. */
const struct member *walked_joined(const struct walked *walked, const struct relation *relation) MUST_USE;

void walked_clear(struct walked *walked);

#endif
