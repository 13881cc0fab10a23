/*
 * authority: how a transaction on a worker's session starts: as the table's owner, with the submitter's path.
 *
 * The role stays until the transaction ends: going back to the login earlier would let deferred triggers of
 * the user's run as the login. Everything is SET LOCAL in effect, so nothing outlives the transaction.
 */
#ifndef BACKFILLD_DAEMON_AUTHORITY_H
#define BACKFILLD_DAEMON_AUTHORITY_H

#include "common/base.h"
#include "common/script.h"

/* In SQL, as text: how many milliseconds a transaction that holds locks may wait for one: `wanted` (an int),
 * at most a quarter of deadlock_timeout. Whoever waits for it meanwhile is then never the victim of a
 * deadlock: that is who has waited for deadlock_timeout, and the watcher sees to those who wait before it
 * does. */
#define AUTHORITY_LOCK_TIMEOUT(wanted)                                                                       \
	"greatest(1, least(" wanted "::int, (pg_catalog.date_part('epoch',"                                      \
	" pg_catalog.current_setting('deadlock_timeout')::pg_catalog.interval) * 250::float8)::int))::text"

struct authority {
	const char *owner;              /* role to act as */
	const char *search_path;        /* of the submitter, pg_temp last: ready for SET */
	const char *synchronous_commit; /* "off", …; NULL: as the server has it */
	bool skip_triggers;             /* only those fire that are for a replica: the login needs the right */
	int lock_timeout_ms;            /* or less: AUTHORITY_LOCK_TIMEOUT */
	int statement_timeout_ms;       /* 0: none */
};

/* Statements that authority_begin() adds; the caller's own start behind them. */
#define AUTHORITY_STATEMENTS 2

/* Adds BEGIN and the settings. */
void authority_begin(struct script *script, const struct authority *authority);

#endif
