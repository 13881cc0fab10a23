/*
 * estimate: how long a step of the plan may take and how much WAL it may write, from the table's size.
 *
 * For people who choose an evening, not for the pace: a value's own cost, a busy disk and limits are not in
 * it. At full pace, one connection, a warm cache. What the formulas stand on was measured on two cores, 1 M
 * rows of 120 bytes (README, "How it fills"; scan and index: PostgreSQL 16, 13,376 pages):
 *
 *	fill	3.5 us a row, and 1.3 more for each secondary index. WAL: each page of the table
 *		once (full page images), a third of it more for each secondary index, each row once
 *		more with 46 bytes about it: 286 MB with the key alone (295 measured), 406 MB with
 *		three indexes (472)
 *	scan	10 us a page (0.13 s); no WAL
 *	index	a scan, and 2 us a row (0.5 of integers to 3 of texts). WAL: 40 bytes a row (22 to 59)
 */
#ifndef BACKFILLD_DAEMON_ESTIMATE_H
#define BACKFILLD_DAEMON_ESTIMATE_H

#include "common/base.h"

struct estimate {
	int64_t ms;
	int64_t wal_bytes;
};

/* `rows`: -1, never analyzed, is taken for 64 a page. */
struct estimate estimate_fill(int64_t pages, double rows, int secondary_indexes) MUST_USE;
struct estimate estimate_scan(int64_t pages) MUST_USE;
struct estimate estimate_index(int64_t pages, double rows) MUST_USE;

#endif
