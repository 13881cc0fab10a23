/*
 * pressure: what the cluster says of itself: how far its replicas have replayed.
 */
#ifndef BACKFILLD_DAEMON_PRESSURE_H
#define BACKFILLD_DAEMON_PRESSURE_H

#include "common/base.h"
#include "common/session.h"

/* A sample must be there long before it would be stale. */
#define PRESSURE_DEADLINE_MS 5000

/* Samples, and commits a heartbeat first: a standby reports its position only when something was flushed. */
void pressure_ask(struct session *session, session_answer *answer, void *owner);

/* A row of history that belongs to no job. */
void pressure_tell(struct session *session, const char *kind, const char *detail);

/* The primary's flush position. */
uint64_t pressure_read_flushed(const struct reply *reply) MUST_USE;

/* Replica number `row` of the sample; false: there are no more. The name is on loan from the reply. */
bool pressure_read_replica(
	const struct reply *reply, size_t row, const char **ret_name, uint64_t *ret_replayed) MUST_USE;

#endif
