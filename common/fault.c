#include "common/fault.h"

#include "common/memory.h"
#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *format_text(const char *format, va_list values) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *format, va_list values)
{
	char *made = NULL;

	if (vasprintf(&made, format, values) < 0)
		made = memory_text("out of memory while describing a fault");
	return made;
}

void fault_set(struct fault *why, enum fault_kind kind, const char *format, ...)
{
	char *message;
	va_list values;

	va_start(values, format);
	message = format_text(format, values);
	va_end(values);
	fault_clear(why);
	why->kind = kind;
	why->message = message;
}

void fault_set_hint(struct fault *why, const char *format, ...)
{
	char *hint;
	va_list values;

	va_start(values, format);
	hint = format_text(format, values);
	va_end(values);
	free(why->hint);
	why->hint = hint;
}

void fault_add_context(struct fault *why, const char *format, ...)
{
	struct text message = {0};
	char *context;
	va_list values;

	va_start(values, format);
	context = format_text(format, values);
	va_end(values);
	text_addf(&message, "%s: %s", context, why->message ? why->message : "unknown");
	free(context);
	free(why->message);
	why->message = text_take(&message);
}

void fault_copy(struct fault *copy, const struct fault *why)
{
	struct fault made = {.kind = why->kind};

	memcpy(made.sqlstate, why->sqlstate, sizeof(made.sqlstate));
	made.message = memory_text(why->message);
	made.detail = memory_text(why->detail);
	made.hint = memory_text(why->hint);
	fault_clear(copy);
	*copy = made;
}

void fault_clear(struct fault *why)
{
	free(why->message);
	free(why->detail);
	free(why->hint);
	*why = (struct fault){0};
}
