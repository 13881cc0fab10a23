/*
 * quote: the one composer of SQL text: names and bodies, quoted.
 *
 * Values travel as parameters; quoting is for what SQL takes no parameter for.
 */
#ifndef BACKFILLD_COMMON_QUOTE_H
#define BACKFILLD_COMMON_QUOTE_H

#include "common/base.h"
#include "common/text.h"

/* Adds `name` as an identifier, always in double quotes. */
void quote_name(struct text *sql, const char *name);

/* Adds `value` as a string constant, whatever standard_conforming_strings is. */
void quote_literal(struct text *sql, const char *value);

/* Adds `body` between dollar quotes whose tag does not occur in it. */
void quote_body(struct text *sql, const char *body);

#endif
