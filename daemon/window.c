#include "daemon/window.h"

#include <assert.h>
#include <math.h>

/* Fewer updates than this say nothing about a share. */
#define TALLY_LEAST 100

/*
 * Less than this share of the later passes in place, and something holds the horizon. Values three times as
 * wide as their row cannot stay in place for more than a quarter; even then the passes cost only 3 % more CPU
 * than one, for a tenth less WAL and a fifth less growth.
 */
#define LATER_WORTH_IT 0.1

/* First passes that find so much room need not be so small. */
#define FIRST_HAS_ROOM 0.9

/* Windows in one pass between two tries with more. */
#define SINGLES_MOST 8

#define TABLE_PARTS 4
#define TABLE_PART_LEAST 1024

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static double share(int64_t part, int64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0.0;
}

void window_start(struct window *window, const struct window_bookmark *bookmark)
{
	*window = (struct window){.bookmark = *bookmark};
}

static struct window_bookmark bookmark_after(const struct window_bookmark *at, int64_t end_page)
{
	struct window_bookmark then = *at;

	then.page = end_page;
	if (then.page >= then.end_page) {
		then.pass++;
		then.page = then.from_page;
	}
	return then;
}

/* Within one page: the lower half of the places that are still suspect. */
static void next_of_search(const struct window *window, struct window_batch *batch)
{
	const struct window_search *search = &window->search;
	int middle = search->from_item + (search->end_item - search->from_item + 1) / 2;

	batch->from_item = search->from_item;
	batch->end_page = search->page;
	batch->end_item = middle;
	batch->then = window->bookmark;
}

bool window_next(const struct window *window, int64_t pages, struct window_batch *ret_batch)
{
	const struct window_bookmark *at = &window->bookmark;
	struct window_batch batch = {
		.from_page = at->page,
		.pass = at->pass,
		.passes = at->passes,
	};

	if (at->from_page >= at->end_page || at->pass >= at->passes)
		return false;
	if (window->search.on && window->search.pages == 0) {
		next_of_search(window, &batch);
		*ret_batch = batch;
		return true;
	}
	if (window->search.on)
		pages = least(pages, window->search.pages);
	batch.end_page = least(at->page + (pages > 0 ? pages : 1), at->end_page);
	batch.then = bookmark_after(at, batch.end_page);
	*ret_batch = batch;
	return true;
}

/* Nothing was freed by the passes so far: go straight to the last one, which takes whatever is left. */
static void leave_out_useless_passes(struct window *window)
{
	const struct window_tally *tally = &window->tally;
	struct window_bookmark *at = &window->bookmark;

	if (at->page != at->from_page || at->pass < 2 || at->pass >= at->passes - 1 || tally->disturbed)
		return;
	if (tally->later_updated >= TALLY_LEAST && share(tally->later_hot, tally->later_updated) < LATER_WORTH_IT)
		at->pass = at->passes - 1;
}

static void search_went_well(struct window *window, const struct window_batch *batch)
{
	struct window_search *search = &window->search;

	if (search->pages == 0) {
		search->from_item = batch->end_item;
		search->on = search->from_item < search->end_item;
	} else if (batch->end_page > search->page) {
		search->on = false;
	}
}

void window_pass_by(struct window *window, const struct window_batch *batch)
{
	window->bookmark = batch->then;
	leave_out_useless_passes(window);
}

void window_done(struct window *window, const struct window_batch *batch, int64_t updated, int64_t hot)
{
	struct window_tally *tally = &window->tally;

	if (tally->first_updated == 0)
		tally->first_pass = batch->pass;
	if (batch->pass == tally->first_pass) {
		tally->first_updated += updated;
		tally->first_hot += hot;
	} else {
		tally->later_updated += updated;
		tally->later_hot += hot;
	}
	if (!window->search.on) {
		window_pass_by(window, batch);
		return;
	}
	window->bookmark = batch->then;
	search_went_well(window, batch);
}

bool window_narrow(struct window *window, const struct window_batch *batch)
{
	struct window_search *search = &window->search;
	int64_t pages = batch->end_page - batch->from_page;

	if (pages > 1) {
		/* search.page remembers the last page of the batch that failed: behind it the search is over. */
		*search = (struct window_search){.on = true, .pages = pages / 2, .page = batch->end_page - 1};
		return false;
	}
	if (pages == 1) {
		*search = (struct window_search){
			.on = true, .page = batch->from_page, .from_item = 0, .end_item = WINDOW_ITEMS};
		return false;
	}
	if (batch->end_item - batch->from_item > 1) {
		search->end_item = batch->end_item;
		return false;
	}
	*search = (struct window_search){0};
	return true;
}

