#include "common/script.h"

#include "common/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct script *script_new(void)
{
	return memory_new(sizeof(struct script));
}

void script_free(struct script *script)
{
	if (!script)
		return;
	for (size_t i = 0; i < script->count; i++) {
		struct script_statement *statement = &script->statements[i];

		for (size_t v = 0; v < statement->values_count; v++)
			free(statement->values[v]);
		free(statement->values);
		free(statement->sql);
	}
	free(script->statements);
	free(script);
}

/* Takes `sql`. */
static struct script_statement *add(struct script *script, char *sql)
{
	if (script->count == script->room) {
		script->room = script->room ? 2 * script->room : 8;
		script->statements = memory_resize(script->statements, script->room * sizeof(script->statements[0]));
	}
	script->statements[script->count] = (struct script_statement){.sql = sql};
	return &script->statements[script->count++];
}

void script_add(struct script *script, const char *sql)
{
	add(script, memory_text(sql));
}

void script_addf(struct script *script, const char *format, ...)
{
	char *sql = NULL;
	va_list values;

	va_start(values, format);
	if (vasprintf(&sql, format, values) < 0)
		sql = NULL;
	va_end(values);
	add(script, sql ? sql : memory_text(""));
}

void script_add_parse(struct script *script, const char *sql)
{
	add(script, memory_text(sql))->parse_only = true;
}

void script_add_prepared(struct script *script, const char *sql)
{
	add(script, memory_text(sql))->prepared = true;
}

/* Takes `value`. */
static void bind(struct script *script, char *value)
{
	struct script_statement *statement;

	assert(script->count > 0);
	statement = &script->statements[script->count - 1];
	statement->values =
		memory_resize(statement->values, (statement->values_count + 1) * sizeof(statement->values[0]));
	statement->values[statement->values_count++] = value;
}

void script_bind(struct script *script, const char *text_or_null)
{
	bind(script, memory_text(text_or_null));
}

void script_bind_int(struct script *script, int64_t number)
{
	bind(script, memory_textf("%" PRId64, number));
}

void script_bind_bool(struct script *script, bool truth)
{
	bind(script, memory_text(truth ? "true" : "false"));
}
