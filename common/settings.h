/*
 * settings: reads a YAML file by an option table into a struct; the only includer of <yaml.h>.
 *
 * The table is the one truth about an option: where it goes, what it may be, what it is when it is not
 * written, and the sentence that explains it. The same rows read a file and describe it.
 *
 * Strict: an unknown key, a key written twice, a missing one, a wrong type, a value out of range,
 * anchors, aliases, tags and second documents are faults (FAULT_JOB) with the message
 * `FILE:LINE:COLUMN: what is wrong and what is expected`. Lines and columns count from 1, columns in
 * characters. Types are those of YAML 1.2's core schema: "5" in quotes is a text, 5 is a number, on and
 * off are texts.
 *
 *	struct settings *file;
 *	if (!settings_open("/etc/x.yaml", &file, why))
 *		return false;
 *	good = settings_fill(file, &table, &options, why);
 *	settings_close(file);
 */
#ifndef BACKFILLD_COMMON_SETTINGS_H
#define BACKFILLD_COMMON_SETTINGS_H

#include "common/base.h"
#include "common/fault.h"
#include "common/text.h"

/* What an option is in YAML, and what stands at its offset in the struct. */
enum settings_kind {
	SETTINGS_TEXT,     /* char * */
	SETTINGS_INT,      /* int */
	SETTINGS_BIGINT,   /* int64_t */
	SETTINGS_BOOL,     /* bool; true or false */
	SETTINGS_CHOICE,   /* an enum that counts from 0 in the order of `choices` */
	SETTINGS_TEXTS,    /* char **, and a size_t at `count_offset`; a list, or the one word `word` */
	SETTINGS_MAPPING,  /* a struct in place, filled by `table` */
	SETTINGS_MAPPINGS, /* a pointer to structs filled by `table`, and a size_t at `count_offset` */
};

struct settings_table;

struct settings_option {
	const char *key;
	enum settings_kind kind;
	size_t offset;
	size_t count_offset;
	int64_t min, max;    /* of a number; of a text's bytes and a list's entries, where max 0 means no limit */
	const char *unit;    /* NULL: none */
	const char *initial; /* the default as it is written in YAML; NULL: the key is required */
	const char *help;    /* one sentence, a single line */
	const char *form;    /* the range in words, where numbers and choices do not say it; may be NULL */
	const char *const *choices; /* ends with NULL */
	const char *word;           /* instead of a list of texts, e.g. all */
	size_t word_offset;         /* a bool: the word was written, the list is empty */
	const struct settings_table *table;
	/* What else a text, or each text of a list, must be; may be NULL. The fault's message goes behind
	 * FILE:LINE:COLUMN. */
	bool (*fits)(const char *text, struct fault *why);
};

struct settings_table {
	const struct settings_option *options;
	size_t count;
	size_t size; /* of the struct */
};

/* A file that was read, not yet understood. */
struct settings;

/* Reads a file of at most 1 MiB. On success *ret is the caller's, for settings_close(). */
bool settings_open(const char *path, struct settings **ret, struct fault *why) MUST_USE;

/* The same from memory; `name` stands for the path in messages. Both are copied. */
bool settings_open_text(
	const char *name, const char *bytes, size_t length, struct settings **ret, struct fault *why) MUST_USE;

void settings_close(struct settings *file);

/*
 * Fills `ret` (a struct of table->size bytes) by the table, with defaults for what is not written. What it
 * holds on success is the caller's, for settings_free(), and independent of `file`; on failure it is
 * untouched.
 */
bool settings_fill(
	const struct settings *file, const struct settings_table *table, void *ret, struct fault *why) MUST_USE;

/* Releases what settings_fill() gave and leaves zeroes. A zeroed or half-filled struct is fine. */
void settings_free(const struct settings_table *table, void *filled);

/* Is `place`, such as `databases[1].logins[0].conninfo`, written in the file? */
bool settings_has(const struct settings *file, const char *place) MUST_USE;

/*
 * For checks between options, made after settings_fill(): sets `why` to FILE:LINE:COLUMN of `place` (or
 * of what is nearest around it, if it is not written) and the message.
 */
void settings_blame(const struct settings *file, const char *place, struct fault *why, const char *format,
	...) PRINTF_LIKE(4, 5);

/*
 * Adds a description of every option, two lines each, under a heading:
 *
 *	  key                 unit  range       default
 *	  defaults.batch_ms   ms    1 to 10000  100
 *	        how long one batch transaction should execute
 *
 * Columns are two or more blanks apart and never empty ("-": no unit), so that scripts can read it; keys
 * inside lists are spelt `databases[].name`.
 */
void settings_describe(const struct settings_table *table, struct text *ret);

#endif
