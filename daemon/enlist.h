/*
 * enlist: puts a worker login's session on record, after whatever stood in its place has ended.
 *
 * A session that was lost to us, or to a daemon that died, may still be at work in the server. Two must never
 * walk one window or alter one table, so it is terminated first, and waited for.
 */
#ifndef BACKFILLD_DAEMON_ENLIST_H
#define BACKFILLD_DAEMON_ENLIST_H

#include "common/base.h"
#include "daemon/task.h"

struct enlist;

/* The place of the session that changes the catalogue; fillers have the numbers from 0. */
#define ENLIST_BUILDER (-1)
/* That of the session that carries out a statement which stands alone. */
#define ENLIST_LONE (-2)

/*
 * Starts at once with an open session. `done` is called from the loop, once, unless it is freed before: NULL
 * when the session is on record; a FAULT_JOB when the server does not know it (a transaction pooler).
 */
struct enlist *enlist_new(
	struct task *task, struct session *session, int place, task_done *done, void *owner) MUST_USE;
void enlist_free(struct enlist *enlist);

#endif
