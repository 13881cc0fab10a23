#include "daemon/plain.h"

#include <math.h>

#define RECORD_BYTES 500.0
#define PLAIN_AS_IT_IS 6.0 /* a record of 100 bytes */

double plain_bytes(int64_t bytes, int64_t records)
{
	return ((double)bytes + RECORD_BYTES * (double)records) / PLAIN_AS_IT_IS;
}

void plain_note(struct plain_map *map, uint64_t lsn, double plain)
{
	size_t last = (map->count + PLAIN_POSITIONS - 1) % PLAIN_POSITIONS;

	if (map->count > 0 && map->positions[last].lsn > lsn)
		map->count = 0;
	/* What a batch wrote is known when it ends: until then it may have been taken for more. */
	if (map->count > 0)
		plain = fmax(plain, map->positions[last].plain);
	if (map->count == 0 || map->positions[last].lsn != lsn)
		last = map->count++ % PLAIN_POSITIONS;
	map->positions[last].lsn = lsn;
	map->positions[last].plain = plain;
}

double plain_at(const struct plain_map *map, uint64_t lsn)
{
	size_t kept = map->count < PLAIN_POSITIONS ? map->count : PLAIN_POSITIONS;

	for (size_t back = 1; back <= kept; back++) {
		size_t i = (map->count - back) % PLAIN_POSITIONS;
		size_t next = (i + 1) % PLAIN_POSITIONS;
		double beyond = (double)lsn - (double)map->positions[i].lsn;

		if (beyond < 0.0 && back < kept)
			continue;
		if (back > 1 && beyond >= 0.0)
			beyond *= (map->positions[next].plain - map->positions[i].plain) /
					  (double)(map->positions[next].lsn - map->positions[i].lsn);
		return map->positions[i].plain + beyond;
	}
	return (double)lsn;
}
