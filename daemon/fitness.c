#include "daemon/fitness.h"

#define SERVER_OLDEST 140000

static bool refuse(struct fault *why, const char *message, const char *hint)
{
	fault_set(why, FAULT_JOB, "%s", message);
	fault_set_hint(why, "%s", hint);
	return false;
}

bool fitness_of_server(
	const struct queue_database *database, int server_version, int backend_pid, struct fault *why)
{
	if (server_version < SERVER_OLDEST) {
		fault_set(why, FAULT_JOB, "the server is PostgreSQL %s, older than 14", database->server_version);
		fault_set_hint(why, "versions 14 to 18 are supported: upgrade the server");
		return false;
	}
	if (database->backend_pid != backend_pid)
		return refuse(why,
			"a connection pooler stands between, which keeps neither LISTEN nor session settings",
			"connect to the server directly");
	if (database->in_recovery)
		return refuse(why, "the server is a hot standby and takes no writes",
			"name the primary too in conninfo (host=a,b target_session_attrs=read-write) to follow a "
			"failover");
	return true;
}

bool fitness_of_login(const struct queue_database *database, struct fault *why)
{
	if (!database->owns)
		return refuse(why, "schema backfill belongs to another role",
			"let conninfo log in as the role that installed the schema");
	if (!database->monitors || !database->signals)
		return refuse(why, "the control login cannot see replicas or end its own workers",
			"GRANT pg_monitor, pg_signal_backend to it");
	return true;
}

bool fitness_of_schema(int version, struct fault *why)
{
	if (version == 0)
		return refuse(why, "schema backfill is not installed", "run backfilld --install");
	if (version == QUEUE_SCHEMA_VERSION)
		return true;
	fault_set(why, FAULT_JOB, "schema backfill is version %d, this program knows version %d", version,
		QUEUE_SCHEMA_VERSION);
	fault_set_hint(
		why, "%s", version < QUEUE_SCHEMA_VERSION ? "run backfilld --install" : "install a newer backfilld");
	return false;
}
