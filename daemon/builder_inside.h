/*
 * builder_inside: what the files of the builder room share. Not for others.
 *
 *	builder.c	what others call; which step the catalogue still lacks
 *	builder_step.c	one step: intent, whoever holds the lock, the attempt, what came of it
 */
#ifndef BACKFILLD_DAEMON_BUILDER_INSIDE_H
#define BACKFILLD_DAEMON_BUILDER_INSIDE_H

#include "daemon/builder.h"
#include "daemon/change.h"
#include "daemon/lone.h"

#define CONTROL_RETRY_MS 500
#define BACKOFF_LEAST_MS 200

struct builder {
	struct task *task;
	enum stage stage;
	task_done *done;
	void *owner;
	struct loop_timer *timer;
	void (*next)(struct builder *builder); /* what the timer goes on with */
	struct change_step step;               /* being worked on; script NULL: none */
	struct lone *lone;                     /* carries out a step that stands alone */
	enum change_kind taken;                /* the step that succeeded last */
	size_t taken_member;
	int times; /* in a row; 0: none yet */
	int64_t backoff_ms;
	bool refused;            /* this step, at least once */
	int64_t waited_since_ms; /* when this step was first ready to go */
	bool stopping;
	bool in_flight; /* a step was sent and not answered */
	struct fault
		why; /* what the stage fails with, while its row is looked for, or an invalid index is dropped */
};

/* The timer goes on with `next`. */
void builder_after(struct builder *builder, int64_t delay_ms, void (*next)(struct builder *));

/* Calls back; the builder may be gone afterwards. */
void builder_end(struct builder *builder, const struct fault *why);

/* Of the control session: True when the fault was dealt with. */
bool builder_control_failed(
	struct builder *builder, const struct fault *why, void (*again)(struct builder *)) MUST_USE;

/* The catalogue says what is missing: the next step, or nothing. */
void builder_look(struct builder *builder);

/* The same, once there is a session. A step asked for without a connection would be carried out on the next
 * one, though nobody waits for it then. */
void builder_wait(struct builder *builder);

/* `builder->step` is carried out. */
void builder_begin_step(struct builder *builder);

/* Which row is in the way of the step? */
void builder_ask_culprit(struct builder *builder, session_answer *answer);

/* The step that was taken last, once more? */
bool builder_has_taken(const struct builder *builder) MUST_USE;

#endif
