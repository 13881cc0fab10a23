/*
 * director: one database: finds jobs, claims them, starts and stops their workers.
 *
 * It looks when told by NOTIFY and every poll_ms besides. Trouble of one database stays in its director.
 */
#ifndef BACKFILLD_DAEMON_DIRECTOR_H
#define BACKFILLD_DAEMON_DIRECTOR_H

#include "common/base.h"
#include "common/loop.h"
#include "common/text.h"
#include "daemon/options.h"

struct director;

enum director_event {
	DIRECTOR_SERVING, /* connected, checked, looking for jobs: told once for each connection */
	DIRECTOR_IDLE,    /* a look found nothing runnable and nothing is running */
	DIRECTOR_STOPPED, /* every job has been put down; the director may be freed */
};

typedef void director_told(void *owner, struct director *director, enum director_event event);

/* `options`, and `database` in it, are on loan for the director's life; so is `holder`, this daemon's name.
 */
struct director *director_new(struct loop *loop, const struct options *options,
	const struct options_database *database, const char *holder, director_told *told, void *owner) MUST_USE;
void director_free(struct director *director);

/* Puts all jobs down, resumable, and tells DIRECTOR_STOPPED. */
void director_stop(struct director *director);

/* Why the database is not served; NULL while it is. On loan until the loop's next turn. */
const char *director_trouble(const struct director *director) MUST_USE;

/* Jobs that failed under this director. */
int director_failures(const struct director *director) MUST_USE;

/* Adds a line for each running job. */
void director_describe(const struct director *director, struct text *lines);

#endif
