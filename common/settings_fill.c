/*
 * From the tree to a struct, by an option table: fill_map() goes over a mapping's keys, fill_option()
 * checks what stands there and goes on. What is not written is read from the row's `initial`, through the
 * same functions. The struct is built aside and handed over whole.
 */
#include "common/memory.h"
#include "common/nearest.h"
#include "common/settings.h"
#include "common/settings_node.h"
#include "common/settings_value.h"

#include <stdlib.h>
#include <string.h>

static bool fill_map(const struct settings_filling *filling, const struct settings_table *table,
	const struct settings_node *map, char *into);

/* Adds the keys of a table: `a, b, c`. */
static void add_keys(const struct settings_table *table, struct text *ret)
{
	for (size_t i = 0; i < table->count; i++)
		text_addf(ret, "%s%s", i ? ", " : "", table->options[i].key);
}

static const struct settings_option *option_of(const struct settings_table *table, const char *key)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->options[i].key, key) == 0)
			return &table->options[i];
	return NULL;
}

/* The key whose mapping (or list of them) has `key` inside; "" for the table itself; NULL: nowhere. */
static const char *home_of(const struct settings_table *table, const char *key)
{
	if (option_of(table, key))
		return "";
	for (size_t i = 0; i < table->count; i++)
		if (table->options[i].table && home_of(table->options[i].table, key))
			return table->options[i].key;
	return NULL;
}

static bool refuse_key(const struct settings_filling *filling, const struct settings_table *table,
	const struct settings_node *key)
{
	char *quoted = settings_quoted(key->text);
	const char **known = memory_new((table->count + 1) * sizeof(*known));
	const char *nearest;
	const char *home = home_of(filling->root, key->text);
	struct text message = {0};

	for (size_t i = 0; i < table->count; i++)
		known[i] = table->options[i].key;
	nearest = nearest_word(key->text, known, table->count);
	text_addf(&message, "unknown key %s; ", quoted);
	if (nearest) {
		text_addf(&message, "did you mean \"%s\"?", nearest);
	} else {
		if (home)
			text_addf(&message, "it belongs %s%s; here ", *home ? "under " : "at the left margin", home);
		text_add(&message, "expected one of ");
		add_keys(table, &message);
	}
	fault_set(filling->why, FAULT_JOB, "%s", text_is(&message));
	text_free(&message);
	free(known);
	free(quoted);
	return settings_place(filling->file, key, filling->why);
}

static bool fill_maps(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *list, char *into)
{
	void *structs;
	size_t *count = (size_t *)(void *)(into + option->count_offset);

	if (!settings_value_check_count(filling, option, list))
		return false;
	structs = memory_new((list->count + 1) * option->table->size);
	memcpy(into + option->offset, &structs, sizeof(structs)); /* a pointer of a type unknown here */
	for (size_t i = 0; i < list->count; i++) {
		const struct settings_node *node = list->children[i];

		if (node->kind != SETTINGS_NODE_MAP)
			return settings_value_refuse(filling, node, option, settings_value_kind(node),
				"a mapping of keys to values in each place");
		++*count; /* also when only half is filled: settings_free() goes by it */
		if (!fill_map(filling, option->table, node, (char *)structs + i * option->table->size))
			return false;
	}
	return true;
}

/* A key with nothing behind it, as left over when all its lines are comments. */
static const struct settings_node *or_empty(
	const struct settings_option *option, const struct settings_node *node, struct settings_node *empty)
{
	if (option->kind != SETTINGS_MAPPING || !settings_node_is_nothing(node))
		return node;
	*empty = (struct settings_node){
		.kind = SETTINGS_NODE_MAP, .line = node->line, .column = node->column, .text = NULL};
	return empty;
}

static bool fill_option(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *written, char *into)
{
	struct settings_node empty;
	const struct settings_node *node = or_empty(option, written, &empty);
	enum settings_node_kind wanted = SETTINGS_NODE_TEXT;
	const char *expected = option->form ? option->form : "a single value";

	switch (option->kind) {
	case SETTINGS_TEXT:
	case SETTINGS_INT:
	case SETTINGS_BIGINT:
	case SETTINGS_BOOL:
	case SETTINGS_CHOICE:
		break;
	case SETTINGS_TEXTS:
		if (!option->word || node->kind != SETTINGS_NODE_TEXT || strcmp(node->text, option->word) != 0)
			wanted = SETTINGS_NODE_LIST;
		expected = option->form ? option->form : "a list of texts";
		break;
	case SETTINGS_MAPPING:
		wanted = SETTINGS_NODE_MAP;
		expected = "a mapping: its keys below it, indented";
		break;
	case SETTINGS_MAPPINGS:
		wanted = SETTINGS_NODE_LIST;
		expected = "a list: lines below it that begin with \"- \"";
		break;
	}
	if (node->kind != wanted || settings_node_is_nothing(node))
		return settings_value_refuse(filling, node, option, settings_value_kind(node), expected);
	if (option->kind == SETTINGS_MAPPING)
		return fill_map(filling, option->table, node, into + option->offset);
	if (option->kind == SETTINGS_MAPPINGS)
		return fill_maps(filling, option, node, into);
	return settings_value_fill(filling, option, node, into);
}

