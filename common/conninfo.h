/*
 * conninfo: reads a libpq connection string without libpq, to say what is in it before anything connects.
 *
 * Both of libpq's spellings, by the rules of its conninfo_parse() and conninfo_uri_parse()
 * (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING): `host=/run/postgresql
 * dbname=shop` and `postgresql://user@host:5432/shop?application_name=x`. Whether a keyword means anything is
 * left to libpq, which knows more of them with every version.
 *
 * A message of this room never repeats any part of the connection string but its keywords.
 */
#ifndef BACKFILLD_COMMON_CONNINFO_H
#define BACKFILLD_COMMON_CONNINFO_H

#include "common/base.h"
#include "common/fault.h"

struct conninfo_setting {
	char *keyword;
	char *value; /* unquoted, percent signs decoded */
};

/* A zeroed struct is an empty connection string. */
struct conninfo {
	struct conninfo_setting *settings; /* in the order written; of one keyword's the last one counts */
	size_t count;
};

/* Reads `text`. Fails (FAULT_JOB) where libpq would not understand it; then *ret is untouched. */
bool conninfo_read(const char *text, struct conninfo *ret, struct fault *why) MUST_USE;

/* The first keyword that carries a secret (password, sslpassword, …) and is not empty, or NULL. */
const char *conninfo_secret(const struct conninfo *conninfo) MUST_USE;

/* Releases the settings and leaves an empty struct. */
void conninfo_free(struct conninfo *conninfo);

#endif
