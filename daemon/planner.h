/*
 * planner: the stage `planning`: refuse what cannot work, find out what the job means here, write the steps
 * down.
 */
#ifndef BACKFILLD_DAEMON_PLANNER_H
#define BACKFILLD_DAEMON_PLANNER_H

#include "common/base.h"
#include "daemon/task.h"

struct planner;

/* Starts at once; `done` is called from the loop, once, unless the planner is freed before. */
struct planner *planner_new(struct task *task, task_done *done, void *owner) MUST_USE;
void planner_free(struct planner *planner);

#endif
