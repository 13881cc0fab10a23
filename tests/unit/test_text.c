/*
 * text: a string that grows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/text.h"

#include <stdlib.h>
#include <string.h>

static void an_empty_text_is_an_empty_string(void **state)
{
	struct text text = {0};

	(void)state;
	assert_string_equal(text_is(&text), "");
	text_clear(&text);
	assert_string_equal(text_is(&text), "");
	text_free(&text);
}

static void it_grows_by_texts_formats_and_bytes(void **state)
{
	struct text text = {0};

	(void)state;
	text_add(&text, "SELECT ");
	text_addf(&text, "%d, '%s'", 1, "a");
	text_add_bytes(&text, ", 2xyz", 3);
	assert_string_equal(text_is(&text), "SELECT 1, 'a', 2");
	assert_int_equal(text.length, strlen("SELECT 1, 'a', 2"));
	text_free(&text);
	assert_string_equal(text_is(&text), "");
}

static void it_grows_past_any_size(void **state)
{
	struct text text = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		text_addf(&text, "%05d", i);
	assert_int_equal(text.length, 500000);
	assert_memory_equal(text_is(&text) + 5 * 99999, "99999", 6);
	text_free(&text);
}

static void a_cleared_text_begins_anew(void **state)
{
	struct text text = {0};

	(void)state;
	text_add(&text, "old");
	text_clear(&text);
	assert_string_equal(text_is(&text), "");
	text_add(&text, "new");
	assert_string_equal(text_is(&text), "new");
	text_free(&text);
}

static void taking_leaves_an_empty_text(void **state)
{
	struct text text = {0};
	char *nothing = text_take(&text);
	char *taken;

	(void)state;
	assert_string_equal(nothing, "");
	text_add(&text, "x");
	taken = text_take(&text);
	assert_string_equal(taken, "x");
	assert_string_equal(text_is(&text), "");
	free(nothing);
	free(taken);
	text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_text_is_an_empty_string),
		cmocka_unit_test(it_grows_by_texts_formats_and_bytes),
		cmocka_unit_test(it_grows_past_any_size),
		cmocka_unit_test(a_cleared_text_begins_anew),
		cmocka_unit_test(taking_leaves_an_empty_text),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
