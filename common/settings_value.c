#include "common/settings_value.h"

#include "common/memory.h"
#include "common/nearest.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool settings_value_refuse(const struct settings_filling *filling, const struct settings_node *node,
	const struct settings_option *option, const char *what, const char *expected)
{
	fault_set(filling->why, FAULT_JOB, "%s is %s; expected %s", option->key, what, expected);
	return settings_place(filling->file, node, filling->why);
}

const char *settings_value_kind(const struct settings_node *node)
{
	if (settings_node_is_nothing(node))
		return "empty";
	switch (node->kind) {
	case SETTINGS_NODE_TEXT:
		return node->quoted ? "a text in quotes" : "a single value";
	case SETTINGS_NODE_LIST:
		return "a list";
	case SETTINGS_NODE_MAP:
		return "a mapping of keys to values";
	}
	return "something else";
}

static bool refuse_value(const struct settings_filling *filling, const struct settings_node *node,
	const struct settings_option *option, const char *expected)
{
	char *quoted = settings_quoted(node->text);
	char *what = memory_textf("%s%s", quoted, node->quoted ? ", a text in quotes" : "");
	bool never = settings_value_refuse(filling, node, option, what, expected);

	free(what);
	free(quoted);
	return never;
}

static char *number_expected(const struct settings_option *option)
{
	return memory_textf("a whole number from %" PRId64 " to %" PRId64 "%s%s", option->min, option->max,
		option->unit ? " " : "", option->unit ? option->unit : "");
}

static bool is_number(const struct settings_node *node)
{
	const char *digits = node->text + (node->text[0] == '-' || node->text[0] == '+');
	char *end;

	if (node->quoted || !strchr("0123456789.", digits[0]) || digits[0] == '\0')
		return false;
	(void)strtod(node->text, &end);
	return *end == '\0';
}

static bool is_truth(const struct settings_node *node)
{
	static const char *const words[] = {"true", "True", "TRUE", "false", "False", "FALSE"};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (!node->quoted && strcmp(node->text, words[i]) == 0)
			return true;
	return false;
}

/* 08 would be a text, 010 eight and 1_000 a thousand to some readers of YAML: only plain decimals. */
static bool whole_number(const struct settings_node *node, int64_t *ret)
{
	const char *digits = node->text + (node->text[0] == '-');

	if (node->quoted || *digits == '\0' || digits[strspn(digits, "0123456789")] != '\0' ||
		(digits[0] == '0' && digits[1] != '\0'))
		return false;
	errno = 0;
	*ret = strtoll(node->text, NULL, 10);
	return errno == 0;
}

static bool fill_number(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *node, void *into)
{
	int64_t number = 0;
	char *expected = number_expected(option);
	bool whole = whole_number(node, &number);
	bool good = whole && number >= option->min && number <= option->max;
	char *what = memory_textf("%" PRId64 ", out of range", number);

	if (!whole)
		refuse_value(filling, node, option, expected);
	else if (!good)
		settings_value_refuse(filling, node, option, what, expected);
	else if (option->kind == SETTINGS_INT)
		*(int *)into = (int)number;
	else
		*(int64_t *)into = number;
	free(what);
	free(expected);
	return good;
}

static bool fill_bool(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *node, bool *into)
{
	if (!is_truth(node))
		return refuse_value(filling, node, option, "true or false, without quotes");
	*into = node->text[0] == 't' || node->text[0] == 'T';
	return true;
}

static bool fill_choice(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *node, int *into)
{
	struct text expected = {0};
	const char *nearest;
	int count = 0;

	for (; option->choices[count]; count++) {
		if (strcmp(option->choices[count], node->text) == 0) {
			*into = count;
			text_free(&expected);
			return true;
		}
		text_addf(&expected, "%s%s", count ? ", " : "one of ", option->choices[count]);
	}
	nearest = nearest_word(node->text, option->choices, (size_t)count);
	if (nearest)
		text_addf(&expected, "; did you mean \"%s\"?", nearest);
	refuse_value(filling, node, option, text_is(&expected));
	text_free(&expected);
	return false;
}

/* May the option have this text? Its words are not repeated: they might be a connection string. */
static bool check_text(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *node)
{
	const char *form = option->form ? option->form : "a text";
	int64_t length = (int64_t)strlen(node->text);

	if (is_number(node))
		return settings_value_refuse(filling, node, option, "a number", "a text: put it in quotes");
	if (is_truth(node))
		return settings_value_refuse(filling, node, option, "a boolean", "a text: put it in quotes");
	if (option->kind == SETTINGS_TEXT && (length < option->min || (option->max && length > option->max)))
		return settings_value_refuse(
			filling, node, option, length < option->min ? "too short" : "too long", form);
	if (option->fits && !option->fits(node->text, filling->why)) {
		fault_add_context(filling->why, "%s", option->key);
		return settings_place(filling->file, node, filling->why);
	}
	return true;
}

static bool fill_text(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *node, char **into)
{
	if (!check_text(filling, option, node))
		return false;
	*into = memory_text(node->text);
	return true;
}

bool settings_value_check_count(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *list)
{
	int64_t count = (int64_t)list->count;
	char *what;
	char *expected;

	if (count >= option->min && (option->max == 0 || count <= option->max))
		return true;
	what = memory_textf("a list of %" PRId64 " entries", count);
	if (count < option->min)
		expected = memory_textf("at least %" PRId64, option->min);
	else
		expected = memory_textf("at most %" PRId64, option->max);
	settings_value_refuse(filling, list, option, what, expected);
	free(expected);
	free(what);
	return false;
}

static bool fill_texts(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *list, char *into)
{
	char **texts;
	size_t *count = (size_t *)(void *)(into + option->count_offset);

	if (!settings_value_check_count(filling, option, list))
		return false;
	texts = memory_new((list->count + 1) * sizeof(texts[0]));
	*(char ***)(void *)(into + option->offset) = texts;
	for (size_t i = 0; i < list->count; i++) {
		const struct settings_node *node = list->children[i];

		if (node->kind != SETTINGS_NODE_TEXT || settings_node_is_nothing(node))
			return settings_value_refuse(
				filling, node, option, settings_value_kind(node), "a text in each place of the list");
		if (!fill_text(filling, option, node, &texts[i]))
			return false;
		++*count;
		for (size_t before = 0; before < i; before++)
			if (strcmp(texts[before], texts[i]) == 0)
				return refuse_value(filling, node, option, "each text only once in the list");
	}
	return true;
}

bool settings_value_fill(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *node, char *into)
{
	void *at = into + option->offset;

	switch (option->kind) {
	case SETTINGS_TEXT:
		return fill_text(filling, option, node, at);
	case SETTINGS_INT:
	case SETTINGS_BIGINT:
		return fill_number(filling, option, node, at);
	case SETTINGS_BOOL:
		return fill_bool(filling, option, node, at);
	case SETTINGS_CHOICE:
		return fill_choice(filling, option, node, at);
	case SETTINGS_TEXTS:
		if (node->kind == SETTINGS_NODE_LIST)
			return fill_texts(filling, option, node, into);
		*(bool *)(into + option->word_offset) = true;
		return true;
	case SETTINGS_MAPPING:
	case SETTINGS_MAPPINGS:
		break;
	}
	assert(false); /* a mapping is not a value */
	return false;
}
