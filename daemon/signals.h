/*
 * signals: what a cluster says of itself, as of the last samples.
 *
 * Plain values, filled by whoever samples (the monitor, or the simulator's plant), judged by gate, pacer and
 * impact. Everything is on loan from who filled it. A clock is clock_ms(), never the wall's; 0 says "never".
 *
 * Two rhythms: the pulse (where WAL is, and who has replayed how much of it) ten times a second (four
 * times where nobody replays), the survey (all the rest) once a second. What could not be read is not
 * healthy: `unreadable` says so, and why.
 */
#ifndef BACKFILLD_DAEMON_SIGNALS_H
#define BACKFILLD_DAEMON_SIGNALS_H

#include "common/base.h"

/* A pulse comes as often, and a heartbeat, while somebody replays. */
#define SIGNALS_PULSE_MS 100
#define SIGNALS_HEARTBEAT_MS 250
/* And where nobody does: only what others write is read. */
#define SIGNALS_LONELY_PULSE_MS 250
/* A pulse older than this is no evidence of health. */
#define SIGNALS_PULSE_STALE_MS 1000
/* The same of a survey. */
#define SIGNALS_SURVEY_STALE_MS 10000

struct signals_replica {
	const char *name;
	size_t source;        /* who sees it: 0 the primary, from 1 on a cascade; names are one source's */
	int others;           /* of the same name, which this one, the slowest, stands for */
	int64_t lag_ms;       /* -1: not known */
	uint64_t replayed;    /* LSN; of a standby that replays late on purpose (delayed_replicas): received */
	int64_t vanished_ago; /* milliseconds since it was last seen; 0: it is there */
};

enum signals_wal_status {
	SIGNALS_WAL_RESERVED,
	SIGNALS_WAL_EXTENDED,
	SIGNALS_WAL_UNRESERVED,
	SIGNALS_WAL_LOST
};

struct signals_slot {
	const char *name;
	enum signals_wal_status wal_status;
	int64_t safe_bytes;     /* until it would be lost; -1: no limit is set */
	int64_t retained_bytes; /* WAL kept for it */
};

/* Who keeps dead rows from being pruned away the longest. */
struct signals_horizon {
	int64_t xids;    /* age of the oldest xmin in transactions; 0: nobody holds one */
	int64_t held_s;  /* since its holder's transaction began; -1: not known (a slot, a standby) */
	const char *who; /* a sentence's subject: "session 4711 (psql, active for 340 s)"; NULL: nobody */
};

/* Transactions of all databases but those of other backfillds, counted since some start, our own with them.
 */
struct signals_traffic {
	int64_t counted_ms;   /* clock when the counters were asked for; 0: never */
	int connection;       /* by which: over another one it may be another server that counts */
	int64_t scope;        /* another one: others are counted, and no difference tells anything */
	int64_t transactions; /* committed and rolled back */
	int64_t ours;         /* of these, those of monitor, watcher and control login since the daemon started */
	double active_ms;     /* time that sessions spent executing statements */
	int64_t busy_sessions; /* sessions of others that were executing at that moment */
};

enum signals_veto { SIGNALS_NO_QUERY, SIGNALS_GO, SIGNALS_HOLD };

struct signals {
	/* pulse */
	int64_t pulse_ms;
	uint64_t written; /* LSN up to which WAL was inserted */
	uint64_t flushed;
	const struct signals_replica *replicas;
	size_t replicas_count;
	int min_replicas;
	/* survey */
	int64_t survey_ms;
	const char *unreadable; /* which part could not be read, and why; NULL: all was */
	const struct signals_slot *slots;
	size_t slots_count;
	int64_t archiver_waiting;     /* WAL segments; -1: nothing is archived */
	const char *archiver_failing; /* the segment that keeps failing; NULL: none */
	int64_t checkpoints_asked;    /* ever: requested, not timed */
	struct signals_horizon horizon;
	struct signals_traffic traffic;
	int cores;         /* of the server, as far as it can be known; 0: not known */
	const char *blind; /* why nobody sees who waits for locks of ours; NULL: the watcher does */
	/* the operator's own query */
	enum signals_veto veto;
	const char *veto_why; /* what the query said, or why it could not be asked; may be NULL */
};

/* Of one job's table. */
struct signals_table {
	int64_t surveyed_ms;
	/* the worst one at those of its partitions or children, or itself, that are being filled now */
	enum { SIGNALS_NO_VACUUM, SIGNALS_AUTOVACUUM, SIGNALS_WRAPAROUND } vacuum;
	int64_t dead_rows; /* of the whole tree */
};

#endif
