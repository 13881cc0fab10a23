/*
 * delivery: sends volleys to the server, and reads what came of them.
 */
#ifndef BACKFILLD_DAEMON_DELIVERY_H
#define BACKFILLD_DAEMON_DELIVERY_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/batch.h"
#include "daemon/volley.h"

/* It is under way from now on. `order`: of each batch; stretch and number are set here. */
void delivery_ask(struct volleys *volleys, const struct volley *volley, struct session *session,
	const struct batch_order *order, session_answer *answer, void *owner);

/*
 * The first that was under way is so no more; it comes back in *ret_volley. How many of its batches have
 * committed; their outcomes, in order, in ret_outcomes[VOLLEY_MOST]. If not all have, the one behind it fails
 * as well and is forgotten; its answer is not to be read.
 */
int delivery_read(struct volleys *volleys, const struct reply *reply, const struct batch_order *order,
	struct volley *ret_volley, struct batch_outcome *ret_outcomes) MUST_USE;

#endif
