/*
 * resolve: names are looked up beside the loop, side by side, with a deadline, and may be forgotten at any
 * time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/resolve.h"
#include "common/text.h"
#include "tests/unit/fake_names.h"

#include <string.h>
#include <unistd.h>

/* More than anything here takes on a busy machine. */
#define PATIENCE_MS 20000
#define TICK_MS 10

struct scene {
	struct loop *loop;
	struct loop_timer *tick;
	int ticks;
	int ticks_wanted;
	struct resolve *resolve;
	struct text said;
	int times;
	bool free_when_answered;
};

static void on_answer(void *owner, const struct resolved *answers, size_t count)
{
	struct scene *scene = owner;

	scene->times++;
	text_clear(&scene->said);
	for (size_t i = 0; i < count; i++) {
		text_addf(&scene->said, "%s%s:", i > 0 ? "; " : "", answers[i].name);
		for (size_t a = 0; a < answers[i].count; a++)
			text_addf(&scene->said, " %s", answers[i].addresses[a]);
		if (answers[i].reason)
			text_addf(&scene->said, " (%s)", answers[i].reason);
	}
	if (scene->free_when_answered) {
		resolve_free(scene->resolve);
		scene->resolve = NULL;
	}
	loop_stop(scene->loop);
}

static void on_tick(void *owner)
{
	struct scene *scene = owner;

	if (++scene->ticks == scene->ticks_wanted)
		loop_stop(scene->loop);
	loop_timer_after(scene->tick, TICK_MS);
}

static int set_up(void **state)
{
	static struct scene scene;

	scene = (struct scene){.loop = loop_new()};
	scene.resolve = resolve_new(scene.loop, on_answer, &scene);
	scene.tick = loop_timer_new(scene.loop, on_tick, &scene);
	fake_names_reset();
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	resolve_free(scene->resolve);
	loop_timer_free(scene->tick);
	loop_free(scene->loop);
	text_free(&scene->said);
	fake_names_release();
	return 0;
}

static void ask(struct scene *scene, const char *first, const char *second, int64_t deadline_ms)
{
	const char *const names[] = {first, second};

	resolve_ask(scene->resolve, names, second ? 2 : 1, deadline_ms);
}

static void expect(struct scene *scene, const char *said)
{
	int before = scene->times;

	while (scene->times == before)
		assert_true(loop_run(scene->loop));
	assert_string_equal(text_is(&scene->said), said);
	assert_int_equal(fake_names_on_the_loop(), 0);
}

static void turn(struct scene *scene, int ticks)
{
	scene->ticks = 0;
	scene->ticks_wanted = ticks;
	loop_timer_after(scene->tick, TICK_MS);
	while (scene->ticks < ticks)
		assert_true(loop_run(scene->loop));
	loop_timer_stop(scene->tick);
}

static void answers_come_in_order(void **state)
{
	ask(*state, "nowhere.test", "two.test", PATIENCE_MS);
	expect(*state, "nowhere.test: (Name or service not known); two.test: 127.0.0.2 127.0.0.1");
	ask(*state, "two.test", NULL, PATIENCE_MS);
	expect(*state, "two.test: 127.0.0.2 127.0.0.1");
	assert_int_equal(fake_names_looked_up(), 3);
}

static void no_names_are_answered_too(void **state)
{
	struct scene *scene = *state;

	resolve_ask(scene->resolve, NULL, 0, PATIENCE_MS);
	assert_int_equal(scene->times, 0);
	expect(scene, "");
}

static void a_lookup_that_hangs_holds_up_neither_the_loop_nor_other_names(void **state)
{
	struct scene *scene = *state;
	int64_t began_ms = clock_ms();

	loop_timer_after(scene->tick, TICK_MS);
	ask(scene, "stalled.test", "two.test", 500);
	expect(scene, "stalled.test: (no answer within 500 ms); two.test: 127.0.0.2 127.0.0.1");
	assert_in_range(clock_ms() - began_ms, 500, PATIENCE_MS);
	assert_in_range(scene->ticks, 10, 50);
}

static void a_late_answer_serves_the_next_question(void **state)
{
	struct scene *scene = *state;

	ask(scene, "stalled.test", NULL, 20);
	expect(scene, "stalled.test: (no answer within 20 ms)");
	ask(scene, "two.test", "stalled.test", 500);
	expect(scene, "two.test: 127.0.0.2 127.0.0.1; stalled.test: (no answer within 500 ms)");
	assert_int_equal(fake_names_looked_up(), 2);
	fake_names_release();
	turn(scene, 3);
	assert_int_equal(scene->times, 2);
	ask(scene, "stalled.test", NULL, PATIENCE_MS);
	expect(scene, "stalled.test: 127.0.0.1");
	assert_int_equal(fake_names_looked_up(), 2);
	ask(scene, "stalled.test", NULL, PATIENCE_MS);
	expect(scene, "stalled.test: 127.0.0.1");
	assert_int_equal(fake_names_looked_up(), 3);
}

static void a_question_replaces_the_one_before(void **state)
{
	struct scene *scene = *state;

	ask(scene, "stalled.test", NULL, 20);
	fake_names_await(1);
	ask(scene, "nowhere.test", NULL, PATIENCE_MS);
	expect(scene, "nowhere.test: (Name or service not known)");
	turn(scene, 5);
	assert_int_equal(scene->times, 1);
}

static void a_lookup_that_runs_may_be_freed(void **state)
{
	struct scene *scene = *state;

	ask(scene, "stalled.test", "two.test", 20);
	fake_names_await(2);
	resolve_free(scene->resolve);
	scene->resolve = NULL;
	turn(scene, 5);
	assert_int_equal(scene->times, 0);
	resolve_free(NULL);
}

static void the_callback_may_free_it(void **state)
{
	struct scene *scene = *state;

	scene->free_when_answered = true;
	ask(scene, "stalled.test", "two.test", 500);
	expect(scene, "stalled.test: (no answer within 500 ms); two.test: 127.0.0.2 127.0.0.1");
	fake_names_release();
	turn(scene, 3);
	assert_int_equal(scene->times, 1);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answers_come_in_order),
		TEST(no_names_are_answered_too),
		TEST(a_lookup_that_hangs_holds_up_neither_the_loop_nor_other_names),
		TEST(a_late_answer_serves_the_next_question),
		TEST(a_question_replaces_the_one_before),
		TEST(a_lookup_that_runs_may_be_freed),
		TEST(the_callback_may_free_it),
	};

	alarm(60);
	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