void window_disturb(struct window *window)
{
	window->tally.disturbed = true;
}

/* How many passes, by what an update that leaves its page costs (window.h). */
struct passes_law {
	double rows_each; /* one pass for so many rows of a page */
	double fewest;
	double most;
	double rows_least; /* but no more passes than one for so many */
};

static const struct passes_law *passes_law_of(int indexes)
{
	static const struct passes_law none = {15.0, 2.0, 4.0, 2.0};
	static const struct passes_law one = {5.5, 8.0, 8.0, 4.0};
	static const struct passes_law several = {5.5, 8.0, 12.0, 2.0};

	if (indexes == 0)
		return &none;
	return indexes == 1 ? &one : &several;
}

int window_passes_for(double rows_per_page, int indexes)
{
	const struct passes_law *law = passes_law_of(indexes);
	double passes = fmax(fmin(rows_per_page / law->rows_each, law->most), law->fewest);

	passes = fmin(fmin(passes, rows_per_page / law->rows_least), WINDOW_PASSES_MOST);
	return passes < 1.0 ? 1 : (int)passes;
}

void window_course_start(struct window_course *course, int passes)
{
	*course =
		(struct window_course){.passes_most = passes, .passes = passes, .passes_least = 1, .singles_most = 1};
}

/* Fewer where the pages have room; back, and no fewer than that, where it turns out to be too little. */
static void fit_to_room(struct window_course *course, int passes, double first)
{
	int most = course->passes_most;

	if (first >= FIRST_HAS_ROOM) {
		passes = passes / 2 > course->passes_least ? passes / 2 : course->passes_least;
		course->passes = passes < 1 ? 1 : passes < most ? passes : most;
		return;
	}
	course->passes = 2 * passes < most ? 2 * passes : most;
	course->passes_least = passes < most ? course->passes : 1;
}

/* In one pass either because it is enough, or because the horizon stands still. */
static void learn_from_single(struct window_course *course, double first)
{
	if (!course->stuck) {
		fit_to_room(course, 1, first);
		return;
	}
	if (++course->singles < course->singles_most)
		return;
	course->singles = 0;
	course->passes = course->passes_most;
}

static enum window_turn get_stuck(struct window_course *course)
{
	bool was = course->stuck;

	if (was)
		course->singles_most = course->singles_most < SINGLES_MOST ? 2 * course->singles_most : SINGLES_MOST;
	course->stuck = true;
	course->passes = 1;
	course->singles = 0;
	return was ? WINDOW_NO_TURN : WINDOW_GOT_STUCK;
}

static enum window_turn get_free(struct window_course *course)
{
	bool was = course->stuck;

	course->stuck = false;
	course->singles_most = 1;
	return was ? WINDOW_GOT_FREE : WINDOW_NO_TURN;
}

enum window_turn window_course_learn(
	struct window_course *course, int passes, const struct window_tally *tally)
{
	double first = share(tally->first_hot, tally->first_updated);
	double later = share(tally->later_hot, tally->later_updated);

	assert(passes >= 1);
	if (tally->first_updated < TALLY_LEAST)
		return WINDOW_NO_TURN;
	if (passes == 1)
		learn_from_single(course, first);
	if (passes == 1 || tally->later_updated < TALLY_LEAST || tally->disturbed)
		return WINDOW_NO_TURN;
	if (later < LATER_WORTH_IT && first < FIRST_HAS_ROOM)
		return get_stuck(course);
	fit_to_room(course, passes, first);
	return get_free(course);
}

int64_t window_pages_for(int64_t wanted, int64_t shared_buffers, int fillers)
{
	int64_t pages = least(wanted, least(shared_buffers / 8, shared_buffers / 4 / fillers));

	return pages < 64 ? 64 : pages;
}

int64_t window_pages_within(int64_t pages, int64_t table_pages)
{
	int64_t part = (table_pages + TABLE_PARTS - 1) / TABLE_PARTS;

	return least(pages, part > TABLE_PART_LEAST ? part : TABLE_PART_LEAST);
}

double window_pages_done(const struct window_bookmark *bookmark)
{
	double pages = (double)(bookmark->end_page - bookmark->from_page);
	double within = (double)(bookmark->page - bookmark->from_page);

	if (bookmark->passes < 1 || bookmark->pass >= bookmark->passes)
		return pages;
	return (bookmark->pass * pages + within) / bookmark->passes;
}
