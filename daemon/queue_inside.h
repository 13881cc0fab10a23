/*
 * queue_inside: what the files of the queue room share. Not for others.
 *
 *	queue.c	the daemon itself, claims, moves, what is told, sessions on record
 *	queue_look.c	the jobs there are, a row of the control table as a struct
 *	queue_walk.c	walks over the tables of a job, and the windows they hand out
 */
#ifndef BACKFILLD_DAEMON_QUEUE_INSIDE_H
#define BACKFILLD_DAEMON_QUEUE_INSIDE_H

#include "daemon/queue.h"

/* That one statement, a constant (script_add_prepared()); its values are bound next. */
struct script *queue_script(const char *sql) MUST_USE;

/* Takes the script. `answer` may be NULL. */
void queue_ask(struct session *control, struct script *script, session_answer *answer, void *owner);

#endif
