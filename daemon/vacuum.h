/*
 * vacuum: takes the index entries away that moved rows leave behind, before the indexes split for want of
 * room.
 *
 * A row that no longer fits its page leaves a dead entry in every index. A freshly built leaf has room for a
 * tenth more; beyond that an index over values in no order splits every leaf and doubles, since PostgreSQL's
 * own bottom-up deletion gives up on it. Measured on 1 M rows, three indexes, a value of a quarter of the
 * row: index over random bigints +100 % without, 0 % with a VACUUM for each 6 % of the rows moved, for 4 % of
 * the time.
 *
 * It starts where a window ends, never in the midst of passes: it publishes the free space of the pages that
 * it sees, and rows that leave their page then take the room that a window's next pass was to find
 * (window_disturb).
 */
#ifndef BACKFILLD_DAEMON_VACUUM_H
#define BACKFILLD_DAEMON_VACUUM_H

#include "common/base.h"
#include "common/session.h"
#include "daemon/pace.h"
#include "daemon/relation.h"

/* Vacuum when so large a part of the rows has moved since the last one: safely below the free tenth of a
 * leaf. (tests/bench/shapes.sh builds without.) */
#ifndef VACUUM_AFTER_SHARE
#define VACUUM_AFTER_SHARE 0.06
#endif

/*
 * The part of the time in which one may be at work: half of that which batches may have (where they may go as
 * they like, so may it), none while they may not go at all. It writes many small records, and at full speed a
 * replica needed twice as long to replay them as they took to be written: where a replica limits the batches
 * it has an eighth of the time that they have used lately, in which it is just through before it is due again
 * (18 s of 25, with four indexes). Measured (tests/bench/replica.sh, a replica on 15 % of a processor): lag
 * of 0.8 to 1.4 s in each VACUUM at full speed, 0.6 to 0.9 s with 15 % of all time, 0.45 to 0.6 s with an
 * eighth of 44 %, and the job took no longer. Beside a max_wal_rate no more than that with which it would
 * keep to its share of it if it had to write an image of each page that it changes (no less than 80 kB a
 * second: the server sleeps for no longer).
 *
 * A session cannot be given another cost limit while it executes: hence vacuum_judge().
 */
double vacuum_part(const struct pace_view *pace) MUST_USE;

/*
 * One that is at work is held against what it may have now: where that has been something quite different for
 * ten seconds it must end, to begin anew. After each that has ended so twice as long, up to five minutes, or
 * one that takes hours would never be through where a gate closes now and then. But at once where the
 * operator has ordered it for long: daily_window, max_wal_rate. Zeroed: none has been.
 */
struct vacuum_watch {
	double part;      /* of the time that it has */
	int64_t wrong_ms; /* since when that is far from what it may have; 0: it is not */
	int in_vain;      /* ended so since one was through */
};

/* `again`: one that ends could begin anew. NULL: it may go on; else why it must end, a sentence. */
const char *vacuum_judge(
	struct vacuum_watch *watch, const struct pace_view *pace, bool again, int64_t now_ms) MUST_USE;

/* With which VACUUM and ANALYZE are at work for `part` of the time. */
struct vacuum_cost {
	int limit;    /* vacuum_cost_limit */
	int delay_ms; /* vacuum_cost_delay */
};
struct vacuum_cost vacuum_cost(double part) MUST_USE;

/* The statement for a table of the tree (its name ready for SQL), for history; to be freed. */
char *vacuum_statement(const struct relation *relation, const char *table) MUST_USE;

/*
 * Asked on a session that does nothing else meanwhile. While the table is being vacuumed or altered it is
 * refused (FAULT_BUSY, 55P03), soon. `part`: of the time in which it is at work, the rest it sleeps as
 * autovacuum does; it truncates nothing, so it never asks for a stronger lock.
 */
void vacuum_ask(struct session *session, const struct relation *relation, const char *table, double part,
	session_answer *answer, void *owner);

#endif
