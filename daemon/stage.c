#include "daemon/stage.h"

#include <string.h>

static const char *const names[] = {
	[STAGE_QUEUED] = "queued",
	[STAGE_PLANNING] = "planning",
	[STAGE_ADDING] = "adding",
	[STAGE_FILLING] = "filling",
	[STAGE_INDEXING] = "indexing",
	[STAGE_SEALING] = "sealing",
	[STAGE_ANALYZING] = "analyzing",
	[STAGE_DONE] = "done",
	[STAGE_FAILED] = "failed",
	[STAGE_CANCELLED] = "cancelled",
	[STAGE_ROLLING_BACK] = "rolling_back",
	[STAGE_ROLLED_BACK] = "rolled_back",
};

struct move {
	enum stage from;
	enum stage to;
	const char *reason;
};

static const struct move moves[] = {
	{STAGE_QUEUED, STAGE_PLANNING, "claimed"},
	{STAGE_PLANNING, STAGE_ADDING, "the plan is written"},
	{STAGE_ADDING, STAGE_FILLING, "column, default and trigger are in place"},
	{STAGE_ADDING, STAGE_INDEXING, "the column is in place, existing rows need no fill"},
	{STAGE_ADDING, STAGE_SEALING, "the column is in place, existing rows need no fill"},
	{STAGE_FILLING, STAGE_INDEXING, "a sweep over the whole table found no pending row"},
	{STAGE_FILLING, STAGE_SEALING, "a sweep over the whole table found no pending row"},
	{STAGE_INDEXING, STAGE_SEALING, "the indexes are valid"},
	{STAGE_SEALING, STAGE_ANALYZING, "the constraints are valid and the trigger is settled"},
	{STAGE_ANALYZING, STAGE_DONE, "the planner knows the column"},
	{STAGE_QUEUED, STAGE_FAILED, "cannot be claimed"},
	{STAGE_PLANNING, STAGE_FAILED, "planning failed"},
	{STAGE_ADDING, STAGE_FAILED, "adding failed"},
	{STAGE_FILLING, STAGE_FAILED, "filling failed"},
	{STAGE_INDEXING, STAGE_FAILED, "indexing failed"},
	{STAGE_SEALING, STAGE_FAILED, "sealing failed"},
	{STAGE_ANALYZING, STAGE_FAILED, "analyzing failed"},
	{STAGE_QUEUED, STAGE_CANCELLED, "cancelled before it had begun"},
	{STAGE_PLANNING, STAGE_CANCELLED, "cancelled while planning"},
	{STAGE_ADDING, STAGE_CANCELLED, "cancelled while adding"},
	{STAGE_FILLING, STAGE_CANCELLED, "cancelled while filling"},
	{STAGE_INDEXING, STAGE_CANCELLED, "cancelled while indexing"},
	{STAGE_SEALING, STAGE_CANCELLED, "cancelled while sealing"},
	{STAGE_ANALYZING, STAGE_CANCELLED, "cancelled while analyzing"},
	{STAGE_INDEXING, STAGE_ADDING, "a table has become one of the tree: one more sweep"},
	{STAGE_SEALING, STAGE_ADDING, "a table has become one of the tree: one more sweep"},
	{STAGE_QUEUED, STAGE_ROLLING_BACK, "to be rolled back before it had begun"},
	{STAGE_PLANNING, STAGE_ROLLING_BACK, "to be rolled back while planning"},
	{STAGE_ADDING, STAGE_ROLLING_BACK, "to be rolled back while adding"},
	{STAGE_FILLING, STAGE_ROLLING_BACK, "to be rolled back while filling"},
	{STAGE_INDEXING, STAGE_ROLLING_BACK, "to be rolled back while indexing"},
	{STAGE_SEALING, STAGE_ROLLING_BACK, "to be rolled back while sealing"},
	{STAGE_ANALYZING, STAGE_ROLLING_BACK, "to be rolled back while analyzing"},
	{STAGE_DONE, STAGE_ROLLING_BACK, "to be rolled back after it was done"},
	{STAGE_FAILED, STAGE_ROLLING_BACK, "to be rolled back after it had failed"},
	{STAGE_ROLLING_BACK, STAGE_ROLLED_BACK, "what the job had made is taken back"},
	{STAGE_ROLLING_BACK, STAGE_FAILED, "rolling back failed"},
};

const char *stage_name(enum stage stage)
{
	return names[stage];
}

bool stage_parse(const char *name, enum stage *ret_stage)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_stage = (enum stage)i;
			return true;
		}
	}
	return false;
}

enum stage stage_next(enum stage stage, unsigned work)
{
	enum stage next = stage;

	do
		next = (enum stage)(next + 1);
	while (next < STAGE_DONE && !(work & STAGE_BIT(next)));
	return next;
}

const char *stage_move_reason(enum stage from, enum stage to)
{
	for (size_t i = 0; i < COUNT_OF(moves); i++) {
		if (moves[i].from == from && moves[i].to == to)
			return moves[i].reason;
	}
	return NULL;
}

static const struct {
	enum stage_hold hold;
	enum stage before;
	const char *name;
} holds[] = {
	{STAGE_HOLD_ADD, STAGE_ADDING, "add"},
	{STAGE_HOLD_FILL, STAGE_FILLING, "fill"},
	{STAGE_HOLD_SEAL, STAGE_SEALING, "seal"},
};

enum stage_hold stage_hold_before(enum stage stage)
{
	for (size_t i = 0; i < COUNT_OF(holds); i++) {
		if (holds[i].before == stage)
			return holds[i].hold;
	}
	return STAGE_HOLD_NONE;
}

const char *stage_hold_name(enum stage_hold hold)
{
	for (size_t i = 0; i < COUNT_OF(holds); i++) {
		if (holds[i].hold == hold)
			return holds[i].name;
	}
	return "";
}
