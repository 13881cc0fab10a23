#include "daemon/authority.h"

void authority_begin(struct script *script, const struct authority *authority)
{
	script_add_prepared(script, "BEGIN READ WRITE ISOLATION LEVEL READ COMMITTED");
	/* row_security off: a policy raises an error and never hides rows. The
	 * role comes last: it may not set the rest. */
	script_add_prepared(script,
		"SELECT pg_catalog.set_config('search_path', $1, true),"
		" pg_catalog.set_config('lock_timeout', " AUTHORITY_LOCK_TIMEOUT(
			"$2") ", true),"
				  " pg_catalog.set_config('statement_timeout', $3, true),"
				  " pg_catalog.set_config('synchronous_commit',"
				  "   coalesce($4, pg_catalog.current_setting('synchronous_commit')), true),"
				  " pg_catalog.set_config('row_security', 'off', true),"
				  " pg_catalog.set_config('standard_conforming_strings', 'on', true),"
				  " CASE WHEN $6::boolean THEN"
				  "   pg_catalog.set_config('session_replication_role', 'replica', true) END,"
				  " pg_catalog.set_config('role', $5, true)");
	script_bind(script, authority->search_path);
	script_bind_int(script, authority->lock_timeout_ms);
	script_bind_int(script, authority->statement_timeout_ms);
	script_bind(script, authority->synchronous_commit);
	script_bind(script, authority->owner);
	script_bind_bool(script, authority->skip_triggers);
}
