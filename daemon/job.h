/*
 * job: a row of backfill.job as a struct.
 *
 * What the user wants, what planning found out, and the knobs as they are in force (the row's own or the
 * config's default: the statement that reads the row settles that).
 */
#ifndef BACKFILLD_DAEMON_JOB_H
#define BACKFILLD_DAEMON_JOB_H

#include "common/base.h"
#include "common/text.h"
#include "daemon/stage.h"

enum job_sync {
	JOB_SYNC_NONE,   /* rows written meanwhile are the application's own */
	JOB_SYNC_FILL,   /* a trigger sets the column where the writer left it null, until the job seals */
	JOB_SYNC_DERIVE, /* a trigger always computes it, and stays */
};

enum job_wanted {
	JOB_RUN,
	JOB_PAUSE,
	JOB_CANCEL,
	JOB_ROLL_BACK,
};

/* Ranges: daemon/options_table.c; the row's own, or the config's. They change while the job runs. */
struct job_knobs {
	int batch_ms;
	int workers; /* 0: as many as the signals allow */
	int max_lag_ms;
	int lag_target_ms;    /* never above max_lag_ms: the lesser of the two counts */
	int64_t max_wal_rate; /* bytes a second, 0: no limit */
	int max_impact;       /* per cent, 0: does not look */
	int lock_timeout_ms;
	int ddl_lock_timeout_ms;
};

struct job {
	int64_t id;
	int64_t epoch; /* the fencing number under which this daemon holds it */
	enum stage stage;
	enum job_wanted wanted;
	uint32_t table_oid;
	char *table_name;  /* format('%I.%I'): ready for SQL text */
	char *search_path; /* the submitter's, pg_temp last: resolves names in the expressions */
	char *column_name; /* bare */
	char *column_type; /* as the user wrote it; NULL: the column exists */
	char *collation;
	char *identity; /* "ALWAYS", "BY DEFAULT"; NULL: none */
	char *
		numbering; /* nextval() of the helper sequence that gives the numbers until then; NULL: no identity */
	char *default_expr;
	char *value; /* NULL: default_expr, if any */
	char *fill_where;
	char *field;        /* of a document in column_name: its path, as a text[] constant "{a,b}"; NULL: none */
	enum job_sync sync; /* auto is settled */
	bool not_null;
	bool is_unique;
	bool skip_triggers; /* the table's own do not fire for what the job fills */
	char *check_expr;   /* NULL: none, as for the three below; not_null of a field is part of it */
	char *foreign_key;  /* what follows REFERENCES */
	char *index;        /* "btree", "gin (payload jsonb_path_ops)" */
	char *index_where;
	/* found out by planning, kept in the row */
	char *exact_type;  /* format_type() of column_type or of the existing column: ready for SQL text */
	bool adopted;      /* the column was there before the job */
	bool had_not_null; /* … and was NOT NULL */
	bool had_default;  /* … and had a default */
	int column_number; /* of the column when it was last seen, 0: not yet */
	bool added;        /* it may have been added by the job: an ADD COLUMN was on its way */
	bool fast_default; /* the server adds default_expr without touching a row: nothing to fill */
	char *index_name;  /* names of what the job makes, free when they were chosen; unquoted */
	char *unique_name;
	char *check_name;
	char *foreign_key_name;
	bool volatile_value; /* the fill expression must be evaluated once a row, and only once */
	int64_t rows_filled; /* when the row was read */
	unsigned holds;      /* enum stage_hold bits still to be let go */
	struct job_knobs knobs;
	int priority; /* higher goes first */
	/* daily_window, judged by the server in its zone at each look at the queue; see job_in_window() */
	bool outside_window;
	int64_t window_closes_ms; /* clock_ms() at which it closes unless a later look says otherwise; 0: never */
	char *opens_at;           /* next, for people: "2026-11-22 22:00 Europe/Berlin"; NULL: no window */
};

/*
 * May rows be filled now, as far as daily_window goes? All else of a job goes on outside it. Exact to a
 * millisecond at its close, a look at the queue behind at its opening.
 */
bool job_in_window(const struct job *job, int64_t now_ms) MUST_USE;

/* Parses `auto`, `none`, `fill`, `derive`; auto follows contract section 3: fill when there is a value. */
enum job_sync job_sync_parse(const char *sync, bool has_value) MUST_USE;

/* Anything unknown is a run. */
enum job_wanted job_wanted_parse(const char *wanted) MUST_USE;

/* Where this claim is to take the job: done, cancelled or rolled_back. */
enum stage job_goal(const struct job *job) MUST_USE;

/* Sets table_name, and what is named after its schema. */
void job_name_table(struct job *job, const char *table_name);

/* Adds "public.backfill_identity_7", ready for SQL: the helper sequence, which stays in the table's schema.
 */
void job_add_helper(struct text *sql, const struct job *job);

/* The DEFAULT that the column has while the job works; NULL when there is none. On loan from the job. */
const char *job_default(const struct job *job) MUST_USE;

/* What follows from the wishes: to be called once they are read. An identity is NOT NULL; that a field must
 * not be missing is a condition of its documents. */
void job_settle(struct job *job);

/* Adds what is at the path of `field` in the document, `row` ("NEW." or "") before the column. */
void job_add_field(struct text *sql, const struct job *job, const char *row);

/* The expression that existing rows are filled with; NULL when there is none. On loan from the job. */
const char *job_fill_expression(const struct job *job) MUST_USE;

/* Do existing rows have to be touched at all? Settled by planning. */
bool job_fills(const struct job *job) MUST_USE;

/* The stages that have something to do, as STAGE_BIT()s. */
unsigned job_stages(const struct job *job) MUST_USE;

/* The table's own name without its schema, unquoted, for messages and aliases; to be freed. */
char *job_bare_table(const struct job *job) MUST_USE;

/* Takes over from `row`, read later, what a user may change while the job runs: knobs, priority, holds,
 * wanted and the window. */
void job_follow(struct job *job, const struct job *row);

/* Deep copy. */
void job_copy(struct job *copy, const struct job *job);
void job_clear(struct job *job);

#endif
