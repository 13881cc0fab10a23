/*
 * pace: one cluster's pace: whether a batch may go now, how big it may be, and what is waited for.
 *
 * One for each entry of `databases`, shared by its jobs. Pure: it knows samples and clocks, no I/O.
 *
 *	pace_sample()	a new pulse or survey: capacity, allowance and shares are judged anew
 *	pace_ask()	before each batch: go, or how long to wait and for what
 *	pace_spend()	after each batch: what it cost
 *
 * Behind it: gate (reasons to stop), pacer (the cluster's allowance in bytes of WAL a second), impact (the
 * part of the time in which batches may execute, so that the application hardly notices), budget (who gets
 * how much of it).
 */
#ifndef BACKFILLD_DAEMON_PACE_H
#define BACKFILLD_DAEMON_PACE_H

#include "common/base.h"
#include "common/text.h"
#include "daemon/signals.h"

struct pace;       /* of a cluster */
struct pace_share; /* of one job in it */

/* What a job asks of the pace; all of it may change while it runs. */
struct pace_wish {
	int priority;
	int fillers; /* that shall work at one time, at least 1 */
	int at_work; /* that have something to do now: what these wait is told as their mean; 0: as `fillers` */
	int max_lag_ms;
	int lag_target_ms;
	int max_impact;       /* per cent; 0: does not look */
	int64_t max_wal_rate; /* bytes a second; 0: no limit */
	const char *opens_at; /* outside its daily window: when it opens, for people; NULL: inside. On loan for
							 the call. */
};

struct pace_verdict {
	bool go;
	int64_t wait_ms; /* ask again after this; 0 when it goes */
	const char
		*reason; /* a sentence, on loan until the next call: what holds it back; NULL: nothing, or only
					its turn. Also said while it goes, when it had to wait for most of the last seconds */
	double part; /* of the time for which a batch is made: that in which those of a connection may execute, as
					the application allows, or breath_part(); 1: all */
	int64_t batch_bytes; /* the most WAL that it should write */
};

/* What a batch cost. */
struct pace_batch {
	int64_t wal_bytes; /* its own */
	int64_t wal_records;
	double ms;        /* from its BEGIN to its COMMIT, by the server's clock, without its naps */
	double napped_ms; /* that it slept, since the application leaves only a part of the time */
};

struct pace *pace_new(void) MUST_USE;
void pace_free(struct pace *pace);

/* Judges anew. `signals` are on loan for the call. */
void pace_sample(struct pace *pace, const struct signals *signals, int64_t now_ms);

/* A job that fills has a share, until it leaves. pace_free() frees what is left. */
struct pace_share *pace_join(struct pace *pace, const struct pace_wish *wish, int64_t now_ms) MUST_USE;
void pace_change(struct pace_share *share, const struct pace_wish *wish);
void pace_leave(struct pace_share *share);

/* Fillers that the other jobs shall have. */
int pace_fillers_beside(const struct pace_share *share) MUST_USE;

/* Connections that the other jobs' batches have kept busy, on average of some ten seconds. */
double pace_at_work_beside(const struct pace_share *share) MUST_USE;

/* What was seen of the job's own table, and of those of its parts that its fillers are in. */
void pace_sample_table(struct pace_share *share, const struct signals_table *table);

/* Whether the job's next batch may go. */
void pace_ask(struct pace_share *share, int64_t now_ms, struct pace_verdict *ret_verdict);

/* The batch has to be smaller than it could be, or may execute for a part of the time only. */
bool pace_limits(const struct pace_verdict *verdict) MUST_USE;

/* Of one that is to be sent while another of its connection is under way. True: as pace_ask() lets one go.
 * False: it may not, which holds nobody back as yet; *ret_verdict is untouched. */
bool pace_ask_ahead(struct pace_share *share, int64_t now_ms, struct pace_verdict *ret_verdict) MUST_USE;

/* A batch of the job has ended. */
void pace_spend(struct pace_share *share, const struct pace_batch *batch, int64_t now_ms);

/* A VACUUM of ours begins beside the batches, or has ended. */
void pace_vacuum_began(struct pace *pace, int64_t now_ms);
void pace_vacuum_ended(struct pace *pace, int64_t now_ms);

/* Something else of ours has kept a session busy (an ANALYZE): the application's time is not to be told for a
 * while. */
void pace_disturb(struct pace *pace, int64_t now_ms);

/*
 * The part of the time, 0 … 1, in which an ANALYZE that sleeps in between may be at work. `looks`: the job
 * has a max_impact. What was learnt beside the fill counts for a minute; then it goes as autovacuum would.
 * Never less than a fifth: it holds a lock and a snapshot meanwhile.
 */
double pace_part(const struct pace *pace, bool looks, int64_t now_ms) MUST_USE;

/* What holds the batches of this job back, as pace_ask() said last; NULL: nothing. */
const char *pace_held_by(const struct pace_share *share) MUST_USE;

/* One of its connections has been made to wait for so long since it asked last. */
void pace_wait(struct pace_share *share, int64_t waited_ms);

/* Milliseconds that the job's connections were made to wait, ever: the mean of those at work, as many as
 * there are when they tell it. */
int64_t pace_throttled_ms(const struct pace_share *share) MUST_USE;

/* For the job's forecast and for people: what the pace knows now. */
struct pace_view {
	/* Bytes of WAL a second, were all of it like the job's last batches: */
	double capacity;   /* that the slowest replica takes; -1: no limit has been seen */
	double allowance;  /* that all fills together may write; -1: no limit */
	double foreground; /* bytes a second that others write */
	double share;      /* bytes a second of this job; -1: no limit */
	double
		impact; /* per cent by which the application is slower than its baseline; NAN: cannot be measured */
	const char *impact_told; /* impact_told(), or that the job does not look; never NULL */
	double duty;             /* connections that may execute batches at one time, on average; -1: no limit */
	double time;             /* of these, this job's */
	double used;             /* connections that its batches have kept busy, on average of some ten seconds */
	/* What its batches wait for most is what the replicas take, or a climb until that is known. */
	bool replica_limits;
	bool stands;         /* none may go, whatever is left of its portion: the gate is closed, or its window */
	bool forbidden;      /* and that is its window: it takes hours */
	double vacuum_bytes; /* a second, that a VACUUM beside them may write; -1: no limit */
};
void pace_read(const struct pace_share *share, struct pace_view *ret_view);

#endif
