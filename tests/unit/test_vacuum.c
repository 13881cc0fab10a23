/*
 * vacuum: what part of the time one may have, and the cost limit with which it has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/vacuum.h"

#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(100000)

static void beside_batches_and_replicas_it_has_its_part(void **state)
{
	static const struct {
		const char *what;
		double time, used;
		bool replica_limits, stands;
		double vacuum_bytes;
		double part;
	} cases[] = {
		{"nothing limits", -1, 1, false, false, -1, 1.0},
		{"half of what batches may have", 0.2, 0.2, false, false, -1, 0.1},
		{"never more than all of the time", 4, 4, false, false, -1, 1.0},
		{"a replica limits: an eighth of what batches use", -1, 0.4, true, false, -1, 0.05},
		{"those of two workers", -1, 1.6, true, false, -1, 0.2},
		{"which stand still", -1, 0, true, false, -1, 0.04},
		{"both do: the lesser", 0.2, 1.6, true, false, -1, 0.1},
		{"both do, the replica more", 0.8, 0.4, true, false, -1, 0.05},
		{"batches may not go at all", 0.2, 0.2, false, true, -1, 0},
		/* 21 credits for 8192 bytes: 2563 a second, 5.4 before each sleep, where 260 are half of the time */
		{"max_wal_rate of 4 MB/s", -1, 1, false, false, 1e6, 0.0203},
		{"of 400 MB/s", -1, 1, false, false, 1e8, 0.6744},
		{"a tight one beside an application", 0.2, 0.2, false, false, 1e6, 0.0203},
		{"a wide one", 0.2, 0.2, false, false, 1e8, 0.1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		double part = vacuum_part(&(struct pace_view){
			.time = cases[i].time,
			.used = cases[i].used,
			.replica_limits = cases[i].replica_limits,
			.stands = cases[i].stands,
			.vacuum_bytes = cases[i].vacuum_bytes,
		});

		if (part < 0.999 * cases[i].part || part > 1.001 * cases[i].part)
			fail_msg("%s: %g", cases[i].what, part);
	}
}

static void a_part_is_a_cost(void **state)
{
	static const struct {
		double part;
		int limit, delay_ms;
	} cases[] = {
		{1.0, 2000, 2},
		{0.5, 260, 2},
		{0.1, 28, 2},
		{0.04, 21, 4},
		{0.01, 21, 16}, /* the server saves up no more than it sleeps for at once: a page of 21 credits */
		{0.0001, 21, 100},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct vacuum_cost cost = vacuum_cost(cases[i].part);

		if (cost.limit != cases[i].limit || cost.delay_ms != cases[i].delay_ms)
			fail_msg("%g: %d, %d ms", cases[i].part, cost.limit, cost.delay_ms);
	}
}

/* One that began with a tenth of the time. */
static void it_ends_where_it_may_have_something_else(void **state)
{
	static const struct pace_view as_before = {.time = 0.2, .vacuum_bytes = -1},
								  more = {.time = 0.5, .vacuum_bytes = -1},
								  much_more = {.time = 0.7, .vacuum_bytes = -1},
								  much_less = {.time = 0.05, .vacuum_bytes = -1},
								  lag = {.time = 0.2, .vacuum_bytes = -1, .stands = true},
								  shut = {.time = 0.2, .vacuum_bytes = -1, .stands = true, .forbidden = true},
								  max_wal_rate = {.time = 0.2, .vacuum_bytes = 1e6};
	static const char none[] = "ended early: nothing of the fill may go now";
	static const char slower[] = "ended early: it must be slower now";
	static const struct {
		const char *what;
		const struct pace_view *pace;
		bool again;
		int in_vain;
		int seconds; /* until then it may go on; -1: for good */
		const char *why;
	} cases[] = {
		{"nothing has changed", &as_before, true, 0, -1, NULL},
		{"it might have a little more", &more, true, 0, -1, NULL},
		{"much more", &much_more, true, 0, 10, "ended early: it may be faster now"},
		{"much more, near the end of the fill", &much_more, false, 0, -1, NULL},
		{"much less", &much_less, true, 0, 10, slower},
		{"much less, near the end", &much_less, false, 0, 10, slower},
		{"a replica lags", &lag, true, 0, 10, none},
		{"for the second time", &lag, true, 1, 20, none},
		{"for the tenth", &lag, true, 9, 300, none},
		{"its window is over", &shut, true, 0, 0, none},
		{"again", &shut, true, 9, 0, none},
		{"max_wal_rate", &max_wal_rate, true, 9, 0, slower},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct vacuum_watch watch = {.part = 0.1, .in_vain = cases[i].in_vain};
		const char *why = NULL;
		int seconds = 0;

		for (; !why && seconds < 1000; seconds++)
			why = vacuum_judge(&watch, cases[i].pace, cases[i].again, START_MS + seconds * 1000);
		if (!why != !cases[i].why || (why && strcmp(why, cases[i].why) != 0) ||
			(why && seconds - 1 != cases[i].seconds))
			fail_msg("%s: %s after %d s", cases[i].what, why ? why : "nothing", seconds - 1);
	}
}

static void what_passes_soon_ends_nothing(void **state)
{
	static const struct pace_view lag = {.time = 0.2, .vacuum_bytes = -1, .stands = true},
								  none = {.time = 0.2, .vacuum_bytes = -1};
	struct vacuum_watch watch = {.part = 0.1};

	(void)state;
	for (int second = 0; second < 100; second++)
		assert_null(vacuum_judge(&watch, second % 9 == 0 ? &none : &lag, true, START_MS + second * 1000));
}

static void from_18_on_it_does_not_go_on_to_children(void **state)
{
	static const struct {
		int server_version;
		const char *end;
	} cases[] = {{170000, "PARALLEL 0) public.users"}, {180000, "PARALLEL 0) ONLY public.users"}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct relation relation = {.server_version = cases[i].server_version};
		char *statement = vacuum_statement(&relation, "public.users");

		assert_string_equal(strstr(statement, "PARALLEL"), cases[i].end);
		free(statement);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_batches_and_replicas_it_has_its_part),
		cmocka_unit_test(a_part_is_a_cost),
		cmocka_unit_test(it_ends_where_it_may_have_something_else),
		cmocka_unit_test(what_passes_soon_ends_nothing),
		cmocka_unit_test(from_18_on_it_does_not_go_on_to_children),
	};

	return cmocka_run_group_tests_name("vacuum", tests, NULL, NULL);
}
