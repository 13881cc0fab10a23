#include "daemon/window.h"

#include <assert.h>

/* Fewer updates than this say nothing about a share. */
#define TALLY_LEAST 100

/*
 * After so many windows in one pass, see whether the horizon moves again. A try costs little, since passes
 * that find no room are left out; a snapshot of a second (an autoanalyze) must not cost the rest of a table
 * its passes.
 */
#define SINGLES_BEFORE_RETRY 1

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

	if (at->page != at->from_page || at->pass < 2 || at->pass >= at->passes - 1)
		return;
	if (tally->later_updated >= TALLY_LEAST && share(tally->later_hot, tally->later_updated) < 0.5)
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

void window_done(struct window *window, const struct window_batch *batch, int64_t updated, int64_t hot)
{
	struct window_tally *tally = &window->tally;

	if (batch->pass == 0) {
		tally->first_updated += updated;
		tally->first_hot += hot;
	} else {
		tally->later_updated += updated;
		tally->later_hot += hot;
	}
	window->bookmark = batch->then;
	if (window->search.on)
		search_went_well(window, batch);
	else
		leave_out_useless_passes(window);
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

int window_passes_for(double rows_per_page, int secondary_indexes)
{
	double passes = rows_per_page / (secondary_indexes > 0 ? 6.0 : 16.0);
	double most = secondary_indexes > 0 ? WINDOW_PASSES_MOST : 4.0;
	double fewest = secondary_indexes > 0 ? 8.0 : 2.0;

	if (passes > most)
		passes = most;
	if (passes < fewest)
		passes = fewest;
	if (passes > rows_per_page)
		passes = rows_per_page;
	return passes < 1.0 ? 1 : (int)passes;
}

void window_course_start(struct window_course *course, int passes)
{
	*course = (struct window_course){.passes_most = passes, .passes = passes};
}

static void learn_from_single(struct window_course *course, double first)
{
	if (first >= 0.9) {
		course->singles = 0;
		return;
	}
	course->singles++;
	if (course->singles < SINGLES_BEFORE_RETRY)
		return;
	course->singles = 0;
	course->passes = course->passes_most;
}

void window_course_learn(struct window_course *course, int passes, const struct window_tally *tally)
{
	double first = share(tally->first_hot, tally->first_updated);
	double later = share(tally->later_hot, tally->later_updated);

	assert(passes >= 1);
	if (tally->first_updated < TALLY_LEAST)
		return;
	if (passes == 1) {
		learn_from_single(course, first);
		return;
	}
	if (tally->later_updated < TALLY_LEAST)
		return;
	course->stuck = later < 0.5 && first < 0.9;
	if (course->stuck)
		course->passes = 1;
	else if (first >= 0.9)
		course->passes = passes > 2 ? passes / 2 : 1;
	else
		course->passes = course->passes_most;
}

int64_t window_pages_for(int64_t wanted, int64_t shared_buffers)
{
	int64_t pages = least(wanted, shared_buffers / 8);

	return pages < 64 ? 64 : pages;
}

double window_pages_done(const struct window_bookmark *bookmark)
{
	double pages = (double)(bookmark->end_page - bookmark->from_page);
	double within = (double)(bookmark->page - bookmark->from_page);

	if (bookmark->passes < 1 || bookmark->pass >= bookmark->passes)
		return pages;
	return (bookmark->pass * pages + within) / bookmark->passes;
}
