/*
 * sqlstate: the one table that turns an SQLSTATE into advice. Part of the session room.
 *
 * Codes: PostgreSQL documentation, appendix A.
 */
#ifndef BACKFILLD_COMMON_SQLSTATE_H
#define BACKFILLD_COMMON_SQLSTATE_H

#include "common/base.h"
#include "common/fault.h"

/* What to do about a statement that failed with `sqlstate` (five characters). FAULT_JOB for codes that the
 * table does not know: trying again would not help as far as anybody can tell. */
enum fault_kind sqlstate_kind(const char *sqlstate) MUST_USE;

/* What an operator can do when the server refused a connection with `sqlstate`; NULL: nothing special. */
const char *sqlstate_connect_hint(const char *sqlstate) MUST_USE;

/* Did a server that is there refuse a connection, for a reason of rights or configuration that lasts until
 * somebody mends it? That it starts, shuts down or is gone is none. `sqlstate` "": libpq says so itself, in
 * `message`. */
bool sqlstate_is_refusal(const char *sqlstate, const char *message) MUST_USE;

#endif
