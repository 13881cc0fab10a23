#include "daemon/vacuum.h"

#include "common/memory.h"
#include "daemon/authority.h"
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
/* Less is no less: what one page takes is all that may be saved up. */
#define LIMIT_LEAST CREDITS_OF_PAGE
#define LIMIT_MOST 2000.0
#define DELAY_MS 2.0
#define DELAY_MOST_MS 100.0 /* the server's */
#define SLEEP_S 0.0021
/* By default, of a page that is found in cache and changed. */
#define CREDITS_OF_PAGE 21.0
/* Of the block size that servers usually have. */
#define PAGE_BYTES 8192.0
/* One that may have so many times the part that it has begins anew: what was slow for a replica's sake would
 * be overtaken by a fill that nothing limits any more, and the indexes would split. And one that has so many
 * times the part that it may have. */
#define ANEW_FROM 3.0
/* Less long a gate may be closed by a stall, and an index that was half through be read again for nothing. */
#define PATIENCE_MS 10000
#define PATIENCE_MOST_MS 300000
#define DEADLINE_MS (INT64_C(7) * 24 * 3600 * 1000)

/* An autovacuum that somebody waits for gives up, but only after deadlock_timeout. */
#define LOCK_TIMEOUT AUTHORITY_LOCK_TIMEOUT("1000")

/* VACUUM runs in no transaction block, so role, patience (in SQL) and pace are the session's for the while.
 */
static struct script *settings(const char *role, const char *lock_timeout, const struct vacuum_cost *cost)
{
	struct script *script = script_new();

	script_addf(script,
		"SELECT pg_catalog.set_config('vacuum_cost_delay', $1, false),"
		" pg_catalog.set_config('vacuum_cost_limit', $3, false),"
		" pg_catalog.set_config('lock_timeout', %s, false), pg_catalog.set_config('role', $2, false)",
		lock_timeout);
	script_bind_int(script, cost->delay_ms);
	script_bind(script, role);
	script_bind_int(script, cost->limit);
	return script;
}

char *vacuum_statement(const struct relation *relation, const char *table)
{
	return memory_textf("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF, PROCESS_TOAST OFF, PARALLEL 0) %s%s",
		relation_takes_children_along(relation) ? "ONLY " : "", table);
}

/* With an image of each page. */
static double part_of_wal(double bytes_per_s)
{
	double limit = bytes_per_s / PAGE_BYTES * CREDITS_OF_PAGE * SLEEP_S;

	return limit / (LIMIT_AT_HALF + limit);
}

/* What the operator alone lets it have. */
static double ordered_part(const struct pace_view *pace)
{
	if (pace->forbidden)
		return 0.0;
	return pace->vacuum_bytes >= 0.0 ? part_of_wal(pace->vacuum_bytes) : 1.0;
}

double vacuum_part(const struct pace_view *pace)
{
	double part = pace->time >= 0.0 ? fmin(PART_BESIDE_BATCHES * pace->time, 1.0) : 1.0;

	if (pace->stands)
		return 0.0;
	if (pace->replica_limits)
		part = fmin(part, fmax(PART_OF_BATCHES_TIME * pace->used, PART_LEAST));
	return fmin(part, ordered_part(pace));
}

static const char *why_end(const struct vacuum_watch *watch, double part, bool again)
{
	if (part <= 0.0)
		return "ended early: nothing of the fill may go now";
	if (ANEW_FROM * part <= watch->part)
		return "ended early: it must be slower now";
	if (again && part >= ANEW_FROM * watch->part)
		return "ended early: it may be faster now";
	return NULL;
}

static int64_t patience_ms(const struct vacuum_watch *watch)
{
	int64_t ms = PATIENCE_MS;

	for (int i = 0; i < watch->in_vain && ms < PATIENCE_MOST_MS; i++)
		ms *= 2;
	return ms < PATIENCE_MOST_MS ? ms : PATIENCE_MOST_MS;
}

const char *vacuum_judge(struct vacuum_watch *watch, const struct pace_view *pace, bool again, int64_t now_ms)
{
	const char *why = why_end(watch, ordered_part(pace), false);

	if (why)
		return why;
	why = why_end(watch, vacuum_part(pace), again);
	if (!why)
		watch->wrong_ms = 0;
	else if (watch->wrong_ms == 0)
		watch->wrong_ms = now_ms;
	if (!why || now_ms - watch->wrong_ms < patience_ms(watch))
		return NULL;
	watch->in_vain++;
	return why;
}

struct vacuum_cost vacuum_cost(double part)
{
	double limit = part < 1.0 ? LIMIT_AT_HALF * part / (1.0 - part) : LIMIT_MOST;
	double delay_ms = limit < LIMIT_LEAST ? DELAY_MS * LIMIT_LEAST / limit : DELAY_MS;

	return (struct vacuum_cost){
		.limit = (int)fmin(fmax(limit, LIMIT_LEAST), LIMIT_MOST),
		.delay_ms = (int)fmin(ceil(delay_ms), DELAY_MOST_MS),
	};
}

void vacuum_ask(struct session *session, const struct relation *relation, const char *table, double part,
	session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct script *after = settings("none", "'0'", &(struct vacuum_cost){.limit = 200});
	char *statement = vacuum_statement(relation, table);
	struct vacuum_cost cost = vacuum_cost(part);

	script_add(script, statement);
	free(statement);
	batch_add_hand_in(after, relation->server_version);
	session_ask(session, settings(relation->owner, LOCK_TIMEOUT, &cost), SHORT_DEADLINE_MS, NULL, NULL);
	session_ask(session, script, DEADLINE_MS, answer, owner);
	session_ask(session, after, DEADLINE_MS, NULL, NULL);
}
