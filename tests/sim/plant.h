/*
 * plant: a primary that writes WAL and the replicas that take it in.
 *
 * Foreground and fill write; what is written is flushed at once when the foreground commits, else by the WAL
 * writer (200 ms or 1 MB, as PostgreSQL's defaults have it). A replica receives what was flushed after the
 * network's delay, replays at its own rate and reports where it stands when it receives something, when it
 * has replayed all, or every 10 s. Beside each replica runs a twin that takes in the foreground's WAL alone,
 * and an ideal fill that knows everything: what they do is what the run is measured by.
 */
#ifndef BACKFILLD_TESTS_SIM_PLANT_H
#define BACKFILLD_TESTS_SIM_PLANT_H

#include "tests/sim/dice.h"
#include "tests/sim/plan.h"

/* LSN at the start. */
#define PLANT_FIRST_LSN 1e9
#define PLANT_REPORTS 64

/* A value step by step: where the flushed WAL stood, when something was seen. */
struct track {
	double *values;
	size_t count;
};

/* A reader of a track that only goes forward. */
struct replica_place {
	double replayed;
	size_t behind; /* step that first flushed something beyond it */
};

struct plant_replica {
	const struct replica_plan *plan;
	struct drift drift;
	bool seen;            /* has ever been connected */
	bool connected;       /* now */
	double gone_since_ms; /* while it is not; since the start */
	double rate;          /* bytes a second that it can replay now */
	double received;
	double done;    /* work that it has replayed */
	size_t done_at; /* steps up to the one in which that was written */
	size_t received_at;
	struct replica_place at;     /* where it is */
	struct replica_place told;   /* where the primary knows it to be */
	struct replica_place alone;  /* where it would be if only the foreground wrote */
	double awake_ms;             /* for how long it has been able to replay something */
	struct track alone_ms;       /* its awake_ms when what each step wrote would have been replayed alone */
	double ideal_backlog;        /* that the ideal fill leaves it */
	double reported_ms;          /* when it last did */
	double received_at_report;   /* what it had then */
	bool replayed_all_at_report; /* and whether that was all of it */
	struct {
		double arrives_ms;
		double replayed;
	} reports[PLANT_REPORTS]; /* on their way */
	size_t reports_sent;
	size_t reports_arrived;
};

struct plant {
	const struct scenario *scenario;
	double step_ms;
	double ms; /* since the start */
	struct dice dice;
	struct drift drift;
	double foreground_noise;
	double next_noise_ms;
	double written;
	double work; /* that replaying all of it is; bytes, but for page images */
	double flushed;
	double flushed_work;
	double flushed_ms;
	double written_alone;    /* by the foreground */
	double foreground_bytes; /* in this step */
	struct track track;      /* of all WAL */
	struct track track_work;
	struct track track_alone;  /* of the foreground's */
	int epoch;                 /* of checkpoints */
	double checkpoint_ms;      /* when the last was */
	double checkpoint_written; /* and where */
	double foreground_since;   /* bytes of the foreground since then */
	double pages_since;        /* that were filled since then */
	int64_t checkpoints_asked;
	struct plant_replica replicas[PLAN_REPLICAS];
	size_t replicas_count;
	double ideal_work; /* that the ideal fill has made */
};

void plant_start(struct plant *plant, const struct scenario *scenario);
void plant_free(struct plant *plant);

/* The next step of the foreground, the checkpoints and the replicas. */
void plant_step(struct plant *plant);

/* Somebody writes WAL that is so much work to replay; `flush`: and waits for it to be on disk. */
void plant_write(struct plant *plant, double bytes, double work, bool flush);

/* What filling a page costs more right after a checkpoint, because of the pages of the indexes. */
double plant_index_bytes(const struct plant *plant) MUST_USE;

/* The ideal fill, which may make `most` work in this step, leaves no replica behind. */
void plant_fill_ideally(struct plant *plant, double most, double grace_ms);

/*
 * By how much later than alone it replayed what the next step wrote that it has now replayed; false: there is
 * no other such step. To be asked until it says so, every step. Counted in its own time, which stands still
 * while it does: a stall is not our doing.
 */
bool plant_next_delay(struct plant *plant, struct plant_replica *replica, double *ret_ms) MUST_USE;

/* How far the replica at `place` is behind, in milliseconds. */
double plant_lag_ms(
	const struct plant *plant, const struct track *track, struct replica_place *place) MUST_USE;

#endif
