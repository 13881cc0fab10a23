/*
 * progress: what the row and the history say of throttling, and the forecast as it is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "common/memory.h"
#include "daemon/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ASK_REPORT "SET waiting_for = $3"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct progress progress;
};

static int set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){0};
	scene_begin(&set.scene);
	fake_on(ASK_REPORT);
	progress_start(&set.progress, 400, 1000);
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	struct stage_set *set = *state;

	progress_clear(&set->progress);
	scene_end(&set->scene);
	return 0;
}

static bool throttle(struct stage_set *set, const char *reason, int64_t now_ms)
{
	return progress_throttle(&set->progress, &set->scene.task, reason, now_ms);
}

static struct filling_progress half_way(void)
{
	return (struct filling_progress){.pages_done = 2,
		.pages_total = 4,
		.rows = 200,
		.pace = {.capacity = -1,
			.allowance = -1,
			.foreground = -1,
			.share = -1,
			.impact = NAN,
			.impact_told = "being measured",
			.duty = -1}};
}

static void tell(struct stage_set *set, const struct filling_progress *filled, int64_t now_ms)
{
	progress_tell(&set->progress, &set->scene.task, filled, now_ms);
}

#define EVENT_KIND 2
#define EVENT_DETAIL 4
#define EVENT_MS 7
#define REPORT_THROTTLED_MS 10
#define REPORT_FORECAST 11

static void each_change_is_told_once(void **state)
{
	struct stage_set *set = *state;

	assert_false(throttle(set, NULL, 100));
	assert_int_equal(fake_asked(ASK_EVENT), 0);
	assert_true(throttle(set, "replica standby1 is 1.4 s behind", 200));
	assert_int_equal(fake_asked(ASK_EVENT), 1);
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_KIND), "throttle on");
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_DETAIL), "replica standby1 is 1.4 s behind");
	assert_null(fake_bound(ASK_EVENT, EVENT_MS));
	assert_false(throttle(set, "replica standby1 is 12.25 s behind", 900));
	assert_int_equal(fake_asked(ASK_EVENT), 1);
	assert_true(throttle(set, NULL, 1250));
	assert_int_equal(fake_asked(ASK_EVENT), 2);
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_KIND), "throttle off");
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_DETAIL), "replica standby1 is 1.4 s behind");
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_MS), "1050");
	assert_false(throttle(set, NULL, 1300));
	assert_int_equal(fake_asked(ASK_EVENT), 2);
}

static void which_reasons_are_the_same(void **state)
{
	static const struct {
		const char *before, *after;
		bool same;
	} cases[] = {
		{"replica a is 1.4 s behind", "replica a is 2 s behind", true},
		{"replica standby1 is 1 s behind", "replica standby2 is 1 s behind", false},
		{"replica standby11 is 1 s behind", "replica standby12 is 1 s behind", false},
		{"replica db-1 is 1 s behind", "replica db-2 is 1 s behind", false},
		{"replica db_1.a is 1 s behind", "replica db_1.b is 1 s behind", false},
		{"replica db.1 is 1 s behind", "replica db.2 is 1 s behind", false},
		{"load=9", "load=10.5", true},
		{"an application (9 transactions) is there", "an application (11 transactions) is there", true},
		{"replica a is 1 s behind", "replica a is 1 s behind and gone", false},
		{"replica a is 1", "replica a is 1 s behind", false},
		{"pid 12 waits", "pid 345 waits", true},
		{"43 segments wait", "100 segments wait", true},
		{"at 7", "at 8", true},
		{"at 7", "at x", false},
		{"replica a is 1.1 s behind", "replica a is 0.9 s behind, and one was more than 1.0 s", true},
		{"max_wal_rate", "max_wal_rate; jobs of higher priority come first", true},
		{"outside daily_window, which opens at 7", "outside, which opens at 7", false},
	};
	struct stage_set *set = *state;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t asked;

		(void)throttle(set, NULL, 0);
		(void)throttle(set, cases[i].before, 0);
		asked = fake_asked(ASK_EVENT);
		(void)throttle(set, cases[i].after, 10);
		(void)throttle(set, cases[i].after, 3000);
		if (fake_asked(ASK_EVENT) != asked + (cases[i].same ? 0 : 2))
			fail_msg("%s, then %s", cases[i].before, cases[i].after);
	}
}

static void another_reason_is_told_once_it_has_lasted(void **state)
{
	struct stage_set *set = *state;

	(void)throttle(set, "max_wal_rate", 0);
	assert_false(throttle(set, "the archiver fails", 1000));
	assert_false(throttle(set, "the archiver fails", 2999));
	assert_int_equal(fake_asked(ASK_EVENT), 1);
	assert_true(throttle(set, "the archiver fails", 3001));
	assert_int_equal(fake_asked(ASK_EVENT), 3);
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_KIND), "throttle on");
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_DETAIL), "the archiver fails");
	assert_true(throttle(set, NULL, 3500)); /* it came when it came, not when it was told */
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_KIND), "throttle off");
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_MS), "2500");
	assert_int_equal(fake_asked(ASK_EVENT), 4);
}

