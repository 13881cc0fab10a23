/*
 * monitor: watches one cluster's replicas on a connection of its own, four times a second while somebody
 * works.
 *
 * It commits a tiny heartbeat each time, so that standbys report even when the primary is quiet, and keeps
 * the ring by which lag is told.
 */
#ifndef BACKFILLD_DAEMON_MONITOR_H
#define BACKFILLD_DAEMON_MONITOR_H

#include "common/base.h"
#include "common/loop.h"
#include "daemon/options.h"
#include "daemon/signals.h"

struct monitor;

/* `database` is on loan for the monitor's life. At rest until monitor_watch(). */
struct monitor *monitor_new(struct loop *loop, const struct options_database *database) MUST_USE;
void monitor_free(struct monitor *monitor);

/* Whether samples are taken: only while a job is worked on. */
void monitor_watch(struct monitor *monitor, bool on);

/* As of the last sample; on loan until the loop's next turn. */
const struct signals *monitor_signals(struct monitor *monitor) MUST_USE;

/* The largest lag of a replica that is there; -1: there is none. */
int64_t monitor_lag_ms(struct monitor *monitor) MUST_USE;

#endif
