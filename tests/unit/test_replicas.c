/*
 * replicas: who counts, who has vanished, who has moved, and who is no longer waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/replicas.h"

#include <stdlib.h>
#include <string.h>

#define GRACE_MS 5000

static struct replicas *of_all(size_t cascades)
{
	struct replicas *replicas =
		replicas_new(&(struct replicas_rules){.all = true, .cascades = cascades, .grace_ms = GRACE_MS});

	replicas_restart(replicas, 1000);
	replicas_note_primary(replicas, 1000, 100);
	return replicas;
}

/* One list of a source: `name` at `replayed`, or nobody. */
static void list(
	struct replicas *replicas, size_t source, const char *name, uint64_t replayed, int64_t now_ms)
{
	replicas_begin(replicas, source, now_ms);
	if (name)
		replicas_note(replicas, source,
			&(struct replicas_seen){.name = name, .replayed = replayed, .received = 1000}, now_ms);
}

static const struct signals_replica *find(struct replicas *replicas, const char *name, int64_t now_ms)
{
	size_t count;
	const struct signals_replica *told = replicas_read(replicas, now_ms, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(told[i].name, name) == 0)
			return &told[i];
	}
	return NULL;
}

static void expect_let_go(struct replicas *replicas, int64_t now_ms, const char *expected)
{
	size_t source;
	char *name = replicas_let_go(replicas, now_ms, &source);

	if (expected)
		assert_string_equal(name, expected);
	else
		assert_null(name);
	free(name);
}

static void one_that_vanished_is_told_until_the_grace_is_over(void **state)
{
	struct replicas *replicas = of_all(0);

	(void)state;
	list(replicas, 0, "s1", 100, 1000);
	assert_int_equal(find(replicas, "s1", 1000)->lag_ms, 0);
	assert_int_equal(find(replicas, "s1", 1000)->vanished_ago, 0);
	list(replicas, 0, NULL, 0, 1100);
	assert_int_equal(find(replicas, "s1", 1100)->vanished_ago, 100);
	expect_let_go(replicas, 1000 + GRACE_MS, NULL);
	expect_let_go(replicas, 1001 + GRACE_MS, "s1");
	expect_let_go(replicas, 1001 + GRACE_MS, NULL);
	assert_null(find(replicas, "s1", 1001 + GRACE_MS));
	replicas_free(replicas);
}

static void nobody_is_given_up_while_nobody_looks(void **state)
{
	struct replicas *replicas = of_all(0);

	(void)state;
	list(replicas, 0, "s1", 100, 1000);
	replicas_resume(replicas, 900000);
	list(replicas, 0, NULL, 0, 900100);
	expect_let_go(replicas, 900100, NULL);
	assert_int_equal(find(replicas, "s1", 900100)->vanished_ago, 100);
	replicas_free(replicas);
}

static void a_list_that_is_old_is_no_evidence(void **state)
{
	struct replicas *replicas = of_all(1);

	(void)state;
	assert_true(find(replicas, "cascades[0]", 1100)->vanished_ago > 0);
	list(replicas, 0, NULL, 0, 1200);
	list(replicas, 1, "leaf", 100, 1200);
	assert_null(find(replicas, "cascades[0]", 1200));
	assert_int_equal(find(replicas, "leaf", 1200 + SIGNALS_PULSE_STALE_MS)->vanished_ago, 0);
	assert_true(find(replicas, "leaf", 1201 + SIGNALS_PULSE_STALE_MS)->vanished_ago > 0);
	assert_true(find(replicas, "cascades[0]", 1201 + SIGNALS_PULSE_STALE_MS)->vanished_ago > 0);
	expect_let_go(replicas, 1201 + GRACE_MS, "cascades[0]");
	expect_let_go(replicas, 1201 + GRACE_MS, "leaf");
	expect_let_go(replicas, 1201 + GRACE_MS, NULL);
	assert_null(find(replicas, "cascades[0]", 1201 + GRACE_MS));
	list(replicas, 1, "leaf", 100, 9000);
	assert_int_equal(find(replicas, "leaf", 9000)->vanished_ago, 0);
	assert_true(find(replicas, "cascades[0]", 20000)->vanished_ago > 0);
	replicas_free(replicas);
}

/* A typo in `cascades`, or a password that was changed: it is to be mended, not to be got over. */
static void who_cannot_be_asked_has_not_vanished(void **state)
{
	struct replicas *replicas = of_all(1);

	(void)state;
	list(replicas, 0, NULL, 0, 1200);
	expect_let_go(replicas, 10 * GRACE_MS, NULL);
	assert_true(find(replicas, "cascades[0]", 10 * GRACE_MS)->vanished_ago > 0);
	list(replicas, 1, "leaf", 100, 60000);
	replicas_keep(replicas, 1);
	expect_let_go(replicas, 60000 + 10 * GRACE_MS, NULL);
	assert_true(find(replicas, "leaf", 60000 + 10 * GRACE_MS)->vanished_ago > 0);
	list(replicas, 1, NULL, 0, 120000);
	expect_let_go(replicas, 120001, "leaf");
	expect_let_go(replicas, 120000 + 10 * GRACE_MS, "cascades[0]");
	replicas_free(replicas);
}

