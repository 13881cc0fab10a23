/*
 * quote: no text gets out of its quotes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/quote.h"

#include <string.h>

static void names(void **state)
{
	static const struct {
		const char *what;
		const char *text, *name;
	} cases[] = {
		{"plain", "users", "\"users\""},
		{"capitals and blanks", "My Table", "\"My Table\""},
		{"double quotes", "a\"b", "\"a\"\"b\""},
		{"single quotes", "O'Hara", "\"O'Hara\""},
		{"a backslash", "a\\", "\"a\\\""},
		{"a backslash before a quote", "a\\'; DROP", "\"a\\'; DROP\""},
		{"only a quote", "\"", "\"\"\"\""},
		{"nothing", "", "\"\""},
		{"other letters", "größe", "\"größe\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text sql = {0};

		quote_name(&sql, cases[i].text);
		if (strcmp(text_is(&sql), cases[i].name) != 0)
			fail_msg("%s: %s", cases[i].what, text_is(&sql));
		text_free(&sql);
	}
}

static void constants(void **state)
{
	static const struct {
		const char *text, *quoted;
	} cases[] = {
		{"plain", "'plain'"},
		{"O'Hara", "'O''Hara'"},
		{"a\\'; DROP", "E'a\\\\''; DROP'"},
		{"a\"b", "'a\"b'"},
		{"", "''"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text sql = {0};

		quote_literal(&sql, cases[i].text);
		assert_string_equal(text_is(&sql), cases[i].quoted);
		text_free(&sql);
	}
}

static void a_body_does_not_hold_its_own_tag(void **state)
{
	static const struct {
		const char *body, *quoted;
	} cases[] = {
		{"BEGIN END", "$body0$BEGIN END$body0$"},
		{"a $body0$ b", "$body1$a $body0$ b$body1$"},
		{"$body0$$body1$$body2$", "$body3$$body0$$body1$$body2$$body3$"},
		{"$$ $body$", "$body0$$$ $body$$body0$"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text sql = {0};

		quote_body(&sql, cases[i].body);
		assert_string_equal(text_is(&sql), cases[i].quoted);
		text_free(&sql);
	}
}

/* Whatever the body ends with, the closing tag is the first place where the opening one comes again. */
static void a_body_may_end_like_the_beginning_of_its_tag(void **state)
{
	static const char *const bodies[] = {"x$body0", "x$", "$body0", "x$body"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct text sql = {0};
		size_t tag;

		quote_body(&sql, bodies[i]);
		tag = strcspn(text_is(&sql) + 1, "$") + 2;
		for (size_t at = tag; at + tag < sql.length; at++)
			if (strncmp(text_is(&sql) + at, text_is(&sql), tag) == 0)
				fail_msg("%s ends too early", text_is(&sql));
		text_free(&sql);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(constants),
		cmocka_unit_test(a_body_does_not_hold_its_own_tag),
		cmocka_unit_test(a_body_may_end_like_the_beginning_of_its_tag),
	};

	return cmocka_run_group_tests_name("quote", tests, NULL, NULL);
}
