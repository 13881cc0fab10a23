/*
 * culprit: the row that does not fit what a step requires of all rows, and what to do about it.
 *
 * Over such a row even a CHECK that is not valid refuses the application's next write of it, whatever that
 * changes: so it is looked for before the step is taken.
 */
#ifndef BACKFILLD_DAEMON_CULPRIT_H
#define BACKFILLD_DAEMON_CULPRIT_H

#include "common/base.h"
#include "common/fault.h"
#include "common/session.h"
#include "daemon/change.h"

/* Must it be looked for before such a step? */
bool culprit_wanted_before(enum change_kind kind) MUST_USE;

/* Does a failed step of that kind have one? */
bool culprit_explains(enum change_kind kind) MUST_USE;

/* Read the answer with catalog_read_row(). */
void culprit_ask(struct session *session, const struct job *job, const struct relation *relation,
	enum change_kind kind, session_answer *answer, void *owner);

/* Why the step is not even tried: `row` as catalog_read_row() gives it. */
void culprit_accuse(const struct job *job, enum change_kind kind, const char *row, struct fault *ret_why);

/* Sets what to do about the row. */
void culprit_hint(enum change_kind kind, const char *row, struct fault *why);

/* What to do where an index cannot be built: two rows have one value, which the server names itself, or its
 * name is taken. Any other fault is left alone. */
void culprit_hint_at_index(const struct job *job, struct fault *why);

#endif
