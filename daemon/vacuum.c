#include "daemon/vacuum.h"

#include "common/memory.h"
#include "daemon/batch.h"

#include <stdlib.h>

#define SHORT_DEADLINE_MS 10000
#define DEADLINE_MS (INT64_C(7) * 24 * 3600 * 1000)

/* VACUUM runs in no transaction block, so role and pace are the session's for the while. */
static struct script *settings(const char *role, const char *cost_delay, const char *cost_limit)
{
	struct script *script = script_new();

	script_add(script, "SELECT pg_catalog.set_config('vacuum_cost_delay', $1, false),"
					   " pg_catalog.set_config('vacuum_cost_limit', $3, false),"
					   " pg_catalog.set_config('role', $2, false)");
	script_bind(script, cost_delay);
	script_bind(script, role);
	script_bind(script, cost_limit);
	return script;
}

char *vacuum_statement(const char *table)
{
	return memory_textf(
		"VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF, PROCESS_TOAST OFF, PARALLEL 0, SKIP_LOCKED) %s", table);
}

void vacuum_ask(struct session *session, const struct relation *relation, const char *table, bool gentle,
	session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct script *after = settings("none", "0", "200");
	char *statement = vacuum_statement(table);

	script_add(script, statement);
	free(statement);
	batch_add_hand_in(after, relation->server_version);
	session_ask(
		session, settings(relation->owner, "2ms", gentle ? "200" : "2000"), SHORT_DEADLINE_MS, NULL, NULL);
	session_ask(session, script, DEADLINE_MS, answer, owner);
	session_ask(session, after, DEADLINE_MS, NULL, NULL);
}
