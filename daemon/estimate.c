#include "daemon/estimate.h"

#define PAGE_BYTES 8192.0
#define ROWS_PER_PAGE 64.0
#define FILL_US_PER_ROW 3.5
#define FILL_US_PER_INDEX 1.3
#define ROW_HEAD_BYTES 46.0
#define SCAN_US_PER_PAGE 10.0
#define INDEX_US_PER_ROW 2.0
#define INDEX_BYTES_PER_ROW 40.0

static double rows_or_guess(int64_t pages, double rows)
{
	return rows >= 0 ? rows : (double)pages * ROWS_PER_PAGE;
}

struct estimate estimate_fill(int64_t pages, double rows, int secondary_indexes)
{
	double count = rows_or_guess(pages, rows);
	double table_bytes = (double)pages * PAGE_BYTES;
	double index_bytes = table_bytes * secondary_indexes / 3;
	double us = count * (FILL_US_PER_ROW + FILL_US_PER_INDEX * secondary_indexes);

	return (struct estimate){
		.ms = (int64_t)(us / 1000),
		.wal_bytes = (int64_t)(2 * table_bytes + index_bytes + count * ROW_HEAD_BYTES),
	};
}

struct estimate estimate_scan(int64_t pages)
{
	return (struct estimate){.ms = (int64_t)((double)pages * SCAN_US_PER_PAGE / 1000)};
}

struct estimate estimate_index(int64_t pages, double rows)
{
	double count = rows_or_guess(pages, rows);

	return (struct estimate){
		.ms = estimate_scan(pages).ms + (int64_t)(count * INDEX_US_PER_ROW / 1000),
		.wal_bytes = (int64_t)(count * INDEX_BYTES_PER_ROW),
	};
}
