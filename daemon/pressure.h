/*
 * pressure: the pulse of a cluster: where its WAL is, and how far its replicas have come.
 */
#ifndef BACKFILLD_DAEMON_PRESSURE_H
#define BACKFILLD_DAEMON_PRESSURE_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/replicas.h"

/* A sample must be there long before it would be stale. */
#define PRESSURE_DEADLINE_MS 5000

/* Feels the pulse; with a heartbeat it commits something tiny after that: a standby reports its position only
 * when something was flushed. */
void pressure_ask(struct session *session, bool heartbeat, session_answer *answer, void *owner);

/* What failed, of a reply that says that something did: for people. */
const char *pressure_failed_part(const struct reply *reply) MUST_USE;

/* A row of history that belongs to no job. */
void pressure_tell(struct session *session, const char *kind, const char *detail);

/* False: this login is not shown the replicas, and the reply says nothing of them. */
bool pressure_may_see(const struct reply *reply) MUST_USE;

/* The primary's positions. */
uint64_t pressure_read_flushed(const struct reply *reply) MUST_USE;
uint64_t pressure_read_written(const struct reply *reply) MUST_USE;

/* Replica number `row` of the sample, of a primary or a cascade; false: there are no more. The name is on
 * loan from the reply. */
bool pressure_read_replica(const struct reply *reply, size_t row, struct replicas_seen *ret_seen) MUST_USE;

#endif
