/*
 * watcher: sees to it that nobody waits long for a lock of ours, on a connection of its own.
 *
 *	does anybody wait for a lock? → for one of ours? → it was cancelled → an event
 *
 * The second question is asked once on each connection whatever the first says: that it can be asked must be
 * known before it is needed. There is one event a second and job at most.
 *
 * It looks every 50 ms, and cancels what somebody has waited for 50 ms (both less where deadlock_timeout is
 * below 200 ms); who waits for an advisory lock is looked at once a second. While nothing of ours has been at
 * work for so long nobody can have waited for it: then it looks once a second, to know that it can. (Beside a
 * busy application batches are shorter than that, and twenty looks a second cost it more than they do.)
 *
 * Who was cancelled gets SQLSTATE `57014`, as for any busy lock: a batch is halved and taken up again, a step
 * of the builder's backs off, a vacuum comes later. A statement that itself still waits for its lock on the
 * table is left to its own timeout, ddl_lock_timeout_ms (a VACUUM's is shorter).
 *
 * While it cannot look it says so, once, and no batch goes.
 */
#ifndef BACKFILLD_DAEMON_WATCHER_H
#define BACKFILLD_DAEMON_WATCHER_H

#include "common/base.h"
#include "common/loop.h"
#include "common/session.h"
#include "daemon/options.h"
#include "daemon/presence.h"

struct watcher;

/* `database`, `control`, where its events are told, and `presence` are on loan for the watcher's life. At
 * rest until watcher_watch(). */
struct watcher *watcher_new(struct loop *loop, const struct options_database *database,
	struct session *control, const struct presence *presence) MUST_USE;
void watcher_free(struct watcher *watcher);

/* Questions that it asked, ever: they are among the transactions that the server counts. */
int64_t watcher_looks(const struct watcher *watcher) MUST_USE;

/* Why it cannot look; NULL: it can, or has begun a moment ago. On loan until the loop's next turn. */
const char *watcher_blind(const struct watcher *watcher) MUST_USE;

/* Whether it looks: only while a job is worked on. What is untold yet is told when it ends. */
void watcher_watch(struct watcher *watcher, bool on);

#endif
