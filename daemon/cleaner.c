#include "daemon/cleaner.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/batch.h"
#include "daemon/queue.h"
#include "daemon/vacuum.h"

#include <stdlib.h>

/* After a vacuum that gave way to somebody who waited for the table. */
#define AGAIN_AFTER_MS 10000
/* One may have come before the vacuum began. */
#define CANCEL_AGAIN_MS 1000
/* One that may have so many times the part that it has begins anew: what was slow for a replica's sake would
 * be overtaken by a fill that nothing limits any more, and the indexes would split. And one that has so many
 * times the part that it may have, or may have none. */
#define ANEW_FROM 3.0
/* Less long a gate may be closed by a stall, and an index that was half through be read again for nothing.
 * After each in vain twice as long, or one that takes hours would never be through. */
#define ANEW_AFTER_MS 10000
#define ANEW_AFTER_MOST_MS 300000

struct cleaner {
	struct task *task;
	bool busy;
	double part; /* of the time that the one under way has */
	int64_t anew_after_ms;
	int64_t wrong_ms;   /* since when that is far from what it may have; 0: it is not */
	const char *anew;   /* why it was told to end, to begin anew; NULL: it was not */
	int64_t stopped_ms; /* when the one under way was told to end; 0: it was not */
	int64_t since_ms;
	uint32_t oid;       /* of the table that it is about */
	char *table;        /* its name */
	int64_t rows_moved; /* what the vacuum under way is for */
	int64_t not_before_ms;
};

struct cleaner *cleaner_new(struct task *task)
{
	struct cleaner *cleaner = memory_new(sizeof(*cleaner));

	*cleaner = (struct cleaner){.task = task, .anew_after_ms = ANEW_AFTER_MS};
	return cleaner;
}

void cleaner_free(struct cleaner *cleaner)
{
	if (!cleaner)
		return;
	session_forget(cleaner->task->session, cleaner);
	if (cleaner->busy)
		pace_vacuum_ended(cleaner->task->pace, clock_ms());
	free(cleaner->table);
	free(cleaner);
}

static void tell(struct cleaner *cleaner, const char *kind, const char *detail, int64_t duration_ms)
{
	char *statement = vacuum_statement(cleaner->table);

	queue_tell(cleaner->task->control, &cleaner->task->job,
		&(struct queue_event){
			.kind = kind,
			.detail = detail,
			.statement = statement,
			.lock_wait_ms = -1,
			.duration_ms = duration_ms,
			.rows = -1,
		},
		NULL, NULL);
	free(statement);
}

/* It came to nothing: what it was for is still to be done. */
static void owe(struct cleaner *cleaner)
{
	struct member *table = relation_member(&cleaner->task->relation, cleaner->oid);

	if (table)
		table->rows_moved += cleaner->rows_moved;
}

static int64_t twice_as_long(int64_t ms)
{
	return 2 * ms < ANEW_AFTER_MOST_MS ? 2 * ms : ANEW_AFTER_MOST_MS;
}

static void vacuumed(void *owner, const struct reply *reply)
{
	struct cleaner *cleaner = owner;
	const struct fault *why = reply_fault(reply);
	int64_t duration_ms = clock_ms() - cleaner->since_ms;
	const char *anew = cleaner->anew;
	bool stopped = cleaner->stopped_ms != 0;

	cleaner->busy = false;
	cleaner->stopped_ms = cleaner->wrong_ms = 0;
	cleaner->anew = NULL;
	pace_vacuum_ended(cleaner->task->pace, clock_ms()); /* its time is among the application's now */
	if (!why)
		cleaner->anew_after_ms = ANEW_AFTER_MS;
	if (why && why->kind == FAULT_BUSY && anew) {
		owe(cleaner);
		cleaner->anew_after_ms = twice_as_long(cleaner->anew_after_ms);
		tell(cleaner, "vacuum", anew, duration_ms);
	} else if (why && why->kind == FAULT_BUSY && stopped) {
		tell(cleaner, "vacuum", "ended early: the fill is over, autovacuum does the rest", duration_ms);
	} else if (why && why->kind == FAULT_BUSY) {
		owe(cleaner);
		cleaner->not_before_ms = clock_ms() + AGAIN_AFTER_MS;
		tell(cleaner, "refused", why->message, duration_ms);
	} else if (why)
		tell(cleaner, "error", why->message, duration_ms);
	else
		tell(cleaner, "vacuum", "index entries of moved rows are taken away", duration_ms);
}

bool cleaner_consider(struct cleaner *cleaner, struct member *table, double part)
{
	struct task *task = cleaner->task;

	if (cleaner->busy || part <= 0.0 || !session_is_open(task->session) ||
		clock_ms() < cleaner->not_before_ms)
		return false;
	if (table->rows <= 0 || (double)table->rows_moved < VACUUM_AFTER_SHARE * table->rows)
		return false;
	if (!batch_hands_in(task->relation.server_version))
		pace_disturb(task->pace, clock_ms()); /* the time of the one before is told only now */
	pace_vacuum_began(task->pace);
	cleaner->busy = true;
	cleaner->part = part;
	cleaner->oid = table->oid;
	memory_set_text(&cleaner->table, table->name);
	cleaner->rows_moved = table->rows_moved;
	table->rows_moved = 0;
	cleaner->since_ms = clock_ms();
	tell(cleaner, "intent", "take away the index entries of moved rows", -1);
	vacuum_ask(task->session, &task->relation, cleaner->table, part, vacuumed, cleaner);
	return true;
}

static const char *why_anew(const struct cleaner *cleaner, double part)
{
	if (part >= ANEW_FROM * cleaner->part)
		return "ended early: it may be faster now, and begins anew";
	if (part <= 0.0)
		return "ended early: nothing of the fill may go now; it begins anew";
	if (ANEW_FROM * part <= cleaner->part)
		return "ended early: it must be slower now, and begins anew";
	return NULL;
}

void cleaner_heed(struct cleaner *cleaner, double part)
{
	const char *anew = cleaner->busy ? why_anew(cleaner, part) : NULL;

	if (!anew) {
		cleaner->wrong_ms = 0;
		return;
	}
	if (cleaner->wrong_ms == 0)
		cleaner->wrong_ms = clock_ms();
	if (clock_ms() - cleaner->wrong_ms < cleaner->anew_after_ms)
		return;
	cleaner->anew = anew;
	cleaner_stop(cleaner);
}

void cleaner_stop(struct cleaner *cleaner)
{
	if (!cleaner->busy || (cleaner->stopped_ms != 0 && clock_ms() - cleaner->stopped_ms < CANCEL_AGAIN_MS))
		return;
	cleaner->stopped_ms = clock_ms();
	queue_cancel_vacuum(cleaner->task->control, &cleaner->task->job);
}

bool cleaner_is_busy(const struct cleaner *cleaner)
{
	return cleaner->busy;
}
