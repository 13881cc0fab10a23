/*
 * script: statements with their parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/script.h"

#include <string.h>

static void binds_belong_to_the_statement_before(void **state)
{
	struct script *script = script_new();

	(void)state;
	script_add(script, "SELECT $1, $2");
	script_bind(script, "a");
	script_bind(script, NULL);
	script_addf(script, "SELECT $1, $2, %d", 3);
	script_bind_int(script, INT64_MIN);
	script_bind_bool(script, false);
	assert_int_equal(script->count, 2);
	assert_int_equal(script->statements[0].values_count, 2);
	assert_string_equal(script->statements[0].values[0], "a");
	assert_null(script->statements[0].values[1]);
	assert_string_equal(script->statements[1].sql, "SELECT $1, $2, 3");
	assert_string_equal(script->statements[1].values[0], "-9223372036854775808");
	assert_string_equal(script->statements[1].values[1], "false");
	script_free(script);
}

static void texts_are_copied(void **state)
{
	struct script *script = script_new();
	char sql[] = "SELECT $1";
	char value[] = "before";

	(void)state;
	script_add(script, sql);
	script_bind(script, value);
	memset(sql, 'x', strlen(sql));
	memset(value, 'x', strlen(value));
	assert_string_equal(script->statements[0].sql, "SELECT $1");
	assert_string_equal(script->statements[0].values[0], "before");
	script_free(script);
}

static void only_what_is_added_so_is_parse_only(void **state)
{
	struct script *script = script_new();

	(void)state;
	script_add(script, "SELECT 1");
	script_add_parse(script, "SELECT 2");
	assert_false(script->statements[0].parse_only);
	assert_true(script->statements[1].parse_only);
	script_free(script);
}

static void it_holds_any_number_of_statements(void **state)
{
	struct script *script = script_new();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		script_addf(script, "SELECT %d", i);
		script_bind_int(script, i);
	}
	assert_int_equal(script->count, 1000);
	assert_string_equal(script->statements[999].sql, "SELECT 999");
	assert_string_equal(script->statements[999].values[0], "999");
	script_free(script);
	script_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binds_belong_to_the_statement_before),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(only_what_is_added_so_is_parse_only),
		cmocka_unit_test(it_holds_any_number_of_statements),
	};

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
