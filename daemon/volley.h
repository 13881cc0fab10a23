/*
 * volley: the batches that go to the server in one round trip.
 *
 * Near the server that is one. Over a distance the server would stand idle for a round trip after each batch,
 * so as many are sent at once as hide it; each is a transaction of its own, as short as any other. One that
 * fails ends the volley: nothing after it is executed, and those before it have committed.
 */
#ifndef BACKFILLD_DAEMON_VOLLEY_H
#define BACKFILLD_DAEMON_VOLLEY_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/batch.h"
#include "daemon/window.h"

#define VOLLEY_MOST 16

struct volley {
	struct window_batch batches[VOLLEY_MOST];
	int count;
	int64_t asked_ms;
	double batch_ms; /* what a batch took lately; 0: not known */
	double trip_ms;  /* what a volley took beyond its batches: the shortest of late */
};

/* How many batches the next volley should have: enough that a round trip is a tenth of it, and no more than
 * 250 ms in all, so that pauses, limits and gates still act at once. */
int volley_size(const struct volley *volley) MUST_USE;

/* The next batches of the window, at most `most`; false: the window is done. */
bool volley_plan(struct volley *volley, const struct window *window, int64_t pages, int most) MUST_USE;

/* `order`: of each batch; its stretch is set here. */
void volley_ask(struct volley *volley, struct session *session, const struct batch_order *order,
	session_answer *answer, void *owner);

/* How many batches have committed; their outcomes, in order, in ret_outcomes[VOLLEY_MOST]. */
int volley_read(struct volley *volley, const struct reply *reply, const struct batch_order *order,
	struct batch_outcome *ret_outcomes) MUST_USE;

/* The stretch that failed: the one after those that committed. */
const struct window_batch *volley_failed(const struct volley *volley, int committed) MUST_USE;

#endif