/* A default goes the way of what is written, so that it cannot be what a user could not write. */
static bool fill_initial(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *map, char *into)
{
	struct settings_node node = {.kind = SETTINGS_NODE_TEXT, .line = map->line, .column = map->column};
	char *initial;
	bool good;

	if (option->kind == SETTINGS_MAPPING) {
		node.kind = SETTINGS_NODE_MAP;
		return fill_map(filling, option->table, &node, into + option->offset);
	}
	if (!option->initial) {
		fault_set(filling->why, FAULT_JOB, "key \"%s\" is missing; expected %s (%s)", option->key,
			option->form ? option->form : "it", option->help);
		return settings_place(filling->file, map, filling->why);
	}
	if (strcmp(option->initial, "[]") == 0)
		return true; /* zeroes are the empty list */
	initial = memory_text(option->initial);
	node.text = initial;
	node.quoted = option->kind == SETTINGS_TEXT;
	good = settings_value_fill(filling, option, &node, into);
	free(initial);
	return good;
}

/* Is the key at `at` in the map a second time, before? */
static const struct settings_node *earlier(const struct settings_node *map, size_t at)
{
	for (size_t i = 0; i < at; i += 2)
		if (strcmp(map->children[i]->text, map->children[at]->text) == 0)
			return map->children[i];
	return NULL;
}

/* What is written, in its order, so that the first fault in the file is the one reported. */
static bool fill_written(const struct settings_filling *filling, const struct settings_table *table,
	const struct settings_node *map, char *into)
{
	for (size_t i = 0; i + 1 < map->count; i += 2) {
		const struct settings_node *key = map->children[i];
		const struct settings_option *option = option_of(table, key->text);
		const struct settings_node *first = earlier(map, i); /* a short walk: only known keys stand before */

		if (!option)
			return refuse_key(filling, table, key);
		if (first) {
			fault_set(filling->why, FAULT_JOB,
				"key \"%s\" is written twice; expected it once, as in line %zu", key->text, first->line);
			return settings_place(filling->file, key, filling->why);
		}
		if (!fill_option(filling, option, map->children[i + 1], into))
			return false;
	}
	return true;
}

static bool fill_map(const struct settings_filling *filling, const struct settings_table *table,
	const struct settings_node *map, char *into)
{
	if (!fill_written(filling, table, map, into))
		return false;
	for (size_t i = 0; i < table->count; i++)
		if (!settings_node_value(map, table->options[i].key) &&
			!fill_initial(filling, &table->options[i], map, into))
			return false;
	return true;
}

bool settings_fill(
	const struct settings *file, const struct settings_table *table, void *ret, struct fault *why)
{
	struct settings_filling filling = {.file = file, .root = table, .why = why};
	char *made;
	bool good;

	if (file->root->kind != SETTINGS_NODE_MAP) {
		struct text keys = {0};

		add_keys(table, &keys);
		fault_set(why, FAULT_JOB, "the file is %s; expected \"key: value\" lines with the keys %s",
			settings_value_kind(file->root), text_is(&keys));
		text_free(&keys);
		return settings_place(file, file->root, why);
	}
	made = memory_new(table->size);
	good = fill_map(&filling, table, file->root, made);
	if (good)
		memcpy(ret, made, table->size);
	else
		settings_free(table, made);
	free(made);
	return good;
}

static void free_list(const struct settings_option *option, char *filled)
{
	void *list;
	size_t count = *(size_t *)(void *)(filled + option->count_offset);

	memcpy(&list, filled + option->offset, sizeof(list));
	for (size_t i = 0; i < count; i++)
		if (option->kind == SETTINGS_TEXTS)
			free(((char **)list)[i]);
		else
			settings_free(option->table, (char *)list + i * option->table->size);
	free(list);
}

void settings_free(const struct settings_table *table, void *filled)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct settings_option *option = &table->options[i];
		char *at = (char *)filled + option->offset;

		switch (option->kind) {
		case SETTINGS_TEXT:
			free(*(char **)(void *)at);
			break;
		case SETTINGS_TEXTS:
		case SETTINGS_MAPPINGS:
			free_list(option, filled);
			break;
		case SETTINGS_MAPPING:
			settings_free(option->table, at);
			break;
		case SETTINGS_INT:
		case SETTINGS_BIGINT:
		case SETTINGS_BOOL:
		case SETTINGS_CHOICE:
			break;
		}
	}
	memset(filled, 0, table->size);
}
