/*
 * fitness: may this database be served, by this login? One judgement, for the daemon and for --check. And may
 * a job still work on its table?
 */
#ifndef BACKFILLD_DAEMON_FITNESS_H
#define BACKFILLD_DAEMON_FITNESS_H

#include "common/base.h"
#include "common/fault.h"
#include "daemon/queue.h"
#include "daemon/relation.h"

/* The server as such: version, primary, reached directly. `server_version`, `backend_pid`: as the session
 * knows them. */
bool fitness_of_server(
	const struct queue_database *database, int server_version, int backend_pid, struct fault *why) MUST_USE;

/* The control login on it. What it cannot see would be taken for health, so that is refused. */
bool fitness_of_login(const struct queue_database *database, struct fault *why) MUST_USE;

/* Version of schema backfill; 0: not installed. */
bool fitness_of_schema(int version, struct fault *why) MUST_USE;

/*
 * The column, once the job has made it: there is no following one that was renamed, since the job's
 * expressions, and the application, name it.
 */
bool fitness_of_column(const struct job *job, const struct relation *relation, struct fault *why) MUST_USE;

/* The job's table, as the catalogue shows it now. */
bool fitness_of_table(const struct job *job, const struct relation *relation, struct fault *why) MUST_USE;

#endif
