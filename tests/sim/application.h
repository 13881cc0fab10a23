/*
 * application: the transactions of others, and the server's counters of all transactions, ours with them.
 *
 * What they say of themselves comes late: a session adds to the server's counters at the end of a
 * transaction, when it last did so a second or more ago.
 */
#ifndef BACKFILLD_TESTS_SIM_APPLICATION_H
#define BACKFILLD_TESTS_SIM_APPLICATION_H

#include "daemon/signals.h"
#include "tests/sim/dice.h"
#include "tests/sim/plan.h"

#define APPLICATION_SESSIONS 16

struct application_session {
	double transactions; /* not told yet */
	double active_ms;
	double told_ms;
};

struct application {
	const struct application_plan *plan;
	struct dice dice;
	struct application_session sessions[APPLICATION_SESSIONS];
	size_t turn;
	double transactions; /* told */
	double active_ms;
	double factor; /* of this second's noise */
	struct drift drift;
	double wandering; /* factor, in this second */
	double next_factor_ms;
	double mean_busy;     /* sessions executing, on average */
	double spent;         /* milliseconds executing, without noise */
	double spent_at_best; /* had we not been there */
};

void application_start(struct application *application, const struct application_plan *plan, uint64_t seed);

/* A step in which `executing` batches executed, on average. */
void application_step(struct application *application, double ms, double step_ms, double executing);

/* A session of ours has ended a transaction; the session's own counts are its to keep. */
void application_count(struct application *application, struct application_session *ours, double ms,
	double transactions, double active_ms);

/* What a survey reads. */
void application_read(struct application *application, int64_t now_ms, struct signals_traffic *ret_traffic);

/* A moment, from which on a mean is taken. */
struct application_mark {
	double spent;
	double spent_at_best;
};
struct application_mark application_mark(const struct application *application) MUST_USE;

/* By how many per cent it was slower since then than without us. */
double application_impact(
	const struct application *application, const struct application_mark *since) MUST_USE;

#endif
