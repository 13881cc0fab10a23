/*
 * session against a real server: answers and notifications.
 */
#include "tests/server/session_world.h"

#include "common/clock.h"
#include "common/memory.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void answers_values_of_every_kind(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	assert_false(session_is_open(world->session));
	assert_int_equal(session_backend_pid(world->session), 0);
	assert_null(session_user(world->session));
	script_add(script, "SELECT $1::text || pg_catalog.current_setting('client_encoding') || "
					   "pg_catalog.current_setting('application_name') AS x, $2::int AS n, $3::bool AS b");
	script_bind(script, "ä'\"");
	script_bind(script, NULL);
	script_bind_bool(script, true);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	assert_int_equal(session_open_questions(world->session), 1);
	assert_int_equal(answer->times, 0);
	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->value, "ä'\"UTF8test_session");
	assert_int_equal(session_open_questions(world->session), 0);
	assert_true(session_is_open(world->session));
	assert_true(session_server_version(world->session) >= 140000);
	assert_true(session_backend_pid(world->session) > 0);
	assert_non_null(session_user(world->session));
	answer_free(answer);
}

static void on_details(void *owner, const struct reply *reply)
{
	struct world *world = owner;
	uint32_t oid;
	int32_t modifier;

	assert_null(reply_fault(reply));
	assert_int_equal(reply_rows(reply, 0), 3);
	assert_int_equal(reply_int(reply, 0, 1, "n", -1), 2);
	assert_int_equal(reply_int(reply, 0, 2, "nothing", -1), -1);
	assert_true(reply_real(reply, 0, 1, "Half", 0) == 1.0);
	assert_true(reply_bool(reply, 0, 0, "first"));
	assert_false(reply_bool(reply, 0, 1, "first"));
	assert_null(reply_text(reply, 0, 0, "nothing"));
	assert_int_equal(reply_affected(reply, 2), 3);
	reply_first_type(reply, 3, &oid, &modifier);
	assert_int_equal(oid, 1700); /* numeric */
	assert_int_equal(modifier, (10 << 16 | 2) + 4);
	reply_first_type(reply, 1, &oid, &modifier);
	assert_int_equal(oid, 0);
	assert_int_equal(modifier, -1);
	assert_int_equal(reply_rows(reply, 99), 0);
	world->answers++;
	loop_stop(world->loop);
}

static void describes_rows_types_and_counts(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();

	script_add(script, "SELECT n, n / 2.0 AS \"Half\", n = 1 AS first, NULL::int AS nothing "
					   "FROM pg_catalog.generate_series(1, 3) AS n");
	script_add(script, "CREATE TEMP TABLE counted (n int)");
	script_add(script, "INSERT INTO counted SELECT pg_catalog.generate_series(1, 3)");
	script_add_parse(script, "SELECT CAST(NULL AS numeric(10,2)), 1 / 0");
	session_ask(world->session, script, PATIENCE_MS, on_details, world);
	RUN_UNTIL(world, world->answers == 1);
}

static void a_statement_that_cannot_be_parsed_is_a_fault(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	script_add(script, "SELECT 1 AS x");
	script_add_parse(script, "SELECT nonsense");
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, answer->times == 1);
	assert_int_equal(answer->kind, FAULT_JOB);
	assert_string_equal(answer->sqlstate, "42703");
	assert_int_equal(answer->failed_at, 1);
	answer_free(answer);
}

static void a_failure_in_the_middle_leaves_the_next_question_alone(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *failing;
	struct answer *following;

	script_add(script, "BEGIN");
	script_add(script, "CREATE TABLE public.never_kept (n int)");
	script_add(script, "SELECT 1 / $1::int");
	script_bind_int(script, 0);
	script_add(script, "SELECT 1 AS x");
	script_add(script, "COMMIT");
	failing = ask_script(world, world->session, script, PATIENCE_MS);
	following = ask(world, "SELECT pg_catalog.to_regclass('public.never_kept') IS NULL AS x");
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(failing->kind, FAULT_DATA);
	assert_string_equal(failing->sqlstate, "22012");
	assert_string_equal(failing->message, "division by zero");
	assert_int_equal(failing->failed_at, 2);
	assert_null(failing->value);
	assert_int_equal(failing->order, 1);
	assert_int_equal(following->kind, FAULT_NONE);
	assert_string_equal(following->value, "t");
	assert_int_equal(world->lost, 0);
	answer_free(failing);
	answer_free(following);
}

static void a_failed_transaction_is_rolled_back_though_nobody_asks(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *failing;
	struct answer *seen;

	script_add(script, "BEGIN");
	script_add(script, "SELECT 1 / 0");
	failing = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, failing->times == 1);
	for (int tries = 0; tries < 500 && session_open_questions(world->session) > 0; tries++)
		run_for(world, 10);
	script = script_of("SELECT state AS x FROM pg_catalog.pg_stat_activity WHERE pid = $1");
	script_bind_int(script, session_backend_pid(world->session));
	seen = ask_script(world, world->helper, script, PATIENCE_MS);
	RUN_UNTIL(world, seen->times == 1);
	assert_string_equal(seen->value, "idle");
	answer_free(failing);
	answer_free(seen);
}

static void a_thousand_questions_are_answered_once_each_in_order(void **state)
{
	struct world *world = *state;

	check_a_thousand(world, false);
}

