/*
 * monitor: watches one cluster on a connection of its own while somebody works in it.
 *
 * Two rhythms: the pulse (the primary's WAL and its replicas) ten times a second, and the survey (everything
 * else of signals.h) every second. Four times a second it commits a tiny heartbeat, so that standbys report
 * even when the primary is quiet. Where nobody replays there are no heartbeats, and four pulses a second:
 * they cost a busy application more than they tell. The replicas of `cascades` and the operator's
 * throttle_query are asked for on further connections. It needs the privileges of pg_monitor, and nothing
 * more.
 *
 * A signal that cannot be read is said once, as an error in the log and an event, and closes the gate until
 * it can be read again, which is said too. A connection that is lost only makes the signals grow old. But a
 * cascade that has never answered is such a signal, and one that lets us in no more; one that is lost has
 * vanished, as its replicas have.
 */
#ifndef BACKFILLD_DAEMON_MONITOR_H
#define BACKFILLD_DAEMON_MONITOR_H

#include "common/base.h"
#include "common/loop.h"
#include "daemon/options.h"
#include "daemon/replicas.h"
#include "daemon/signals.h"

struct monitor;

/* Called after each pulse and survey, and when the operator's query has answered. It must not free the
 * monitor. */
typedef void monitor_sampled(void *owner);

/* `database` is on loan for the monitor's life. At rest until monitor_watch(). `sampled` may be NULL. */
struct monitor *monitor_new(struct loop *loop, const struct options_database *database,
	monitor_sampled *sampled, void *owner) MUST_USE;
void monitor_free(struct monitor *monitor);

/* Which replicas it looks at, and how; `database` is on loan for the rules' life. */
struct replicas_rules monitor_rules(const struct options_database *database) MUST_USE;

/* Whether samples are taken: only while a job is worked on. */
void monitor_watch(struct monitor *monitor, bool on);

/* As of the last sample; on loan until the loop's next turn. */
const struct signals *monitor_signals(struct monitor *monitor) MUST_USE;

/* A table, by its oid, is surveyed from now on, until monitor_unwatch_table(). Twice is once. */
void monitor_watch_table(struct monitor *monitor, uint32_t table_oid);
void monitor_unwatch_table(struct monitor *monitor, uint32_t table_oid);

/* What is known of it, and of the worst autovacuum at `parts`: those tables of its tree, or itself, that are
 * being filled; 0: none. False: not surveyed yet, or nobody watches it. */
bool monitor_read_table(struct monitor *monitor, uint32_t table_oid, const uint32_t *parts,
	size_t parts_count, struct signals_table *ret_table) MUST_USE;

/* The largest lag of a replica that is there; -1: there is none. */
int64_t monitor_lag_ms(struct monitor *monitor) MUST_USE;

#endif
