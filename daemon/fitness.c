#include "daemon/fitness.h"

#include <string.h>

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

/* The INSERT was checked; owners and memberships change. */
static bool requester_may(const struct job *job, const struct relation *relation, struct fault *why)
{
	if (relation->requester_may)
		return true;
	fault_set(why, FAULT_JOB,
		"who asked for the job no longer has the privileges of %s, the owner of table %s", relation->owner,
		job->table_name);
	fault_set_hint(why,
		"GRANT %s to the role in requested_by and set wanted = 'run', or let the owner enqueue the job.",
		relation->owner);
	memcpy(why->sqlstate, "42501", sizeof("42501"));
	return false;
}

bool fitness_of_table(const struct job *job, const struct relation *relation, struct fault *why)
{
	if (relation->exists)
		return requester_may(job, relation, why);
	fault_set(why, FAULT_JOB, "table %s is gone", job->table_name);
	fault_set_hint(why, "If it was dropped, or did not come with the dump that the job came with, cancel the "
						"job; where it is "
						"called otherwise now, ask for the column anew.");
	return false;
}

static bool column_is_made(const struct job *job)
{
	return job->stage >= STAGE_FILLING && job->stage <= STAGE_ANALYZING;
}

bool fitness_of_column(const struct job *job, const struct relation *relation, struct fault *why)
{
	bool rolls_back = job_goal(job) == STAGE_ROLLED_BACK;

	if (relation->column_exists || job_goal(job) == STAGE_CANCELLED)
		return true;
	if (relation->column_now && (job->added || !rolls_back)) {
		fault_set(why, FAULT_JOB, "column %s of table %s is called %s now", job->column_name, job->table_name,
			relation->column_now);
		fault_set_hint(why,
			"ALTER TABLE %s RENAME COLUMN %s TO the name that the job has (%s), then set wanted = 'run'%s.",
			job->table_name, relation->column_now, job->column_name,
			rolls_back ? ": rolling back goes on; or drop the column yourself first"
					   : "; or end the job with wanted = 'cancel', and ask for the rest under the new name");
	} else if (column_is_made(job) && !rolls_back) {
		fault_set(why, FAULT_JOB, "column %s of table %s is gone", job->column_name, job->table_name);
		fault_set_hint(why, "If it was dropped on purpose, set wanted = 'roll_back', and what else there is "
							"of the job goes, too; "
							"with 'run' after that the job starts again.");
	} else {
		return true;
	}
	memcpy(why->sqlstate, "42703", sizeof("42703"));
	return false;
}
