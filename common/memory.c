#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must(void *memory)
{
	if (memory)
		return memory;
	fputs("backfilld: out of memory; stopping, every job resumes from its bookmark\n", stderr);
	_exit(3);
}

void *memory_new(size_t size)
{
	return must(calloc(1, size));
}

void *memory_resize(void *old, size_t size)
{
	return must(realloc(old, size));
}

char *memory_text(const char *text)
{
	return text ? must(strdup(text)) : NULL;
}

char *memory_textf(const char *format, ...)
{
	char *made = NULL;
	va_list values;

	va_start(values, format);
	if (vasprintf(&made, format, values) < 0)
		made = NULL;
	va_end(values);
	return must(made);
}

void memory_set_text(char **held, const char *text)
{
	char *copy = memory_text(text);

	free(*held);
	*held = copy;
}
