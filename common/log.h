/*
 * log: one event, one English sentence in PostgreSQL's message style.
 *
 * Under systemd (JOURNAL_STREAM names our own stderr) lines go to the journal with fields; anywhere
 * else to stderr as `2026-11-22 03:12:55.123 UTC info: sentence (job=7 table=public.users)`.
 * Only leads and main log above debug. Never a conninfo, never row contents.
 */
#ifndef BACKFILLD_COMMON_LOG_H
#define BACKFILLD_COMMON_LOG_H

#include "common/base.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* What a line is about; any member may be left zero. */
struct log_about {
	const char *database; /* label in the config: DATABASE= */
	int64_t job;          /* JOB= */
	const char *table;    /* TABLE= */
	const char *stage;    /* STAGE= */
	const char *sqlstate; /* SQLSTATE= */
};

/* Chooses between journal and stderr, and what is written at all; until then: stderr, info. */
void log_open(enum log_level level);

/* Changes the level of a log that is open (reload). */
void log_set_level(enum log_level level);

/* `about` may be NULL. */
void log_error(const struct log_about *about, const char *format, ...) PRINTF_LIKE(2, 3);
void log_warning(const struct log_about *about, const char *format, ...) PRINTF_LIKE(2, 3);
void log_info(const struct log_about *about, const char *format, ...) PRINTF_LIKE(2, 3);
void log_debug(const struct log_about *about, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
