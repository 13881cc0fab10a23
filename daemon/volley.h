/*
 * volley: the batches that go to the server at once, and the volleys that are under way there.
 *
 * The server must never wait for the daemon: while it carries out one volley it has the next one already, so
 * that neither a network between them nor the daemon's own work costs time. Two are under way at most, and
 * together take no more than a quarter of a second, so that pauses, limits and gates still act at once. Of
 * batches near the server one is a volley; over a distance, or of small ones, as many as a round trip lasts.
 * Each batch is a transaction of its own, as short as any other. One that fails ends its volley and the one
 * behind it: nothing after it is kept, and those before it have committed.
 *
 * Pure: what is under way, and a clock. `delivery` sends them.
 */
#ifndef BACKFILLD_DAEMON_VOLLEY_H
#define BACKFILLD_DAEMON_VOLLEY_H

#include "common/base.h"
#include "daemon/window.h"

#define VOLLEY_MOST 16
#define VOLLEYS_MOST 2

struct volley {
	struct window_batch batches[VOLLEY_MOST];
	int count;
	int64_t asked_ms;
	int64_t begun_ms; /* when it was asked, or the one before it was answered */
	bool alone;       /* nothing was under way when it was asked */
};

struct volleys {
	struct volley under_way[VOLLEYS_MOST]; /* in order; only the first may have begun */
	int count;
	int64_t asked;  /* batches, ever */
	double trip_ms; /* what a volley that was alone took beyond its batches: the shortest of late. The first
					   of a window is alone, so another network is noticed after some windows only */
};

/* Of batches that take longer one is under way at a time. */
#define VOLLEY_MOST_MS 125.0

/* How long a volley should take: twice as long as a round trip, and no more than VOLLEY_MOST_MS. */
double volley_ms(const struct volleys *volleys) MUST_USE;

/* In which pass the volley behind those under way begins; -1: nothing of the window is left for it, or two
 * are under way. */
int volley_pass(const struct volleys *volleys, const struct window *window) MUST_USE;

/*
 * The window's next batches behind those under way, of at most `pages` pages that take `page_ms` each (0: not
 * known), so many that they take `ms`; 0: one. False: there are none (volley_pass()).
 */
bool volley_plan(const struct volleys *volleys, const struct window *window, int64_t pages, double page_ms,
	double ms, struct volley *ret_volley) MUST_USE;

/* It is under way from now on. */
void volley_begin(struct volleys *volleys, const struct volley *volley, int64_t now_ms);

/* The first that was under way has been answered, and is so no more; the one behind it has begun. */
struct volley volley_end(struct volleys *volleys, int64_t now_ms) MUST_USE;

/* That one was answered just now, and all of its batches have committed: they took batches_ms together, by
 * the server. */
void volley_learn(struct volleys *volleys, const struct volley *volley, double batches_ms, int64_t now_ms);

/* Nothing is under way any more: the connection was lost, or what was behind a failed one fails as well. */
void volley_forget(struct volleys *volleys);

#endif
