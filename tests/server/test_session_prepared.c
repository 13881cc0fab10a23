/*
 * session against a real server: statements that the server keeps.
 */
#include "tests/server/session_world.h"

#include <stdlib.h>

/* A name that is there is not to be parsed again: that would be an error. */
static void assert_kept(struct world *world, const char *expected)
{
	struct answer *answer =
		ask(world, "SELECT coalesce(pg_catalog.string_agg(name, ' ' ORDER BY name), '') AS x "
				   "FROM pg_catalog.pg_prepared_statements");

	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->value, expected);
	answer_free(answer);
}

static void add_double(struct script *script, int number)
{
	script_add_prepared(script, "SELECT 2 * $1::int AS x");
	script_bind_int(script, number);
}

static void assert_doubles(struct world *world, int number)
{
	struct script *script = script_new();
	struct answer *answer;

	add_double(script, number);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, answer->times == 1);
	assert_int_equal(answer->kind, FAULT_NONE);
	assert_int_equal(atoi(answer->value), 2 * number);
	answer_free(answer);
}

static void assert_fails(struct world *world, struct script *script, const char *sqlstate, size_t at)
{
	struct answer *answer = ask_script(world, world->session, script, PATIENCE_MS);

	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->sqlstate, sqlstate);
	assert_int_equal(answer->failed_at, at);
	answer_free(answer);
}

static void it_is_parsed_once_and_executed_often(void **state)
{
	struct world *world = *state;

	for (int i = 1; i <= 3; i++)
		assert_doubles(world, i);
	assert_kept(world, "backfilld_0");
}

static void several_in_one_question_are_parsed_once(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	script_add_prepared(script, "BEGIN");
	add_double(script, 1);
	add_double(script, 2);
	script_add_prepared(script, "COMMIT");
	add_double(script, 21);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->value, "42");
	answer_free(answer);
	assert_kept(world, "backfilld_0 backfilld_1 backfilld_2");
}

/* What the server did not get to is not kept, and what it kept is not parsed again. */
static void a_failure_before_between_or_after_does_no_harm(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();

	script_add(script, "SELECT 1 / 0");
	add_double(script, 1);
	assert_fails(world, script, "22012", 0);
	assert_kept(world, "");
	script = script_new();
	script_add_prepared(script, "SELECT nonsense");
	add_double(script, 1);
	assert_fails(world, script, "42703", 0);
	assert_kept(world, "");
	script = script_new();
	add_double(script, 1);
	add_double(script, 2000000000);
	script_add_prepared(script, "SELECT 3 AS x");
	assert_fails(world, script, "22003", 1);
	assert_doubles(world, 4);
	assert_kept(world, "backfilld_0");
}

static void do_this(struct world *world, const char *sql)
{
	struct answer *answer = ask(world, sql);

	RUN_UNTIL(world, answer->times == 1);
	assert_int_equal(answer->kind, FAULT_NONE);
	answer_free(answer);
}

/* The asker is told what a lost connection tells him, and the next one has it again. */
static void assert_lost(struct world *world, struct script *script, const char *sqlstate, int times)
{
	struct answer *answer = ask_script(world, world->session, script, PATIENCE_MS);

	RUN_UNTIL(world, answer->times == 1 && world->lost == times);
	assert_int_equal(answer->kind, FAULT_LINK);
	assert_string_equal(answer->sqlstate, sqlstate);
	answer_free(answer);
}

static void when_the_server_has_thrown_one_away_the_connection_is_made_anew(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();

	assert_doubles(world, 1);
	do_this(world, "DEALLOCATE ALL");
	add_double(script, 2);
	assert_lost(world, script, "26000", 1);
	assert_doubles(world, 3);
	assert_kept(world, "backfilld_0");
}

static void so_it_is_when_columns_have_other_types_now(void **state)
{
	static const char *const asked = "SELECT x FROM public.changing";
	struct world *world = *state;

	do_this(world, "CREATE TABLE public.changing AS SELECT 7 AS x");
	for (int i = 0; i < 2; i++) {
		struct script *script = script_new();
		struct answer *answer;

		script_add_prepared(script, asked);
		answer = ask_script(world, world->session, script, PATIENCE_MS);
		RUN_UNTIL(world, answer->times == 1);
		assert_string_equal(answer->value, "7");
		answer_free(answer);
		if (i == 1)
			continue;
		do_this(world, "ALTER TABLE public.changing ALTER x TYPE text");
		script = script_new();
		script_add_prepared(script, asked);
		assert_lost(world, script, "0A000", 1);
	}
	do_this(world, "DROP TABLE public.changing");
}

/* Of a statement that says so by itself, and always will, a new connection makes nothing better. */
static void what_the_server_does_not_support_is_a_fault_like_others(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 3; i++) {
		struct script *script = script_new();

		script_add_prepared(script, "DO 'BEGIN RAISE feature_not_supported; END'");
		assert_fails(world, script, "0A000", 0);
	}
	assert_int_equal(world->lost, 0);
	assert_kept(world, "backfilld_0");
}

static void a_new_connection_has_none(void **state)
{
	struct world *world = *state;

	assert_doubles(world, 1);
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	assert_doubles(world, 2);
	assert_kept(world, "backfilld_0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(it_is_parsed_once_and_executed_often),
		WITH_WORLD(several_in_one_question_are_parsed_once),
		WITH_WORLD(a_failure_before_between_or_after_does_no_harm),
		WITH_WORLD(when_the_server_has_thrown_one_away_the_connection_is_made_anew),
		WITH_WORLD(so_it_is_when_columns_have_other_types_now),
		WITH_WORLD(what_the_server_does_not_support_is_a_fault_like_others),
		WITH_WORLD(a_new_connection_has_none),
	};

	if (!conninfo())
		return 77;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_prepared", tests, NULL, NULL);
}
