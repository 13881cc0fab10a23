#include "common/settings.h"

#include "common/memory.h"
#include "common/settings_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define LARGEST_FILE ((size_t)1024 * 1024)
/* Ours needs six; the tree is built and freed by recursion, so it has to end somewhere. */
#define DEEPEST 32

struct reading {
	const char *name;
	const char *bytes;
	size_t length;
	yaml_parser_t parser;
	struct fault *why;
};

static void node_free(struct settings_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->count; i++)
		node_free(node->children[i]);
	free(node->children);
	free(node->text);
	free(node);
}

/* Takes `child`. */
static void node_add(struct settings_node *node, struct settings_node *child)
{
	if (node->count == node->room) {
		node->room = node->room ? 2 * node->room : 8;
		node->children = memory_resize(node->children, node->room * sizeof(node->children[0]));
	}
	node->children[node->count++] = child;
}

/* Always false, to be returned. */
static bool refuse(struct reading *reading, yaml_mark_t mark, const char *message)
{
	fault_set(
		reading->why, FAULT_JOB, "%s:%zu:%zu: %s", reading->name, mark.line + 1, mark.column + 1, message);
	return false;
}

/* The byte at `offset` as line and column in characters: libyaml's reader knows only the offset. */
static yaml_mark_t mark_of(const struct reading *reading, size_t offset)
{
	yaml_mark_t mark = {0};

	for (; mark.index < offset && mark.index < reading->length; mark.index++) {
		unsigned char byte = (unsigned char)reading->bytes[mark.index];

		if (byte == '\n') {
			mark.line++;
			mark.column = 0;
		} else if ((byte & 0xC0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* What libyaml did not like, in its words. */
static bool refuse_yaml(struct reading *reading)
{
	const yaml_parser_t *parser = &reading->parser;
	bool unreadable = parser->error == YAML_READER_ERROR;
	yaml_mark_t mark = unreadable ? mark_of(reading, parser->problem_offset) : parser->problem_mark;
	struct text message = {0};

	if (parser->error == YAML_MEMORY_ERROR) {
		text_add(&message, "out of memory while reading YAML");
	} else if (unreadable) {
		text_addf(&message, "%s; expected UTF-8 text", parser->problem ? parser->problem : "unreadable");
	} else {
		text_addf(&message, "not valid YAML: %s", parser->problem ? parser->problem : "cannot be parsed");
		if (parser->context)
			text_addf(
				&message, " (%s that starts in line %zu)", parser->context, parser->context_mark.line + 1);
		text_add(&message, "; expected lines of \"key: value\", indented with spaces, not tabs");
	}
	refuse(reading, mark, text_is(&message));
	text_free(&message);
	return false;
}

/* On success the event is the caller's, for yaml_event_delete(). */
static bool next_event(struct reading *reading, yaml_event_t *ret)
{
	return yaml_parser_parse(&reading->parser, ret) || refuse_yaml(reading);
}

static bool check_scalar(struct reading *reading, const yaml_event_t *event)
{
	if (event->data.scalar.anchor || event->data.scalar.tag)
		return refuse(
			reading, event->start_mark, "anchors (&) and tags (!) are not understood here; expected a value");
	if (memchr(event->data.scalar.value, '\0', event->data.scalar.length))
		return refuse(reading, event->start_mark, "the text holds a NUL byte; expected text without it");
	return true;
}

static struct settings_node *node_new(enum settings_node_kind kind, yaml_mark_t mark)
{
	struct settings_node *node = memory_new(sizeof(*node));

	node->kind = kind;
	node->line = mark.line + 1;
	node->column = mark.column + 1;
	return node;
}

static bool read_children(struct reading *reading, struct settings_node *node, size_t depth);

/* The node that `event` begins; NULL with the fault set. */
static struct settings_node *read_node(struct reading *reading, const yaml_event_t *event, size_t depth)
{
	struct settings_node *node = NULL;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		if (!check_scalar(reading, event))
			return NULL;
		node = node_new(SETTINGS_NODE_TEXT, event->start_mark);
		node->text = memory_text((const char *)event->data.scalar.value);
		node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		return node;
	case YAML_SEQUENCE_START_EVENT:
		if (!event->data.sequence_start.anchor && !event->data.sequence_start.tag)
			node = node_new(SETTINGS_NODE_LIST, event->start_mark);
		break;
	case YAML_MAPPING_START_EVENT:
		if (!event->data.mapping_start.anchor && !event->data.mapping_start.tag)
			node = node_new(SETTINGS_NODE_MAP, event->start_mark);
		break;
	case YAML_ALIAS_EVENT:
		refuse(reading, event->start_mark, "aliases (*) are not understood here; expected the value itself");
		return NULL;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		refuse(reading, event->start_mark, "nothing can stand here; expected a value");
		return NULL;
	}
	if (!node) {
		refuse(
			reading, event->start_mark, "anchors (&) and tags (!) are not understood here; expected a value");
		return NULL;
	}
	if (!read_children(reading, node, depth + 1)) {
		node_free(node);
		return NULL;
	}
	return node;
}

static bool read_child(
	struct reading *reading, struct settings_node *node, const yaml_event_t *event, size_t depth)
{
	bool is_key = node->kind == SETTINGS_NODE_MAP && node->count % 2 == 0;
	struct settings_node *child;

	if (is_key && event->type != YAML_SCALAR_EVENT)
		return refuse(reading, event->start_mark, "a list or a mapping cannot be a key; expected a word");
	child = read_node(reading, event, depth);
	if (!child)
		return false;
	node_add(node, child);
	return true;
}

static bool read_children(struct reading *reading, struct settings_node *node, size_t depth)
{
	bool good = true;
	bool ended = false;

	while (good && !ended) {
		yaml_event_t event;

		if (!next_event(reading, &event))
			return false;
		ended = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
		if (depth > DEEPEST)
			good = refuse(reading, event.start_mark, "nested too deeply; expected at most 32 levels");
		else if (!ended)
			good = read_child(reading, node, &event, depth);
		yaml_event_delete(&event);
	}
	return good;
}

/* Passes over one event that has to be of this type; *ret_mark is where it stood. */
static bool pass_over(struct reading *reading, yaml_event_type_t type, const char *otherwise)
{
	yaml_event_t event;
	bool good;

	if (!next_event(reading, &event))
		return false;
	good = event.type == type || refuse(reading, event.start_mark, otherwise);
	yaml_event_delete(&event);
	return good;
}

/* The one document's root; NULL with the fault set. */
static struct settings_node *read_document(struct reading *reading)
{
	struct settings_node *root;
	yaml_event_t event;

	if (!pass_over(reading, YAML_STREAM_START_EVENT, "expected YAML") ||
		!pass_over(reading, YAML_DOCUMENT_START_EVENT,
			"the file holds nothing but comments and blanks; expected keys and values") ||
		!next_event(reading, &event))
		return NULL;
	root = read_node(reading, &event, 0);
	yaml_event_delete(&event);
	if (root && pass_over(reading, YAML_DOCUMENT_END_EVENT, "expected the end of the document") &&
		pass_over(reading, YAML_STREAM_END_EVENT,
			"a second document begins here; expected everything in one, without a line \"---\" between"))
		return root;
	node_free(root);
	return NULL;
}

bool settings_open_text(
	const char *name, const char *bytes, size_t length, struct settings **ret, struct fault *why)
{
	struct reading reading = {.name = name, .bytes = bytes, .length = length, .why = why};
	struct settings_node *root;

	if (!yaml_parser_initialize(&reading.parser)) {
		fault_set(why, FAULT_JOB, "%s: out of memory while reading YAML", name);
		return false;
	}
	yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reading.parser, (const unsigned char *)bytes, length);
	root = read_document(&reading);
	yaml_parser_delete(&reading.parser);
	if (!root)
		return false;
	*ret = memory_new(sizeof(**ret));
	(*ret)->name = memory_text(name);
	(*ret)->root = root;
	return true;
}

static bool read_all(FILE *file, struct text *ret)
{
	char part[4096];
	size_t got;

	while (ret->length <= LARGEST_FILE && (got = fread(part, 1, sizeof(part), file)) > 0)
		text_add_bytes(ret, part, got);
	return !ferror(file);
}

bool settings_open(const char *path, struct settings **ret, struct fault *why)
{
	FILE *file = fopen(path, "re");
	struct text bytes = {0};
	bool good = false;

	if (!file || !read_all(file, &bytes)) {
		fault_set(why, FAULT_JOB, "%s: cannot be read: %s", path, strerror(errno));
		fault_set_hint(
			why, "give the path of a YAML file that the user this program runs as may read (--config FILE)");
	} else if (bytes.length > LARGEST_FILE) {
		fault_set(why, FAULT_JOB, "%s: is larger than 1 MiB; expected a configuration file", path);
	} else {
		good = settings_open_text(path, text_is(&bytes), bytes.length, ret, why);
	}
	text_free(&bytes);
	if (file)
		fclose(file);
	return good;
}

void settings_close(struct settings *file)
{
	if (!file)
		return;
	node_free(file->root);
	free(file->name);
	free(file);
}
