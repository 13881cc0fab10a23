/*
 * script: statements with their parameters, to be sent as one pipeline.
 *
 *	struct script *script = script_new();
 *	script_add(script, "SELECT pg_catalog.set_config('lock_timeout', $1, true)");
 *	script_bind_int(script, 100);
 *
 * Texts are copied. Parameters travel as text and take their type from the statement.
 */
#ifndef BACKFILLD_COMMON_SCRIPT_H
#define BACKFILLD_COMMON_SCRIPT_H

#include "common/base.h"

struct script_statement {
	char *sql;
	char **values; /* NULL elements are SQL NULL */
	size_t values_count;
	bool parse_only; /* the server parses and analyzes it, nothing is executed */
	bool prepared;   /* the server keeps it */
	int commands;    /* that it is sent as: 2 where it is parsed first; known once it is sent */
};

struct script {
	struct script_statement *statements;
	size_t count;
	size_t room;
};

struct script *script_new(void) MUST_USE;
void script_free(struct script *script);

/* One more statement: exactly one SQL command without a semicolon. The binds that follow belong to it. */
void script_add(struct script *script, const char *sql);
void script_addf(struct script *script, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same, only parsed and described by the server. */
void script_add_parse(struct script *script, const char *sql);

/* One that comes again and again: parsed once for each connection, and planned a few times only (an EXPLAIN
 * each time). The connection keeps the text, which is one of few. What it calls is named with its schema, or
 * the server parses it anew whenever the search_path is another. */
void script_add_prepared(struct script *script, const char *sql);

/* The next parameter ($1, $2, …) of the statement added last. */
void script_bind(struct script *script, const char *text_or_null);
void script_bind_int(struct script *script, int64_t number);
void script_bind_bool(struct script *script, bool truth);

#endif
