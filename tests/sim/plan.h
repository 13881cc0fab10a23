/*
 * plan: what happens in a scenario, as plain values: rates over time, replicas, jobs, and what is asked of
 * the run.
 *
 * Times are seconds since the scenario began, rates are MB (10^6 bytes) of WAL a second, as people say them.
 */
#ifndef BACKFILLD_TESTS_SIM_PLAN_H
#define BACKFILLD_TESTS_SIM_PLAN_H

#include "common/base.h"

#define PLAN_MB 1e6
#define PLAN_REPLICAS 3
#define PLAN_JOBS 3
#define PLAN_POINTS 10

/* A value over time; without points it is 0. */
struct curve {
	bool ramp;       /* straight lines between the points, not stairs */
	double period_s; /* it repeats; 0: it does not */
	struct {
		double s;
		double value;
	} at[PLAN_POINTS]; /* in order; the first is at 0 */
};

double curve_at(const struct curve *curve, double s) MUST_USE;

struct replica_plan {
	const char *name;     /* NULL: there is none */
	struct curve replay;  /* MB/s that it replays at most */
	struct curve absent;  /* 1: not connected */
	double behind_mb;     /* when it first connects */
	double transport_ms;  /* one way */
	double report_ms;     /* least time between two of its reports */
	double feed_mb_per_s; /* that the network carries; 0: all */
};

/* The transactions of the application. */
struct application_plan {
	struct curve per_s;
	struct curve base_ms;  /* their mean time without us */
	struct curve slope;    /* share by which it rises for each batch that executes: 0.5 is 50 % */
	double noise;          /* of the mean time, second by second: standard deviation as a share of it */
	double wander;         /* of the mean time without us, over ten seconds or so, the same way */
	double report_every_s; /* a statement of the kind that takes long ends; 0: there are none */
	double report_s;       /* how long it took, whatever we do */
};

/* What filling costs. */
struct fill_plan {
	double page_ms; /* of a page in one pass */
	double page_bytes;
	double image_bytes; /* more, the first time that a page is touched since the checkpoint */
	double image_ms;
	double image_replay; /* what a replica has to do for such a byte, as a part of any other; 0: as much */
	double
		index_bytes; /* more for each page right after a checkpoint, until the indexes' pages are touched */
	int passes;
	int window_pages;
	double turnaround_ms; /* between two batches: network and commit */
	bool counted_late;    /* as before PostgreSQL 15: not when a batch ends, but within a second or so */
};

struct job_plan {
	int fillers; /* 0: there is no such job */
	double from_s;
	double to_s; /* 0: until the end */
	int priority;
	int max_lag_ms;
	int lag_target_ms;
	int max_impact;
	double max_wal_mb_per_s;
	struct curve closed; /* 1: outside its daily window */
	struct curve vacuum; /* of its table: 1 an autovacuum, 2 one against wraparound */
};

/* What is asked of the run; 0 asks nothing. */
struct bounds {
	double lag_p99_ms; /* by which a commit reaches a replica later because of us, most */
	double lag_max_ms;
	double headroom;    /* per cent of what an all-knowing law would have written, least */
	double busy;        /* per cent of the time in which fillers execute or turn round, least */
	double impact_most; /* per cent, mean after the first 30 s */
	double impact_p95;  /* the same in stretches of 5 s, 95th percentile */
	double throttled_most;
	double throttled_least;
	double late_from_s; /* from here on: */
	double late_p99_ms; /* lag_p99_ms */
};

struct scene;

struct scenario {
	const char *name; /* for --trace */
	const char *what; /* a sentence */
	double seconds;
	double step_ms; /* 0: 5 */
	double noise;   /* of foreground and replay: standard deviation as a share of the rate */
	uint64_t seed;
	struct curve foreground;  /* MB/s */
	double image_factor;      /* times that the foreground's WAL grows right after a checkpoint; 0: not */
	double checkpoint_s;      /* 0: never by time */
	double max_wal_mb;        /* a checkpoint is asked for after that much; 0: never */
	struct curve wanted_rows; /* 1: somebody waits for a row of every batch */
	struct curve hangs;       /* 1: the primary's disk, no commit of the foreground's ends */
	struct replica_plan replicas[PLAN_REPLICAS];
	struct application_plan application;
	struct fill_plan fill;
	struct job_plan jobs[PLAN_JOBS];
	struct curve pulse_lost; /* 1: samples do not arrive */
	struct curve survey_lost;
	struct curve veto;        /* 1: the operator's query says stop */
	struct curve archiver;    /* segments waiting; -1 is what no archiver says, so 0 is taken for it */
	struct curve slot_ending; /* 1: a slot is about to be lost */
	struct curve clock_ahead; /* seconds by which the server's wall clock is ahead: it may be set meanwhile */
	int64_t origin_ms;        /* what the monotonic clock says at the start; 0: 10000 */
	struct bounds bounds;
	/* More than bounds can say; NULL: nothing. */
	void (*check)(struct scene *scene);
};

#endif
