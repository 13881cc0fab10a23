/*
 * stage: the life of a job, as a table of moves.
 *
 * A job only ever goes from one stage to another along a row of the table in stage.c; the reason in that
 * row is what the operator reads in backfill.event.
 */
#ifndef BACKFILLD_DAEMON_STAGE_H
#define BACKFILLD_DAEMON_STAGE_H

#include "common/base.h"

enum stage {
	STAGE_QUEUED,
	STAGE_PLANNING,
	STAGE_ADDING,
	STAGE_FILLING,
	STAGE_INDEXING,
	STAGE_SEALING,
	STAGE_ANALYZING,
	STAGE_DONE,
	STAGE_FAILED,
	STAGE_CANCELLED,
	STAGE_ROLLING_BACK,
	STAGE_ROLLED_BACK,
};

/* Places where hold_before can stop a job; bits of a set. */
enum stage_hold {
	STAGE_HOLD_NONE = 0,
	STAGE_HOLD_ADD = 1,
	STAGE_HOLD_FILL = 2,
	STAGE_HOLD_SEAL = 4,
};

/* As the control table spells it: "queued", …; on loan for ever. */
const char *stage_name(enum stage stage) MUST_USE;

/* False: no stage of that name; *ret_stage is untouched then. */
bool stage_parse(const char *name, enum stage *ret_stage) MUST_USE;

/*
 * The stage that follows `stage`, one of queued … analyzing, when its work there is done. Stages that are not
 * in `work`, a set of STAGE_BIT()s, are passed over.
 */
enum stage stage_next(enum stage stage, unsigned work) MUST_USE;
#define STAGE_BIT(stage) (1u << (stage))

/* Why a job goes from `from` to `to`, as a sentence for the event log; NULL when it may not. */
const char *stage_move_reason(enum stage from, enum stage to) MUST_USE;

/* The hold that stands before `stage`; STAGE_HOLD_NONE where none can. */
enum stage_hold stage_hold_before(enum stage stage) MUST_USE;

/* "add", "fill", "seal"; "" for none. */
const char *stage_hold_name(enum stage_hold hold) MUST_USE;

#endif
