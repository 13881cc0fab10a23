#include "daemon/sweep.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *name_of(enum sweep_verdict verdict)
{
	switch (verdict) {
	case SWEEP_WATCH:
		return "watch";
	case SWEEP_AGAIN:
		return "again";
	case SWEEP_COUNT:
		return "count";
	case SWEEP_DONE:
		return "done";
	case SWEEP_HOPELESS:
		return "hopeless";
	}
	return "?";
}

static void what_a_walk_proves(void **state)
{
	static const struct {
		const char *what;
		enum job_sync sync;
		bool volatile_value;
		bool own_update_triggers;
		struct sweep_walk walk;
		struct sweep_past past;
		enum sweep_verdict verdict;
	} cases[] = {
		{"the fill itself proves nothing yet", JOB_SYNC_FILL, false, false, {0, true, 500, false},
			{.rows = 0}, SWEEP_WATCH},
		{"... also when it found nothing", JOB_SYNC_NONE, false, false, {0, true, 0, false}, {.rows = 0},
			SWEEP_WATCH},
		{"a whole sweep that found nothing is the proof", JOB_SYNC_FILL, false, false, {1, true, 0, false},
			{.rows = 500}, SWEEP_DONE},
		{"one that was interrupted is none", JOB_SYNC_FILL, false, false, {1, false, 0, false}, {.rows = 0},
			SWEEP_AGAIN},
		{"one that left locked rows is none", JOB_SYNC_FILL, false, false, {1, true, 0, true}, {.rows = 0},
			SWEEP_AGAIN},
		{"one that filled a row is followed by another", JOB_SYNC_FILL, false, false, {1, true, 1, false},
			{.rows = 9}, SWEEP_AGAIN},
		{"a trigger of the user's may have kept rows: count", JOB_SYNC_FILL, false, true, {1, true, 0, false},
			{.rows = 9}, SWEEP_COUNT},
		{"a volatile value cannot be counted on", JOB_SYNC_FILL, true, true, {1, true, 0, false}, {.rows = 9},
			SWEEP_DONE},
		{"without sync the third sweep is the last", JOB_SYNC_NONE, false, false, {3, true, 4, false},
			{.rows = 4}, SWEEP_COUNT},
		{"... not the second", JOB_SYNC_NONE, false, false, {2, true, 4, false}, {.rows = 4}, SWEEP_AGAIN},
		{"... and not while rows are locked", JOB_SYNC_NONE, false, false, {3, true, 4, true}, {.rows = 4},
			SWEEP_AGAIN},
		{"... for an hour", JOB_SYNC_NONE, false, false, {119, true, 4, true}, {4, 4, 20000, 3, 80},
			SWEEP_AGAIN},
		{"... and no longer", JOB_SYNC_NONE, false, false, {120, true, 4, true}, {4, 4, 20000, 3, 80},
			SWEEP_COUNT},
		{"a tenth sweep that finds no fewer rows is hopeless", JOB_SYNC_DERIVE, false, false,
			{10, true, 40, false}, {40, 60, 460, 0, 9}, SWEEP_HOPELESS},
		{"... not the ninth", JOB_SYNC_DERIVE, false, false, {9, true, 40, false}, {40, 60, 460, 0, 8},
			SWEEP_AGAIN},
		{"one that finds fewer gets somewhere", JOB_SYNC_DERIVE, false, false, {10, true, 39, false},
			{40, 60, 460, 0, 9}, SWEEP_AGAIN},
		{"locked rows alone are never hopeless", JOB_SYNC_FILL, false, false, {50, true, 0, true},
			{0, 1, 5, 49, 0}, SWEEP_AGAIN},
		{"nor a row that was locked for ten sweeps and is not any more", JOB_SYNC_FILL, false, false,
			{11, true, 1, false}, {0, 0, 0, 10, 0}, SWEEP_AGAIN},
		{"nor when others were found before it", JOB_SYNC_FILL, false, false, {31, true, 1, false},
			{1, 1, 12, 20, 10}, SWEEP_AGAIN},
		{"nor when it is the last of those that took turns", JOB_SYNC_FILL, false, false, {11, true, 2, true},
			{1, 1, 10, 10, 0}, SWEEP_AGAIN},
		{"... fifty of them", JOB_SYNC_FILL, false, false, {51, true, 1, true}, {1, 1, 50, 50, 0},
			SWEEP_AGAIN},
		{"the same rows again and again are, beside others that are locked", JOB_SYNC_FILL, false, false,
			{31, true, 980, true}, {970, 1000, 29100, 30, 0}, SWEEP_HOPELESS},
		{"... not before thirty times", JOB_SYNC_FILL, false, false, {30, true, 980, true},
			{970, 1000, 28900, 29, 0}, SWEEP_AGAIN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = {.sync = cases[i].sync, .volatile_value = cases[i].volatile_value};
		struct sweep_table table = {.own_update_triggers = cases[i].own_update_triggers};
		enum sweep_verdict verdict = sweep_judge(&job, &table, &cases[i].past, &cases[i].walk);

		if (verdict != cases[i].verdict)
			fail_msg("%s: %s", cases[i].what, name_of(verdict));
	}
}

static void what_is_remembered_of_the_walks(void **state)
{
	static const struct sweep_walk walks[] = {{0, true, 500, false}, {1, true, 7, true}, {2, true, 9, true},
		{3, true, 4, false}, {4, true, 0, false}};
	static const struct sweep_past pasts[] = {
		{.rows = 500}, {7, 0, 0, 1, 0}, {9, 9, 9, 2, 0}, {4, 9, 13, 0, 1}, {0, 9, 13, 0, 2}};
	struct sweep_past past = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(walks); i++) {
		sweep_remember(&past, &walks[i]);
		assert_int_equal(past.rows, pasts[i].rows);
		assert_int_equal(past.rows_most, pasts[i].rows_most);
		assert_int_equal(past.rows_all, pasts[i].rows_all);
		assert_int_equal(past.skipping, pasts[i].skipping);
		assert_int_equal(past.clear, pasts[i].clear);
	}
}

