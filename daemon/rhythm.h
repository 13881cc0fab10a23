/*
 * rhythm: one question asked again and again on a connection of its own.
 *
 * The next one is asked so long after the last, or at once when its answer took longer; where it `rests`, not
 * before as long again as the answer took. One at a time.
 */
#ifndef BACKFILLD_DAEMON_RHYTHM_H
#define BACKFILLD_DAEMON_RHYTHM_H

#include "common/base.h"
#include "common/fault.h"
#include "common/loop.h"
#include "common/session.h"

struct rhythm;

/* Texts are on loan for the rhythm's life. */
struct rhythm_question {
	const char *conninfo;
	const char *name; /* application_name */
	const char *sql;  /* one statement */
	int64_t every_ms;
	bool rests; /* it may be dear: no more than half of the time */
	int64_t deadline_ms;
};

/* Either `why` is NULL, or the question failed, or there is no connection (FAULT_LINK, and `reply` may be
 * NULL). It must not free the rhythm. `number` is what the rhythm was given. */
typedef void rhythm_answer(void *owner, size_t number, const struct reply *reply, const struct fault *why);

/* `greeting` is taken, may be NULL. */
struct rhythm *rhythm_new(struct loop *loop, const struct rhythm_question *question, struct script *greeting,
	size_t number, rhythm_answer *answer, void *owner) MUST_USE;
void rhythm_free(struct rhythm *rhythm);

/* The login it goes by; NULL while there is no connection. */
const char *rhythm_login(const struct rhythm *rhythm) MUST_USE;

#endif
