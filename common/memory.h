/*
 * memory: allocation that succeeds or ends the program.
 *
 * A daemon of a few megabytes that cannot get another kilobyte has nothing better to do than to
 * stop and be restarted by its supervisor: every job resumes from its bookmark. So no caller
 * checks for NULL; when memory is out the process writes one line to stderr and exits with 3
 * (cannot go on). Everything given here is released with free().
 */
#ifndef BACKFILLD_COMMON_MEMORY_H
#define BACKFILLD_COMMON_MEMORY_H

#include "common/base.h"

/* `size` bytes of zeroes. */
void *memory_new(size_t size) MUST_USE;

/* `old` (may be NULL) grown or shrunk to `size` bytes; the bytes beyond the old size are undefined. */
void *memory_resize(void *old, size_t size) MUST_USE;

/* A copy of `text`; NULL stays NULL. */
char *memory_text(const char *text) MUST_USE;

/* A text as printf would write it. */
char *memory_textf(const char *format, ...) PRINTF_LIKE(1, 2) MUST_USE;

/* Replaces the text that `held` owns by a copy of `text` (either may be NULL). */
void memory_set_text(char **held, const char *text);

#endif
