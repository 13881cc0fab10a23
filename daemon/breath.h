/*
 * breath: how a batch spreads its execution where an application leaves it a part of the time.
 *
 * Executing for all of its time at a stretch, and then leaving the server alone, makes whoever comes
 * meanwhile wait for a processor until the batch ends. Many short transactions instead cost more by
 * themselves (half a millisecond each) than they fill. So a batch sleeps after each few rows, within its
 * transaction, as VACUUM does: it executes for a fifth of a millisecond or so, sleeps for one or more, and is
 * over after 35 ms: somebody may wait for a row of it.
 *
 * Measured beside pgbench at half of what two processors can do, 0.61 ms a transaction and p99 of 2.0 ms from
 * when it is due: transactions of 1 ms filled 2,700 rows a second and made the p99 37 % longer; batches that
 * breathe 5,500 and 9 to 16 % (a prototype; the whole daemon: README, "What it costs").
 */
#ifndef BACKFILLD_DAEMON_BREATH_H
#define BACKFILLD_DAEMON_BREATH_H

#include "common/base.h"

struct breath {
	int64_t rows; /* looked at between two naps, on average; 0: it does not sleep */
	int nap_ms;
};

/*
 * Of a batch that executes for `batch_ms` in all, on a connection whose batches may for `part` of the time,
 * while each costs a round trip of `trip_ms` besides. It looks at `rows` rows, of `row_ms` each, filling
 * where they are pending. Whatever that is, it sleeps for no more than BREATH_MOST_MS in all: what it
 * executes and naps that last a little longer come on top, and after 50 ms whoever waits for it has it
 * cancelled.
 */
#define BREATH_MOST_MS 35.0
struct breath breath_for(double part, double batch_ms, double trip_ms, double rows, double row_ms) MUST_USE;

/*
 * For which part of the time a batch is made on a connection whose batches may for `part`: never less than
 * 0.08. Less is left to fewer batches, not to smaller ones: each costs 0.4 ms by itself (what is planned
 * anew, telling the plan), which would be more than half of what executes in 35 ms at 0.02. Beside pgbench on
 * three quarters of two processors 1,000 rows a second instead of 506, with no more impact
 * (tests/bench/foreground.sh).
 */
double breath_part(double part) MUST_USE;

#endif
