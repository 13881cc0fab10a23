/*
 * settings: what a good file gives, what is found where, and how a table describes itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/settings_house.h"

#include <stdlib.h>
#include <unistd.h>

/* The house of a file that has to be good. */
static struct house read_good(const char *yaml)
{
	struct house house = {0};
	struct fault why = {0};

	if (!read_bytes(yaml, strlen(yaml), &house, &why))
		fail_msg("%s\n%s", yaml, why.message);
	assert_int_equal(why.kind, FAULT_NONE);
	return house;
}

static void test_defaults(void **state)
{
	struct house house = read_good("heated: true\ndoors:\n  - name: front\n");

	(void)state;
	assert_string_equal(house.address, "");
	assert_int_equal(house.size.width_mm, 100);
	assert_true(house.size.volume_bytes == INT64_C(8000000000));
	assert_int_equal(house.colour, GREEN);
	assert_int_equal(house.doors_count, 1);
	assert_true(house.doors[0].any_key);
	assert_int_equal(house.doors[0].keys_count, 0);
	settings_free(&house_table, &house);
	assert_null(house.address);
	assert_int_equal(house.doors_count, 0);
	settings_free(&house_table, &house); /* twice is fine */
}

static void test_everything_written(void **state)
{
	struct house house = read_good("# a comment\n"
								   "address: 'on the hill'\n"
								   "colour: dark_blue\n"
								   "heated: false\n"
								   "size: {width_mm: -5, volume_bytes: 9223372036854775807}\n"
								   "doors:\n"
								   "  - {name: \"8\", keys: [A, \"B\"]}\n"
								   "  - name: back\n"
								   "    keys: []\n");

	(void)state;
	assert_string_equal(house.address, "on the hill");
	assert_int_equal(house.colour, DARK_BLUE);
	assert_false(house.heated);
	assert_int_equal(house.size.width_mm, -5);
	assert_true(house.size.volume_bytes == INT64_MAX);
	assert_int_equal(house.doors_count, 2);
	assert_string_equal(house.doors[0].name, "8");
	assert_int_equal(house.doors[0].keys_count, 2);
	assert_string_equal(house.doors[0].keys[1], "B");
	assert_false(house.doors[1].any_key);
	assert_int_equal(house.doors[1].keys_count, 0);
	settings_free(&house_table, &house);
}

static void test_accepted(void **state)
{
	static const struct {
		const char *what;
		const char *yaml;
		const char *address;
	} cases[] = {
		{"a mapping whose lines are all comments is as if it were not written", "size:\n  # width_mm: 1\n",
			""},
		{"a choice in quotes is a choice", "colour: \"red\"", ""},
		{"a text may look like a number in quotes", "address: \"5\"", "5"},
		{"off is a text: the YAML of 2009, not of 2005", "address: off", "off"},
		{"a folded text", "address: >-\n  on\n  the hill\n", "on the hill"},
		{"a byte order mark",
			"\xEF\xBB\xBF"
			"address: here",
			"here"},
		{"UTF-8 text",
			"address: \"B\xC3\xBC"
			"cherei\"",
			"B\xC3\xBC"
			"cherei"},
		{"the line --- before the one document", "---\naddress: here\n...\n", "here"},
		{"JSON", "{\"address\": \"here\", \"doors\": []}", "here"},
		{"lines that end like on Windows", "address: here\r\ncolour: red\r\n", "here"},
		{"the word of a list in quotes", "doors: [{name: a, keys: \"any\"}]", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct house house = read_good(cases[i].yaml);

		if (strcmp(house.address, cases[i].address) != 0)
			fail_msg("%s: %s", cases[i].what, house.address);
		settings_free(&house_table, &house);
	}
}

static void test_files(void **state)
{
	char path[] = "/tmp/test_settings.XXXXXX";
	int descriptor = mkstemp(path);
	struct settings *file;
	struct fault why = {0};

	(void)state;
	assert_true(descriptor >= 0);
	assert_int_equal(write(descriptor, "colour: red\n", 12), 12);
	assert_true(settings_open(path, &file, &why));
	assert_true(settings_has(file, "colour"));
	settings_close(file);

	assert_int_equal(ftruncate(descriptor, 1024 * 1024 + 1), 0);
	assert_false(settings_open(path, &file, &why));
	assert_non_null(strstr(why.message, "is larger than 1 MiB"));
	close(descriptor);
	unlink(path);

	assert_false(settings_open("/no/such/file.yaml", &file, &why));
	assert_string_equal(why.message, "/no/such/file.yaml: cannot be read: No such file or directory");
	assert_non_null(why.hint);
	assert_false(settings_open("/tmp", &file, &why));
	assert_string_equal(why.message, "/tmp: cannot be read: Is a directory");
	fault_clear(&why);
	settings_close(NULL);
}

static void test_places(void **state)
{
	static const char yaml[] = "size:\n  width_mm: 5\ndoors:\n  - name: a\n  - name: b\n    keys: [A, B]\n";
	static const struct {
		const char *place;
		bool has;
		const char *message;
	} cases[] = {
		{"size", true, "f:2:3: no"},
		{"size.width_mm", true, "f:2:13: no"},
		{"size.volume_bytes", false, "f:2:3: no"},
		{"doors[1].name", true, "f:5:11: no"},
		{"doors[1].keys[1]", true, "f:6:15: no"},
		{"doors[1].keys[2]", false, "f:6:11: no"},
		{"doors[2].name", false, "f:4:3: no"},
		{"colour", false, "f:1:1: no"},
		{"size[0]", false, "f:2:3: no"},
		{"doors.name", false, "f:4:3: no"},
	};
	struct settings *file;
	struct fault why = {0};

	(void)state;
	assert_true(settings_open_text("f", yaml, strlen(yaml), &file, &why));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		settings_blame(file, cases[i].place, &why, "no");
		assert_string_equal(why.message, cases[i].message);
		assert_int_equal(settings_has(file, cases[i].place), cases[i].has);
	}
	fault_clear(&why);
	settings_close(file);
}

static void test_describe(void **state)
{
	struct text said = {0};

	(void)state;
	settings_describe(&house_table, &said);
	assert_string_equal(text_is(&said), "  key                unit  range                     default\n"
										"  address            -     a text                    \"\"\n"
										"        Where.\n"
										"  size               -     a mapping                 {}\n"
										"        How big.\n"
										"  size.width_mm      mm    -5 to 5000                100\n"
										"        Its width.\n"
										"  size.volume_bytes  -     0 to 9223372036854775807  8000000000\n"
										"        Its volume.\n"
										"  colour             -     red, green, dark_blue     green\n"
										"        Of the walls.\n"
										"  heated             -     true, false               true\n"
										"        Warm.\n"
										"  doors              -     a list of mappings        []\n"
										"        Ways in.\n"
										"  doors[].name       -     a text                    required\n"
										"        Its name.\n"
										"  doors[].keys       -     any, or a list of keys    any\n"
										"        What opens it.\n");
	text_free(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything_written),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
