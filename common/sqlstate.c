#include "common/sqlstate.h"

#include <string.h>

struct advice {
	const char *prefix; /* a class of two characters, or a whole code */
	enum fault_kind kind;
};

/* The first row that matches wins: codes stand before their class. */
static const struct advice advices[] = {
	{"BF001", FAULT_FENCED}, /* backfill.move_bookmark(): the claim has another epoch */
	{"08P01", FAULT_JOB},    /* protocol_violation while the connection lives: our message was wrong */
	{"08", FAULT_LINK},      /* connection exceptions */
	{"57P01", FAULT_LINK},   /* admin_shutdown */
	{"57P02", FAULT_LINK},   /* crash_shutdown */
	{"57P03", FAULT_LINK},   /* cannot_connect_now */
	{"57P05", FAULT_LINK},   /* idle_session_timeout */
	{"25006", FAULT_LINK},   /* read_only_sql_transaction: a failover made it a standby */
	{"55P03", FAULT_BUSY},   /* lock_not_available */
	{"40P01", FAULT_BUSY},   /* deadlock_detected */
	{"40001", FAULT_BUSY},   /* serialization_failure */
	{"57014", FAULT_BUSY},   /* query_canceled, also by statement_timeout */
	{"55006", FAULT_BUSY},   /* object_in_use */
	{"53", FAULT_SCARCE},    /* insufficient resources */
	{"58", FAULT_SCARCE},    /* errors of the system under the server */
	{"22", FAULT_DATA},      /* data exceptions */
	{"23", FAULT_DATA},      /* constraint violations */
	{"P0", FAULT_DATA},      /* raised by the user's PL/pgSQL */
};

struct hint {
	const char *prefix;
	const char *text;
};

static const struct hint connect_hints[] = {
	{"28P01", "check the password in the passfile (PGPASSFILE or ~/.pgpass, mode 0600) or service file"},
	{"28000", "create the role with LOGIN if it is missing, and allow it this database from this host in "
			  "pg_hba.conf"},
	{"3D000", "create the database, or correct dbname in the conninfo"},
	{"42501", "GRANT CONNECT ON DATABASE to this role"},
	{"53300", "raise max_connections, or free connections of others"},
	{"57P03",
		"the server is starting up, shutting down or recovering; the connection is tried again by itself"},
	{"55000", "the database does not accept connections; see datallowconn in pg_database"},
};

static bool starts_with(const char *sqlstate, const char *prefix)
{
	return strncmp(sqlstate, prefix, strlen(prefix)) == 0;
}

enum fault_kind sqlstate_kind(const char *sqlstate)
{
	for (size_t i = 0; i < COUNT_OF(advices); i++)
		if (starts_with(sqlstate, advices[i].prefix))
			return advices[i].kind;
	return FAULT_JOB;
}

const char *sqlstate_connect_hint(const char *sqlstate)
{
	for (size_t i = 0; i < COUNT_OF(connect_hints); i++)
		if (starts_with(sqlstate, connect_hints[i].prefix))
			return connect_hints[i].text;
	return NULL;
}

bool sqlstate_is_refusal(const char *sqlstate, const char *message)
{
	/* libpq's own words, untranslated (nobody here calls setlocale()) */
	static const char *const refusals[] = {
		"no password supplied", "certificate", "Permission denied", "does not support SSL"};

	if (sqlstate[0])
		return sqlstate_kind(sqlstate) != FAULT_LINK;
	for (size_t i = 0; i < COUNT_OF(refusals); i++)
		if (strstr(message, refusals[i]))
			return true;
	return false;
}
