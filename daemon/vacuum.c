#include "daemon/vacuum.h"

#include "common/memory.h"
#include "daemon/batch.h"

#include <math.h>
#include <stdlib.h>

#define SHORT_DEADLINE_MS 10000
#define PART_BESIDE_BATCHES 0.5
#define PART_OF_BATCHES_TIME 0.125
#define PART_LEAST 0.04
/* Credits that take as long as a sleep: 8 us each where the table is in cache (a million rows with four
 * indexes: 70,000 credits, 0.55 s), and a sleep of 2 ms lasts 2.1. */
#define LIMIT_AT_HALF 260.0
#define LIMIT_LEAST 1.0
#define LIMIT_MOST 2000.0
#define SLEEP_S 0.0021
/* By default, of a page that is found in cache and changed. */
#define CREDITS_OF_PAGE 21.0
/* Of the block size that servers usually have. */
#define PAGE_BYTES 8192.0
#define DEADLINE_MS (INT64_C(7) * 24 * 3600 * 1000)

/* VACUUM runs in no transaction block, so role and pace are the session's for the while. */
static struct script *settings(const char *role, const char *cost_delay, const char *cost_limit)
{
	struct script *script = script_new();

	script_add(script, "SELECT pg_catalog.set_config('vacuum_cost_delay', $1, false),"
					   " pg_catalog.set_config('vacuum_cost_limit', $3, false),"
					   " pg_catalog.set_config('role', $2, false)");
	script_bind(script, cost_delay);
	script_bind(script, role);
	script_bind(script, cost_limit);
	return script;
}

char *vacuum_statement(const char *table)
{
	return memory_textf(
		"VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF, PROCESS_TOAST OFF, PARALLEL 0, SKIP_LOCKED) %s", table);
}

/* With an image of each page. */
static double part_of_wal(double bytes_per_s)
{
	double limit = bytes_per_s / PAGE_BYTES * CREDITS_OF_PAGE * SLEEP_S;

	return limit / (LIMIT_AT_HALF + limit);
}

double vacuum_part(const struct pace_view *pace)
{
	double part = pace->time >= 0.0 ? fmin(PART_BESIDE_BATCHES * pace->time, 1.0) : 1.0;

	if (pace->stands)
		return 0.0;
	if (pace->replica_limits)
		part = fmin(part, fmax(PART_OF_BATCHES_TIME * pace->used, PART_LEAST));
	return pace->vacuum_bytes >= 0.0 ? fmin(part, part_of_wal(pace->vacuum_bytes)) : part;
}

int vacuum_cost_limit(double part)
{
	double limit = part < 1.0 ? LIMIT_AT_HALF * part / (1.0 - part) : LIMIT_MOST;

	return (int)fmin(fmax(limit, LIMIT_LEAST), LIMIT_MOST);
}

void vacuum_ask(struct session *session, const struct relation *relation, const char *table, double part,
	session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct script *after = settings("none", "0", "200");
	char *statement = vacuum_statement(table);
	char *limit = memory_textf("%d", vacuum_cost_limit(part));

	script_add(script, statement);
	free(statement);
	batch_add_hand_in(after, relation->server_version);
	session_ask(session, settings(relation->owner, VACUUM_COST_DELAY, limit), SHORT_DEADLINE_MS, NULL, NULL);
	free(limit);
	session_ask(session, script, DEADLINE_MS, answer, owner);
	session_ask(session, after, DEADLINE_MS, NULL, NULL);
}