static void a_parameter_and_a_result_of_megabytes_pass(void **state)
{
	enum { SIZE = 5 * 1024 * 1024 };
	struct world *world = *state;
	struct script *script = script_new();
	char *big = memory_new(SIZE + 1);
	struct answer *answer;
	struct answer *back;

	memset(big, 'a', SIZE);
	script_add(script, "SELECT pg_catalog.length($1::text) AS x");
	script_bind(script, big);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	script = script_of("SELECT $1::text AS x");
	script_bind(script, big);
	back = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(atoi(answer->value), SIZE);
	assert_string_equal(back->value, big);
	free(big);
	answer_free(answer);
	answer_free(back);
}

static void on_tick(void *owner)
{
	struct world *world = owner;

	world->opened += 1000;
	loop_timer_after(world->limit, 5);
	loop_stop(world->loop);
}

/* The reader stands still while megabytes are to be sent to it: a blocking send would hold up the timers. */
static void a_big_send_does_not_hold_up_the_loop(void **state)
{
	enum { SIZE = 5 * 1024 * 1024 };
	struct world *world = *state;
	struct script *script = script_of("SELECT pg_catalog.length($1::text) AS x");
	char *big = memory_new(SIZE + 1);
	struct loop_timer *tick;
	struct loop_timer *limit = world->limit;
	struct answer *answer;
	int pid;

	RUN_UNTIL(world, session_is_open(world->session));
	pid = session_backend_pid(world->session);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	memset(big, 'a', SIZE);
	script_bind(script, big);
	free(big);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	tick = loop_timer_new(world->loop, on_tick, world);
	world->limit = tick;
	loop_timer_after(tick, 5);
	while (world->opened < 20000)
		assert_true(loop_run(world->loop));
	loop_timer_free(tick);
	world->limit = limit;
	assert_int_equal(answer->times, 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	RUN_UNTIL(world, answer->times == 1);
	assert_int_equal(atoi(answer->value), SIZE);
	answer_free(answer);
}

static void notifications_arrive_while_idle(void **state)
{
	struct world *world = *state;
	struct answer *answer;

	RUN_UNTIL(world, session_is_open(world->session) && session_is_open(world->helper));
	answer = ask_script(world, world->helper, script_of("NOTIFY test_session, 'hello'"), PATIENCE_MS);
	RUN_UNTIL(world, world->notified.length > 0);
	assert_string_equal(text_is(&world->notified), "test_session:hello ");
	RUN_UNTIL(world, answer->times == 1);
	answer_free(answer);
}

static void an_idle_connection_that_the_server_ends_is_noticed(void **state)
{
	struct world *world = *state;
	struct answer *answer;

	RUN_UNTIL(world, session_is_open(world->session));
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	assert_false(session_is_open(world->session));
	assert_int_equal(world->lost_kind, FAULT_LINK);
	assert_string_equal(world->lost_message, "terminating connection due to administrator command");
	RUN_UNTIL(world, world->opened == 2);
	answer = ask(world, "SELECT 5 AS x");
	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->value, "5");
	answer_free(answer);
}

/* Carries it out; since when the session has been at work then. */
static int64_t at_work_after(struct world *world, const char *sql)
{
	struct answer *answer = ask(world, sql);

	RUN_UNTIL(world, answer->times == 1);
	answer_free(answer);
	return session_at_work_since_ms(world->session);
}

static void it_is_at_work_until_its_transaction_is_over(void **state)
{
	struct world *world = *state;
	int64_t before_ms = clock_ms();
	int64_t since_ms;

	assert_int_equal(at_work_after(world, "SELECT 1 AS x"), 0);
	since_ms = at_work_after(world, "BEGIN");
	assert_in_range(since_ms, before_ms, clock_ms());
	run_for(world, 20);
	assert_int_equal(at_work_after(world, "SELECT 2 AS x"), since_ms);
	assert_int_equal(at_work_after(world, "COMMIT"), 0);
	at_work_after(world, "BEGIN");
	at_work_after(world, "SELECT 1 / 0"); /* a ROLLBACK is under way by itself */
	assert_int_equal(at_work_after(world, "SELECT 3 AS x"), 0);
}

/* The server may not have noticed that nobody is there any more. */
static void what_was_at_work_on_a_lost_connection_is_so_until_the_next_one_has_answered(void **state)
{
	struct world *world = *state;
	int64_t since_ms = at_work_after(world, "BEGIN");

	assert_true(since_ms > 0);
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	assert_int_equal(session_at_work_since_ms(world->session), since_ms);
	RUN_UNTIL(world, world->opened == 2);
	assert_int_equal(session_at_work_since_ms(world->session), since_ms);
	assert_int_equal(at_work_after(world, "SELECT 1 AS x"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(answers_values_of_every_kind),
		WITH_WORLD(describes_rows_types_and_counts),
		WITH_WORLD(a_statement_that_cannot_be_parsed_is_a_fault),
		WITH_WORLD(a_failure_in_the_middle_leaves_the_next_question_alone),
		WITH_WORLD(a_failed_transaction_is_rolled_back_though_nobody_asks),
		WITH_WORLD(a_thousand_questions_are_answered_once_each_in_order),
		WITH_WORLD(a_parameter_and_a_result_of_megabytes_pass),
		WITH_WORLD(a_big_send_does_not_hold_up_the_loop),
		WITH_WORLD(notifications_arrive_while_idle),
		WITH_WORLD(an_idle_connection_that_the_server_ends_is_noticed),
		WITH_WORLD(it_is_at_work_until_its_transaction_is_over),
		WITH_WORLD(what_was_at_work_on_a_lost_connection_is_so_until_the_next_one_has_answered),
	};

	if (!conninfo())
		return 77;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
