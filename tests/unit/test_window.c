/*
 * window: tables of cases, and what must hold whatever the sizes are, tried with many random inputs of a
 * fixed seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/memory.h"
#include "daemon/window.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 2000

static uint64_t dice = 20261122;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

static struct window_bookmark fresh(int64_t from_page, int64_t pages, int passes)
{
	return (struct window_bookmark){
		.from_page = from_page, .end_page = from_page + pages, .passes = passes, .page = from_page};
}

/* ---- next ---- */

static void the_next_batch(void **state)
{
	static const struct {
		const char *what;
		struct window_bookmark at;
		int64_t pages;
		bool any;
		int64_t from_page, end_page;
		int then_pass;
		int64_t then_page;
	} cases[] = {
		{"a window starts at its first page", {10, 30, 2, 0, 10}, 8, true, 10, 18, 0, 18},
		{"a batch ends where the window ends, and the next pass begins", {10, 30, 2, 0, 26}, 8, true, 26, 30,
			1, 10},
		{"a batch as large as the window is a pass", {10, 30, 2, 0, 10}, 20, true, 10, 30, 1, 10},
		{"more pages than there are is all there are", {10, 30, 2, 1, 10}, INT64_C(1) << 40, true, 10, 30, 2,
			10},
		{"the last page of the last pass ends the window", {10, 30, 2, 1, 29}, 8, true, 29, 30, 2, 10},
		{"no size is one page", {10, 30, 2, 0, 10}, 0, true, 10, 11, 0, 11},
		{"nor is a negative one", {10, 30, 2, 0, 10}, -5, true, 10, 11, 0, 11},
		{"after the last pass there is nothing", {10, 30, 2, 2, 10}, 8, false, 0, 0, 0, 0},
		{"an empty window has no batch", {10, 10, 2, 0, 10}, 8, false, 0, 0, 0, 0},
		{"no window at all", {0, 0, 1, 1, 0}, 8, false, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct window window;
		struct window_batch batch = {.from_page = -1};
		bool more;

		window_start(&window, &cases[i].at);
		more = window_next(&window, cases[i].pages, &batch);
		if (more != cases[i].any || (!more && batch.from_page != -1))
			fail_msg("%s: %s", cases[i].what, more ? "there is one" : "there is none");
		if (more && (batch.from_page != cases[i].from_page || batch.end_page != cases[i].end_page ||
						batch.from_item != 0 || batch.end_item != 0 || batch.pass != cases[i].at.pass ||
						batch.then.pass != cases[i].then_pass || batch.then.page != cases[i].then_page))
			fail_msg("%s: pages %d to %d, then pass %d page %d", cases[i].what, (int)batch.from_page,
				(int)batch.end_page, batch.then.pass, (int)batch.then.page);
	}
}

/* Walks the window with batches of any size and counts the visits of each page in each pass. At any batch the
 * daemon may crash: it then starts anew from the bookmark that was committed, which is the batch's or the one
 * before. */
static void walk(const struct window_bookmark *from, int crash_per_cent, unsigned char *visits)
{
	struct window window;
	struct window_batch batch;
	int64_t pages = from->end_page - from->from_page;

	window_start(&window, from);
	while (window_next(&window, any(1, pages + 3), &batch)) {
		bool commits = any(0, 99) >= crash_per_cent;

		assert_true(batch.from_page >= from->from_page && batch.end_page <= from->end_page);
		assert_true(batch.from_page < batch.end_page);
		if (commits) {
			for (int64_t page = batch.from_page; page < batch.end_page; page++)
				visits[batch.pass * pages + page - from->from_page]++;
			window_done(&window, &batch, 0, 0);
		}
		if (!commits || any(0, 99) < crash_per_cent) {
			struct window_bookmark kept = window.bookmark;

			window_start(&window, &kept);
		}
	}
	assert_int_equal(window.bookmark.pass, from->passes);
}

static void batches_cover_every_page_in_each_pass_exactly_once(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct window_bookmark from = fresh(any(0, 100000), any(1, 200), (int)any(1, WINDOW_PASSES_MOST));
		size_t cells = (size_t)((from.end_page - from.from_page) * from.passes);
		unsigned char *visits = memory_new(cells);

		walk(&from, round % 2 ? 20 : 0, visits);
		for (size_t i = 0; i < cells; i++)
			assert_int_equal(visits[i], 1);
		free(visits);
	}
}

/* ---- done ---- */

