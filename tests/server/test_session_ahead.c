/*
 * session against a real server: questions that are sent while the one before is still being answered.
 */
#include "tests/server/session_world.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAKES_LOCK(key) "SELECT pg_catalog.pg_try_advisory_lock(" key ") AS x"

/* What another session sees: the locks held by one that has nothing to do. */
static const char locks_held_at_rest[] =
	"SELECT pg_catalog.string_agg(l.objid::text, ' ' ORDER BY l.objid::text)"
	" FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a USING (pid)"
	" WHERE l.locktype = 'advisory' AND a.state = 'idle'";

/* Sees to it from outside, since the loop stands still meanwhile, that exactly the locks named are held. */
static void wait_for_locks(const char *names)
{
	PGconn *onlooker = PQconnectdb(conninfo());
	bool held = false;

	for (int waited_ms = 0; !held && waited_ms < PATIENCE_MS; waited_ms++) {
		PGresult *result = PQexec(onlooker, locks_held_at_rest);

		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			fail_msg("%s", PQerrorMessage(onlooker));
		held = strcmp(PQgetvalue(result, 0, 0), names) == 0;
		PQclear(result);
		usleep(1000);
	}
	PQfinish(onlooker);
	if (!held)
		fail_msg("not held within %d ms: %s", PATIENCE_MS, names);
}

static void is_busy_until_one_more_is_done(struct world *world, struct answer *answer)
{
	(void)world;
	if (answer->order == 1)
		wait_for_locks("1 2");
}

static void the_server_goes_on_though_the_asker_is_busy(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *ahead;
	struct answer *third;

	RUN_UNTIL(world, session_is_open(world->session));
	world->when_answered = is_busy_until_one_more_is_done;
	first = ask(world, TAKES_LOCK("1"));
	ahead = ask_ahead(world, script_of(TAKES_LOCK("2")), PATIENCE_MS);
	third = ask(world, TAKES_LOCK("3"));
	assert_int_equal(session_open_questions(world->session), 3);
	RUN_UNTIL(world, world->answers == 3);
	wait_for_locks("1 2 3");
	assert_int_equal(ahead->order, 2);
	assert_int_equal(session_open_questions(world->session), 0);
	answer_free(first);
	answer_free(ahead);
	answer_free(third);
}

static struct script *transaction(const char *statement)
{
	struct script *script = script_of("BEGIN");

	script_add(script, statement);
	script_add(script, "COMMIT");
	return script;
}

static void behind_a_transaction_that_failed_it_fails_at_its_begin(void **state)
{
	struct world *world = *state;
	struct answer *failing = ask_script(world, world->session, transaction("SELECT 1 / 0"), PATIENCE_MS);
	struct answer *ahead = ask_ahead(world, transaction("CREATE TABLE public.never_kept ()"), PATIENCE_MS);
	struct answer *third = ask(world, "SELECT pg_catalog.to_regclass('public.never_kept') IS NULL AS x");

	RUN_UNTIL(world, world->answers == 3);
	assert_string_equal(failing->sqlstate, "22012");
	assert_int_equal(failing->failed_at, 1);
	assert_string_equal(ahead->sqlstate, "25P02");
	assert_int_equal(ahead->failed_at, 0);
	assert_int_equal(third->kind, FAULT_NONE);
	assert_string_equal(third->value, "t");
	assert_int_equal(world->lost, 0);
	answer_free(failing);
	answer_free(ahead);
	answer_free(third);
}

