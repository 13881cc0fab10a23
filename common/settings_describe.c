#include "common/memory.h"
#include "common/settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum column {
	COLUMN_KEY,
	COLUMN_UNIT,
	COLUMN_RANGE,
	COLUMN_INITIAL,
	COLUMNS,
};

struct row {
	char *columns[COLUMNS];
	const char *help;
};

struct rows {
	struct row *rows;
	size_t count;
};

static char *range_of(const struct settings_option *option)
{
	struct text range = {0};

	switch (option->kind) {
	case SETTINGS_INT:
	case SETTINGS_BIGINT:
		text_addf(&range, "%" PRId64 " to %" PRId64, option->min, option->max);
		break;
	case SETTINGS_BOOL:
		text_add(&range, "true, false");
		break;
	case SETTINGS_CHOICE:
		for (size_t i = 0; option->choices[i]; i++)
			text_addf(&range, "%s%s", i ? ", " : "", option->choices[i]);
		break;
	case SETTINGS_TEXT:
		text_add(&range, option->form ? option->form : "a text");
		break;
	case SETTINGS_TEXTS:
		text_add(&range, option->form ? option->form : "a list of texts");
		break;
	case SETTINGS_MAPPING:
		text_add(&range, option->form ? option->form : "a mapping");
		break;
	case SETTINGS_MAPPINGS:
		text_add(&range, option->form ? option->form : "a list of mappings");
		break;
	}
	return text_take(&range);
}

static char *initial_of(const struct settings_option *option)
{
	if (option->kind == SETTINGS_MAPPING)
		return memory_text("{}");
	if (!option->initial)
		return memory_text("required");
	if (option->kind == SETTINGS_TEXT && *option->initial == '\0')
		return memory_text("\"\"");
	return memory_text(option->initial);
}

static void add_rows(struct rows *rows, const struct settings_table *table, const char *prefix)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct settings_option *option = &table->options[i];
		struct row row = {.help = option->help};

		row.columns[COLUMN_KEY] = memory_textf("%s%s", prefix, option->key);
		row.columns[COLUMN_UNIT] = memory_text(option->unit ? option->unit : "-");
		row.columns[COLUMN_RANGE] = range_of(option);
		row.columns[COLUMN_INITIAL] = initial_of(option);
		rows->rows = memory_resize(rows->rows, (rows->count + 1) * sizeof(rows->rows[0]));
		rows->rows[rows->count++] = row;
		if (option->table) {
			bool list = option->kind == SETTINGS_MAPPINGS;
			char *deeper = memory_textf("%s%s%s.", prefix, option->key, list ? "[]" : "");

			add_rows(rows, option->table, deeper);
			free(deeper);
		}
	}
}

void settings_describe(const struct settings_table *table, struct text *ret)
{
	char *titles[COLUMNS] = {
		memory_text("key"), memory_text("unit"), memory_text("range"), memory_text("default")};
	struct rows rows = {0};
	int widths[COLUMNS] = {0};

	rows.rows = memory_new(sizeof(rows.rows[0]));
	rows.count = 1;
	memcpy(rows.rows[0].columns, titles, sizeof(titles));
	add_rows(&rows, table, "");
	for (size_t i = 0; i < rows.count; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			if (widths[c] < (int)strlen(rows.rows[i].columns[c]))
				widths[c] = (int)strlen(rows.rows[i].columns[c]);
	for (size_t i = 0; i < rows.count; i++) {
		struct row *row = &rows.rows[i];

		text_addf(ret, "  %-*s  %-*s  %-*s  %s\n", widths[COLUMN_KEY], row->columns[COLUMN_KEY],
			widths[COLUMN_UNIT], row->columns[COLUMN_UNIT], widths[COLUMN_RANGE], row->columns[COLUMN_RANGE],
			row->columns[COLUMN_INITIAL]);
		if (row->help)
			text_addf(ret, "        %s\n", row->help);
		for (size_t c = 0; c < COLUMNS; c++)
			free(row->columns[c]);
	}
	free(rows.rows);
}