static void one_that_streams_from_another_server_now_has_not_vanished(void **state)
{
	struct replicas *replicas = of_all(1);

	(void)state;
	list(replicas, 1, NULL, 0, 1000);
	list(replicas, 0, "s1", 100, 1000);
	list(replicas, 0, NULL, 0, 1100);
	list(replicas, 1, "s1", 100, 1100);
	expect_let_go(replicas, 1100, NULL);
	assert_int_equal(find(replicas, "s1", 1100)->vanished_ago, 0);
	replicas_free(replicas);
}

static void list_two(struct replicas *replicas, const char *name, int64_t now_ms)
{
	list(replicas, 0, name, 100, now_ms);
	replicas_note(
		replicas, 0, &(struct replicas_seen){.name = name, .replayed = 90, .received = 1000}, now_ms);
}

/* Without a name of their own all are called walreceiver. */
static void of_two_with_one_name_the_one_that_vanished_is_missed(void **state)
{
	struct replicas *replicas = of_all(0);

	(void)state;
	list_two(replicas, "walreceiver", 1000);
	assert_int_equal(find(replicas, "walreceiver", 1000)->others, 1);
	assert_int_equal(find(replicas, "walreceiver", 1000)->vanished_ago, 0);
	list(replicas, 0, "walreceiver", 100, 1100);
	assert_int_equal(find(replicas, "walreceiver", 1100)->vanished_ago, 100);
	list_two(replicas, "walreceiver", 1200);
	assert_int_equal(find(replicas, "walreceiver", 1200)->vanished_ago, 0);
	list(replicas, 0, "walreceiver", 100, 1200 + GRACE_MS);
	expect_let_go(replicas, 1200 + GRACE_MS, NULL);
	list(replicas, 0, "walreceiver", 100, 1201 + GRACE_MS);
	expect_let_go(replicas, 1201 + GRACE_MS, "walreceiver (1 of 2 of this name)");
	expect_let_go(replicas, 1201 + GRACE_MS, NULL);
	assert_int_equal(find(replicas, "walreceiver", 1201 + GRACE_MS)->vanished_ago, 0);
	assert_int_equal(find(replicas, "walreceiver", 1201 + GRACE_MS)->others, 0);
	list(replicas, 0, NULL, 0, 1300 + GRACE_MS);
	assert_true(find(replicas, "walreceiver", 1300 + GRACE_MS)->vanished_ago > 0);
	replicas_free(replicas);
}

static void nor_is_it_missed_while_nobody_looks(void **state)
{
	struct replicas *replicas = of_all(0);

	(void)state;
	list_two(replicas, "walreceiver", 1000);
	replicas_resume(replicas, 900000);
	list(replicas, 0, "walreceiver", 100, 900100);
	expect_let_go(replicas, 900100, NULL);
	assert_int_equal(find(replicas, "walreceiver", 900100)->vanished_ago, 100);
	replicas_free(replicas);
}

/* The first list after a rest has the time of the rest's end. */
static void one_is_not_taken_for_two_after_a_rest(void **state)
{
	struct replicas *replicas = of_all(0);

	(void)state;
	list(replicas, 0, "s1", 100, 1000);
	replicas_resume(replicas, 900000);
	list(replicas, 0, "s1", 100, 900000);
	list(replicas, 0, "s1", 100, 900100);
	assert_int_equal(find(replicas, "s1", 900100)->vanished_ago, 0);
	replicas_restart(replicas, 990000);
	list(replicas, 0, "s1", 100, 990000);
	list(replicas, 0, "s1", 100, 990100);
	assert_int_equal(find(replicas, "s1", 990100)->vanished_ago, 0);
	replicas_free(replicas);
}

/* Its old connection is shown until wal_sender_timeout. */
static void one_that_connects_again_is_not_two(void **state)
{
	struct replicas *replicas = of_all(0);

	(void)state;
	list(replicas, 0, "s1", 100, 1000);
	for (int64_t ms = 1100; ms < 61000; ms += 100)
		list_two(replicas, "s1", ms);
	list(replicas, 0, "s1", 100, 61000);
	assert_int_equal(find(replicas, "s1", 61000)->vanished_ago, 0);
	for (int64_t ms = 61100; ms < 160000; ms += 100) /* this time it is another one */
		list_two(replicas, "s1", ms);
	list(replicas, 0, "s1", 100, 160000);
	assert_true(find(replicas, "s1", 160000)->vanished_ago > 0);
	replicas_free(replicas);
}

