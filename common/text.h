/*
 * text: a string that grows.
 *
 *	struct text sql = {0};
 *	text_addf(&sql, "SELECT %d", 1);
 *	use(text_is(&sql));
 *	text_free(&sql);
 *
 * A zeroed struct is an empty text. Running out of memory ends the program (memory.h).
 */
#ifndef BACKFILLD_COMMON_TEXT_H
#define BACKFILLD_COMMON_TEXT_H

#include "common/base.h"

struct text {
	char *bytes; /* NUL-terminated, or NULL while nothing was added */
	size_t length;
	size_t room;
};

/* The text so far, never NULL; on loan until the next call that changes it. */
const char *text_is(const struct text *text) MUST_USE;

void text_add(struct text *text, const char *more);
void text_add_bytes(struct text *text, const char *bytes, size_t count);
void text_addf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Empties it and keeps the memory. */
void text_clear(struct text *text);

/* The text as a string of the caller's own, to be freed; `text` is empty afterwards. */
char *text_take(struct text *text) MUST_USE;

void text_free(struct text *text);

#endif
