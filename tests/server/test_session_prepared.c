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

static void one_that_the_server_has_thrown_away_is_parsed_anew(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	assert_doubles(world, 1);
	answer = ask(world, "DEALLOCATE ALL");
	RUN_UNTIL(world, answer->times == 1);
	answer_free(answer);
	add_double(script, 2);
	assert_fails(world, script, "26000", 0);
	assert_doubles(world, 3);
	assert_kept(world, "backfilld_1");
}

static void so_is_one_whose_columns_have_other_types_now(void **state)
{
	struct world *world = *state;
	static const char *const asked = "SELECT x FROM pg_temp.changing";

	for (int i = 0; i < 3; i++) {
		struct script *script = script_new();
		struct answer *answer;

		if (i == 0)
			script_add(script, "CREATE TEMPORARY TABLE changing AS SELECT 7 AS x");
		if (i == 1)
			script_add(script, "ALTER TABLE pg_temp.changing ALTER x TYPE text");
		script_add_prepared(script, asked);
		if (i == 1) {
			assert_fails(world, script, "0A000", 1);
			continue;
		}
		answer = ask_script(world, world->session, script, PATIENCE_MS);
		RUN_UNTIL(world, answer->times == 1);
		assert_string_equal(answer->value, "7");
		answer_free(answer);
	}
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
		WITH_WORLD(one_that_the_server_has_thrown_away_is_parsed_anew),
		WITH_WORLD(so_is_one_whose_columns_have_other_types_now),
		WITH_WORLD(a_new_connection_has_none),
	};

	if (!conninfo())
		return 77;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_prepared", tests, NULL, NULL);
}
