#include "common/settings_node.h"

#include "common/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_QUOTE 60

bool settings_place(const struct settings *file, const struct settings_node *node, struct fault *why)
{
	fault_add_context(why, "%s:%zu:%zu", file->name, node->line, node->column);
	return false;
}

bool settings_node_is_nothing(const struct settings_node *node)
{
	static const char *const nothings[] = {"", "~", "null", "Null", "NULL"};

	if (node->kind != SETTINGS_NODE_TEXT || node->quoted)
		return false;
	for (size_t i = 0; i < COUNT_OF(nothings); i++)
		if (strcmp(node->text, nothings[i]) == 0)
			return true;
	return false;
}

const struct settings_node *settings_node_value(const struct settings_node *map, const char *key)
{
	assert(map->kind == SETTINGS_NODE_MAP);
	for (size_t i = 0; i + 1 < map->count; i += 2)
		if (strcmp(map->children[i]->text, key) == 0)
			return map->children[i + 1];
	return NULL;
}

char *settings_quoted(const char *text)
{
	struct text quoted = {0};
	size_t length = strlen(text);
	bool whole = length <= LONGEST_QUOTE;

	if (!whole) {
		length = LONGEST_QUOTE;
		while ((text[length] & 0xC0) == 0x80)
			length--; /* not through the middle of a character */
	}
	text_add(&quoted, "\"");
	for (size_t i = 0; i < length; i++)
		text_add_bytes(&quoted, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? "?" : text + i, 1);
	text_add(&quoted, whole ? "\"" : "…\"");
	return text_take(&quoted);
}

/* One step of a place: `key` or `[2]`; *place moves behind it. NULL: not written. */
static const struct settings_node *step(const struct settings_node *node, const char **place)
{
	const struct settings_node *next = NULL;
	size_t length;

	if (**place == '[') {
		char *end;
		size_t index = strtoul(*place + 1, &end, 10);

		assert(*end == ']');
		*place = end + 1;
		next = node->kind == SETTINGS_NODE_LIST && index < node->count ? node->children[index] : NULL;
	} else {
		char *key = memory_text(*place);

		length = strcspn(key, ".[");
		key[length] = '\0';
		*place += length;
		next = node->kind == SETTINGS_NODE_MAP ? settings_node_value(node, key) : NULL;
		free(key);
	}
	if (**place == '.')
		++*place;
	return next;
}

/* The node at `place` or the last one on the way there; *ret_whole: all of the way is written. */
static const struct settings_node *find(const struct settings *file, const char *place, bool *ret_whole)
{
	const struct settings_node *node = file->root;

	while (*place) {
		const struct settings_node *next = step(node, &place);

		*ret_whole = next != NULL;
		if (!next)
			return node;
		node = next;
	}
	*ret_whole = true;
	return node;
}

bool settings_has(const struct settings *file, const char *place)
{
	bool whole;

	find(file, place, &whole);
	return whole;
}

void settings_blame(
	const struct settings *file, const char *place, struct fault *why, const char *format, ...)
{
	bool whole;
	char *message = NULL;
	va_list values;

	va_start(values, format);
	if (vasprintf(&message, format, values) < 0)
		message = NULL;
	va_end(values);
	fault_set(why, FAULT_JOB, "%s", message ? message : "out of memory");
	free(message);
	settings_place(file, find(file, place, &whole), why);
}
