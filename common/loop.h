/*
 * loop: the event loop, and the only includer of libevent's core.
 *
 * Everything in the daemon happens in a callback of this loop, one after the other. A callback may
 * free anything, also the timer or watch that called it: the loop touches neither after the call.
 */
#ifndef BACKFILLD_COMMON_LOOP_H
#define BACKFILLD_COMMON_LOOP_H

#include "common/base.h"

struct loop;
struct loop_timer;
struct loop_watch;

typedef void loop_fn(void *owner);

/* Never NULL: a machine on which no event base can be made ends the program with 3. */
struct loop *loop_new(void) MUST_USE;

/* NULL is fine. Timers and watches are freed before. */
void loop_free(struct loop *loop);

/* Serves events until loop_stop() was called, also if that was before. Returns false when the loop itself
 * failed. */
bool loop_run(struct loop *loop) MUST_USE;
void loop_stop(struct loop *loop);

/* Calls `fn` each time the process gets `signal_number`, until the loop is freed. */
void loop_on_signal(struct loop *loop, int signal_number, loop_fn *fn, void *owner);

/* A timer, at rest until loop_timer_after(). `fn` is called from the loop, once per loop_timer_after(). */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *owner) MUST_USE;

/* Calls back in `delay_ms` (0 or less: in the loop's next turn, so that sockets get their turn too); a
 * pending call is moved. */
void loop_timer_after(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_pending(const struct loop_timer *timer) MUST_USE;
void loop_timer_free(struct loop_timer *timer);

/*
 * A watch on a descriptor that the caller keeps open. One-shot, since libpq may swap its socket under
 * the same number: after each call it is at rest until loop_watch_for() asks again. Free the watch
 * before the descriptor is closed.
 */
struct loop_watch *loop_watch_new(struct loop *loop, int descriptor, loop_fn *fn, void *owner) MUST_USE;
void loop_watch_for(struct loop_watch *watch, bool readable, bool writable);
void loop_watch_free(struct loop_watch *watch);

#endif
