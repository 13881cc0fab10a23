/*
 * stage: the life of a job. Whatever stages have work, each move on the way has its reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/stage.h"

#include <string.h>

#define ALWAYS                                                                                               \
	(STAGE_BIT(STAGE_PLANNING) | STAGE_BIT(STAGE_ADDING) | STAGE_BIT(STAGE_SEALING) |                        \
		STAGE_BIT(STAGE_ANALYZING))

static void every_stage_has_a_name_that_is_read_back(void **state)
{
	enum stage stage;

	(void)state;
	for (int i = STAGE_QUEUED; i <= STAGE_ROLLED_BACK; i++) {
		assert_true(stage_parse(stage_name((enum stage)i), &stage));
		assert_int_equal(stage, i);
	}
	stage = STAGE_DONE;
	assert_false(stage_parse("Filling", &stage));
	assert_false(stage_parse("", &stage));
	assert_int_equal(stage, STAGE_DONE);
}

static void which_stage_follows(void **state)
{
	static const struct {
		const char *what;
		enum stage stage;
		unsigned work;
		enum stage next;
	} cases[] = {
		{"a claimed job is planned", STAGE_QUEUED, ALWAYS, STAGE_PLANNING},
		{"with rows to fill", STAGE_ADDING, ALWAYS | STAGE_BIT(STAGE_FILLING), STAGE_FILLING},
		{"with nothing to fill", STAGE_ADDING, ALWAYS, STAGE_SEALING},
		{"nothing to fill, but an index", STAGE_ADDING, ALWAYS | STAGE_BIT(STAGE_INDEXING), STAGE_INDEXING},
		{"filled, no index", STAGE_FILLING, ALWAYS | STAGE_BIT(STAGE_FILLING), STAGE_SEALING},
		{"the end", STAGE_ANALYZING, ALWAYS, STAGE_DONE},
		{"no work at all", STAGE_QUEUED, 0, STAGE_DONE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (stage_next(cases[i].stage, cases[i].work) != cases[i].next)
			fail_msg("%s: %s", cases[i].what, stage_name(stage_next(cases[i].stage, cases[i].work)));
}

static void a_job_gets_from_queued_to_done_whatever_has_work(void **state)
{
	static const unsigned more[] = {0, STAGE_BIT(STAGE_FILLING), STAGE_BIT(STAGE_INDEXING),
		STAGE_BIT(STAGE_FILLING) | STAGE_BIT(STAGE_INDEXING)};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(more); i++) {
		enum stage stage = STAGE_QUEUED;

		while (stage != STAGE_DONE) {
			enum stage next = stage_next(stage, ALWAYS | more[i]);

			if (!stage_move_reason(stage, next) || !stage_move_reason(stage, STAGE_FAILED))
				fail_msg("no reason from %s to %s or to failed", stage_name(stage), stage_name(next));
			stage = next;
		}
	}
}

static void every_stage_has_its_ways_back(void **state)
{
	(void)state;
	for (int stage = STAGE_QUEUED; stage <= STAGE_ANALYZING; stage++)
		if (!stage_move_reason((enum stage)stage, STAGE_CANCELLED) ||
			!stage_move_reason((enum stage)stage, STAGE_ROLLING_BACK))
			fail_msg("no reason from %s to cancelled or to rolling_back", stage_name((enum stage)stage));
	assert_non_null(stage_move_reason(STAGE_DONE, STAGE_ROLLING_BACK));
	assert_non_null(stage_move_reason(STAGE_ROLLING_BACK, STAGE_ROLLED_BACK));
	assert_non_null(stage_move_reason(STAGE_ROLLING_BACK, STAGE_FAILED));
	assert_null(stage_move_reason(STAGE_DONE, STAGE_CANCELLED));
	assert_null(stage_move_reason(STAGE_ROLLING_BACK, STAGE_CANCELLED));
}

static void moves_that_may_not_be(void **state)
{
	static const struct {
		enum stage from, to;
	} cases[] = {
		{STAGE_QUEUED, STAGE_FILLING},
		{STAGE_FILLING, STAGE_ADDING},
		{STAGE_INDEXING, STAGE_FILLING},
		{STAGE_SEALING, STAGE_DONE},
		{STAGE_DONE, STAGE_FAILED},
		{STAGE_FAILED, STAGE_DONE},
		{STAGE_CANCELLED, STAGE_FILLING},
		{STAGE_FILLING, STAGE_FILLING},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (stage_move_reason(cases[i].from, cases[i].to))
			fail_msg("from %s to %s", stage_name(cases[i].from), stage_name(cases[i].to));
}

static void holds_stand_before_their_stages(void **state)
{
	static const struct {
		const char *name;
		enum stage_hold hold;
		enum stage before;
	} cases[] = {
		{"add", STAGE_HOLD_ADD, STAGE_ADDING},
		{"fill", STAGE_HOLD_FILL, STAGE_FILLING},
		{"seal", STAGE_HOLD_SEAL, STAGE_SEALING},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_string_equal(stage_hold_name(cases[i].hold), cases[i].name);
		assert_int_equal(stage_hold_before(cases[i].before), cases[i].hold);
	}
	assert_string_equal(stage_hold_name(STAGE_HOLD_NONE), "");
	assert_int_equal(stage_hold_before(STAGE_PLANNING), STAGE_HOLD_NONE);
	assert_int_equal(stage_hold_before(STAGE_ANALYZING), STAGE_HOLD_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stage_has_a_name_that_is_read_back),
		cmocka_unit_test(which_stage_follows),
		cmocka_unit_test(a_job_gets_from_queued_to_done_whatever_has_work),
		cmocka_unit_test(every_stage_has_its_ways_back),
		cmocka_unit_test(moves_that_may_not_be),
		cmocka_unit_test(holds_stand_before_their_stages),
	};

	return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
