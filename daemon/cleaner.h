/*
 * cleaner: vacuums the table beside the fill, on the task's session, each time enough rows have moved
 * (vacuum.h).
 */
#ifndef BACKFILLD_DAEMON_CLEANER_H
#define BACKFILLD_DAEMON_CLEANER_H

#include "common/base.h"
#include "daemon/task.h"

struct cleaner;

struct cleaner *cleaner_new(struct task *task) MUST_USE;
void cleaner_free(struct cleaner *cleaner);

/* Starts a vacuum of the table when the rows that have moved in it since the last one are enough, none is
 * running, and the pace leaves it something. True: started, and they are counted anew. Asked where a window
 * ends (vacuum.h); windows of others that are under way are disturbed by it. */
bool cleaner_consider(struct cleaner *cleaner, struct member *table, const struct pace_view *pace);

/* Ends one that is under way where it does not keep to the pace any more (vacuum_judge()); it is due again
 * then. Told every now and then, whether batches go or not. */
void cleaner_heed(struct cleaner *cleaner, const struct pace_view *pace, bool again);

/* Ends a vacuum that is under way: the fill is over, and waits for the session and the table's lock. */
void cleaner_stop(struct cleaner *cleaner);

/* The session, and the table's lock for such things, are the vacuum's until it is through. */
bool cleaner_is_busy(const struct cleaner *cleaner) MUST_USE;

#endif
