/*
 * The tables, innermost before outermost; each range that is not obvious says why.
 */
#include "daemon/options_table.h"

#include "daemon/options_fit.h"

#define CONNINFO_FORM "a libpq connection string without a password"

/* In the order of enum options_commit. */
static const char *const commits[] = {"off", "local", "remote_write", "on", "remote_apply", NULL};

/* In the order of enum log_level. */
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

static const struct settings_option login_options[] = {
	{
		.key = "roles",
		.kind = SETTINGS_TEXTS,
		.offset = offsetof(struct options_login, roles),
		.count_offset = offsetof(struct options_login, roles_count),
		.min = 1,
		.max = 100,
		.form = "a list of role names",
		.fits = options_fit_role,
		.help = "The table owners that this login acts for: it is that role, or a member that may SET ROLE "
				"to it.",
	},
	{
		.key = "conninfo",
		.kind = SETTINGS_TEXT,
		.offset = offsetof(struct options_login, conninfo),
		.form = CONNINFO_FORM,
		.fits = options_fit_conninfo,
		.help = "Where this login connects; the same database as the entry's own conninfo.",
	},
};

static const struct settings_table login_table = {
	.options = login_options,
	.count = COUNT_OF(login_options),
	.size = sizeof(struct options_login),
};

static const struct settings_option database_options[] = {
	{
		.key = "name",
		.kind = SETTINGS_TEXT,
		.offset = offsetof(struct options_database, name),
		.form = "1 to 63 letters, digits, dots, - and _",
		.fits = options_fit_label,
		.help = "The database's label in logs and metrics, unique in this file.",
	},
	{
		.key = "conninfo",
		.kind = SETTINGS_TEXT,
		.offset = offsetof(struct options_database, conninfo),
		.form = CONNINFO_FORM,
		.fits = options_fit_conninfo,
		.help = "Where the control login connects; a list of hosts follows a failover.",
	},
	{
		.key = "logins",
		.kind = SETTINGS_MAPPINGS,
		.offset = offsetof(struct options_database, logins),
		.count_offset = offsetof(struct options_database, logins_count),
		.max = 1000,
		.initial = "[]",
		.table = &login_table,
		.help = "Who touches which owner's tables; for owners not named here conninfo's login does it.",
	},
	{
		.key = "replicas",
		.kind = SETTINGS_TEXTS,
		.offset = offsetof(struct options_database, replicas),
		.count_offset = offsetof(struct options_database, replicas_count),
		.max = 100,
		.initial = "all",
		.word = "all",
		.word_offset = offsetof(struct options_database, replicas_all),
		.form = "all, or a list of application_name values",
		.fits = options_fit_replica,
		.help = "The replicas that must be kept close; [] looks at none. all: the standbys, no logical ones.",
	},
	{
		.key = "delayed_replicas",
		.kind = SETTINGS_TEXTS,
		.offset = offsetof(struct options_database, delayed_replicas),
		.count_offset = offsetof(struct options_database, delayed_replicas_count),
		.max = 100,
		.initial = "[]",
		.form = "a list of application_name values",
		.fits = options_fit_application,
		.help =
			"Those of the replicas that replay late on purpose (recovery_min_apply_delay): judged by what "
			"they have received.",
	},
	{
		.key = "cascades",
		.kind = SETTINGS_TEXTS,
		.offset = offsetof(struct options_database, cascades),
		.count_offset = offsetof(struct options_database, cascades_count),
		.max = 100,
		.initial = "[]",
		.form = "a list of libpq connection strings without a password",
		.fits = options_fit_conninfo,
		.help = "Standbys whose own replicas must be kept close as well: where to ask each of them.",
	},
	{
		.key = "min_replicas",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_database, min_replicas),
		.max = 100,
		.unit = "replicas",
		.initial = "0",
		.help = "Fewer visible replicas than this close the gate.",
	},
	{
		.key = "replica_grace_s",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_database, replica_grace_s),
		/* a day: longer than any restart; who wants a replica for good names it in min_replicas */
		.max = 86400,
		.unit = "s",
		.initial = "60",
		.help =
			"A replica that was seen and vanished closes the gate this long, then it is taken off the list.",
	},
	{
		.key = "throttle_query",
		.kind = SETTINGS_TEXT,
		.offset = offsetof(struct options_database, throttle_query),
		.initial = "",
		.form = "one SQL query, or empty for none",
		.fits = options_fit_query,
		.help = "SQL of your own: one row with a boolean (true holds the fill) and optionally a text (why).",
	},
};

static const struct settings_table database_table = {
	.options = database_options,
	.count = COUNT_OF(database_options),
	.size = sizeof(struct options_database),
};

