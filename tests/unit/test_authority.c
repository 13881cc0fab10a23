/*
 * authority: how every transaction on a worker's session starts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/authority.h"

#include <string.h>

static void it_begins_as_the_owner_with_the_submitters_path(void **state)
{
	struct script *script = script_new();
	const struct script_statement *settings;
	const char *role;

	(void)state;
	authority_begin(script, &(struct authority){.owner = "Shop \"Owner\"",
								.search_path = "public, pg_temp",
								.synchronous_commit = "off",
								.lock_timeout_ms = 100,
								.statement_timeout_ms = 2000});
	assert_int_equal(script->count, AUTHORITY_STATEMENTS);
	assert_string_equal(script->statements[0].sql, "BEGIN READ WRITE ISOLATION LEVEL READ COMMITTED");
	settings = &script->statements[1];
	assert_int_equal(settings->values_count, 6);
	assert_string_equal(settings->values[0], "public, pg_temp");
	assert_string_equal(settings->values[1], "100");
	assert_string_equal(settings->values[2], "2000");
	assert_string_equal(settings->values[3], "off");
	assert_string_equal(settings->values[4], "Shop \"Owner\""); /* a value needs no quotes */
	assert_non_null(strstr(settings->sql, "'row_security', 'off', true"));
	assert_null(strstr(settings->sql, "false")); /* nothing outlives the transaction */
	role = strstr(settings->sql, "'role'");
	assert_non_null(role);
	assert_null(strstr(role, "set_config")); /* it comes last: the owner may not be allowed the rest */
	script_free(script);
}

static void without_a_level_the_servers_own_holds(void **state)
{
	struct script *script = script_new();

	(void)state;
	authority_begin(script, &(struct authority){.owner = "o", .search_path = "public"});
	assert_null(script->statements[1].values[3]);
	assert_string_equal(script->statements[1].values[2], "0");
	script_free(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_as_the_owner_with_the_submitters_path),
		cmocka_unit_test(without_a_level_the_servers_own_holds),
	};

	return cmocka_run_group_tests_name("authority", tests, NULL, NULL);
}
