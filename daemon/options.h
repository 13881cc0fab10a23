/*
 * options: the configuration file as a struct; what it may say is one table in options.c.
 *
 * A password has no place in it: libpq finds passwords by its own means (passfile, service file,
 * environment), and a connection string that carries one is refused.
 */
#ifndef BACKFILLD_DAEMON_OPTIONS_H
#define BACKFILLD_DAEMON_OPTIONS_H

#include "common/base.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/text.h"

/* PostgreSQL's values of synchronous_commit, weakest first. */
enum options_commit {
	OPTIONS_COMMIT_OFF,
	OPTIONS_COMMIT_LOCAL,
	OPTIONS_COMMIT_REMOTE_WRITE,
	OPTIONS_COMMIT_ON,
	OPTIONS_COMMIT_REMOTE_APPLY,
};

/* What a job may override. */
struct options_knobs {
	int batch_ms;
	int workers; /* 0: as many as the signals allow */
	int max_lag_ms;
	int lag_target_ms;    /* at most max_lag_ms */
	int64_t max_wal_rate; /* bytes per second; 0: no limit */
	int max_impact;       /* per cent; 0: do not look */
	enum options_commit synchronous_commit;
	int lock_timeout_ms;
	int ddl_lock_timeout_ms;
};

/* A login that touches the tables of some owners. */
struct options_login {
	char **roles; /* at least one; no role has two logins in one database */
	size_t roles_count;
	char *conninfo;
};

struct options_database {
	char *name;     /* the label in logs and metrics; unique */
	char *conninfo; /* of the control login */
	struct options_login *logins;
	size_t logins_count;
	bool replicas_all; /* every replica must be kept close; otherwise those of the list, which may be empty */
	char **replicas;   /* application_name values */
	size_t replicas_count;
	char **delayed_replicas; /* application_name values of standbys with recovery_min_apply_delay */
	size_t delayed_replicas_count;
	char **cascades; /* connection strings of standbys whose own replicas must be kept close as well */
	size_t cascades_count;
	int min_replicas;
	int replica_grace_s;
	char *throttle_query; /* "": none */
};

struct options {
	struct options_database *databases; /* at least one */
	size_t databases_count;
	struct options_knobs defaults;
	int jobs_at_once; /* per database */
	int poll_ms;
	char *http;      /* as written */
	char *http_host; /* NULL: off; an IPv6 address without its brackets */
	int http_port;
	enum log_level log_level;
};

/*
 * Reads the file at `path`. On success what *ret holds is the caller's, for options_free(); on failure
 * (FAULT_JOB, `FILE:LINE:COLUMN: what is wrong and what is expected`) *ret is untouched, so that a reload
 * takes a file whole or not at all.
 */
bool options_read(const char *path, struct options *ret, struct fault *why) MUST_USE;

/* The same from memory; `name` stands for the path in messages. */
bool options_read_text(
	const char *name, const char *bytes, size_t length, struct options *ret, struct fault *why) MUST_USE;

/* Releases what the struct holds and leaves zeroes. */
void options_free(struct options *options);

/* The login that serves tables of `role` in this database: its conninfo, or the database's own. On loan. */
const char *options_login_conninfo(const struct options_database *database, const char *role) MUST_USE;

/*
 * Adds the keys that are set to something else than their default and that this version does not act on,
 * comma-separated; nothing where there are none.
 */
void options_add_idle(const struct options *options, struct text *keys);

/* As PostgreSQL spells it: "remote_write". */
const char *options_commit_name(enum options_commit commit) MUST_USE;

/* Adds the description of every option, as settings_describe() lays it out: for --help. */
void options_describe(struct text *ret);

#endif
