/*
 * lapse: how long a batch took, as its server tells it.
 *
 * The server takes times by its wall clock, which may be put forward or back meanwhile; no other wall clock
 * is known to the daemon.
 */
#ifndef BACKFILLD_DAEMON_LAPSE_H
#define BACKFILLD_DAEMON_LAPSE_H

struct lapse {
	double ms;        /* execution, without commit and naps */
	double active_ms; /* the same, and all else of the transaction up to its commit */
	double napped_ms; /* that it slept */
};

/* What cannot be, of one of `batches` that were asked for together `since_ms` ago by a clock that runs
 * evenly, becomes its part of that; it has not slept then. */
void lapse_bound(struct lapse *lapse, double since_ms, int batches);

#endif
