/*
 * nearest: slips of the finger, and words that only look alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/nearest.h"

#include <string.h>

static void test_nearest(void **state)
{
	static const char *const words[] = {"batch_ms", "workers", "max_lag_ms", "poll_ms", "http"};
	static const struct {
		const char *what;
		const char *word;
		const char *nearest;
	} cases[] = {
		{"a letter left out", "batch_m", "batch_ms"},
		{"a letter too many", "batchh_ms", "batch_ms"},
		{"another letter", "batch-ms", "batch_ms"},
		{"two letters swapped", "wrokers", "workers"},
		{"swapped and left out", "wroker", "workers"},
		{"a short word allows one edit", "htp", "http"},
		{"a third of the letters may be wrong, not more", "poll", NULL},
		{"nothing resembles it", "retries", NULL},
		{"an empty word", "", NULL},
		{"the word itself", "http", "http"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *nearest = nearest_word(cases[i].word, words, COUNT_OF(words));

		if (!nearest != !cases[i].nearest || (nearest && strcmp(nearest, cases[i].nearest) != 0))
			fail_msg("%s: %s", cases[i].what, nearest ? nearest : "none");
	}
	assert_int_equal(nearest_distance("ca", "abc"), 3); /* no substring is edited twice */
	assert_int_equal(nearest_distance("", "abc"), 3);
	assert_true(nearest_distance("a", "0123456789012345678901234567890123456789012345678901234567890123") ==
				SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