static void of_two_with_one_name_one_may_move(void **state)
{
	struct replicas *replicas = of_all(1);

	(void)state;
	list_two(replicas, "walreceiver", 1000);
	list(replicas, 1, NULL, 0, 1000);
	list(replicas, 0, "walreceiver", 100, 200000);
	list(replicas, 1, "walreceiver", 100, 200000);
	expect_let_go(replicas, 200000, NULL);
	assert_int_equal(find(replicas, "walreceiver", 200000)->vanished_ago, 0);
	replicas_free(replicas);
}

static void another_of_that_name_somewhere_else_is_not_the_one_that_vanished(void **state)
{
	struct replicas *replicas = of_all(1);

	(void)state;
	list(replicas, 0, "walreceiver", 100, 1000);
	list(replicas, 1, "walreceiver", 100, 1000);
	list(replicas, 0, NULL, 0, 1100);
	list(replicas, 1, "walreceiver", 100, 1100);
	expect_let_go(replicas, 1100, NULL);
	assert_int_equal(find(replicas, "walreceiver", 1100)->vanished_ago, 100);
	replicas_free(replicas);
}

static void who_is_listed_and_not_there_is_gone(void **state)
{
	static char *listed[] = {(char *)"s1", (char *)"s2"};
	struct replicas *replicas =
		replicas_new(&(struct replicas_rules){.listed = listed, .listed_count = 2, .grace_ms = GRACE_MS});

	(void)state;
	replicas_restart(replicas, 1000);
	list(replicas, 0, "s1", 100, 1000);
	replicas_miss_listed(replicas, 1000);
	assert_int_equal(find(replicas, "s1", 1000)->vanished_ago, 0);
	assert_true(find(replicas, "s2", 1000)->vanished_ago > 0);
	list(replicas, 0, "stranger", 1, 1100);
	assert_null(find(replicas, "stranger", 1100));
	replicas_free(replicas);
}

static void one_that_is_late_on_purpose_counts_by_what_it_received(void **state)
{
	static char *delayed[] = {(char *)"late"};
	struct replicas *replicas = replicas_new(
		&(struct replicas_rules){.all = true, .delayed = delayed, .delayed_count = 1, .grace_ms = GRACE_MS});

	(void)state;
	replicas_restart(replicas, 1000);
	replicas_note_primary(replicas, 1000, 100);
	replicas_note_primary(replicas, 2000, 900);
	list(replicas, 0, "late", 100, 3000);
	assert_int_equal(find(replicas, "late", 3000)->lag_ms, 0);
	list(replicas, 0, "in time", 100, 3100);
	assert_int_equal(find(replicas, "in time", 3100)->lag_ms, 1100);
	replicas_free(replicas);
}

static void a_logical_one_counts_only_where_it_is_listed(void **state)
{
	static char *names[] = {(char *)"subscription"};
	const struct replicas_rules rules[] = {
		{.all = true, .grace_ms = GRACE_MS},
		{.listed = names, .listed_count = 1, .grace_ms = GRACE_MS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		struct replicas *replicas = replicas_new(&rules[i]);

		replicas_restart(replicas, 1000);
		replicas_note_primary(replicas, 1000, 100);
		replicas_begin(replicas, 0, 1000);
		replicas_note(replicas, 0,
			&(struct replicas_seen){
				.name = "subscription", .replayed = 90, .received = 1000, .logical = true},
			1000);
		assert_int_equal(find(replicas, "subscription", 1000) != NULL, !rules[i].all);
		replicas_free(replicas);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_vanished_is_told_until_the_grace_is_over),
		cmocka_unit_test(nobody_is_given_up_while_nobody_looks),
		cmocka_unit_test(a_list_that_is_old_is_no_evidence),
		cmocka_unit_test(who_cannot_be_asked_has_not_vanished),
		cmocka_unit_test(one_that_streams_from_another_server_now_has_not_vanished),
		cmocka_unit_test(of_two_with_one_name_the_one_that_vanished_is_missed),
		cmocka_unit_test(nor_is_it_missed_while_nobody_looks),
		cmocka_unit_test(one_is_not_taken_for_two_after_a_rest),
		cmocka_unit_test(one_that_connects_again_is_not_two),
		cmocka_unit_test(of_two_with_one_name_one_may_move),
		cmocka_unit_test(another_of_that_name_somewhere_else_is_not_the_one_that_vanished),
		cmocka_unit_test(who_is_listed_and_not_there_is_gone),
		cmocka_unit_test(one_that_is_late_on_purpose_counts_by_what_it_received),
		cmocka_unit_test(a_logical_one_counts_only_where_it_is_listed),
	};

	return cmocka_run_group_tests_name("replicas", tests, NULL, NULL);
}
