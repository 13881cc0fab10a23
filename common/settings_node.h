/*
 * settings_node: the inside of `settings`: a YAML file as a tree, every node with its place.
 *
 * settings.c builds the tree, settings_node.c looks into it, settings_fill.c goes through it by an option
 * table. Nobody else includes this.
 */
#ifndef BACKFILLD_COMMON_SETTINGS_NODE_H
#define BACKFILLD_COMMON_SETTINGS_NODE_H

#include "common/base.h"
#include "common/settings.h"

enum settings_node_kind {
	SETTINGS_NODE_TEXT,
	SETTINGS_NODE_LIST,
	SETTINGS_NODE_MAP,
};

struct settings_node {
	enum settings_node_kind kind;
	size_t line, column;             /* from 1 */
	char *text;                      /* of a text, without NUL bytes inside */
	bool quoted;                     /* a text in quotes or a block: never a number, a boolean or nothing */
	struct settings_node **children; /* of a list; of a map: key, value, key, value, … (keys are texts) */
	size_t count;
	size_t room;
};

struct settings {
	char *name;
	struct settings_node *root; /* never NULL */
};

/* Puts FILE:LINE:COLUMN of `node` before the message of a fault that was set. Always false, to be returned.
 */
bool settings_place(const struct settings *file, const struct settings_node *node, struct fault *why);

/* Plain and empty, ~ or null: what YAML calls null. */
bool settings_node_is_nothing(const struct settings_node *node) MUST_USE;

/* The value of a map's key, or NULL. */
const struct settings_node *settings_node_value(const struct settings_node *map, const char *key) MUST_USE;

/* A short and printable copy in double quotes, to be freed: what a user wrote, for a message. */
char *settings_quoted(const char *text) MUST_USE;

#endif