/* Two replicas that lag in turns, five times a second, for an hour. */
static void reasons_that_take_turns_are_one_throttle(void **state)
{
	static const char *const turns[] = {"replica a is 1.2 s behind", "replica b is 1.1 s behind"};
	struct stage_set *set = *state;

	for (int i = 0; i < 5 * 3600; i++)
		(void)throttle(set, turns[i % 2], (int64_t)i * 200);
	assert_int_equal(fake_asked(ASK_EVENT), 1);
	(void)throttle(set, NULL, 3600000);
	assert_int_equal(fake_asked(ASK_EVENT), 2);
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_DETAIL), turns[0]);
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_MS), "3600000");
}

/* ... or every ten seconds, for a day: the first changes are told as they come. */
static void slow_turns_are_few_events_too(void **state)
{
	static const char *const turns[] = {"replica a is 1.2 s behind", "replica b is 1.1 s behind"};
	struct stage_set *set = *state;

	for (int i = 0; i < 2 * 24 * 3600; i++)
		(void)throttle(set, turns[i / 20 % 2], (int64_t)i * 500);
	assert_in_range(fake_asked(ASK_EVENT), 3, 20);
	(void)throttle(set, NULL, (int64_t)24 * 3600 * 1000);
	assert_int_equal(fake_asked(ASK_EVENT) % 2, 0);
	(void)throttle(set, turns[0], (int64_t)25 * 3600 * 1000); /* another throttle: it is patient anew */
	(void)throttle(set, turns[1], (int64_t)25 * 3600 * 1000 + 100);
	assert_true(throttle(set, turns[1], (int64_t)25 * 3600 * 1000 + 2100));
}

/* Whether it was told in so many seconds, each half of which it is said again. */
static bool told_within(struct stage_set *set, const char *reason, int64_t *now_ms, int seconds)
{
	bool told = false;

	for (int i = 0; i < 2 * seconds; i++, *now_ms += 500)
		told = throttle(set, reason, *now_ms) || told;
	return told;
}

static void only_a_minute_of_one_reason_makes_it_impatient_again(void **state)
{
	static const char a[] = "replica a is 1.2 s behind", b[] = "replica b is 1.1 s behind";
	struct stage_set *set = *state;
	int64_t now_ms = 1000;

	assert_true(told_within(set, a, &now_ms, 3));
	assert_true(told_within(set, b, &now_ms, 3));
	for (int i = 0; i < 100; i++) {
		assert_false(told_within(set, a, &now_ms, 3)); /* four seconds are asked for now */
		assert_false(told_within(set, b, &now_ms, 3));
	}
	assert_true(told_within(set, a, &now_ms, 5));
	assert_false(told_within(set, b, &now_ms, 7)); /* eight */
	assert_false(told_within(set, a, &now_ms, 70));
	assert_true(told_within(set, b, &now_ms, 9));
	assert_true(told_within(set, a, &now_ms, 3)); /* two */
}

static void throttled_ms_is_what_the_filling_measured_and_earlier_ones(void **state)
{
	struct stage_set *set = *state;
	struct filling_progress filled = half_way();

	tell(set, &filled, 0);
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_THROTTLED_MS), "1000"); /* of earlier claims */
	filled.throttled = true; /* for most of the time: a batch goes now and then */
	filled.throttle_reason = "a";
	filled.throttled_ms = 200;
	tell(set, &filled, 350);
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_THROTTLED_MS), "1200");
	filled.throttled = false;
	filled.throttled_ms = 950;
	tell(set, &filled, 6000);
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_THROTTLED_MS), "1950");
	tell(set, NULL, 7000); /* the stage is over */
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_THROTTLED_MS), "1950");
}

static void a_report_tells_what_nobody_has_told(void **state)
{
	struct stage_set *set = *state;
	struct filling_progress filled = half_way();

	filled.throttled = true;
	filled.throttle_reason = "the archiver fails";
	tell(set, &filled, 100);
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_KIND), "throttle on");
	tell(set, NULL, 400); /* put down while throttled: no on without its off */
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_KIND), "throttle off");
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_MS), "300");
}