/* What the header warns of. */
static void behind_a_commit_that_failed_it_is_carried_out(void **state)
{
	struct world *world = *state;
	struct script *script = script_of("BEGIN");
	struct answer *failing;
	struct answer *ahead;

	script_add(script, "CREATE TEMP TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
	script_add(script, "INSERT INTO once VALUES (1), (1)");
	script_add(script, "COMMIT");
	failing = ask_script(world, world->session, script, PATIENCE_MS);
	ahead = ask_ahead(world, transaction("SELECT 5 AS x"), PATIENCE_MS);
	RUN_UNTIL(world, world->answers == 2);
	assert_string_equal(failing->sqlstate, "23505");
	assert_int_equal(failing->failed_at, 3);
	assert_int_equal(ahead->kind, FAULT_NONE);
	assert_string_equal(ahead->value, "5");
	answer_free(failing);
	answer_free(ahead);
}

static void a_thousand_are_answered_once_each_in_order(void **state)
{
	struct world *world = *state;

	check_a_thousand(world, true);
}

static struct script *kept(const char *sql, int number)
{
	struct script *script = script_new();

	script_add_prepared(script, sql);
	script_bind_int(script, number);
	return script;
}

/* Which statements the server keeps is not known while one is under way that may fail before. */
static void what_the_server_keeps_is_known_whatever_fails(void **state)
{
	struct world *world = *state;
	struct script *script = transaction("SELECT 1 / 0");
	struct answer *failing;
	struct answer *doubled;
	struct answer *again;
	struct answer *tripled;

	script_add_prepared(script, "SELECT 2 * $1::int AS x"); /* it does not get that far */
	script_bind_int(script, 1);
	failing = ask_script(world, world->session, script, PATIENCE_MS);
	doubled = ask_ahead(world, kept("SELECT 2 * $1::int AS x", 4), PATIENCE_MS);
	again = ask_ahead(world, kept("SELECT 2 * $1::int AS x", 5), PATIENCE_MS);
	tripled = ask_ahead(world, kept("SELECT 3 * $1::int AS x", 6), PATIENCE_MS);
	RUN_UNTIL(world, world->answers == 4);
	assert_string_equal(failing->sqlstate, "22012");
	assert_int_equal(doubled->kind, FAULT_NONE);
	assert_string_equal(doubled->value, "8");
	assert_int_equal(again->kind, FAULT_NONE);
	assert_string_equal(again->value, "10");
	assert_int_equal(tripled->kind, FAULT_NONE);
	assert_string_equal(tripled->value, "18");
	assert_int_equal(world->lost, 0);
	answer_free(failing);
	answer_free(doubled);
	answer_free(again);
	answer_free(tripled);
}

static void forgotten_before_it_is_sent_it_is_not_carried_out(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *sent;
	struct answer *unsent;
	struct answer *last;

	RUN_UNTIL(world, session_is_open(world->session));
	first = ask(world, "CREATE TEMP TABLE carried_out (n int)");
	RUN_UNTIL(world, first->times == 1);
	sent = ask(world, "INSERT INTO carried_out VALUES (1)");
	unsent = ask_ahead(world, script_of("INSERT INTO carried_out VALUES (2)"), PATIENCE_MS);
	session_forget(world->session, sent);
	session_forget(world->session, unsent);
	last = ask(world, "SELECT pg_catalog.array_agg(n)::text AS x FROM carried_out");
	RUN_UNTIL(world, last->times == 1);
	assert_string_equal(last->value, "{1}");
	assert_int_equal(unsent->times, 0);
	answer_free(first);
	answer_free(sent);
	answer_free(unsent);
	answer_free(last);
}

static void a_loss_answers_both(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *ahead;

	RUN_UNTIL(world, session_is_open(world->session) && session_is_open(world->helper));
	first = ask(world, "SELECT pg_catalog.pg_sleep(60)");
	ahead = ask_ahead(world, script_of("SELECT 5 AS x"), PATIENCE_MS);
	terminate(world);
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(first->kind, FAULT_LINK);
	assert_int_equal(first->order, 1);
	assert_int_equal(ahead->kind, FAULT_LINK);
	assert_int_equal(ahead->times, 1);
	RUN_UNTIL(world, world->opened == 2);
	assert_int_equal(world->lost, 1);
	answer_free(first);
	answer_free(ahead);
}

static void its_deadline_ends_the_connection_as_well(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *ahead;

	RUN_UNTIL(world, session_is_open(world->session));
	first = ask(world, "SELECT pg_catalog.pg_sleep(60)");
	ahead = ask_ahead(world, script_of("SELECT 5 AS x"), 300);
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(first->kind, FAULT_LINK);
	assert_int_equal(ahead->kind, FAULT_LINK);
	assert_non_null(strstr(ahead->message, "no answer within 300 ms"));
	RUN_UNTIL(world, world->opened == 2);
	answer_free(first);
	answer_free(ahead);
}

static void frees_the_session(struct world *world, struct answer *answer)
{
	(void)answer;
	session_free(world->session);
	world->session = NULL;
}

static void an_answer_may_free_the_session_with_one_ahead(void **state)
{
	struct world *world = *state;
	struct answer *first = ask(world, "SELECT 1 AS x");
	struct answer *ahead = ask_ahead(world, script_of("SELECT 5 AS x"), PATIENCE_MS);

	world->when_answered = frees_the_session;
	RUN_UNTIL(world, world->answers == 1);
	run_for(world, 50);
	assert_int_equal(ahead->times, 0);
	answer_free(first);
	answer_free(ahead);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(the_server_goes_on_though_the_asker_is_busy),
		WITH_WORLD(behind_a_transaction_that_failed_it_fails_at_its_begin),
		WITH_WORLD(behind_a_commit_that_failed_it_is_carried_out),
		WITH_WORLD(a_thousand_are_answered_once_each_in_order),
		WITH_WORLD(what_the_server_keeps_is_known_whatever_fails),
		WITH_WORLD(forgotten_before_it_is_sent_it_is_not_carried_out),
		WITH_WORLD(a_loss_answers_both),
		WITH_WORLD(its_deadline_ends_the_connection_as_well),
		WITH_WORLD(an_answer_may_free_the_session_with_one_ahead),
	};

	if (!conninfo())
		return 77;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_ahead", tests, NULL, NULL);
}
