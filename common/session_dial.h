/*
 * session_dial: begins a connection, and says in words why one failed. Part of the session room.
 */
#ifndef BACKFILLD_COMMON_SESSION_DIAL_H
#define BACKFILLD_COMMON_SESSION_DIAL_H

#include "common/base.h"
#include "common/fault.h"
#include "common/session_hosts.h"

#include <libpq-fe.h>

/*
 * The hosts that a connection to `conninfo` would have to do with, after libpq's own rules: those of the
 * conninfo, or its service, or the environment (PGHOST, PGHOSTADDR, PGPORT, PGSERVICE). To be freed by
 * hosts_free().
 */
bool dial_hosts(const char *conninfo, struct hosts *ret_hosts, struct fault *why) MUST_USE;

/*
 * Begins to connect without waiting.
 *	name		application_name unless the conninfo sets one
 *	hosts		where to, in this order, instead of what the conninfo says. libpq looks up, and waits for,
 * each name that has no address: see hosts_expand() What the conninfo leaves open: TCP keepalives that notice
 * a silent peer within half a minute. Encoding is always UTF8. `ret_conn` is the caller's, to be polled and
 * finished.
 */
bool dial_start(const char *conninfo, const char *name, const struct hosts *hosts, PGconn **ret_conn,
	struct fault *why) MUST_USE;

/* Why this attempt to connect failed, with a hint. Always a FAULT_LINK. */
void dial_fault(PGconn *conn, struct fault *why);

/* Why this connection, which stood, is gone. Always a FAULT_LINK. */
void dial_loss(const PGconn *conn, struct fault *why);

#endif
