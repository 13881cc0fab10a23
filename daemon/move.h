/*
 * move: one move of a job from stage to stage, put on record before anything else happens.
 *
 * A user may have the job's row locked, or the control connection may be lost: it is tried until it is on
 * record.
 */
#ifndef BACKFILLD_DAEMON_MOVE_H
#define BACKFILLD_DAEMON_MOVE_H

#include "common/base.h"
#include "daemon/queue.h"
#include "daemon/task.h"

struct move;

/*
 * Asks at once; `how` is copied. `done` is called from the loop, once, unless the move is freed before: NULL
 * when task->job.stage is where it goes, or where it was because the user wants something else by now;
 * FAULT_FENCED when the job is no longer ours; else what waiting does not mend.
 */
struct move *move_new(struct task *task, const struct queue_move *how, task_done *done, void *owner) MUST_USE;
void move_free(struct move *move);

/* Where it goes. */
enum stage move_to(const struct move *move) MUST_USE;

#endif
