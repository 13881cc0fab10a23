/*
 * session_dial: begins a connection, and says in words why one failed. Part of the session room.
 */
#ifndef BACKFILLD_COMMON_SESSION_DIAL_H
#define BACKFILLD_COMMON_SESSION_DIAL_H

#include "common/base.h"
#include "common/fault.h"

#include <libpq-fe.h>

/*
 * Begins to connect without waiting (host names are the exception: libpq resolves them blocking).
 *	name		application_name unless the conninfo sets one
 *	first_host	of several hosts in the conninfo, begin with this one, counted round and round: a host that
 *			swallows packets must not be the first to be tried for ever
 * What the conninfo leaves open: TCP keepalives that notice a silent peer within half a minute. Encoding is
 * always UTF8. `ret_conn` is the caller's, to be polled and finished.
 */
bool dial_start(
	const char *conninfo, const char *name, size_t first_host, PGconn **ret_conn, struct fault *why) MUST_USE;

/* Why this attempt to connect failed, with a hint. Always a FAULT_LINK. */
void dial_fault(const PGconn *conn, struct fault *why);

/* Why this connection, which stood, is gone. Always a FAULT_LINK. */
void dial_loss(const PGconn *conn, struct fault *why);

#endif
