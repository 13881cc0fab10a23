/*
 * fault: its texts, and the table that gives an SQLSTATE its advice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/fault.h"
#include "common/memory.h"
#include "common/sqlstate.h"

#include <string.h>

static void setting_replaces_what_was_there(void **state)
{
	struct fault why = {0};

	(void)state;
	fault_set(&why, FAULT_BUSY, "lock on %s", "a");
	fault_set_hint(&why, "wait %d s", 1);
	fault_set(&why, FAULT_LINK, "%s gone", "server");
	assert_int_equal(why.kind, FAULT_LINK);
	assert_string_equal(why.message, "server gone");
	assert_null(why.hint);
	fault_clear(&why);
	assert_int_equal(why.kind, FAULT_NONE);
	assert_null(why.message);
}

static void a_message_may_be_made_of_the_old_one(void **state)
{
	struct fault why = {0};

	(void)state;
	fault_set(&why, FAULT_DATA, "division by zero");
	fault_set(&why, FAULT_JOB, "%s, again", why.message);
	assert_string_equal(why.message, "division by zero, again");
	fault_set_hint(&why, "see %s", "it");
	fault_set_hint(&why, "%s and that", why.hint);
	assert_string_equal(why.hint, "see it and that");
	fault_clear(&why);
}

static void context_goes_before_the_message(void **state)
{
	struct fault why = {0};

	(void)state;
	fault_set(&why, FAULT_DATA, "division by zero");
	fault_add_context(&why, "row %d", 7);
	assert_string_equal(why.message, "row 7: division by zero");
	fault_clear(&why);
}

static void a_copy_is_deep_and_may_be_of_itself(void **state)
{
	struct fault why = {0};
	struct fault copy = {0};

	(void)state;
	fault_set(&why, FAULT_DATA, "m");
	memcpy(why.sqlstate, "22012", 6);
	why.detail = memory_text("d");
	fault_set_hint(&why, "h");
	fault_copy(&copy, &why);
	fault_copy(&why, &why);
	assert_string_equal(why.message, "m");
	fault_clear(&why);
	assert_int_equal(copy.kind, FAULT_DATA);
	assert_string_equal(copy.sqlstate, "22012");
	assert_string_equal(copy.message, "m");
	assert_string_equal(copy.detail, "d");
	assert_string_equal(copy.hint, "h");
	fault_clear(&copy);
}

struct advice_case {
	const char *sqlstate;
	enum fault_kind kind;
};

static void an_sqlstate_says_what_to_do(void **state)
{
	static const struct advice_case cases[] = {
		{"08006", FAULT_LINK},   /* connection failure */
		{"08P01", FAULT_JOB},    /* wrong number of parameters: asking again would not help */
		{"57P01", FAULT_LINK},   /* pg_terminate_backend, fast shutdown */
		{"57P02", FAULT_LINK},   /* another backend crashed */
		{"57P03", FAULT_LINK},   /* starting up */
		{"57P05", FAULT_LINK},   /* idle_session_timeout */
		{"25006", FAULT_LINK},   /* a standby */
		{"25001", FAULT_JOB},    /* its neighbour in the class: inside a transaction block */
		{"55P03", FAULT_BUSY},   /* lock_timeout, NOWAIT */
		{"40P01", FAULT_BUSY},   /* deadlock */
		{"40001", FAULT_BUSY},   /* serialization */
		{"57014", FAULT_BUSY},   /* statement_timeout, pg_cancel_backend */
		{"55006", FAULT_BUSY},   /* in use */
		{"55000", FAULT_JOB},    /* no replica identity */
		{"53100", FAULT_SCARCE}, /* disk full */
		{"53300", FAULT_SCARCE}, /* too many connections */
		{"58030", FAULT_SCARCE}, /* I/O error */
		{"22012", FAULT_DATA},   /* division by zero */
		{"23502", FAULT_DATA},   /* NOT NULL */
		{"P0001", FAULT_DATA},   /* RAISE EXCEPTION */
		{"P0004", FAULT_DATA},   /* ASSERT */
		{"BF001", FAULT_FENCED}, /* backfill.move_bookmark() */
		{"42703", FAULT_JOB},    /* no such column */
		{"42501", FAULT_JOB},    /* no privilege */
		{"XX000", FAULT_JOB},    /* internal error */
		{"ZZ999", FAULT_JOB},    /* nobody knows */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (sqlstate_kind(cases[i].sqlstate) != cases[i].kind)
			fail_msg(
				"%s is kind %d, not %d", cases[i].sqlstate, sqlstate_kind(cases[i].sqlstate), cases[i].kind);
}

static void a_refused_connection_has_a_hint(void **state)
{
	(void)state;
	assert_non_null(strstr(sqlstate_connect_hint("28P01"), "passfile"));
	assert_non_null(strstr(sqlstate_connect_hint("28000"), "pg_hba.conf"));
	assert_non_null(strstr(sqlstate_connect_hint("3D000"), "dbname"));
	assert_non_null(strstr(sqlstate_connect_hint("53300"), "max_connections"));
	assert_null(sqlstate_connect_hint("XX000"));
}

static void what_a_server_refuses_us_for(void **state)
{
	static const struct {
		const char *sqlstate, *message;
		bool refusal;
	} cases[] = {
		{"28P01", "password authentication failed", true},
		{"28000", "no pg_hba.conf entry", true},
		{"3D000", "database \"x\" does not exist", true},
		{"42501", "permission denied for database", true},
		{"53300", "too many connections", true},
		{"55000", "database is not currently accepting connections", true},
		{"08P01", "a pooler's no such user", true},
		{"57P01", "terminating connection", false},
		{"57P03", "the database system is starting up", false},
		{"08006", "connection failure", false},
		{"", "connection to server at \"x\" failed: fe_sendauth: no password supplied", true},
		{"", "connection to server at \"x\" failed: SSL error: certificate verify failed", true},
		{"", "connection to server on socket \"x\" failed: Permission denied", true},
		{"", "connection to server at \"x\" failed: Connection refused", false},
		{"", "server closed the connection unexpectedly", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (sqlstate_is_refusal(cases[i].sqlstate, cases[i].message) != cases[i].refusal)
			fail_msg("%s %s", cases[i].sqlstate, cases[i].message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setting_replaces_what_was_there),
		cmocka_unit_test(a_message_may_be_made_of_the_old_one),
		cmocka_unit_test(context_goes_before_the_message),
		cmocka_unit_test(a_copy_is_deep_and_may_be_of_itself),
		cmocka_unit_test(an_sqlstate_says_what_to_do),
		cmocka_unit_test(what_a_server_refuses_us_for),
		cmocka_unit_test(a_refused_connection_has_a_hint),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
