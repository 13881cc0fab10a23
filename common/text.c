#include "common/text.h"

#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct text *text, size_t more)
{
	size_t needed = text->length + more + 1;
	size_t room = text->room ? text->room : 64;

	if (needed <= text->room)
		return;
	while (room < needed)
		room *= 2;
	text->bytes = memory_resize(text->bytes, room);
	text->room = room;
}

const char *text_is(const struct text *text)
{
	return text->bytes ? text->bytes : "";
}

void text_add(struct text *text, const char *more)
{
	text_add_bytes(text, more, strlen(more));
}

void text_add_bytes(struct text *text, const char *bytes, size_t count)
{
	make_room(text, count);
	memcpy(text->bytes + text->length, bytes, count);
	text->length += count;
	text->bytes[text->length] = '\0';
}

void text_addf(struct text *text, const char *format, ...)
{
	va_list values;
	int needed;

	va_start(values, format);
	needed = vsnprintf(NULL, 0, format, values);
	va_end(values);
	if (needed < 0)
		return;
	make_room(text, (size_t)needed);
	va_start(values, format);
	vsnprintf(text->bytes + text->length, (size_t)needed + 1, format, values);
	va_end(values);
	text->length += (size_t)needed;
}

void text_clear(struct text *text)
{
	text->length = 0;
	if (text->bytes)
		text->bytes[0] = '\0';
}

char *text_take(struct text *text)
{
	char *taken = text->bytes ? text->bytes : memory_text("");

	*text = (struct text){0};
	return taken;
}

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){0};
}
