/*
 * plain: WAL counted as if it had no page images.
 *
 * A replica replays record by record, and a record costs it about what 500 bytes do: as measured, one that
 * may use 15 % of a processor replays 80 MB a second of WAL full of page images (9 kB a row), and 14 of that
 * without (260 bytes a row). The first pass over a window writes images, the others hardly any: so what a
 * replica takes is told in both, bytes and
 *
 *	plain bytes = (bytes + 500 × records) / 6
 *
 * in which a record of 100 bytes counts 100, and a page image of 8 kB 1.4 kB. That is known of batches; what
 * others write counts as it is.
 */
#ifndef BACKFILLD_DAEMON_PLAIN_H
#define BACKFILLD_DAEMON_PLAIN_H

#include "common/base.h"

double plain_bytes(int64_t bytes, int64_t records) MUST_USE;

/* As many as lag.h has. */
#define PLAIN_POSITIONS 2560

/* Where the WAL was, in both. */
struct plain_map {
	struct {
		uint64_t lsn;
		double plain;
	} positions[PLAIN_POSITIONS];
	size_t count; /* ever noted */
};

/* What goes back is of another history, and nothing before it is known any more. */
void plain_note(struct plain_map *map, uint64_t lsn, double plain);

/* Between two positions in proportion; before the first and after the last byte by byte. */
double plain_at(const struct plain_map *map, uint64_t lsn) MUST_USE;

#endif
