/*
 * patience: gates over time, and whether a job's limits bind the others meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/patience.h"

#define LOOK_MS 100

struct stretch {
	double s;
	bool is_open;
	bool another_goes;
};

static int64_t run(struct patience *patience, int64_t now_ms, const struct stretch *stretch)
{
	int64_t end_ms = now_ms + (int64_t)(1e3 * stretch->s);

	while (now_ms < end_ms) {
		now_ms += LOOK_MS;
		patience_note(patience, stretch->is_open, stretch->another_goes, now_ms);
	}
	return now_ms;
}

static void when_it_binds_nobody(void **state)
{
	static const struct {
		const char *what;
		struct stretch stretches[8]; /* up to one of no time */
		bool gives_way;
	} cases[] = {
		{"its gate is open", {{3600, true, true}}, false},
		{"it waits for a short while", {{9, false, true}}, false},
		{"it waits in vain", {{11, false, true}}, true},
		{"nobody can go: nothing is tried", {{3600, false, false}}, false},
		{"nor does that count for later", {{3600, false, false}, {9, false, true}}, false},
		{"it is tried again after a minute", {{11, false, true}, {60, false, true}}, false},
		{"for longer than before", {{11, false, true}, {60, false, true}, {19, false, true}}, false},
		{"in vain", {{11, false, true}, {60, false, true}, {21, false, true}}, true},
		{"the second pause is twice as long",
			{{11, false, true}, {60, false, true}, {21, false, true}, {118, false, true}}, true},
		{"and ends", {{11, false, true}, {60, false, true}, {21, false, true}, {120, false, true}}, false},
		{"a pause in which nobody goes is none", {{11, false, true}, {3600, false, false}}, true},
		{"a gate that opens for a moment does not begin anew",
			{{6, false, true}, {1, true, true}, {6, false, true}}, true},
		{"nor does it end a pause", {{11, false, true}, {5, true, true}, {5, false, true}}, true},
		{"one that stays open ends it", {{11, false, true}, {11, true, true}}, false},
		{"and then all is as at first", {{11, false, true}, {11, true, true}, {9, false, true}}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct patience patience = {0};
		int64_t now_ms = 5000;

		for (const struct stretch *stretch = cases[i].stretches; stretch->s > 0; stretch++)
			now_ms = run(&patience, now_ms, stretch);
		if (patience.gives_way != cases[i].gives_way)
			fail_msg("%s", cases[i].what);
	}
}

/* A foreground that shuts its gate for half a second each five. */
static void a_gate_that_is_shut_for_moments_keeps_its_limits(void **state)
{
	struct patience patience = {0};
	int64_t now_ms = 5000;

	(void)state;
	for (int i = 0; i < 120; i++) {
		now_ms = run(&patience, now_ms, &(struct stretch){4.5, true, true});
		now_ms = run(&patience, now_ms, &(struct stretch){0.5, false, true});
		assert_false(patience.gives_way);
	}
}

static void it_is_tried_again_every_ten_minutes_at_least(void **state)
{
	struct patience patience = {0};
	int64_t now_ms = run(&patience, 5000, &(struct stretch){10 * 3600, false, true});
	int tried = 0;

	(void)state;
	for (int i = 0; i < 720; i++) {
		now_ms = run(&patience, now_ms, &(struct stretch){1, false, true});
		tried += !patience.gives_way;
	}
	assert_in_range(tried, 100, 125); /* of 712 s: a try and its pause */
}

static void time_in_which_nobody_looks_is_not_known(void **state)
{
	struct patience patience = {0};

	(void)state;
	patience_note(&patience, false, true, 1000);
	patience_note(&patience, false, true, 1000000);
	assert_false(patience.gives_way);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_it_binds_nobody),
		cmocka_unit_test(a_gate_that_is_shut_for_moments_keeps_its_limits),
		cmocka_unit_test(it_is_tried_again_every_ten_minutes_at_least),
		cmocka_unit_test(time_in_which_nobody_looks_is_not_known),
	};

	return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
