/*
 * settings_value: the inside of `settings`: one value of a YAML tree, read as an option's row wants it.
 *
 * Only settings_fill.c includes this.
 */
#ifndef BACKFILLD_COMMON_SETTINGS_VALUE_H
#define BACKFILLD_COMMON_SETTINGS_VALUE_H

#include "common/settings.h"
#include "common/settings_node.h"

/* What goes along to every depth. */
struct settings_filling {
	const struct settings *file;
	const struct settings_table *root; /* the outermost table */
	struct fault *why;
};

/*
 * Stores a value of any kind but mappings in the struct `into`. `node` is a text, or for SETTINGS_TEXTS a
 * list or the text `word`.
 */
bool settings_value_fill(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *node, char *into) MUST_USE;

/* Does the list have as many entries as it may? */
bool settings_value_check_count(const struct settings_filling *filling, const struct settings_option *option,
	const struct settings_node *list) MUST_USE;

/* Sets "KEY is WHAT; expected EXPECTED" at the node's place. Always false, to be returned. */
bool settings_value_refuse(const struct settings_filling *filling, const struct settings_node *node,
	const struct settings_option *option, const char *what, const char *expected);

/* What stands there, in words: "a list". */
const char *settings_value_kind(const struct settings_node *node) MUST_USE;

#endif
