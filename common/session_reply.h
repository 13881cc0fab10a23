/*
 * session_reply: collects the results of one question while they come in. Part of the session room; askers
 * read a reply through session.h.
 */
#ifndef BACKFILLD_COMMON_SESSION_REPLY_H
#define BACKFILLD_COMMON_SESSION_REPLY_H

#include "common/base.h"
#include "common/fault.h"
#include "common/script.h"

#include <libpq-fe.h>

struct reply {
	PGresult **results; /* one for each statement of the script; NULL where it did not get that far */
	size_t count;
	struct fault why;
	size_t failed_at;
	/* Where the server has got to. */
	bool rolling_back; /* at the ROLLBACK that went before the script */
	bool parsed;       /* at the second command of a statement that was parsed first */
	size_t statement;
	size_t prepared; /* of the statements that the server was told to keep, how many it has: the first ones */
};

enum reply_progress {
	REPLY_MORE,     /* results are still to come */
	REPLY_COMPLETE, /* the sync was reached */
	REPLY_BROKEN,   /* the connection cannot go on; `why` says it if anything was said */
};

/* Makes the zeroed `reply` ready for the results of `script`, after those of a ROLLBACK if there was one. */
void reply_begin(struct reply *reply, const struct script *script, bool after_rollback);

/* Takes what PQgetResult() gave, also its NULL at the end of a statement. */
enum reply_progress reply_take(
	struct reply *reply, const struct script *script, PGresult *result_taken) MUST_USE;

void reply_clear(struct reply *reply);

/* Fills `why` from an error or notice of the server. */
void reply_describe(const PGresult *result, struct fault *why);

#endif
