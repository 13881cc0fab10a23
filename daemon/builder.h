/*
 * builder: a stage that changes the catalogue (adding, sealing, analyzing, the ways back), step by step until
 * nothing is missing.
 *
 *	catalogue → change_next → intent → who holds the table? → the step, with a short lock_timeout → outcome →
 * catalogue …
 *
 * It asks for a lock only when nobody holds a conflicting one for long, and gives up the wait itself before
 * anyone notices: then it backs off, with full jitter up to 30 s, for as long as it takes.
 */
#ifndef BACKFILLD_DAEMON_BUILDER_H
#define BACKFILLD_DAEMON_BUILDER_H

#include "common/base.h"
#include "daemon/task.h"

struct builder;

/* Does what `stage` needs, see change_next(). `done` is called from the loop, once, unless the builder is
 * freed before. */
struct builder *builder_new(struct task *task, enum stage stage, task_done *done, void *owner) MUST_USE;

/* Takes no more steps; builder_at_rest() tells when the one in flight has been answered. */
void builder_stop(struct builder *builder);
bool builder_at_rest(const struct builder *builder) MUST_USE;
void builder_free(struct builder *builder);

#endif