static void useless_passes_are_left_out(void **state)
{
	static const struct {
		const char *what;
		int passes;
		int64_t updated, hot; /* in each pass of the window */
		int walked;
	} cases[] = {
		{"everything is updated in place: all passes", 8, 1000, 1000, 8},
		{"a tenth of it is: all passes", 8, 1000, 100, 8},
		{"less than a tenth: after two passes straight to the last", 8, 1000, 99, 3},
		{"nothing is: the same", 16, 1000, 0, 3},
		{"too few updates to tell", 8, 16, 0, 8},
		{"a few more passes until there are enough to tell", 8, 40, 0, 5},
		{"three passes have none to leave out", 3, 1000, 0, 3},
		{"nor have two", 2, 1000, 0, 2},
		{"nor one", 1, 1000, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct window_bookmark from = fresh(0, 10, cases[i].passes);
		struct window window;
		struct window_batch batch = {0};
		int walked = 0;

		window_start(&window, &from);
		while (window_next(&window, 10, &batch)) {
			window_done(&window, &batch, cases[i].updated, cases[i].hot);
			walked++;
		}
		if (walked != cases[i].walked || batch.pass != cases[i].passes - 1)
			fail_msg("%s: %d passes, the last was %d", cases[i].what, walked, batch.pass);
	}
}

static void a_disturbed_window_leaves_nothing_out(void **state)
{
	struct window_bookmark from = fresh(0, 10, 8);
	struct window window;
	struct window_batch batch;
	int walked = 0;

	(void)state;
	window_start(&window, &from);
	window_disturb(&window);
	while (window_next(&window, 10, &batch)) {
		window_done(&window, &batch, 1000, 0);
		walked++;
	}
	assert_int_equal(walked, 8);
}

static void no_pass_is_left_half_walked(void **state)
{
	struct window_bookmark from = fresh(0, 10, 8);
	struct window window;
	struct window_batch batch;
	int64_t expected = 0;

	(void)state;
	window_start(&window, &from);
	while (window_next(&window, 3, &batch)) {
		assert_int_equal(batch.from_page, expected);
		expected = batch.end_page == 10 ? 0 : batch.end_page;
		window_done(&window, &batch, 1000, 0);
	}
}

static void the_tally_tells_the_first_pass_from_the_later_ones(void **state)
{
	struct window_bookmark from = fresh(0, 4, 3);
	struct window window;
	struct window_batch batch;

	(void)state;
	window_start(&window, &from);
	while (window_next(&window, 2, &batch))
		window_done(&window, &batch, 10, batch.pass == 0 ? 1 : 7);
	assert_int_equal(window.tally.first_updated, 20);
	assert_int_equal(window.tally.first_hot, 2);
	assert_int_equal(window.tally.later_updated, 40);
	assert_int_equal(window.tally.later_hot, 28);
}

/* Every second row deleted: the even places are all empty. */
static void the_first_pass_is_the_first_that_finds_rows(void **state)
{
	struct window_bookmark from = fresh(0, 4, 4);
	struct window window;
	struct window_batch batch;

	(void)state;
	window_start(&window, &from);
	while (window_next(&window, 2, &batch))
		window_done(&window, &batch, batch.pass % 2 ? 10 : 0, batch.pass % 2 ? 9 : 0);
	assert_int_equal(window.tally.first_updated, 20);
	assert_int_equal(window.tally.later_updated, 20);
}

/* ---- the search ---- */

/* The row at (page,item) fails in every batch that holds it. */
static bool holds(const struct window_batch *batch, int64_t page, int item)
{
	if (batch->from_page > page || (batch->from_page == page && batch->from_item > item))
		return false;
	return batch->end_page > page || (batch->end_page == page && batch->end_item > item);
}

/* Batches from the first one that fails until the row is found. */
static int batches_to_find(struct window *window, int64_t pages, int64_t bad_page, int bad_item)
{
	struct window_batch batch;
	int batches = 0;

	while (window_next(window, pages, &batch)) {
		batches += batches > 0;
		assert_true(batches < 1000);
		if (!holds(&batch, bad_page, bad_item)) {
			window_done(window, &batch, 0, 0);
			continue;
		}
		batches += batches == 0;
		if (!window_narrow(window, &batch))
			continue;
		assert_int_equal(batch.from_page, bad_page);
		assert_int_equal(batch.from_item, bad_item);
		return batches;
	}
	fail_msg("the row (%d,%d) was not found", (int)bad_page, bad_item);
	return 0;
}

static int log2_of(int64_t number)
{
	int bits = 0;

	while (number > 1) {
		number = (number + 1) / 2;
		bits++;
	}
	return bits;
}

static void a_search_ends_at_the_bad_row_after_a_logarithm_of_batches(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct window_bookmark from = fresh(any(0, 1000), any(1, 5000), 1);
		int64_t pages = any(1, 600);
		int64_t bad_page = any(from.from_page, from.end_page - 1);
		struct window window;
		int batches;

		window_start(&window, &from);
		batches = batches_to_find(&window, pages, bad_page, (int)any(1, WINDOW_ITEMS - 1));
		/* each halving costs the batch that fails and at most two that succeed before the next fails */
		assert_in_range(batches, 1, 3 * log2_of(pages) + log2_of(WINDOW_ITEMS) + 5);
		assert_false(window.search.on);
	}
}

