/*
 * stride: what one connection sends next while it fills: how big its batches are, how they breathe, how many
 * go at once, and what goes ahead while those are under way.
 *
 * It stands between the window (which pages come next), the pace (whether a batch may go, and how big it may
 * be) and what the last batches cost.
 *
 *	stride_next()	the window is done, or wait so long, or send this
 *	stride_ahead()	the same behind what is under way, where that helps
 *	stride_learn()	a batch has committed
 *	stride_halve()	a batch was refused
 *
 * Pure: the daemon's fillers and those of tests/sim walk by it.
 */
#ifndef BACKFILLD_DAEMON_STRIDE_H
#define BACKFILLD_DAEMON_STRIDE_H

#include "common/base.h"
#include "daemon/breath.h"
#include "daemon/pace.h"
#include "daemon/sizer.h"
#include "daemon/volley.h"
#include "daemon/window.h"

/* One connection's. */
struct stride {
	struct volleys volleys;
	struct sizer first_pass; /* its pages are seldom touched before: each costs an image of it in the WAL */
	struct sizer later_passes;
	int64_t held_since_ms; /* made to wait, as far as that has not been told to the pace; 0: it is not */
};

/* Where it walks, as that is now; all of it on loan for the call. */
struct stride_ground {
	const struct window *window;
	struct pace_share *share;
	int batch_ms;
	int64_t pages_most;   /* of a batch */
	double rows_per_page; /* of the table */
	bool may_sleep;       /* batches can breathe */
	bool troubled;        /* what was sent last was refused: one at a time until one has committed */
};

enum stride_answer { STRIDE_DONE, STRIDE_WAIT, STRIDE_GO };

struct stride_order {
	struct pace_verdict verdict; /* not of STRIDE_DONE */
	/* of STRIDE_GO: */
	struct volley volley; /* to be told to volley_begin() when it is sent */
	struct breath breath; /* of each of its batches */
	bool one_by_one;      /* nothing is to be sent ahead of it */
};

void stride_start(struct stride *stride, int64_t pages_most, int batch_ms);

/* It has rested: sizes stay, what they were learnt from does not. */
void stride_rest(struct stride *stride, int batch_ms);

/* What was under way is so no more, and nothing was waited for: the connection was lost. */
void stride_forget(struct stride *stride);

/* What follows while nothing is under way. */
enum stride_answer stride_next(struct stride *stride, const struct stride_ground *ground, int64_t now_ms,
	struct stride_order *ret_order) MUST_USE;

/* What follows behind the volley that is under way. False: nothing for now; once that is answered more is
 * known. */
bool stride_ahead(struct stride *stride, const struct stride_ground *ground, int64_t now_ms,
	struct stride_order *ret_order) MUST_USE;

/* Inner, and for who asks something else than the pace: what the verdict of *order allows is put there.
 * False: nothing is left of the window. */
bool stride_plan(
	struct stride *stride, const struct stride_ground *ground, struct stride_order *order) MUST_USE;

/* A batch has committed: `ms` of execution, as sizer_learn() wants it. */
void stride_learn(
	struct stride *stride, const struct window_batch *batch, double ms, int64_t wal_bytes, int64_t now_ms);

/* A batch was cancelled, or refused: the next ones of its pass have half its pages. */
void stride_halve(struct stride *stride, const struct window_batch *batch, int64_t now_ms);

#endif
