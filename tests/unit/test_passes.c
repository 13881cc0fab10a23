/*
 * window: how many passes, for a first window and from what the windows before tell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/window.h"

#define ROUNDS 2000

static uint64_t dice = 20261122;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

static void passes_for_a_table(void **state)
{
	static const struct {
		const char *what;
		double rows_per_page;
		int indexes;
		int passes;
	} cases[] = {
		{"rows of 120 bytes with indexes: every fifth or sixth row", 64, 3, 11},
		{"without indexes a few passes will do", 64, 0, 4},
		{"tiny rows: not more than is worth it", 226, 4, 12},
		{"sixty rows a page and a primary key: no more than save its index entries", 60, 1, 8},
		{"tiny rows and a primary key: the same", 226, 1, 8},
		{"tiny rows without indexes", 226, 0, 4},
		{"wide rows: at most one pass for two rows of a page", 5, 2, 2},
		{"ten rows a page and indexes: the same", 10, 2, 5},
		{"ten rows a page and a primary key", 10, 1, 2},
		{"thirty, and indexes: the fewest that save index entries", 30, 2, 8},
		{"sixty rows a page, no index", 60, 0, 4},
		{"three rows a page", 3, 2, 1},
		{"ten rows a page, no index", 10, 0, 2},
		{"rows wider than a page", 0.3, 2, 1},
		{"one row a page", 1, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int passes = window_passes_for(cases[i].rows_per_page, cases[i].indexes);

		if (passes != cases[i].passes)
			fail_msg("%s: %d", cases[i].what, passes);
	}
}

static void what_a_course_learns_from_a_window(void **state)
{
	static const struct {
		const char *what;
		struct window_course before;
		int walked;
		struct window_tally tally;
		int passes;
		bool stuck;
		enum window_turn turn;
	} cases[] = {
		{"pruning gives room: as before", {.passes_most = 16, .passes = 16}, 16,
			{1000, 10, 3000, 2900, false, 0}, 16, false, WINDOW_NO_TURN},
		{"pruning gives none: something holds the horizon, one pass", {.passes_most = 16, .passes = 16}, 16,
			{1000, 10, 3000, 10, false, 0}, 1, true, WINDOW_GOT_STUCK},
		{"that is said once", {.passes_most = 16, .passes = 16, .stuck = true}, 16,
			{1000, 10, 3000, 10, false, 0}, 1, true, WINDOW_NO_TURN},
		{"it gives room again: that is said too", {.passes_most = 16, .passes = 16, .stuck = true}, 16,
			{1000, 10, 3000, 2900, false, 0}, 16, false, WINDOW_GOT_FREE},
		{"a window that was disturbed says nothing", {.passes_most = 16, .passes = 16}, 16,
			{1000, 10, 3000, 10, true, 0}, 16, false, WINDOW_NO_TURN},
		{"the pages had room: half the passes", {.passes_most = 16, .passes = 16, .passes_least = 1}, 16,
			{1000, 950, 3000, 2900, false, 0}, 8, false, WINDOW_NO_TURN},
		{"the pages had room in two passes: one", {.passes_most = 16, .passes = 2, .passes_least = 1}, 2,
			{1000, 950, 3000, 2900, false, 0}, 1, false, WINDOW_NO_TURN},
		{"but no fewer than were too few before", {.passes_most = 16, .passes = 8, .passes_least = 8}, 8,
			{1000, 950, 3000, 2900, false, 0}, 8, false, WINDOW_NO_TURN},
		{"half the passes were too few: twice as many", {.passes_most = 16, .passes = 4, .passes_least = 1},
			4, {1000, 700, 3000, 2900, false, 0}, 8, false, WINDOW_NO_TURN},
		{"room in the first pass and none later is a full page, not a horizon",
			{.passes_most = 16, .passes = 16, .passes_least = 1}, 16, {1000, 950, 3000, 10, false, 0}, 8,
			false, WINDOW_NO_TURN},
		{"too few updates tell nothing", {.passes_most = 16, .passes = 16}, 16, {99, 0, 3000, 0, false, 0},
			16, false, WINDOW_NO_TURN},
		{"nor too few in the later passes", {.passes_most = 16, .passes = 16, .stuck = true}, 16,
			{1000, 0, 99, 0, false, 0}, 16, true, WINDOW_NO_TURN},
		{"a window in one pass with room stays at one", {.passes_most = 16, .passes = 1, .singles_most = 1},
			1, {1000, 950, 0, 0, false, 0}, 1, false, WINDOW_NO_TURN},
		{"after a window in one pass the passes are tried again",
			{.passes_most = 16, .passes = 1, .singles_most = 1, .stuck = true}, 1, {1000, 10, 0, 0, false, 0},
			16, true, WINDOW_NO_TURN},
		{"after tries in vain, later", {.passes_most = 16, .passes = 1, .singles_most = 2, .stuck = true}, 1,
			{1000, 10, 0, 0, false, 0}, 1, true, WINDOW_NO_TURN},
		{"a window that was walked in another number of passes than the next one",
			{.passes_most = 16, .passes = 8, .passes_least = 1}, 4, {1000, 950, 3000, 2900, false, 0}, 2,
			false, WINDOW_NO_TURN},
		{"or in more than there may be now", {.passes_most = 1, .passes = 1, .passes_least = 1}, 16,
			{1000, 950, 3000, 2900, false, 0}, 1, false, WINDOW_NO_TURN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct window_course course = cases[i].before;
		enum window_turn turn = window_course_learn(&course, cases[i].walked, &cases[i].tally);

		if (course.passes != cases[i].passes || course.stuck != cases[i].stuck || turn != cases[i].turn)
			fail_msg("%s: %d passes, %s, turn %d", cases[i].what, course.passes,
				course.stuck ? "stuck" : "not stuck", (int)turn);
	}
}

/* Of 100 windows, while the horizon stands still until window `free_at`. */
static void a_pinned_horizon_costs_few_tries_and_is_soon_noticed_to_move(void **state)
{
	static const struct {
		const char *what;
		int free_at;
		int tries_most; /* with passes, until then */
		int late_most;  /* windows in one pass since then */
		int turns;
	} cases[] = {
		{"never", 0, 0, 0, 0},
		{"after one window", 1, 1, 1, 2},
		{"after three", 3, 2, 2, 2},
		{"after ten", 10, 4, 8, 2},
		{"after fifty", 50, 9, 8, 2},
		{"not at all", 100, 15, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct window_course course;
		int tries = 0, late = 0, turns = 0;

		window_course_start(&course, 10);
		for (int number = 0; number < 100; number++) {
			bool pinned = number < cases[i].free_at;
			struct window_tally tally = {.first_updated = 1000,
				.later_updated = course.passes > 1 ? 9000 : 0,
				.later_hot = pinned || course.passes == 1 ? 0 : 7000};

			tries += pinned && course.passes > 1;
			late += !pinned && course.passes == 1;
			turns += window_course_learn(&course, course.passes, &tally) != WINDOW_NO_TURN;
		}
		if (tries > cases[i].tries_most || late > cases[i].late_most || turns != cases[i].turns)
			fail_msg("free %s: %d tries, %d windows late, %d turns", cases[i].what, tries, late, turns);
	}
}

/* Pages with room for `room` of their rows' growth in the first pass. */
static void passes_settle_where_the_room_suffices(void **state)
{
	static const struct {
		double room; /* a first pass that takes no more of the rows finds room for all of them */
		int passes;
	} cases[] = {{0, 16}, {0.05, 16}, {0.07, 16}, {0.15, 8}, {0.26, 4}, {0.6, 2}, {1, 1}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct window_course course;
		int changes = 0;

		window_course_start(&course, 16);
		for (int number = 0; number < 50; number++) {
			double fits = cases[i].room * course.passes;
			struct window_tally tally = {.first_updated = 1000,
				.first_hot = (int64_t)(1000 * (fits < 1 ? fits : 1)),
				.later_updated = course.passes > 1 ? 9000 : 0,
				.later_hot = course.passes > 1 ? 7000 : 0};
			int before = course.passes;

			(void)window_course_learn(&course, course.passes, &tally);
			changes += number >= 10 && course.passes != before;
		}
		if (course.passes != cases[i].passes || changes > 0)
			fail_msg("room %.2f: %d passes, %d late changes", cases[i].room, course.passes, changes);
	}
}

static void a_course_never_leaves_its_bounds(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct window_course course;
		int most = (int)any(1, WINDOW_PASSES_MOST);

		window_course_start(&course, most);
		assert_int_equal(course.passes, most);
		for (int step = 0; step < 20; step++) {
			int64_t first = any(0, 2000);
			int64_t later = any(0, 2000);
			struct window_tally tally = {first, any(0, first), later, any(0, later), any(0, 9) == 0, 0};

			(void)window_course_learn(&course, course.passes, &tally);
			assert_in_range(course.passes, 1, most);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_for_a_table),
		cmocka_unit_test(what_a_course_learns_from_a_window),
		cmocka_unit_test(a_pinned_horizon_costs_few_tries_and_is_soon_noticed_to_move),
		cmocka_unit_test(passes_settle_where_the_room_suffices),
		cmocka_unit_test(a_course_never_leaves_its_bounds),
	};

	return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