static void a_search_over_a_row_that_was_mended_meanwhile_goes_on_as_before(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct window_bookmark from = fresh(0, any(1, 300), (int)any(1, 4));
		int64_t bad_page = any(0, from.end_page - 1);
		int failures = (int)any(1, 18);
		int batches = 0;
		struct window window;
		struct window_batch batch;

		window_start(&window, &from);
		while (window_next(&window, 64, &batch)) {
			assert_in_range(++batches, 1, 5000);
			if (failures > 0 && holds(&batch, bad_page, 17) && batch.end_item != 18) {
				failures--;
				assert_false(window_narrow(&window, &batch));
			} else {
				window_done(&window, &batch, 0, 0);
			}
		}
		assert_int_equal(window.bookmark.pass, from.passes);
		assert_false(window.search.on);
	}
}

/* ---- sizes ---- */

static void the_size_of_a_window_in_memory(void **state)
{
	static const struct {
		const char *what;
		int64_t wanted, shared_buffers;
		int fillers;
		int64_t pages;
	} cases[] = {
		{"enough memory", 4096, 1 << 20, 1, 4096},
		{"enough for many", 4096, 1 << 20, 32, 4096},
		{"128 MB: an eighth", 4096, 16384, 1, 2048},
		{"which two may have each", 4096, 16384, 2, 2048},
		{"of more each has a part of a quarter", 4096, 16384, 3, 1365},
		{"eight of them", 4096, 16384, 8, 512},
		{"as many as there may be", 4096, 16384, 32, 128},
		{"the least there is", 4096, 16, 1, 64},
		{"also for each of many", 4096, 512, 32, 64},
		{"less was wanted", 10, 1 << 20, 1, 64},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t pages = window_pages_for(cases[i].wanted, cases[i].shared_buffers, cases[i].fillers);

		if (pages != cases[i].pages)
			fail_msg("%s: %d pages, not %d", cases[i].what, (int)pages, (int)cases[i].pages);
	}
}

static void all_windows_together_are_a_quarter_of_the_buffers(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t shared_buffers = any(16, 1 << 22);
		int fillers = (int)any(1, 100);
		int64_t pages = window_pages_for(any(1, 10000), shared_buffers, fillers);

		assert_true(pages >= 64);
		assert_true(pages == 64 || pages * fillers <= shared_buffers / 4);
	}
}

static void the_size_of_a_window_of_a_table(void **state)
{
	(void)state;
	assert_int_equal(window_pages_within(4096, 1 << 20), 4096); /* of a large table */
	assert_int_equal(window_pages_within(4096, 8192), 2048);    /* a quarter */
	assert_int_equal(window_pages_within(4096, 100), 1024);     /* of a small one */
	assert_int_equal(window_pages_within(512, 100), 512);       /* never more than memory allows */
	assert_int_equal(window_pages_within(4096, 8193), 2049);    /* and no window of one page behind it */
	assert_int_equal(window_pages_within(4096, 0), 1024);
}

static void work_done_in_a_window(void **state)
{
	static const struct {
		const char *what;
		struct window_bookmark at;
		double done;
	} cases[] = {
		{"nothing yet", {100, 200, 4, 0, 100}, 0},
		{"half of the first of four passes", {100, 200, 4, 0, 150}, 12.5},
		{"three of four passes", {100, 200, 4, 3, 100}, 75},
		{"all of it", {100, 200, 4, 4, 100}, 100},
		{"no window", {0, 0, 0, 0, 0}, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (window_pages_done(&cases[i].at) != cases[i].done)
			fail_msg("%s: %f", cases[i].what, window_pages_done(&cases[i].at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_batch),
		cmocka_unit_test(batches_cover_every_page_in_each_pass_exactly_once),
		cmocka_unit_test(useless_passes_are_left_out),
		cmocka_unit_test(a_disturbed_window_leaves_nothing_out),
		cmocka_unit_test(no_pass_is_left_half_walked),
		cmocka_unit_test(the_tally_tells_the_first_pass_from_the_later_ones),
		cmocka_unit_test(the_first_pass_is_the_first_that_finds_rows),
		cmocka_unit_test(a_search_ends_at_the_bad_row_after_a_logarithm_of_batches),
		cmocka_unit_test(a_search_over_a_row_that_was_mended_meanwhile_goes_on_as_before),
		cmocka_unit_test(the_size_of_a_window_in_memory),
		cmocka_unit_test(all_windows_together_are_a_quarter_of_the_buffers),
		cmocka_unit_test(the_size_of_a_window_of_a_table),
		cmocka_unit_test(work_done_in_a_window),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
