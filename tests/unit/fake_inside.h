/*
 * fake_inside: what the files of the stand-in share.
 */
#ifndef BACKFILLD_TESTS_UNIT_FAKE_INSIDE_H
#define BACKFILLD_TESTS_UNIT_FAKE_INSIDE_H

#include "tests/unit/fake_session.h"

struct result {
	struct result *next;
	char *part;
	char **columns;
	size_t columns_count;
	char **values; /* row after row */
	size_t rows;
	int64_t affected;
	uint32_t oid;
	int32_t modifier;
};

struct fake_rule {
	struct fake_rule *next;
	char *part;
	bool once;
	bool used;
	struct result *results; /* the one that is being described first */
	struct fault fault;
	char *fails_at;
	int64_t delay_ms;
	bool silent;
};

struct reply {
	const struct script *script;
	const struct fake_rule *rule; /* NULL: never asked */
	struct fault why;
	size_t failed_at;
};

/* The rule that answers such a question, or NULL. */
struct fake_rule *fake_find_rule(const struct script *script);

/* Whether its text contains `part`, as it is or with the places in it that are its parameters. */
bool fake_contains(const struct script_statement *statement, const char *part);

/* Whether a statement of `script` contains `part`, and which is the first. */
bool fake_find_statement(const struct script *script, const char *part, size_t *ret_index);

/* Remembers that this was asked; `script` is taken. */
void fake_record(struct script *script);

void fake_print(const struct script *script);

/* Forgets the sessions and that there is no network; how many sessions were never freed. */
size_t fake_forget_sessions(void);

#endif
