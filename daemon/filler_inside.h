/*
 * filler_inside: what the files of the filler room share. Not for others.
 *
 *	filler.c	connection, windows, what others call
 *	filler_batch.c	batches: asking the pace, sending, what came of them
 */
#ifndef BACKFILLD_DAEMON_FILLER_INSIDE_H
#define BACKFILLD_DAEMON_FILLER_INSIDE_H

#include "daemon/filler.h"
#include "daemon/stride.h"

enum at { AT_LINK, AT_WINDOW, AT_BATCH, AT_IDLE, AT_REST };

struct filler {
	struct filler_shared *shared;
	struct task *task;
	int number;
	const struct filler_events *events;
	void *owner;
	struct session *session;
	struct enlist *enlist; /* while the session is being put on record */
	struct loop_timer *timer;
	void (*next)(struct filler *filler); /* what the timer goes on with */
	enum at at;
	bool stopping;
	struct window window;
	bool has_window;
	uint32_t oid;     /* of the table that the window is in */
	char *leaf;       /* its name, ready for SQL; NULL: the job's table itself */
	bool doubted;     /* the server did not know it under that name, or without the column */
	bool owes_window; /* one may have been given and is not finished, also while the connection is lost */
	struct window_batch batch; /* the one that failed last */
	int64_t batch_begun_ms;    /* when its volley did */
	struct stride stride;
	bool server_counts;
	bool held;    /* what the task waits for is what the pace said */
	int refusals; /* lock timeouts of this stretch in a row */
	int retries;  /* of this stretch, for whatever passing fault */
	int patience; /* doubles when a single page takes too long */
	int64_t window_rows;
	int64_t window_moved; /* rows that went to other pages and are not told yet */
	int64_t window_since_ms;
	struct fault why; /* while the culprit's key is looked for */
};

/* The timer goes on with `next`. */
void filler_after(struct filler *filler, int64_t delay_ms, void (*next)(struct filler *));

/* It works no more, until it is asked to. */
void filler_rest(struct filler *filler);

/* The job, or the claim, cannot go on. */
void filler_fail(struct filler *filler, const struct fault *why);

/* Tells the rows that have moved. */
void filler_tell_moved(struct filler *filler);

/* Where its window is, and in which table, is read again. */
void filler_look_again(struct filler *filler);

/* Batches go until the window is done, which filler_finish_window() is told. */
void filler_fill(struct filler *filler);
void filler_finish_window(struct filler *filler);

/* Pages that a window handed out now should have: everybody's are in the same buffers. */
int64_t filler_window_pages(const struct filler *filler) MUST_USE;

/* Pages that a batch may have at most now. */
int64_t filler_pages_most(const struct filler *filler) MUST_USE;

#endif
