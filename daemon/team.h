/*
 * team: the fillers of one filling.
 *
 * It only grows: whoever is beyond the number of workers wanted rests, and works again when more are wanted.
 */
#ifndef BACKFILLD_DAEMON_TEAM_H
#define BACKFILLD_DAEMON_TEAM_H

#include "common/base.h"
#include "daemon/filler.h"

/* Zeroed: nobody. */
struct team {
	struct filler **fillers;
	size_t count;
};

/* Has at least as many as `shared` wants; who is new connects and starts to work. All pointers are on loan
 * for the team's life. */
void team_grow(
	struct team *team, struct filler_shared *shared, const struct filler_events *events, void *owner);
void team_free(struct team *team);

/* The same as for a filler, for each; of the first `count` of them. */
void team_resume(struct team *team, size_t count);
void team_stop(struct team *team);
void team_disturb(struct team *team);

/* True of every one of them. */
bool team_is_idle(const struct team *team) MUST_USE;
bool team_at_rest(const struct team *team) MUST_USE;

/* How many are not idle. */
int team_working(const struct team *team) MUST_USE;

/* Pages done in the windows that are under way. */
double team_pages_done(const struct team *team) MUST_USE;

/* Mean size of their next batches; 0: there is nobody. */
double team_batch_pages(const struct team *team) MUST_USE;

#endif
