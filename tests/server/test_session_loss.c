/*
 * session against a real server: losses, deadlines, and being freed from inside a callback.
 */
#include "tests/server/session_world.h"

#include "common/clock.h"

#include <signal.h>
#include <string.h>

static void a_backend_terminated_in_mid_question_answers_all_with_link(void **state)
{
	struct world *world = *state;
	struct answer *working = ask(world, "SELECT pg_catalog.pg_sleep(60)");
	struct answer *behind = ask(world, "SELECT 1 AS x");
	struct answer *after;

	RUN_UNTIL(world, session_is_open(world->session));
	run_for(world, 50);
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	assert_int_equal(world->answers, 2);
	assert_int_equal(working->kind, FAULT_LINK);
	assert_string_equal(working->sqlstate, "57P01");
	assert_int_equal(behind->kind, FAULT_LINK);
	assert_int_equal(behind->order, 2);
	after = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, after->times == 1);
	assert_string_equal(after->value, "2");
	assert_int_equal(working->times, 1);
	assert_int_equal(behind->times, 1);
	answer_free(working);
	answer_free(behind);
	answer_free(after);
}

/* Terminated at some point of its work, again and again; questions go on being asked all the time. */
static void through_many_losses_each_question_is_answered_once(void **state)
{
	enum { ROUNDS = 6, EACH = 50 };
	struct world *world = *state;
	struct answer *answers[ROUNDS * EACH];

	for (int round = 0; round < ROUNDS; round++) {
		RUN_UNTIL(world, world->opened == round + 1 && session_is_open(world->helper));
		for (int i = 0; i < EACH; i++)
			answers[round * EACH + i] =
				ask(world, i % 5 == 4 ? "SELECT 1 / 0" : "SELECT pg_catalog.pg_sleep(0.001)::text AS x");
		run_for(world, clock_jitter(30));
		terminate(world);
		RUN_UNTIL(world, world->lost == round + 1);
	}
	RUN_UNTIL(world, world->opened == ROUNDS + 1);
	assert_int_equal(world->answers, ROUNDS * EACH);
	for (int i = 0; i < ROUNDS * EACH; i++) {
		assert_int_equal(answers[i]->times, 1);
		assert_int_equal(answers[i]->order, i + 1);
		assert_true(answers[i]->value || answers[i]->kind == FAULT_LINK || answers[i]->kind == FAULT_DATA);
		answer_free(answers[i]);
	}
}

static void a_silent_server_is_given_up_at_the_deadline(void **state)
{
	struct world *world = *state;
	struct answer *silent;
	struct answer *behind;
	int64_t began_ms;
	int pid;

	RUN_UNTIL(world, session_is_open(world->session));
	pid = session_backend_pid(world->session);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	began_ms = clock_ms();
	silent = ask_script(world, world->session, script_of("SELECT 1 AS x"), 300);
	behind = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, world->answers == 2);
	assert_in_range(clock_ms() - began_ms, 300, PATIENCE_MS);
	assert_int_equal(silent->kind, FAULT_LINK);
	assert_non_null(strstr(silent->message, "no answer within 300 ms"));
	assert_int_equal(behind->kind, FAULT_LINK);
	RUN_UNTIL(world, world->opened == 2);
	assert_int_not_equal(session_backend_pid(world->session), pid);
	assert_int_equal(kill(pid, SIGCONT), 0);
	answer_free(silent);
	answer_free(behind);
}

static void a_question_that_only_waited_too_long_is_busy(void **state)
{
	struct world *world = *state;
	struct answer *slow;
	struct answer *impatient;

	RUN_UNTIL(world, session_is_open(world->session));
	slow = ask(world, "SELECT pg_catalog.pg_sleep(2)::text AS x");
	impatient = ask_script(world, world->session, script_of("SELECT 1 AS x"), 100);
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(impatient->kind, FAULT_BUSY);
	assert_int_equal(impatient->order, 1);
	assert_int_equal(slow->kind, FAULT_NONE);
	assert_int_equal(world->lost, 0);
	answer_free(slow);
	answer_free(impatient);
}

