/*
 * veto: the operator's own throttle_query, which says whether batches may go.
 *
 * One row: a boolean, true to hold, and optionally a text that says why. Whatever else it answers holds too:
 * what cannot be understood is not consent.
 */
#ifndef BACKFILLD_DAEMON_VETO_H
#define BACKFILLD_DAEMON_VETO_H

#include "common/base.h"
#include "common/fault.h"
#include "common/session.h"
#include "daemon/signals.h"

/* The longest that the query may take. */
#define VETO_TIMEOUT_MS 2000

struct veto {
	enum signals_veto verdict;
	char *why;  /* may be NULL */
	bool wrong; /* the query itself is at fault, as `why` says */
};

/* Settings of the connection that asks it. */
struct script *veto_greeting(void) MUST_USE;

/* What the query answered (NULL: nothing), or why it was not answered (NULL: it was). */
void veto_read(struct veto *veto, const struct reply *reply, const struct fault *why);

/* Nothing has been asked yet: that holds. */
void veto_begin(struct veto *veto);

void veto_free(struct veto *veto);

#endif
