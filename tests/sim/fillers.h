/*
 * fillers: connections that fill, by the daemon's own stride and windows; what they send is carried out by
 * the plant. What a batch costs is the plant's: pages, page images after checkpoints, and the pages of
 * indexes.
 */
#ifndef BACKFILLD_TESTS_SIM_FILLERS_H
#define BACKFILLD_TESTS_SIM_FILLERS_H

#include "daemon/lapse.h"
#include "daemon/pace.h"
#include "daemon/stride.h"
#include "tests/sim/application.h"
#include "tests/sim/plant.h"
#include "tests/sim/rivals.h"

#define FILLERS_BATCH_MS 100

/* A job that fills, as its fillers and the run see it. */
struct sim_job {
	const struct job_plan *plan;
	struct pace_share *share; /* NULL: it has not come yet, or has gone */
	struct filler *fillers;
	double wal_bytes; /* written so far */
	double work;      /* that replaying it is */
	double pages;
	double executed_ms;
	double turned_ms;     /* spent between batches */
	double waited_ms;     /* not allowed to go, of all fillers */
	bool told;            /* a reason, a second ago */
	double last_moved_ms; /* plant's time when a batch of it last executed */
	double present_ms;    /* since it came */
	double forbidden_ms;  /* plant's time since when no batch may go; -1: it may */
	bool stopped;         /* by something else than lag */
	int64_t batches;
	int64_t cancelled;
	int64_t clock_set;    /* batches during which the server's wall clock was set */
	int64_t late_batches; /* that began though they had long been forbidden */
};

/* A batch that the server carries out, or has carried out. */
struct sim_batch {
	double ms;         /* of execution */
	double napped_ms;  /* that it sleeps meanwhile */
	double wal;        /* bytes */
	double images;     /* of these, of page images */
	double ahead_ms;   /* that the server's wall clock was when it began */
	struct lapse took; /* by that clock, once it has ended */
};

/* What the plant knows of a volley that is under way. */
struct sim_volley {
	struct breath breath;
	struct sim_batch batches[VOLLEY_MOST];
	double answer_ms; /* until that arrives, once it has been carried out */
};

struct filler {
	struct sim_job *job;
	struct plant *plant;
	struct application *application;
	struct rival *rival; /* NULL: the pace is asked */
	struct dice dice;
	struct stride stride;
	struct window window;
	struct application_session session;
	int *epochs; /* of each page of the window: checkpoint after which it was last touched */
	struct sim_volley volleys[VOLLEYS_MOST]; /* as stride.volleys.under_way */
	int volley;                              /* that the server is at; as many as are under way: none */
	int batch;                               /* of that */
	double batch_left_ms;                    /* until it is done */
	double cancel_left_ms;                   /* until somebody who waits for it has it cancelled */
	double wait_left_ms; /* until the filler goes on by itself; INFINITY: when an answer comes */
	bool held;           /* by the pace, or the rival */
	bool refused;        /* the batch it was at has been cancelled, which the filler does not know yet */
	bool troubled;       /* it knows */
	double rows_unslept; /* looked at since the last nap */
	double executing_ms; /* in this step */
};

void filler_start(struct filler *filler, struct sim_job *job, struct plant *plant,
	struct application *application, struct rival *rival);
void filler_end(struct filler *filler);

/* A step: what is left of a batch, and as many as go after it. origin_ms: the clock at the plant's 0. */
void filler_step(struct filler *filler, int64_t origin_ms);

/* Work to replay that one filler makes a second on average when nothing holds it. */
double fill_speed(const struct fill_plan *fill) MUST_USE;

#endif
