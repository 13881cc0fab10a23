#include "daemon/cleaner.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/batch.h"
#include "daemon/queue.h"
#include "daemon/vacuum.h"

#include <stdlib.h>

/* After a vacuum that came to nothing, as where an autovacuum is at the table; after the next one twice as
 * long. */
#define AGAIN_AFTER_MS 10000
#define AGAIN_AFTER_MOST_MS 640000
/* One may have come before the vacuum began. */
#define CANCEL_AGAIN_MS 1000
struct cleaner {
	struct task *task;
	bool busy;
	struct vacuum_watch watch;
	const char *early;  /* why it was told to end, for a later one; NULL: it was not */
	int64_t stopped_ms; /* when the one under way was told to end; 0: it was not */
	int64_t since_ms;
	uint32_t oid;           /* of the table that it is about */
	char *table;            /* its name */
	int64_t rows_moved;     /* what the vacuum under way is for */
	int64_t again_after_ms; /* of that table, since the last one came to nothing; 0: it did not */
	int64_t not_before_ms;
};

struct cleaner *cleaner_new(struct task *task)
{
	struct cleaner *cleaner = memory_new(sizeof(*cleaner));

	cleaner->task = task;
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
	char *statement = vacuum_statement(&cleaner->task->relation, cleaner->table);

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

static void put_off(struct cleaner *cleaner)
{
	int64_t ms = cleaner->again_after_ms == 0 ? AGAIN_AFTER_MS : 2 * cleaner->again_after_ms;

	cleaner->again_after_ms = ms < AGAIN_AFTER_MOST_MS ? ms : AGAIN_AFTER_MOST_MS;
	cleaner->not_before_ms = clock_ms() + cleaner->again_after_ms;
}

static void vacuumed(void *owner, const struct reply *reply)
{
	struct cleaner *cleaner = owner;
	const struct fault *why = reply_fault(reply);
	int64_t duration_ms = clock_ms() - cleaner->since_ms;
	const char *early = cleaner->early;
	bool stopped = cleaner->stopped_ms != 0;

	cleaner->busy = false;
	cleaner->stopped_ms = cleaner->watch.wrong_ms = 0;
	cleaner->early = NULL;
	pace_vacuum_ended(cleaner->task->pace, clock_ms()); /* its time is among the application's now */
	if (why && why->kind == FAULT_BUSY && early) {
		owe(cleaner);
		tell(cleaner, "vacuum", early, duration_ms);
	} else if (why && why->kind == FAULT_BUSY && stopped) {
		tell(cleaner, "vacuum", "ended early: the fill is over, autovacuum does the rest", duration_ms);
	} else if (why) {
		owe(cleaner);
		put_off(cleaner);
		tell(cleaner, why->kind == FAULT_BUSY ? "refused" : "error", why->message, duration_ms);
	} else {
		cleaner->watch.in_vain = 0;
		cleaner->again_after_ms = 0;
		tell(cleaner, "vacuum", "index entries of moved rows are taken away", duration_ms);
	}
}

static bool is_put_off(const struct cleaner *cleaner, const struct member *table)
{
	return cleaner->again_after_ms != 0 && cleaner->oid == table->oid && clock_ms() < cleaner->not_before_ms;
}

bool cleaner_consider(struct cleaner *cleaner, struct member *table, const struct pace_view *pace)
{
	struct task *task = cleaner->task;
	double part = vacuum_part(pace);

	if (cleaner->busy || part <= 0.0 || !session_is_open(task->session) || is_put_off(cleaner, table))
		return false;
	if (table->rows <= 0 || (double)table->rows_moved < VACUUM_AFTER_SHARE * table->rows)
		return false;
	if (!batch_hands_in(task->relation.server_version))
		pace_disturb(task->pace, clock_ms()); /* the time of the one before is told only now */
	pace_vacuum_began(task->pace, clock_ms());
	cleaner->busy = true;
	cleaner->watch.part = part;
	if (cleaner->oid != table->oid)
		cleaner->again_after_ms = 0;
	cleaner->oid = table->oid;
	memory_set_text(&cleaner->table, table->name);
	cleaner->rows_moved = table->rows_moved;
	table->rows_moved = 0;
	cleaner->since_ms = clock_ms();
	tell(cleaner, "intent", "take away the index entries of moved rows", -1);
	vacuum_ask(task->session, &task->relation, cleaner->table, part, vacuumed, cleaner);
	return true;
}

void cleaner_heed(struct cleaner *cleaner, const struct pace_view *pace, bool again)
{
	if (cleaner->busy && cleaner->stopped_ms == 0)
		cleaner->early = vacuum_judge(&cleaner->watch, pace, again, clock_ms());
	if (cleaner->early)
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
