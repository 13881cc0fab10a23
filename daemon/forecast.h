/*
 * forecast: how fast it goes and between when and when it will be over.
 *
 * Rates are effective ones: pauses and throttling lower them. (Time outside a job's daily window is none: its
 * clock stands then, and the server puts the ends where the window is open.) Two windows are looked at, the
 * last 60 s and the last 15 min; they disagree when the speed has changed, and then the truth lies between
 * them:
 *
 *	earliest = pages left / (the faster rate x (1 + doubt))
 *	latest   = pages left / (the slower rate x (1 - doubt))
 *	doubt    = 1 / sqrt(1 + seconds of evidence), at least 0.1
 *
 * The doubt is the relative error of a mean of that many seconds whose speeds scatter by as much as they are.
 *
 * It is *measuring* for the first 30 s of a walk. A short one has no 30 s to give: as soon as 3 s have passed
 * and a twentieth of the walk's pages were done meanwhile, there is evidence enough. (So a walk that takes a
 * minute is told of after 3 s, one of five minutes after 15 s, and all that takes ten or more after 30 s.)
 *
 * Each walk is measured anew, since a sweep that only reads runs many times as fast as the fill; the rate of
 * rows goes on. Neither rows nor pages ever count backwards: what falls (a window begun anew, a filler that
 * left) stands still until it has been caught up.
 */
#ifndef BACKFILLD_DAEMON_FORECAST_H
#define BACKFILLD_DAEMON_FORECAST_H

#include "common/base.h"
#include "common/text.h"

/* A minute of a sample a second, a quarter of an hour of one every 15 s; some to spare for late ones. */
#define FORECAST_SAMPLES 72

struct forecast_sample {
	int64_t at_ms;
	int walk;
	int64_t rows;
	double pages;
};

struct forecast_ring {
	struct forecast_sample samples[FORECAST_SAMPLES];
	size_t count; /* ever kept */
};

/* Zeroed: nothing was noted yet. */
struct forecast {
	struct forecast_ring minute;
	struct forecast_ring quarter;
	struct forecast_sample begun; /* the first sample of the walk */
};

enum forecast_state {
	FORECAST_MEASURING, /* too early to say */
	FORECAST_RANGED,
	FORECAST_STANDING, /* not a page was done in the last 15 min: no end in sight */
};

struct forecast_view {
	enum forecast_state state;
	double rows_per_s;       /* over the last 60 s; -1: less than a second was seen */
	double rows_per_s_15min; /* the same over 15 min */
	double earliest_s;       /* from now; -1 unless the state is ranged */
	double latest_s;         /* -1: not known: nothing moved in the last 60 s, or more than ten years */
	double middle_s;         /* of the two; by the last 15 min where there is no latest; -1 as earliest_s */
};

/* Notes the totals so far: rows filled in all, and pages done of walk number `walk`. At most one sample a
 * second is kept, so it may be called at any rate. */
void forecast_note(struct forecast *forecast, int64_t now_ms, int walk, int64_t rows, double pages);

/* As of the last note; `pages_left` of the walk. */
void forecast_read(const struct forecast *forecast, double pages_left, struct forecast_view *ret_view);

/* "measuring", "ranged", "standing". */
const char *forecast_state_name(enum forecast_state state) MUST_USE;

#endif
