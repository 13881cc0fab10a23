/*
 * presence: for how long the server has had something of ours to do, over all sessions that work on tables.
 *
 * Who waits for a lock of this process has not waited longer than that. (Of what a daemon that died or froze
 * has left behind it knows nothing.)
 */
#ifndef BACKFILLD_DAEMON_PRESENCE_H
#define BACKFILLD_DAEMON_PRESENCE_H

#include "common/base.h"
#include "common/session.h"

struct presence;

struct presence *presence_new(void) MUST_USE;
void presence_free(struct presence *presence);

/* On loan until presence_leave(), which comes before the session is freed. */
void presence_enter(struct presence *presence, const struct session *session);

/* One that is at work still is thought to be for PRESENCE_LINGERS_MS: so long the server may not notice that
 * nobody is there any more. */
#define PRESENCE_LINGERS_MS 2000
void presence_leave(struct presence *presence, const struct session *session, int64_t now_ms);

/* The clock since when at least one of them has been at work; 0: none is. */
int64_t presence_since_ms(const struct presence *presence, int64_t now_ms) MUST_USE;

#endif
