#include "common/loop.h"

#include "common/log.h"
#include "common/memory.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct on_signal {
	struct on_signal *next;
	struct event *event;
	loop_fn *fn;
	void *owner;
};

struct loop {
	struct event_base *base;
	struct on_signal *signals;
	bool stopped;
};

struct loop_timer {
	struct event *event;
	loop_fn *fn;
	void *owner;
};

struct loop_watch {
	struct event_base *base;
	struct event *event;
	int descriptor;
	loop_fn *fn;
	void *owner;
};

static void log_libevent(int severity, const char *message)
{
	(void)severity;
	log_debug(NULL, "libevent: %s", message);
}

NO_RETURN static void cannot_go_on(const char *what)
{
	log_error(NULL, "the event loop cannot go on: %s", what);
	_exit(3);
}

static void on_libevent_fatal(int error)
{
	(void)error;
	cannot_go_on("libevent met an internal error");
}

static void must(int outcome, const char *what)
{
	if (outcome != 0)
		cannot_go_on(what);
}

/* No cached time: a delay asked for at the end of a long callback must not have half passed already.
 * Precise: the coarse clock would call timers up to 4 ms early. */
static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0 &&
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

struct loop *loop_new(void)
{
	struct loop *loop;

	event_set_mem_functions(memory_new, memory_resize, free);
	event_set_log_callback(log_libevent);
	event_set_fatal_callback(on_libevent_fatal);
	loop = memory_new(sizeof(*loop));
	loop->base = new_base();
	if (!loop->base)
		cannot_go_on("no event base can be made");
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->signals) {
		struct on_signal *first = loop->signals;

		loop->signals = first->next;
		event_free(first->event);
		free(first);
	}
	event_base_free(loop->base);
	free(loop);
}

/* libevent forgets a break that was asked for before it began: hence a flag of our own. */
bool loop_run(struct loop *loop)
{
	int outcome = 0;

	if (!loop->stopped)
		outcome = event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
	loop->stopped = false;
	return outcome >= 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

static void signal_came(evutil_socket_t signal_number, short what, void *argument)
{
	const struct on_signal *signal = argument;

	(void)signal_number;
	(void)what;
	signal->fn(signal->owner);
}

void loop_on_signal(struct loop *loop, int signal_number, loop_fn *fn, void *owner)
{
	struct on_signal *signal = memory_new(sizeof(*signal));

	*signal = (struct on_signal){.next = loop->signals, .fn = fn, .owner = owner};
	signal->event = evsignal_new(loop->base, signal_number, signal_came, signal);
	if (!signal->event)
		cannot_go_on("a signal cannot be handled");
	must(evsignal_add(signal->event, NULL), "a signal cannot be handled");
	loop->signals = signal;
}

static void timer_came(evutil_socket_t descriptor, short what, void *argument)
{
	const struct loop_timer *timer = argument;

	(void)descriptor;
	(void)what;
	timer->fn(timer->owner);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *owner)
{
	struct loop_timer *timer = memory_new(sizeof(*timer));

	timer->fn = fn;
	timer->owner = owner;
	timer->event = evtimer_new(loop->base, timer_came, timer);
	if (!timer->event)
		cannot_go_on("a timer cannot be made");
	return timer;
}

void loop_timer_after(struct loop_timer *timer, int64_t delay_ms)
{
	int64_t wait_ms = delay_ms > 0 ? delay_ms : 0;
	struct timeval delay = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};

	must(evtimer_add(timer->event, &delay), "a timer cannot be set");
}

void loop_timer_stop(struct loop_timer *timer)
{
	must(evtimer_del(timer->event), "a timer cannot be stopped");
}

bool loop_timer_pending(const struct loop_timer *timer)
{
	return evtimer_pending(timer->event, NULL);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	event_free(timer->event);
	free(timer);
}

static void watch_came(evutil_socket_t descriptor, short what, void *argument)
{
	const struct loop_watch *watch = argument;

	(void)descriptor;
	(void)what;
	watch->fn(watch->owner);
}

struct loop_watch *loop_watch_new(struct loop *loop, int descriptor, loop_fn *fn, void *owner)
{
	struct loop_watch *watch = memory_new(sizeof(*watch));

	*watch = (struct loop_watch){.base = loop->base, .descriptor = descriptor, .fn = fn, .owner = owner};
	watch->event = event_new(loop->base, descriptor, 0, watch_came, watch);
	if (!watch->event)
		cannot_go_on("a descriptor cannot be watched");
	return watch;
}

void loop_watch_for(struct loop_watch *watch, bool readable, bool writable)
{
	int events = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

	must(event_del(watch->event), "a descriptor cannot be let go");
	if (events == 0)
		return;
	must(event_assign(watch->event, watch->base, watch->descriptor, (short)events, watch_came, watch),
		"a descriptor cannot be watched");
	must(event_add(watch->event, NULL), "a descriptor cannot be watched");
}

void loop_watch_free(struct loop_watch *watch)
{
	if (!watch)
		return;
	event_free(watch->event);
	free(watch);
}
