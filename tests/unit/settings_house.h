/*
 * settings_house: an option table with each kind of option, for the tests of `settings`.
 */
#ifndef BACKFILLD_TESTS_UNIT_SETTINGS_HOUSE_H
#define BACKFILLD_TESTS_UNIT_SETTINGS_HOUSE_H

#include "common/settings.h"

#include <string.h>

enum colour { RED, GREEN, DARK_BLUE };

struct door {
	char *name;
	char **keys;
	size_t keys_count;
	bool any_key;
};

struct size {
	int width_mm;
	int64_t volume_bytes;
};

struct house {
	char *address;
	struct size size;
	enum colour colour;
	bool heated;
	struct door *doors;
	size_t doors_count;
};

static bool fits_upper(const char *text, struct fault *why)
{
	if (text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0')
		return true;
	fault_set(why, FAULT_JOB, "has other letters; expected A to Z");
	return false;
}

static const struct settings_option door_options[] = {
	{.key = "name",
		.kind = SETTINGS_TEXT,
		.offset = offsetof(struct door, name),
		.min = 1,
		.max = 8,
		.help = "Its name."},
	{.key = "keys",
		.kind = SETTINGS_TEXTS,
		.offset = offsetof(struct door, keys),
		.count_offset = offsetof(struct door, keys_count),
		.max = 3,
		.word = "any",
		.word_offset = offsetof(struct door, any_key),
		.initial = "any",
		.fits = fits_upper,
		.form = "any, or a list of keys",
		.help = "What opens it."},
};
static const struct settings_table door_table = {door_options, COUNT_OF(door_options), sizeof(struct door)};

static const struct settings_option size_options[] = {
	{.key = "width_mm",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct size, width_mm),
		.min = -5,
		.max = 5000,
		.unit = "mm",
		.initial = "100",
		.help = "Its width."},
	{.key = "volume_bytes",
		.kind = SETTINGS_BIGINT,
		.offset = offsetof(struct size, volume_bytes),
		.max = INT64_MAX,
		.initial = "8000000000",
		.help = "Its volume."},
};
static const struct settings_table size_table = {size_options, COUNT_OF(size_options), sizeof(struct size)};

static const char *const colours[] = {"red", "green", "dark_blue", NULL};

static const struct settings_option house_options[] = {
	{.key = "address",
		.kind = SETTINGS_TEXT,
		.offset = offsetof(struct house, address),
		.initial = "",
		.help = "Where."},
	{.key = "size",
		.kind = SETTINGS_MAPPING,
		.offset = offsetof(struct house, size),
		.table = &size_table,
		.help = "How big."},
	{.key = "colour",
		.kind = SETTINGS_CHOICE,
		.offset = offsetof(struct house, colour),
		.choices = colours,
		.initial = "green",
		.help = "Of the walls."},
	{.key = "heated",
		.kind = SETTINGS_BOOL,
		.offset = offsetof(struct house, heated),
		.initial = "true",
		.help = "Warm."},
	{.key = "doors",
		.kind = SETTINGS_MAPPINGS,
		.offset = offsetof(struct house, doors),
		.count_offset = offsetof(struct house, doors_count),
		.max = 2,
		.table = &door_table,
		.initial = "[]",
		.help = "Ways in."},
};
static const struct settings_table house_table = {
	house_options, COUNT_OF(house_options), sizeof(struct house)};

static bool read_bytes(const char *yaml, size_t length, struct house *ret, struct fault *why)
{
	struct settings *file;
	bool good;

	if (!settings_open_text("f", yaml, length, &file, why))
		return false;
	good = settings_fill(file, &house_table, ret, why);
	settings_close(file);
	return good;
}

#endif
