/*
 * window: windows, passes, batches, and the bookmark between them.
 *
 * A table is filled window by window. A window is a run of heap pages small enough to stay cached; it is
 * walked `passes` times, and pass i takes only the rows whose place in their page is i modulo `passes`
 * (the last pass takes whatever is left). Each pass frees, on every page, the room in which the next one
 * updates its rows in place (HOT): no index entries, no new pages. A batch is one transaction: a stretch
 * of the window's pages within one pass.
 *
 *	window_next()	bookmark, size	-> the batch to run, or: the window is done
 *	window_done()	what came of it	-> the bookmark moved
 *
 * No I/O, no clock; pages are heap blocks, items are line pointers within a page, counted from 1.
 */
#ifndef BACKFILLD_DAEMON_WINDOW_H
#define BACKFILLD_DAEMON_WINDOW_H

#include "common/base.h"

/* More line pointers than a page of the largest block size (32 kB) can have. */
#define WINDOW_ITEMS 2048

/* Passes beyond this cost more page visits than they save (measured: README, "How it fills"). */
#define WINDOW_PASSES_MOST 32

/* Where a filler stands; the same values as in its row of backfill.bookmark. */
struct window_bookmark {
	int64_t from_page;
	int64_t end_page; /* exclusive; from_page = end_page: no window */
	int passes;
	int pass; /* 0 … passes - 1; = passes: the window is done */
	int64_t page;
};

/* One transaction's share: tuples from (from_page,from_item) up to, not including, (end_page,end_item). */
struct window_batch {
	int64_t from_page;
	int from_item;
	int64_t end_page;
	int end_item;
	int pass;
	int passes;
	struct window_bookmark then; /* the bookmark once this batch has committed */
};

/* What updates did in one window: the first pass tells how much room the pages had, the later ones what
 * pruning gave. */
struct window_tally {
	int64_t first_updated;
	int64_t first_hot;
	int64_t later_updated;
	int64_t later_hot;
};

/* A search for the row that makes the batch fail, by halving. */
struct window_search {
	bool on;
	int64_t pages; /* at most so many pages a batch while the culprit is not on one page */
	int64_t page;
	int from_item; /* the culprit's place is in [from_item, end_item) of `page` once one page is left */
	int end_item;
};

struct window {
	struct window_bookmark bookmark;
	struct window_tally tally;
	struct window_search search;
};

/* Steers the number of passes from window to window; one for each job. A zeroed course starts with
 * window_course_start(). */
struct window_course {
	int passes_most; /* what the table's shape suggests */
	int passes;      /* for the next window */
	int singles;     /* windows done in one pass since the last try with more */
	bool stuck;      /* pruning frees nothing: something holds the horizon */
};

/* A window to walk from where `bookmark` stands. */
void window_start(struct window *window, const struct window_bookmark *bookmark);

/* The next batch of at most `pages` pages; false: the window is done, *ret_batch is untouched. */
bool window_next(const struct window *window, int64_t pages, struct window_batch *ret_batch) MUST_USE;

/*
 * The batch has committed: moves the bookmark, adds to the tally. When the later passes turn out not to
 * find room (less than half of their updates were HOT) the passes in between are left out.
 */
void window_done(struct window *window, const struct window_batch *batch, int64_t updated, int64_t hot);

/*
 * The batch failed because of a row. False: the search goes on, the next batch is smaller. True: `batch`
 * was a single line pointer: that is the row; the search is over.
 */
bool window_narrow(struct window *window, const struct window_batch *batch) MUST_USE;

/*
 * Passes for a first window, from the table's shape: rows a page (reltuples / relpages) and whether indexes
 * besides the primary key would have to be maintained. 1 … WINDOW_PASSES_MOST.
 */
int window_passes_for(double rows_per_page, int secondary_indexes) MUST_USE;

void window_course_start(struct window_course *course, int passes);

/* Learns from a window that was walked in `passes` passes. */
void window_course_learn(struct window_course *course, int passes, const struct window_tally *tally);

/* Pages a window should have: `wanted`, at most 1/8 of shared_buffers (both in pages), at least 64. */
int64_t window_pages_for(int64_t wanted, int64_t shared_buffers) MUST_USE;

/* Work done in the window, in pages: the share of the passes times its pages. */
double window_pages_done(const struct window_bookmark *bookmark) MUST_USE;

#endif
