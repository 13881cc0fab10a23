/*
 * scenarios: what can happen, as tables.
 */
#ifndef BACKFILLD_TESTS_SIM_SCENARIOS_H
#define BACKFILLD_TESTS_SIM_SCENARIOS_H

#include "tests/sim/scene.h"

struct scenarios {
	const struct scenario *table;
	size_t count;
};

/* What replicas make of it. */
struct scenarios scenarios_of_lag(void) MUST_USE;
/* What is not known, or forbidden. */
struct scenarios scenarios_of_gates(void) MUST_USE;
/* Several jobs, and limits of their own. */
struct scenarios scenarios_of_jobs(void) MUST_USE;
/* The application's transactions. */
struct scenarios scenarios_of_impact(void) MUST_USE;
/* The plant that laws are compared on. */
extern const struct scenario scenarios_reference;

/*
 * As measured on the table with 3 indexes: 2 M rows in 32,000 pages, 12 passes: some 60 MB of WAL a second
 * from one connection.
 */
#define FILL_PAGES_BUT_TURN                                                                                  \
	.page_ms = 0.03, .page_bytes = 1300, .image_bytes = 8200, .image_ms = 0.06, .index_bytes = 3000,         \
	.passes = 12, .window_pages = 4096
#define FILL_PAGES FILL_PAGES_BUT_TURN, .turnaround_ms = 0.5
#define FILL_USUAL                                                                                           \
	{                                                                                                        \
		FILL_PAGES                                                                                           \
	}
/* Without page images: what is written says what was done. */
#define FILL_EVEN                                                                                            \
	{                                                                                                        \
		.page_ms = 0.036, .page_bytes = 1800, .passes = 1, .window_pages = 4096, .turnaround_ms = 0.5        \
	}

#define JOB_USUAL .max_lag_ms = 1000, .lag_target_ms = 500, .max_impact = 10
#define REPLICA_NEAR .transport_ms = 2, .report_ms = 20
#define STEADY(rate)                                                                                         \
	{                                                                                                        \
		.at = { {0, rate} }                                                                                  \
	}

#endif
