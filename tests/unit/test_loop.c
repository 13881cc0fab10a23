/*
 * loop: timers, one-shot watches, signals, and freeing from inside a callback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct scene {
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_timer *other;
	struct loop_watch *watch;
	char order[16];
	int calls;
};

static void stop(void *owner)
{
	struct scene *scene = owner;

	scene->calls++;
	loop_stop(scene->loop);
}

static void timers_come_when_they_are_due(void **state)
{
	struct scene scene = {.loop = loop_new()};
	int64_t began_ms = clock_ms();

	(void)state;
	scene.timer = loop_timer_new(scene.loop, stop, &scene);
	assert_false(loop_timer_pending(scene.timer));
	loop_timer_after(scene.timer, 60000);
	loop_timer_after(scene.timer, 30);
	assert_true(loop_timer_pending(scene.timer));
	assert_true(loop_run(scene.loop));
	assert_int_equal(scene.calls, 1);
	assert_false(loop_timer_pending(scene.timer));
	assert_in_range(clock_ms() - began_ms, 30, 5000);
	loop_timer_free(scene.timer);
	loop_free(scene.loop);
}

static void note_a(void *owner)
{
	strcat(((struct scene *)owner)->order, "a");
}

static void note_b_and_stop(void *owner)
{
	strcat(((struct scene *)owner)->order, "b");
	stop(owner);
}

static void a_stopped_timer_does_not_come(void **state)
{
	struct scene scene = {.loop = loop_new()};

	(void)state;
	scene.timer = loop_timer_new(scene.loop, note_a, &scene);
	scene.other = loop_timer_new(scene.loop, note_b_and_stop, &scene);
	loop_timer_after(scene.timer, 0);
	loop_timer_stop(scene.timer);
	loop_timer_after(scene.other, 5);
	assert_true(loop_run(scene.loop));
	assert_string_equal(scene.order, "b");
	loop_timer_free(scene.timer);
	loop_timer_free(scene.other);
	loop_free(scene.loop);
}

/* A callback that took long must not shorten a delay that begins at its end. */
static void dawdle(void *owner)
{
	struct scene *scene = owner;

	usleep(50000);
	loop_timer_after(scene->other, 40);
}

static void a_delay_counts_from_the_call(void **state)
{
	struct scene scene = {.loop = loop_new()};
	int64_t began_ms = clock_ms();

	(void)state;
	scene.timer = loop_timer_new(scene.loop, dawdle, &scene);
	scene.other = loop_timer_new(scene.loop, stop, &scene);
	loop_timer_after(scene.timer, 0);
	assert_true(loop_run(scene.loop));
	assert_in_range(clock_ms() - began_ms, 90, 5000);
	loop_timer_free(scene.timer);
	loop_timer_free(scene.other);
	loop_free(scene.loop);
}

static void again_at_once(void *owner)
{
	loop_timer_after(((struct scene *)owner)->timer, 0);
}

static void a_timer_that_comes_again_at_once_starves_no_socket(void **state)
{
	struct scene scene = {.loop = loop_new()};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	scene.timer = loop_timer_new(scene.loop, again_at_once, &scene);
	scene.watch = loop_watch_new(scene.loop, ends[0], stop, &scene);
	loop_watch_for(scene.watch, true, false);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_timer_after(scene.timer, 0);
	assert_true(loop_run(scene.loop));
	assert_int_equal(scene.calls, 1);
	loop_watch_free(scene.watch);
	loop_timer_free(scene.timer);
	loop_free(scene.loop);
	close(ends[0]);
	close(ends[1]);
}

static void a_watch_comes_once_for_each_time_it_is_asked(void **state)
{
	struct scene scene = {.loop = loop_new()};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	scene.watch = loop_watch_new(scene.loop, ends[0], stop, &scene);
	scene.timer = loop_timer_new(scene.loop, note_b_and_stop, &scene);
	loop_watch_for(scene.watch, true, false);
	assert_true(loop_run(scene.loop));
	assert_int_equal(scene.calls, 1);
	loop_timer_after(scene.timer, 20);
	assert_true(loop_run(scene.loop));
	assert_string_equal(scene.order, "b");
	loop_watch_for(scene.watch, true, false);
	assert_true(loop_run(scene.loop));
	assert_int_equal(scene.calls, 3);
	loop_watch_for(scene.watch, true, false);
	loop_watch_for(scene.watch, false, false);
	loop_timer_after(scene.timer, 20);
	assert_true(loop_run(scene.loop));
	assert_string_equal(scene.order, "bb");
	loop_watch_free(scene.watch);
	loop_timer_free(scene.timer);
	loop_free(scene.loop);
	close(ends[0]);
	close(ends[1]);
}

static void a_watch_sees_that_it_can_write(void **state)
{
	struct scene scene = {.loop = loop_new()};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	scene.watch = loop_watch_new(scene.loop, ends[1], stop, &scene);
	loop_watch_for(scene.watch, false, true);
	assert_true(loop_run(scene.loop));
	assert_int_equal(scene.calls, 1);
	loop_watch_free(scene.watch);
	loop_free(scene.loop);
	close(ends[0]);
	close(ends[1]);
}

static void free_all(void *owner)
{
	struct scene *scene = owner;

	loop_timer_free(scene->timer);
	loop_timer_free(scene->other);
	loop_watch_free(scene->watch);
	stop(scene);
}

static void callbacks_may_free_what_called_them(void **state)
{
	struct scene scene = {.loop = loop_new()};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	scene.timer = loop_timer_new(scene.loop, free_all, &scene);
	scene.other = loop_timer_new(scene.loop, free_all, &scene);
	scene.watch = loop_watch_new(scene.loop, ends[0], free_all, &scene);
	loop_timer_after(scene.timer, 0);
	loop_timer_after(scene.other, 0);
	loop_watch_for(scene.watch, true, false);
	assert_true(loop_run(scene.loop));
	assert_int_equal(scene.calls, 1);
	loop_free(scene.loop);
	close(ends[0]);
	close(ends[1]);
}

static void signals_are_served_in_the_loop(void **state)
{
	struct scene scene = {.loop = loop_new()};

	(void)state;
	loop_on_signal(scene.loop, SIGUSR1, stop, &scene);
	raise(SIGUSR1);
	assert_int_equal(scene.calls, 0);
	assert_true(loop_run(scene.loop));
	raise(SIGUSR1);
	assert_true(loop_run(scene.loop));
	assert_int_equal(scene.calls, 2);
	loop_free(scene.loop);
}

static void a_loop_stopped_before_it_runs_returns_at_once(void **state)
{
	struct loop *loop = loop_new();

	(void)state;
	loop_stop(loop);
	assert_true(loop_run(loop));
	loop_free(loop);
	loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_come_when_they_are_due),
		cmocka_unit_test(a_stopped_timer_does_not_come),
		cmocka_unit_test(a_delay_counts_from_the_call),
		cmocka_unit_test(a_timer_that_comes_again_at_once_starves_no_socket),
		cmocka_unit_test(a_watch_comes_once_for_each_time_it_is_asked),
		cmocka_unit_test(a_watch_sees_that_it_can_write),
		cmocka_unit_test(callbacks_may_free_what_called_them),
		cmocka_unit_test(signals_are_served_in_the_loop),
		cmocka_unit_test(a_loop_stopped_before_it_runs_returns_at_once),
	};

	alarm(60);
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
