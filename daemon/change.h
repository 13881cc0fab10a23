/*
 * change: what is still to be done to the table, one step at a time.
 *
 * change_next() holds what the job wants against what the catalogue says and names the first step that is
 * missing. The worker does it, looks at the catalogue again, and asks again, until a stage has nothing left:
 * so a step is never repeated, and a crash anywhere leaves nothing to remember. Planning walks the same
 * function over an assumed catalogue (change_assume) and writes down what will be done.
 *
 * No step scans or rewrites under ACCESS EXCLUSIVE; which lock, scan and version rule each follows was tried
 * on PostgreSQL 14 to 18.
 */
#ifndef BACKFILLD_DAEMON_CHANGE_H
#define BACKFILLD_DAEMON_CHANGE_H

#include "common/base.h"
#include "common/script.h"
#include "common/text.h"
#include "daemon/job.h"
#include "daemon/relation.h"

enum change_kind {
	CHANGE_ADD,           /* column, default, trigger: whatever of the three is missing, in one transaction */
	CHANGE_WATCH_UPDATES, /* the trigger for UPDATE, between the fill and its first sweep */
	CHANGE_CHECK,         /* NOT NULL as a constraint that only new rows must meet */
	CHANGE_VALIDATE,      /* … and now all rows do */
	CHANGE_SET_NOT_NULL,  /* skips its scan, since the CHECK is valid */
	CHANGE_DROP_CHECK,
	CHANGE_IDENTITY,     /* takes over from the helper sequence that has given the numbers until then */
	CHANGE_DROP_TRIGGER, /* the fill triggers and their function */
	CHANGE_RULE,         /* check_expr, of new rows */
	CHANGE_RULE_VALIDATE,
	CHANGE_REFERENCE, /* the foreign key, of new rows */
	CHANGE_REFERENCE_VALIDATE,
	CHANGE_REFERENCE_ADOPT, /* of a partitioned table, over those of its leaves */
	CHANGE_INDEX_PARENT,    /* of a table without rows of its own: empty until the leaves' are attached */
	CHANGE_INDEX_BUILD,
	CHANGE_INDEX_DROP, /* one that a failed build has left */
	CHANGE_INDEX_ATTACH,
	CHANGE_UNIQUE_PARENT, /* the same for the UNIQUE constraint */
	CHANGE_UNIQUE_BUILD,
	CHANGE_UNIQUE_DROP,
	CHANGE_UNIQUE_CONSTRAINT, /* takes the index over */
	CHANGE_UNIQUE_ATTACH,
	CHANGE_ANALYZE,
	CHANGE_UNDO_CHECK, /* taking back: the constraint on the way to NOT NULL */
	CHANGE_UNDO_NOT_NULL,
	CHANGE_UNDO_TRIGGER,
	CHANGE_UNDO_DEFAULT, /* of a column that was there before; ours goes with the column */
	CHANGE_UNDO_COLUMN,
	CHANGE_UNDO_RULE,
	CHANGE_UNDO_REFERENCE,
	CHANGE_UNDO_INDEX,
	CHANGE_UNDO_UNIQUE,
};

struct change_step {
	enum change_kind kind;
	struct script *script; /* the statements, one transaction; owned by the step */
	size_t member;         /* of the relation: the table that it is about */
	bool only;             /* it reaches that table alone, and none of those under it */
	const char *table;     /* its name, quoted; NULL: the job's table. On loan from the relation */
	char *object;          /* index or constraint that it is about, for people; NULL: none */
	const char *lock_mode; /* "ACCESS EXCLUSIVE", …: the strongest on the table */
	int64_t timeout_ms;    /* of each statement */
	bool alone;            /* one statement that can share a transaction with nothing: see lone.h */
	bool scans;            /* reads the whole table, under a lock that blocks neither reads nor writes */
};

/*
 * The next step that `stage` needs; false: the stage has nothing left to do, *ret_step is untouched. For
 * `cancelled` and `rolling_back` that is what has to be taken away to get there.
 */
bool change_next(const struct job *job, const struct relation *relation, enum stage stage,
	struct change_step *ret_step) MUST_USE;

/* Makes `relation` look as if the step had been done. */
void change_assume(struct relation *relation, const struct job *job, const struct change_step *step);

/* What stays of a job that ends as `stage`, cancelled or rolled_back, as a sentence for people. */
void change_kept(
	const struct job *job, const struct relation *relation, enum stage stage, struct text *ret_sentence);

/* What the index is on, from USING to its predicate; the column itself where the user has written a method
 * only. */
void change_add_index_definition(struct text *sql, const struct job *job);

/* "add the column", …, without the object. */
const char *change_name(enum change_kind kind) MUST_USE;

/* "build index public.orders_region_idx": for events and waiting_for; to be freed. */
char *change_describe(const struct change_step *step) MUST_USE;

/* The statements of a step as one text, for people. To be freed. */
char *change_text(const struct change_step *step) MUST_USE;

void change_step_clear(struct change_step *step);

#endif
