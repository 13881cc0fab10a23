/*
 * queue: the daemon's side of the control table: look, claim, hold on, move, report, put down.
 *
 * Each errand is a pair: queue_x() asks on the control session, queue_read_x() reads what came back.
 */
#ifndef BACKFILLD_DAEMON_QUEUE_H
#define BACKFILLD_DAEMON_QUEUE_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/job.h"
#include "daemon/relation.h"
#include "daemon/window.h"

/* Every question to the control tables is answered by then, or its connection is given up. */
#define QUEUE_DEADLINE_MS 10000

/* A claim holds so long without being renewed; by the server's clock. */
#define QUEUE_LEASE_MS 15000

/* The SQL of schema backfill that this program knows. */
#define QUEUE_SCHEMA_VERSION 3

struct queue_database {
	char *server_version; /* on loan from the reply */
	bool in_recovery;
	bool installed;
	bool monitors; /* may read pg_stat_replication and others' queries */
	bool signals;  /* may end its own workers */
	bool owns;     /* schema backfill is its own */
	int backend_pid;
	int64_t shared_buffers; /* pages */
	int block_size;
};

void queue_hello(struct session *control, session_answer *answer, void *owner);
void queue_read_hello(const struct reply *reply, struct queue_database *ret_database);
void queue_version(struct session *control, session_answer *answer, void *owner);
int queue_read_version(const struct reply *reply) MUST_USE;

/* The daemon's sign of life. */
void queue_seen(struct session *control, const char *holder);
void queue_gone(struct session *control, const char *holder, session_answer *answer, void *owner);

/* One job that is ours, or could be. */
struct queue_entry {
	struct job job;
	bool mine;
	bool elsewhere; /* another daemon has it, and its lease has not lapsed */
	int64_t rows_estimate;
	int64_t throttled_ms;
};

void queue_look(struct session *control, const char *holder, const struct job_knobs *defaults,
	session_answer *answer, void *owner);
/* Fills a zeroed or used entry; queue_entry_clear() releases it. */
void queue_read_look(const struct reply *reply, size_t row, struct queue_entry *entry);
void queue_entry_clear(struct queue_entry *entry);

/* Finds the tables of jobs again that came with a dump, see sql/reborn.sql. */
void queue_find_reborn(struct session *control);

/* Reads what the fill triggers have counted, and lets go whom it tells that nobody needs their help. */
void queue_read_evidence(struct session *control);

/* Says of the jobs nobody works on what they wait for. */
void queue_explain_waiting(struct session *control, bool no_place_free);

void queue_claim(
	struct session *control, int64_t job_id, const char *holder, session_answer *answer, void *owner);
/* 0: somebody else was faster. */
int64_t queue_read_claim(const struct reply *reply) MUST_USE;
void queue_renew(struct session *control, const char *holder, session_answer *answer, void *owner);
/* Puts the job down; `held_at` NULL: not at a hold; `column_number`: see struct job, 0: as before. */
void queue_release(struct session *control, int64_t job_id, int64_t epoch, const char *held_at,
	int column_number, session_answer *answer, void *owner);

struct queue_move {
	enum stage to;
	const struct fault *why; /* it failed with; NULL unless `to` is failed */
	const char *kept;        /* what stays of a job that ends before it is done; NULL: it goes on */
	enum stage goal;         /* of the claim, see job_goal() */
	int column_number;       /* see struct job; 0: as before */
};

void queue_move(struct session *control, const struct job *job, const struct queue_move *move,
	session_answer *answer, void *owner);
/* False: the job is no longer ours. `ret_overtaken`: the user wants something else by now, which goes before:
 * the job is where it was. */
bool queue_read_move(const struct reply *reply, bool *ret_overtaken) MUST_USE;

/* The table is called `table_name` now: the row follows, with an event. */
void queue_rename(struct session *control, const struct job *job, const char *table_name);

struct queue_event {
	const char *kind;
	const char *detail;
	const char *statement;
	int64_t lock_wait_ms; /* -1: does not apply, as for the two below */
	int64_t duration_ms;
	int64_t rows;
};

/* One row of history; `answer` may be NULL. */
void queue_tell(struct session *control, const struct job *job, const struct queue_event *event,
	session_answer *answer, void *owner);

/* False: the job is no longer held under this epoch, or it was deleted; nothing was told. */
bool queue_read_told(const struct reply *reply) MUST_USE;

struct queue_report {
	const char *waiting_for; /* NULL: it moves */
	int64_t rows_estimate;
	int64_t blocks_done;
	int64_t blocks_total;
	double rows_per_s; /* -1: not known, as for the three below */
	double seconds_left;
	double earliest_s;
	double latest_s;
	const char *forecast; /* a JSON object, to which the two ends are added; NULL: none */
	const char *doing;    /* how far a long statement is; NULL: nothing to say */
	int64_t lag_ms;       /* -1: no replica */
	int64_t throttled_ms;
};

void queue_tell_progress(struct session *control, const struct job *job, const struct queue_report *report);

/* Ends server sessions of earlier epochs, and those of `filler` (-1: the one that changes the catalogue);
 * asked until none is left. */
void queue_reap(
	struct session *control, const struct job *job, int filler, session_answer *answer, void *owner);
int64_t queue_read_reap(const struct reply *reply, int *ret_pid) MUST_USE;

/* Records a session of ours; filler -1: the one that changes the catalogue. */
void queue_enlist(
	struct session *control, const struct job *job, int filler, int pid, session_answer *answer, void *owner);
bool queue_read_enlist(const struct reply *reply) MUST_USE;

/* What all sessions of the job are doing. */
void queue_cancel_batches(struct session *control, const struct job *job);
/* What the one is doing that changes the catalogue, and vacuums. */
void queue_cancel_vacuum(struct session *control, const struct job *job);

struct queue_walk {
	int sweep;
	int64_t pages;
	int64_t pages_done; /* in windows that are finished */
	bool fresh;         /* started now; false: found under way */
};

/* Starts sweep number `sweep` over the table, or over all of its tree that have rows, or finds the one under
 * way. */
void queue_start_walk(struct session *control, const struct job *job, const struct relation *relation,
	int sweep, session_answer *answer, void *owner);
bool queue_read_walk(const struct reply *reply, struct queue_walk *ret_walk) MUST_USE;

void queue_ask_window(struct session *control, const struct job *job, int filler, int64_t pages, int passes,
	const char *login, session_answer *answer, void *owner);
struct queue_window {
	struct window_bookmark bookmark;
	uint32_t oid;     /* of the table that the window is in */
	const char *leaf; /* its name, ready for SQL, on loan; NULL: it is the job's table */
	bool gone;        /* it is no longer of the tree */
};

/* False: the walk has no windows left. */
bool queue_read_window(const struct reply *reply, struct queue_window *ret_window) MUST_USE;

/* The table `oid`, in which the filler has its window, is left out of what remains of the walk. */
void queue_leave(struct session *control, const struct job *job, int filler, uint32_t oid,
	session_answer *answer, void *owner);

#endif