/* What a filling has measured to its end stays counted when another one begins at nothing. */
static void the_end_of_a_filling_is_its_last_word(void **state)
{
	struct stage_set *set = *state;
	struct filling_progress filled = half_way();

	filled.throttled = true;
	filled.throttle_reason = "replica r is 4 s behind";
	filled.throttled_ms = 250;
	tell(set, &filled, 100);
	filled.throttled_ms = 600;
	progress_end(&set->progress, &set->scene.task, &filled, 450);
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_KIND), "throttle off");
	assert_string_equal(fake_bound(ASK_EVENT, EVENT_MS), "350");
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_THROTTLED_MS), "1600");
	filled.throttled = false;
	filled.throttled_ms = 30;
	tell(set, &filled, 500);
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_THROTTLED_MS), "1630");
}

static void the_forecast_as_it_is_written(void **state)
{
	struct stage_set *set = *state;
	struct filling_progress filled = half_way();

	tell(set, &filled, 1);
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_FORECAST),
		"{\"state\": \"measuring\", \"impact\": \"being measured\"}");
	assert_null(fake_bound(ASK_REPORT, 8));
	filled.pages_done = 3;
	filled.rows = 300;
	filled.pace = (struct pace_view){.capacity = 2.5e7,
		.allowance = 2e7,
		.foreground = 0,
		.share = 1e7,
		.impact = -3.25,
		.impact_told = "measured",
		.duty = 0.8};
	filled.batch_pages = 64;
	tell(set, &filled, 4001);
	assert_string_equal(fake_bound(ASK_REPORT, REPORT_FORECAST),
		"{\"state\": \"ranged\", \"rows_per_s_60s\": 25.0, \"rows_per_s_15min\": 25.0, "
		"\"capacity_bytes_per_s\": 25000000.0, \"allowance_bytes_per_s\": 20000000.0, "
		"\"foreground_bytes_per_s\": 0.000, \"share_bytes_per_s\": 10000000.0, \"impact\": \"measured\", "
		"\"impact_percent\": -3.2, "
		"\"batches_at_once\": 0.800, \"batch_pages\": 64.0}");
	assert_string_equal(fake_bound(ASK_REPORT, 12), "2.764");
	assert_string_equal(fake_bound(ASK_REPORT, 13), "7.236");
	assert_string_equal(fake_bound(ASK_REPORT, 8), "5.000");
	tell(set, NULL, 5000);
	assert_null(fake_bound(ASK_REPORT, REPORT_FORECAST));
}

/* The night's rates are what the next night is forecast by. */
static void the_forecast_stands_while_the_window_is_shut(void **state)
{
	struct stage_set *set = *state;
	struct filling_progress filled = half_way();
	char *before;

	tell(set, &filled, 1);
	filled.pages_done = 3;
	filled.rows = 300;
	tell(set, &filled, 4001);
	before = memory_text(fake_bound(ASK_REPORT, 12));
	set->scene.task.job.outside_window = true;
	tell(set, &filled, 40000001);
	assert_string_equal(fake_bound(ASK_REPORT, 12), before);
	assert_string_equal(fake_bound(ASK_REPORT, 7), "0.000"); /* rows a second, now */
	set->scene.task.job.outside_window = false;
	tell(set, &filled, 40000002);
	assert_string_equal(fake_bound(ASK_REPORT, 12), before);
	assert_string_equal(fake_bound(ASK_REPORT, 7), "25.000");
	free(before);
}

static void what_the_status_line_says(void **state)
{
	static const struct {
		const struct filling_progress filled;
		const char *line;
	} cases[] = {
		{{.pages_done = 25, .pages_total = 200}, "job 7 public.users.v filling 12 %"},
		{{.pages_done = 0, .pages_total = 0}, "job 7 public.users.v filling (sweep 0)"},
		{{.sweep = 2, .pages_done = 25, .pages_total = 200}, "job 7 public.users.v filling (sweep 2)"},
	};
	struct job job = {
		.id = 7, .table_name = (char *)"public.users", .column_name = (char *)"v", .stage = STAGE_FILLING};
	struct text line = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		text_clear(&line);
		progress_describe(&job, &cases[i].filled, &line);
		assert_string_equal(text_is(&line), cases[i].line);
	}
	job.stage = STAGE_SEALING;
	text_clear(&line);
	progress_describe(&job, NULL, &line);
	assert_string_equal(text_is(&line), "job 7 public.users.v sealing");
	text_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(each_change_is_told_once),
		cmocka_unit_test(what_the_status_line_says),
		CASE(which_reasons_are_the_same),
		CASE(another_reason_is_told_once_it_has_lasted),
		CASE(reasons_that_take_turns_are_one_throttle),
		CASE(slow_turns_are_few_events_too),
		CASE(only_a_minute_of_one_reason_makes_it_impatient_again),
		CASE(throttled_ms_is_what_the_filling_measured_and_earlier_ones),
		CASE(a_report_tells_what_nobody_has_told),
		CASE(the_end_of_a_filling_is_its_last_word),
		CASE(the_forecast_as_it_is_written),
		CASE(the_forecast_stands_while_the_window_is_shut),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