static void locked_rows_are_come_back_for_ever_more_rarely(void **state)
{
	static const int64_t pauses_ms[] = {1000, 1000, 2000, 4000, 8000, 16000, 30000, 30000};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pauses_ms); i++)
		assert_int_equal(sweep_pause_ms((int)i), pauses_ms[i]);
}

static void what_the_history_says_of_a_sweep(void **state)
{
	static const struct {
		struct sweep_walk walk;
		const char *sentence;
	} cases[] = {
		{{1, true, 0, false}, "sweep 1 over 44 pages found no pending row"},
		{{2, true, 7, false}, "sweep 2 over 44 pages found rows to fill"},
		{{3, false, 7, false}, "sweep 3 over 44 pages found rows to fill, but was interrupted"},
		{{4, false, 0, true},
			"sweep 4 over 44 pages found no pending row, and left rows that others had locked"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *sentence = sweep_describe(&cases[i].walk, 44);

		assert_string_equal(sentence, cases[i].sentence);
		free(sentence);
	}
}

static void why_a_job_fails_after_all_says_what_to_do(void **state)
{
	struct fault why = {0};

	(void)state;
	sweep_hopeless(&(struct sweep_walk){.number = 10, .rows_found = 7}, &why);
	assert_int_equal(why.kind, FAULT_JOB);
	assert_string_equal(why.message, "sweep 10 still found 7 rows to fill, as those before it did");
	assert_non_null(strstr(why.hint, "wanted = 'run'"));
	sweep_kept(3, "keep_old", &why);
	assert_int_equal(why.kind, FAULT_JOB);
	assert_string_equal(why.message, "3 rows stay without their value, though every batch succeeded");
	assert_non_null(strstr(why.hint, "(keep_old)"));
	fault_clear(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_walk_proves),
		cmocka_unit_test(what_is_remembered_of_the_walks),
		cmocka_unit_test(locked_rows_are_come_back_for_ever_more_rarely),
		cmocka_unit_test(what_the_history_says_of_a_sweep),
		cmocka_unit_test(why_a_job_fails_after_all_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
