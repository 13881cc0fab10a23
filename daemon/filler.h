/*
 * filler: one connection that walks windows.
 *
 *	window (from the control table) → gate → window_next → batch → window_done → pace → gate …
 *
 * It never fails a job for load: locks, deadlocks, cancelled statements and lost connections are tried again,
 * smaller; rows that stay locked are left to the sweep. A row that makes the expression fail is found by
 * halving.
 */
#ifndef BACKFILLD_DAEMON_FILLER_H
#define BACKFILLD_DAEMON_FILLER_H

#include "common/base.h"
#include "daemon/crew.h"
#include "daemon/task.h"
#include "daemon/window.h"

struct filler;

/* What the fillers of one job share; owned by `filling`. */
struct filler_shared {
	struct task *task;
	struct window_course course;
	bool pinned; /* the course is stuck, and somebody was seen who holds the horizon */
	struct pace_share *share;
	int workers; /* fillers that shall work now, at least 1 */
	int at_work; /* that have a window; fewer at the end of a walk, more for a while when fewer are wanted */
	uint32_t tables[CREW_MOST]; /* that they have them in, by the fillers' numbers; 0: none */
	int64_t rows_found;         /* filled in this walk */
	bool skipped;               /* rows were left because somebody had them locked */
	bool handed_out;            /* somebody was told that no window of this walk is left */
	double pages_done;          /* of windows finished in this walk */
};

struct filler_events {
	/* Rows have moved to other pages of the table, and no window of this filler is under way: it may be
	 * vacuumed. */
	void (*moved)(void *owner, struct member *table);
	/* No windows are left in this walk, or the filler is beyond the number of workers wanted. */
	void (*idle)(void *owner);
	/* Its batches are held back for this reason, or (NULL) go; told before each batch that is not sent while
	 * another is under way. */
	void (*held)(void *owner, const char *reason_or_null);
	/* A row, or the job itself, cannot be done; or it is fenced. */
	void (*failed)(void *owner, const struct fault *why);
};

/* `number`: of this filler among its job's, below CREW_MOST. Connects and starts to work. */
struct filler *filler_new(
	struct filler_shared *shared, int number, const struct filler_events *events, void *owner) MUST_USE;
void filler_free(struct filler *filler);

/* There is a new walk, or more workers are wanted: an idle filler goes on. */
void filler_resume(struct filler *filler);

/* Takes no more batches; filler_at_rest() tells when those under way have been answered. */
void filler_stop(struct filler *filler);
bool filler_at_rest(const struct filler *filler) MUST_USE;
/* Nothing of this walk is left to it; so is one that cannot connect and owes no window: the others do the
 * work. */
bool filler_is_idle(const struct filler *filler) MUST_USE;

/* A vacuum starts: it spoils the passes of the window under way (window_disturb()). */
void filler_disturb(struct filler *filler);

/* Pages that its next batch shall have. */
int64_t filler_batch_pages(const struct filler *filler) MUST_USE;

/* Work done in the window it is in, in pages. */
double filler_pages_done(const struct filler *filler) MUST_USE;

#endif
