/*
 * surveyor: takes surveys, one every second, or ten within the next one where it is told to hurry, on a
 * session that it shares.
 *
 * All parts are asked for in one question. When one of them fails, and takes the others with it, each is
 * asked for on its own until all can be read again: so that one hides no other.
 */
#ifndef BACKFILLD_DAEMON_SURVEYOR_H
#define BACKFILLD_DAEMON_SURVEYOR_H

#include "common/base.h"
#include "common/loop.h"
#include "common/session.h"
#include "daemon/outage.h"
#include "daemon/survey.h"

struct surveyor;

/* `ended` is called after each survey; it must not free the surveyor. `outages` are on loan, their first
 * parts are those of the survey. */
struct surveyor *surveyor_new(
	struct loop *loop, struct outages *outages, loop_fn *ended, void *owner) MUST_USE;
void surveyor_free(struct surveyor *surveyor);

/* The session has opened: surveys are taken on it, until it is lost or surveyor_stop(). */
void surveyor_start(struct surveyor *surveyor, struct session *session);

/* To be called before the session is freed. */
void surveyor_stop(struct surveyor *surveyor);

/* The next one is taken now, and some more soon after. */
void surveyor_hurry(struct surveyor *surveyor);

/* When the last one ended; 0: there was none since the start. */
int64_t surveyor_ended_ms(const struct surveyor *surveyor) MUST_USE;

/* What was found; on loan as the surveyor is. */
struct survey *surveyor_survey(struct surveyor *surveyor) MUST_USE;

#endif
