/*
 * fault: what went wrong, and what to do about it.
 *
 * A function that can fail returns bool and fills a `struct fault` given as its last parameter.
 * The kind is the advice; who gets a fault switches on it and never looks at SQLSTATEs again
 * (only `session` maps those).
 */
#ifndef BACKFILLD_COMMON_FAULT_H
#define BACKFILLD_COMMON_FAULT_H

#include "common/base.h"

enum fault_kind {
	FAULT_NONE,
	FAULT_BUSY,   /* a lock, a deadlock, a cancelled statement: ask the same again, perhaps smaller */
	FAULT_LINK,   /* the connection or the server is gone, or it is a standby: ask again once reconnected */
	FAULT_SCARCE, /* the server is out of disk, memory or connections: wait, then ask again */
	FAULT_DATA,   /* a row of the user's makes an expression or constraint fail: find it, then fail the job */
	FAULT_JOB,    /* cannot work however often it is tried: fail the job */
	FAULT_FENCED, /* somebody else holds the job now: put it down without another write */
};

struct fault {
	enum fault_kind kind;
	char sqlstate[6]; /* "" where the fault is not the server's */
	char *message;    /* what happened, to what; one sentence without a full stop */
	char *detail;     /* PostgreSQL's DETAIL, or NULL: may hold row contents, for the job row only */
	char *hint;       /* what to do now, or NULL */
};

/* Replaces what `why` holds by this kind and message. */
void fault_set(struct fault *why, enum fault_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* Replaces the hint of a fault that was set. */
void fault_set_hint(struct fault *why, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "<words>: " before the message: what was being done when it happened. */
void fault_add_context(struct fault *why, const char *format, ...) PRINTF_LIKE(2, 3);

/* Makes `copy` (zeroed or set) a deep copy of `why`. */
void fault_copy(struct fault *copy, const struct fault *why);

/* Releases the texts and leaves FAULT_NONE. */
void fault_clear(struct fault *why);

#endif
