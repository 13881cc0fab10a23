#include "daemon/foreman.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/crew.h"
#include "daemon/queue.h"

#include <stdlib.h>

#define LOOK_EVERY_MS 2000

struct foreman {
	struct task *task;
	const struct foreman_events *events;
	void *owner;
	struct loop_timer *timer;
	struct crew crew;
	struct foreman_look last;
	int64_t last_ms; /* 0: nothing to compare with */
};

static void look(void *owner);

struct foreman *foreman_new(struct task *task, const struct foreman_events *events, void *owner)
{
	struct foreman *foreman = memory_new(sizeof(*foreman));

	*foreman = (struct foreman){.task = task, .events = events, .owner = owner};
	foreman->timer = loop_timer_new(task->loop, look, foreman);
	return foreman;
}

void foreman_free(struct foreman *foreman)
{
	if (!foreman)
		return;
	loop_timer_free(foreman->timer);
	free(foreman);
}

void foreman_begin(struct foreman *foreman)
{
	foreman->last_ms = 0;
	loop_timer_after(foreman->timer, LOOK_EVERY_MS);
}

int foreman_fillers(struct foreman *foreman)
{
	if (foreman->task->job.knobs.workers > 0) {
		foreman->crew = (struct crew){0};
		return foreman->task->job.knobs.workers;
	}
	return foreman->crew.fillers > 0 ? foreman->crew.fillers : 1;
}

static void tell(struct foreman *foreman, int fillers, const char *why)
{
	char *detail = memory_textf("%d %s: %s", fillers, fillers == 1 ? "filler" : "fillers", why);

	queue_tell(foreman->task->control, &foreman->task->job,
		&(struct queue_event){
			.kind = "workers", .detail = detail, .lock_wait_ms = -1, .duration_ms = -1, .rows = -1},
		NULL, NULL);
	free(detail);
}

static void judge(struct foreman *foreman, const struct foreman_look *now, int64_t now_ms)
{
	const struct signals *signals = monitor_signals(foreman->task->monitor);
	double step_ms = (double)(now_ms - foreman->last_ms);
	struct crew_step step = {
		.now_ms = now_ms,
		.fillers = now->fillers,
		.rate = (now->pages - foreman->last.pages) * 1000.0 / step_ms,
		.throttled = (double)(now->throttled_ms - foreman->last.throttled_ms) / step_ms,
		.busy_others = (double)signals->traffic.busy_sessions + now->beside,
		.cores = signals->cores,
	};
	int before = foreman_fillers(foreman);
	const char *why = NULL;
	int fillers = crew_size(&foreman->crew, &step, &why);

	if (why)
		tell(foreman, fillers, why);
	if (fillers != before)
		foreman->events->wants(foreman->owner);
}

static void look(void *owner)
{
	struct foreman *foreman = owner;
	int64_t now_ms = clock_ms();
	struct foreman_look now;

	loop_timer_after(foreman->timer, LOOK_EVERY_MS);
	foreman->events->look(foreman->owner, &now);
	if (foreman->task->job.knobs.workers == 0 && foreman->last_ms != 0)
		judge(foreman, &now, now_ms);
	foreman->last = now;
	foreman->last_ms = now_ms;
}