static void a_standby_is_a_link_fault(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	script_add(script, "BEGIN READ ONLY");
	script_add(script, "CREATE TABLE public.never (n int)");
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, world->lost == 1);
	assert_int_equal(answer->times, 1);
	assert_int_equal(answer->kind, FAULT_LINK);
	assert_string_equal(answer->sqlstate, "25006");
	RUN_UNTIL(world, world->opened == 2);
	answer_free(answer);
}

static void free_session(struct world *world, struct answer *answer)
{
	if (answer->order != 1)
		return;
	session_free(world->session);
	world->session = NULL;
}

static void a_callback_may_free_the_session(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *second;

	world->when_answered = free_session;
	first = ask(world, "SELECT 1 AS x");
	second = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, first->times == 1);
	run_for(world, 50);
	assert_string_equal(first->value, "1");
	assert_int_equal(second->times, 0);
	answer_free(first);
	answer_free(second);
}

static void free_lost_session(struct world *world)
{
	session_free(world->session);
	world->session = NULL;
}

static void the_lost_event_may_free_the_session(void **state)
{
	struct world *world = *state;

	RUN_UNTIL(world, session_is_open(world->session));
	world->when_lost = free_lost_session;
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	run_for(world, 300);
	assert_int_equal(world->opened, 1);
}

static void an_answer_of_a_lost_connection_may_free_the_session(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *second;

	world->when_answered = free_session;
	first = ask(world, "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())");
	second = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, first->times == 1);
	run_for(world, 50);
	assert_int_equal(first->kind, FAULT_LINK);
	assert_int_equal(second->times, 0);
	assert_int_equal(world->lost, 0);
	answer_free(first);
	answer_free(second);
}

static void ask_again(struct world *world, struct answer *answer)
{
	if (answer->kind == FAULT_LINK && answer->times < 3)
		session_ask(world->session, script_of("SELECT 7 AS x"), PATIENCE_MS, on_answer, answer);
	answer->kind = FAULT_NONE;
}

static void a_question_asked_by_an_answer_waits_for_the_next_connection(void **state)
{
	struct world *world = *state;
	struct answer *answer;

	world->when_answered = ask_again;
	answer = ask(world, "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())");
	RUN_UNTIL(world, answer->times == 2);
	assert_string_equal(answer->value, "7");
	assert_int_equal(world->lost, 1);
	answer_free(answer);
}

static struct answer *forgotten;

static void forget(struct world *world, struct answer *answer)
{
	(void)answer;
	session_forget(world->session, forgotten);
}

static void a_forgotten_question_is_carried_out_but_not_answered(void **state)
{
	struct world *world = *state;
	struct answer *last;
	struct answer *first;

	world->when_answered = forget;
	first = ask(world, "CREATE TEMP TABLE carried_out (n int)");
	forgotten = ask(world, "INSERT INTO carried_out VALUES (1)");
	last = ask(world, "SELECT pg_catalog.count(*) AS x FROM carried_out");
	RUN_UNTIL(world, last->times == 1);
	assert_int_equal(forgotten->times, 0);
	assert_string_equal(last->value, "1");
	answer_free(first);
	answer_free(forgotten);
	answer_free(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(a_backend_terminated_in_mid_question_answers_all_with_link),
		WITH_WORLD(through_many_losses_each_question_is_answered_once),
		WITH_WORLD(a_silent_server_is_given_up_at_the_deadline),
		WITH_WORLD(a_question_that_only_waited_too_long_is_busy),
		WITH_WORLD(a_standby_is_a_link_fault),
		WITH_WORLD(a_callback_may_free_the_session),
		WITH_WORLD(the_lost_event_may_free_the_session),
		WITH_WORLD(an_answer_of_a_lost_connection_may_free_the_session),
		WITH_WORLD(a_question_asked_by_an_answer_waits_for_the_next_connection),
		WITH_WORLD(a_forgotten_question_is_carried_out_but_not_answered),
	};

	if (!conninfo())
		return 77;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_loss", tests, NULL, NULL);
}