static const struct settings_option knob_options[] = {
	{
		.key = "batch_ms",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_knobs, batch_ms),
		/* a batch keeps its rows locked for as long as it takes: beyond 10 s writers would time out */
		.min = 1,
		.max = 10000,
		.unit = "ms",
		.initial = "100",
		.help = "How long one batch transaction should execute.",
	},
	{
		.key = "workers",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_knobs, workers),
		.max = 32,
		.unit = "connections",
		.initial = "1",
		.help = "Connections that fill one job side by side; 0 is as many as the signals allow.",
	},
	{
		.key = "max_lag_ms",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_knobs, max_lag_ms),
		/* the lag is measured every 100 to 250 ms: what is below cannot be held */
		.min = 100,
		.max = 3600000,
		.unit = "ms",
		.initial = "1000",
		.help = "The gate closes above this replica lag.",
	},
	{
		.key = "lag_target_ms",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_knobs, lag_target_ms),
		.min = 100,
		.max = 3600000,
		.unit = "ms",
		.initial = "500",
		.help = "The replica lag that the pacer steers towards; at most max_lag_ms.",
	},
	{
		.key = "max_wal_rate",
		.kind = SETTINGS_BIGINT,
		.offset = offsetof(struct options_knobs, max_wal_rate),
		/* 1 TB/s: no limit to any server, and far from where sums of rates overflow */
		.max = INT64_C(1000000000000),
		.unit = "bytes/s",
		.initial = "0",
		.help = "The most WAL that the fill may write; 0 is no limit.",
	},
	{
		.key = "max_impact",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_knobs, max_impact),
		.max = 1000,
		.unit = "%",
		.initial = "10",
		.help = "By how much the transactions of an application that is at work for a fifth of the time may "
				"become slower; 0 does not look.",
	},
	{
		.key = "synchronous_commit",
		.kind = SETTINGS_CHOICE,
		.offset = offsetof(struct options_knobs, synchronous_commit),
		.initial = "off",
		.choices = commits,
		.help = "How the batches commit; their bookmark travels with them, so that off loses nothing.",
	},
	{
		.key = "lock_timeout_ms",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_knobs, lock_timeout_ms),
		/* 0 would wait for ever; the rest is AUTHORITY_LOCK_TIMEOUT's */
		.min = 1,
		.max = 900,
		.unit = "ms",
		.initial = "100",
		.help = "How long a batch waits for a row; at most a quarter of the server's deadlock_timeout.",
	},
	{
		.key = "ddl_lock_timeout_ms",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options_knobs, ddl_lock_timeout_ms),
		/* everybody who wants the table queues behind a waiting ALTER TABLE, for up to this long */
		.min = 1,
		.max = 10000,
		.unit = "ms",
		.initial = "200",
		.help = "How long ALTER TABLE waits for its lock; the application queues behind it meanwhile.",
	},
};

static const struct settings_table knob_table = {
	.options = knob_options,
	.count = COUNT_OF(knob_options),
	.size = sizeof(struct options_knobs),
};

static const struct settings_option options[] = {
	{
		.key = "databases",
		.kind = SETTINGS_MAPPINGS,
		.offset = offsetof(struct options, databases),
		.count_offset = offsetof(struct options, databases_count),
		.min = 1,
		.max = 1000,
		.form = "a list of at least one",
		.table = &database_table,
		.help = "The databases to serve.",
	},
	{
		.key = "defaults",
		.kind = SETTINGS_MAPPING,
		.offset = offsetof(struct options, defaults),
		.table = &knob_table,
		.help = "Every knob; a job's row may override each but synchronous_commit.",
	},
	{
		.key = "jobs_at_once",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options, jobs_at_once),
		.min = 1,
		.max = 64,
		.unit = "jobs",
		.initial = "2",
		.help = "Jobs that run at the same time in one database, never two on one table.",
	},
	{
		.key = "poll_ms",
		.kind = SETTINGS_INT,
		.offset = offsetof(struct options, poll_ms),
		.min = 50,
		.max = 60000,
		.unit = "ms",
		.initial = "1000",
		.help = "How often to look for jobs, besides being told by NOTIFY.",
	},
	{
		.key = "http",
		.kind = SETTINGS_TEXT,
		.offset = offsetof(struct options, http),
		.initial = "127.0.0.1:9842",
		.form = "host:port, or off",
		.fits = options_fit_http,
		.help = "Where metrics, health and the status page are served, read-only. Not served yet.",
	},
	{
		.key = "log_level",
		.kind = SETTINGS_CHOICE,
		.offset = offsetof(struct options, log_level),
		.initial = "info",
		.choices = log_levels,
		.help = "The least important messages that are still written.",
	},
};

static const struct settings_table table = {
	.options = options,
	.count = COUNT_OF(options),
	.size = sizeof(struct options),
};

const struct settings_table *options_table(void)
{
	return &table;
}

const char *options_table_commit(enum options_commit commit)
{
	return commits[commit];
}
