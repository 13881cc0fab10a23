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

/* Passes beyond this cost more page visits than they save. A build with 1 is what tests/bench/shapes.sh holds
 * the passes against. */
#ifndef WINDOW_PASSES_MOST
#define WINDOW_PASSES_MOST 32
#endif

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

/* What updates did in one window: the first pass that found any rows tells how much room the pages had, the
 * later ones what pruning gave. */
struct window_tally {
	int64_t first_updated;
	int64_t first_hot;
	int64_t later_updated;
	int64_t later_hot;
	bool disturbed; /* others took the room: no verdict on the horizon */
	int first_pass;
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
	int passes_most;  /* what the table's shape suggests */
	int passes;       /* for the next window */
	int passes_least; /* fewer were tried and left rows without room */
	int singles;      /* windows done in one pass since the last try with more */
	int singles_most; /* so many before the next; doubled by each try in vain, up to 8 */
	bool stuck;       /* pruning frees nothing: something holds the horizon, or rows grow too much */
};

/* What a window has changed, for the history. */
enum window_turn {
	WINDOW_NO_TURN,
	WINDOW_GOT_STUCK, /* in one pass from now on, but for a try now and then */
	WINDOW_GOT_FREE,  /* pruning frees room again: in `passes` passes from now on */
};

/* A window to walk from where `bookmark` stands. */
void window_start(struct window *window, const struct window_bookmark *bookmark);

/* The next batch of at most `pages` pages; false: the window is done, *ret_batch is untouched. */
bool window_next(const struct window *window, int64_t pages, struct window_batch *ret_batch) MUST_USE;

/* Puts the bookmark behind `batch`: window_done() without the tally, to see what follows one that is still
 * under way. */
void window_pass_by(struct window *window, const struct window_batch *batch);

/*
 * The batch has committed: moves the bookmark, adds to the tally. When the later passes turn out not to find
 * room (less than a tenth of their updates were HOT) the passes in between are left out.
 */
void window_done(struct window *window, const struct window_batch *batch, int64_t updated, int64_t hot);

/*
 * The batch failed because of a row. False: the search goes on, the next batch is smaller. True: `batch`
 * was a single line pointer: that is the row; the search is over.
 */
bool window_narrow(struct window *window, const struct window_batch *batch) MUST_USE;

/*
 * Somebody else has put rows into the room that this window's passes made. A VACUUM under way does that: it
 * publishes the free space of the window's pages, and rows that leave their page then go there. One that
 * starts while k passes are under way costs up to 1/k of their HOT updates; in the first of 2 to 4 passes it
 * costs nearly all of them (seen: 64 % → 6 %). So vacuums start where a window ends, and windows of other
 * fillers that are under way then are told here; for them low shares say nothing of the horizon.
 */
void window_disturb(struct window *window);

/*
 * Passes for a first window, from the table's shape: rows a page (reltuples / relpages) and how many indexes
 * there are. 1 … 12.
 *
 * Measured (tests/bench/shapes.sh, PostgreSQL 15, a value of 12 to 32 bytes), times the seconds of one pass
 * with the same vacuums. "one" is the primary key's index, "four" that and three more; where it is marked
 * with * the one is twice its size afterwards. The machine was a shared one: the second digit is rough.
 *
 *	rows a page, indexes	k = 2	3	4	6	8	11	19
 *	106, one		0.97*	0.82*	0.67*	0.93*	0.85		1.33
 *	61, one			1.03*	0.83*	0.84*	0.88*	1.06	1.15
 *	9, one			0.66*	0.79*	0.84*	0.98*	0.96*
 *	106, four						0.31		0.33
 *	61, four						0.40	0.38
 *
 * What the first pass moves away leaves its index entries behind while nothing can clear them yet: a tenth
 * of the rows is what a freshly built leaf has room for, and with a sixth (6 passes) the primary key's
 * index doubles, as it does in one pass. That is cheaper, but it stays: a sixth of the time of 8 passes
 * over 61 rows a page is what the btree does to keep its leaves from splitting (0.87 to 1.11 of one pass
 * in four runs). First passes over every other page, so that half as many entries come into a leaf at
 * once, doubled it all the same (5 to 7 passes: 1.03 to 1.09). More than 8 passes only cost their scans
 * where one index is all there is to save, and with wide rows more than 2. Without any index a few will
 * do, one for every fifteenth row. And a pass frees the room of two rows at least, or a row that has grown
 * does not fit into it: with 9 rows a page 70 % are HOT in 4 passes, 65 % in 6 (three indexes: 0.67 and
 * 0.72 of one pass's time).
 */
int window_passes_for(double rows_per_page, int indexes) MUST_USE;

void window_course_start(struct window_course *course, int passes);

/*
 * Learns from a window that was walked in `passes` passes; tells when that changes what the history should
 * say.
 *
 * Where nine tenths of the first pass find room (fillfactor, dead space) half the passes do; when those leave
 * rows without room twice as many again, and no fewer from then on. When the later passes find none, one;
 * then more are tried after 1, 2, 4, 8 windows, since a snapshot of a second (an autoanalyze) must not cost
 * the rest of a table its passes, and a snapshot of hours not many tries.
 */
enum window_turn window_course_learn(
	struct window_course *course, int passes, const struct window_tally *tally);

/*
 * Pages a window should have that is handed out while so many fillers walk one each: `wanted`, at most 1/8 of
 * shared_buffers (both in pages), and all windows together at most 1/4; at least 64. What falls out of the
 * buffers between two passes is written by each of them. Windows that were handed out to fewer stay as they
 * are.
 */
int64_t window_pages_for(int64_t wanted, int64_t shared_buffers, int fillers) MUST_USE;

/*
 * The same for a table of so many pages: at most a quarter of it, but 1024. Vacuums start between windows,
 * and an index whose leaves are full doubles before a third of its rows have moved.
 */
int64_t window_pages_within(int64_t pages, int64_t table_pages) MUST_USE;

/* Work done in the window, in pages: the share of the passes times its pages. */
double window_pages_done(const struct window_bookmark *bookmark) MUST_USE;

#endif
