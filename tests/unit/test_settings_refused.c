/*
 * settings: every way to break the rules of strict reading, and what the message says about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/settings_house.h"

static const struct {
	const char *what;
	const char *yaml;
	const char *message; /* begins so */
} refused[] = {
	{"a misspelt key names the nearest", "heted: true",
		"f:1:1: unknown key \"heted\"; did you mean \"heated\"?"},
	{"two swapped letters are one slip", "size:\n  widht_mm: 1",
		"f:2:3: unknown key \"widht_mm\"; did you mean \"width_mm\"?"},
	{"a key that resembles none lists them", "roof: flat",
		"f:1:1: unknown key \"roof\"; expected one of address, size, colour, heated, doors"},
	{"a key of another mapping says where it belongs", "width_mm: 5",
		"f:1:1: unknown key \"width_mm\"; it belongs under size; here expected one of address,"},
	{"an outer key inside says where it belongs", "doors:\n  - name: a\n    colour: red",
		"f:3:5: unknown key \"colour\"; it belongs at the left margin; here expected one of name, keys"},
	{"a key is shown printable and short", "\"a\\nb\": 1", "f:1:1: unknown key \"a?b\"; expected"},
	{"a key twice", "colour: red\naddress: x\ncolour: green",
		"f:3:1: key \"colour\" is written twice; expected it once, as in line 1"},
	{"a required key left out, at the mapping that lacks it", "doors:\n  - keys: [A]",
		"f:2:5: key \"name\" is missing; expected it (Its name.)"},
	{"a merge key is no key", "<<: {colour: red}", "f:1:1: unknown key \"<<\""},
	{"the first fault of the file is the one reported", "size: {width: 1}\nheted: x",
		"f:1:8: unknown key \"width\""},

	{"a number in quotes", "size: {width_mm: \"5\"}",
		"f:1:18: width_mm is \"5\", a text in quotes; expected a whole number from -5 to 5000 mm"},
	{"a fraction", "size:\n  width_mm: 1.5",
		"f:2:13: width_mm is \"1.5\"; expected a whole number from -5 to 5000 mm"},
	{"a number with its unit", "size: {width_mm: 5mm}",
		"f:1:18: width_mm is \"5mm\"; expected a whole number"},
	{"hexadecimal", "size: {width_mm: 0x10}", "f:1:18: width_mm is \"0x10\"; expected a whole number"},
	{"a leading zero: octal to some", "size: {width_mm: 010}", "f:1:18: width_mm is \"010\"; expected"},
	{"underscores", "size: {width_mm: 1_000}", "f:1:18: width_mm is \"1_000\"; expected a whole number"},
	{"only a sign", "size: {width_mm: -}", "f:1:18: "},
	{"above the range", "size: {width_mm: 5001}",
		"f:1:18: width_mm is 5001, out of range; expected a whole number from -5 to 5000 mm"},
	{"below the range", "size: {width_mm: -6}", "f:1:18: width_mm is -6, out of range; expected"},
	{"beyond 32 bits", "size: {width_mm: 4294967297}", "f:1:18: width_mm is 4294967297, out of range"},
	{"beyond 64 bits", "size: {volume_bytes: 9223372036854775808}",
		"f:1:22: volume_bytes is \"9223372036854775808\"; expected a whole number from 0 to "
		"9223372036854775807"},
	{"a number that is nothing", "size: {width_mm: }", "f:1:18: width_mm is empty; expected"},
	{"a list for a number", "size: {width_mm: [5]}", "f:1:18: width_mm is a list; expected"},

	{"yes for a boolean", "heated: yes", "f:1:9: heated is \"yes\"; expected true or false, without quotes"},
	{"a boolean in quotes", "heated: \"true\"",
		"f:1:9: heated is \"true\", a text in quotes; expected true or false"},
	{"a number for a text", "address: 5", "f:1:10: address is a number; expected a text: put it in quotes"},
	{"a fraction for a text", "address: -.5e3", "f:1:10: address is a number; expected"},
	{"a boolean for a text", "address: true",
		"f:1:10: address is a boolean; expected a text: put it in quotes"},
	{"null for a text", "address: ~", "f:1:10: address is empty; expected a single value"},
	{"nothing for a text", "address:\ncolour: red", "f:1:9: address is empty; expected"},
	{"a mapping for a text", "address: {a: b}",
		"f:1:10: address is a mapping of keys to values; expected a single"},
	{"a text too short", "doors: [{name: \"\"}]", "f:1:16: name is too short; expected"},
	{"a text too long", "doors: [{name: 123456789a}]", "f:1:16: name is too long; expected"},
	{"a NUL byte", "address: \"a\\0b\"", "f:1:10: the text holds a NUL byte"},
	{"a near choice", "colour: gren",
		"f:1:9: colour is \"gren\"; expected one of red, green, dark_blue; did you mean \"green\"?"},
	{"a far choice", "colour: off", "f:1:9: colour is \"off\"; expected one of red, green, dark_blue"},

	{"a list for a mapping", "size:\n  - width_mm",
		"f:2:3: size is a list; expected a mapping: its keys below it, indented"},
	{"a text for a mapping", "size: big", "f:1:7: size is a single value; expected a mapping"},
	{"a mapping for a list of them", "doors:\n  name: a",
		"f:2:3: doors is a mapping of keys to values; expected a list: lines below it that begin with \"- "
		"\""},
	{"nothing for a list", "doors:", "f:1:7: doors is empty; expected a list"},
	{"a text in a list of mappings", "doors: [front]",
		"f:1:9: doors is a single value; expected a mapping of keys to values in each place"},
	{"too many mappings", "doors: [{name: a}, {name: b}, {name: c}]",
		"f:1:8: doors is a list of 3 entries; expected at most 2"},
	{"a fault in the second mapping frees the first",
		"doors: [{name: a, keys: [A]}, {name: b, keys: [C, d]}]",
		"f:1:51: keys: has other letters; expected A to Z"},
	{"another word than the list's own", "doors: [{name: a, keys: none}]",
		"f:1:25: keys is a single value; expected any, or a list of keys"},
	{"a list inside a list of texts", "doors: [{name: a, keys: [[A]]}]",
		"f:1:26: keys is a list; expected a text in each place"},
	{"nothing inside a list of texts", "doors: [{name: a, keys: [A, ~]}]",
		"f:1:29: keys is empty; expected a text in each place"},
	{"too many texts", "doors: [{name: a, keys: [A, B, C, D]}]",
		"f:1:25: keys is a list of 4 entries; expected at most 3"},
	{"a text twice", "doors: [{name: a, keys: [A, A]}]",
		"f:1:29: keys is \"A\"; expected each text only once"},

	{"an empty file", "", "f:1:1: the file holds nothing but comments and blanks; expected keys and values"},
	{"only comments", "# nothing\n\n", "f:3:1: the file holds nothing but comments and blanks"},
	{"an empty document", "---\n",
		"f:2:1: the file is empty; expected \"key: value\" lines with the keys address, size"},
	{"a list at the top", "- a", "f:1:1: the file is a list; expected \"key: value\" lines"},
	{"a text at the top", "hello", "f:1:1: the file is a single value; expected"},
	{"two documents", "colour: red\n---\ncolour: green", "f:2:1: a second document begins here"},
	{"an anchor", "size: &a {}", "f:1:7: anchors (&) and tags (!) are not understood here"},
	{"an anchor at a text", "address: &a here", "f:1:10: anchors (&)"},
	{"an alias", "address: *a", "f:1:10: aliases (*) are not understood here; expected the value itself"},
	{"a tag", "address: !!str 5", "f:1:10: anchors (&) and tags (!)"},
	{"a tag at a list", "doors: !!seq []", "f:1:8: anchors (&) and tags (!)"},
	{"a list as a key", "? [a]\n: b", "f:1:3: a list or a mapping cannot be a key; expected a word"},
	{"an alias as a key", "*a : b", "f:1:1: a list or a mapping cannot be a key"},
	{"too deep", "address: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
		"f:1:42: nested too deeply; expected at most 32 levels"},
	{"a quote that is not closed", "address: \"x",
		"f:1:12: not valid YAML: found unexpected end of stream (while scanning a quoted scalar that starts "
		"in line 1)"},
	{"a tab", "size:\n\twidth_mm: 5", "f:2:1: not valid YAML: found character that cannot start any token"},
	{"indentation that does not fit", "size:\n  width_mm: 5\n volume_bytes: 5",
		"f:3:2: not valid YAML: did not find expected key"},
	{"invalid UTF-8, columns in characters", "colour: red\naddress: \xC3\xBC\xC3\x28",
		"f:2:12: invalid trailing UTF-8 octet; expected UTF-8 text"},
	{"UTF-16",
		"\xFF\xFE"
		"a\0:\0",
		"f:1:1: invalid leading UTF-8 octet; expected UTF-8 text"},
	{"a control character", "address: \x01",
		"f:1:10: control characters are not allowed; expected UTF-8 text"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct house house = {.address = (char *)(uintptr_t)1};
		struct fault why = {0};

		if (read_bytes(refused[i].yaml, strlen(refused[i].yaml), &house, &why))
			fail_msg("%s: was accepted", refused[i].what);
		if (strncmp(why.message, refused[i].message, strlen(refused[i].message)) != 0)
			fail_msg("%s:\n  expected %s\n  but got  %s", refused[i].what, refused[i].message, why.message);
		assert_int_equal(why.kind, FAULT_JOB);
		assert_ptr_equal(house.address, (char *)(uintptr_t)1); /* untouched */
		fault_clear(&why);
	}
}

static void test_long_key_is_cut_between_characters(void **state)
{
	struct text yaml = {0};
	struct house house;
	struct fault why = {0};

	(void)state;
	for (int i = 0; i < 59; i++)
		text_add(&yaml, "x");
	text_add(&yaml, "\xC3\xBC\xC3\xBC: 1");
	assert_false(read_bytes(text_is(&yaml), yaml.length, &house, &why));
	assert_non_null(strstr(why.message, "xx…\"; expected one of"));
	text_free(&yaml);
	fault_clear(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_key_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
