/*
 * pace_inside: what the files of the pace room share. Not for others.
 *
 *	pace.c		jobs that come and go, samples, may a batch go
 *	pace_divide.c	who gets how much of what the cluster and the application allow
 *	pace_reason.c	what a job waits for, in words
 */
#ifndef BACKFILLD_DAEMON_PACE_INSIDE_H
#define BACKFILLD_DAEMON_PACE_INSIDE_H

#include "daemon/budget.h"
#include "daemon/gate.h"
#include "daemon/impact.h"
#include "daemon/pace.h"
#include "daemon/pacer.h"
#include "daemon/patience.h"

/* Of max_wal_rate, what a VACUUM of ours may have while it is at work. */
#define PACE_VACUUM_SHARE 0.25

/* Bytes of WAL a second, by either count, that every job may ask for. */
#define PACE_LEAST_DEMAND (256.0 * 1024.0)

struct pace {
	struct pacer pacer;
	struct impact impact;
	struct impact_own own;
	double filled[PACER_COUNTS]; /* WAL that batches have written, ever */
	int64_t sampled_ms;
	struct pace_share *shares;
	size_t shares_count;
	int64_t left_ms; /* when the last of them left; 0: never */
	int64_t divided_ms;
};

/* What is divided among the shares; WAL by the pacer's two counts. */
enum pace_currency {
	PACE_BYTES = PACER_BYTES,
	PACE_PLAIN = PACER_PLAIN,
	PACE_TIME, /* milliseconds of execution */
	PACE_CURRENCIES,
};

struct pace_account {
	struct budget_bucket bucket;
	double spent;     /* since the last division */
	double used;      /* a second, smoothed */
	double steady;    /* the same, over ten times as long */
	double usual;     /* of a batch */
	double owed;      /* taken for batches that have not ended yet */
	bool held;        /* it had to wait for this since the last division */
	double held_part; /* of the last seconds that batches waited for this the longest */
};

struct pace_share {
	struct pace *pace;
	struct pace_share *next;
	struct pace_wish wish;
	char *opens_at;
	struct signals_table table;
	struct gate gate;
	struct patience patience;
	bool another_goes; /* another job of the cluster fills */
	struct pace_account accounts[PACE_CURRENCIES];
	double full_speed; /* of time, while no autovacuum was at the table */
	int running;       /* batches that have not ended yet */
	struct text reason;
	int64_t held_since_ms; /* 0: its batches go */
	int64_t asked_ms;
	bool limited;                 /* it waits so much that it is told, though a batch goes now and then */
	bool stopped;                 /* it waits for something else than its portion */
	enum pace_currency waits_for; /* which of them it waited for last */
	double napped_ms;             /* since it asked last */
	double throttled_ms;
};

/* What there is, among the shares; batches are paid from their portions. */
void pace_divide(struct pace *pace, int64_t now_ms);

/* The same in between, for one that may go again: what they have used and waited for since goes on. */
void pace_divide_again(struct pace *pace, int64_t now_ms);

/* The strictest lag_target_ms and max_impact of the jobs that have one; 500 and 0 where none has. */
int pace_least_target(const struct pace *pace) MUST_USE;
int pace_least_impact(const struct pace *pace) MUST_USE;

/* max_wal_rate, which is of bytes, less what a VACUUM may write beside the batches; INFINITY: none. */
double pace_own_limit(const struct pace_share *share, enum pacer_count count) MUST_USE;

/* Whether no batch may go at all, whatever is left of its portion; says why. */
bool pace_is_held(struct pace_share *share, int64_t now_ms) MUST_USE;

/* Says which limit it has waited for the most of late. */
void pace_say_limit(struct pace_share *share);

/* Is it, and is that one what a replica takes? */
bool pace_replica_limits(const struct pace_share *share) MUST_USE;

/* For its own window, or for a vacuum of its own table: its limits bind nobody then. */
bool pace_waits_for_itself(const struct pace_share *share) MUST_USE;

/* Does the job look at the application? */
bool pace_looks(const struct pace_share *share) MUST_USE;

#endif
