/*
 * fake_session: the stand-in keeps the promises that tests of the rooms above rely on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_session.h"

#include "common/text.h"

#include <string.h>
#include <unistd.h>

struct scene {
	struct loop *loop;
	struct session *session;
	struct text story;
	int wanted; /* calls until the loop stops */
	bool free_at_answer;
};

static void tell(struct scene *scene, const char *what)
{
	text_addf(&scene->story, "%s ", what);
	if (--scene->wanted == 0)
		loop_stop(scene->loop);
}

static void on_opened(void *owner)
{
	tell(owner, "opened");
}

static void on_lost(void *owner, const struct fault *why)
{
	assert_int_equal(why->kind, FAULT_LINK);
	tell(owner, "lost");
}

static void on_notified(void *owner, const char *channel, const char *payload)
{
	struct scene *scene = owner;

	text_addf(&scene->story, "%s=", channel);
	tell(scene, payload);
}

static const struct session_events events = {.opened = on_opened, .lost = on_lost, .notified = on_notified};

static void on_answer(void *owner, const struct reply *reply)
{
	struct scene *scene = owner;
	const struct fault *why = reply_fault(reply);

	if (scene->free_at_answer) {
		session_free(scene->session);
		scene->session = NULL;
	}
	if (why)
		tell(scene, why->kind == FAULT_BUSY ? "busy" : why->kind == FAULT_LINK ? "link" : "another fault");
	else
		tell(scene, reply_rows(reply, 0) ? reply_text(reply, 0, 0, "x") : "empty");
}

static int set_up(void **state)
{
	static struct scene scene;

	scene = (struct scene){.loop = loop_new()};
	fake_begin();
	scene.session = session_new(scene.loop, "host=h user=worker", "test", NULL, &events, &scene);
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	session_free(scene->session);
	fake_end();
	loop_free(scene->loop);
	text_free(&scene->story);
	return 0;
}

static struct script *script_of(const char *sql)
{
	struct script *script = script_new();

	script_add(script, sql);
	script_bind_int(script, 7);
	return script;
}

static void ask(struct scene *scene, const char *sql, int64_t deadline_ms)
{
	session_ask(scene->session, script_of(sql), deadline_ms, on_answer, scene);
}

static void run(struct scene *scene, int calls)
{
	scene->wanted = calls;
	assert_true(loop_run(scene->loop));
}

static void rules_answer_and_questions_are_recorded(void **state)
{
	struct scene *scene = *state;
	struct fake_rule *rule = fake_on("SELECT");

	fake_columns(rule, "x", "y", NULL);
	fake_row(rule, "1", NULL);
	rule = fake_once("SELECT $1");
	fake_columns(rule, "x", NULL);
	fake_row(rule, "first");
	ask(scene, "SELECT $1", 1000);
	ask(scene, "SELECT $1", 1000);
	assert_int_equal(session_open_questions(scene->session), 2);
	run(scene, 3);
	assert_string_equal(text_is(&scene->story), "opened first 1 ");
	assert_int_equal(fake_asked("SELECT"), 2);
	assert_int_equal(fake_asked("UPDATE"), 0);
	assert_string_equal(fake_bound("SELECT", 1), "7");
	assert_string_equal(session_user(scene->session), "worker");
	assert_ptr_equal(fake_session(0), scene->session);
}

static void a_fault_is_answered_and_a_lost_link_comes_back(void **state)
{
	struct scene *scene = *state;

	fake_fails(fake_once("a"), FAULT_BUSY, "55P03", "locked");
	fake_fails(fake_once("b"), FAULT_LINK, "57P01", "gone");
	fake_on("c");
	ask(scene, "a", 1000);
	ask(scene, "b", 1000);
	ask(scene, "c", 1000);
	run(scene, 6);
	assert_string_equal(text_is(&scene->story), "opened busy link link lost opened ");
	ask(scene, "c", 1000);
	run(scene, 1);
	assert_string_equal(text_is(&scene->story), "opened busy link link lost opened empty ");
}

static void silence_ends_at_the_deadline(void **state)
{
	struct scene *scene = *state;

	fake_silent(fake_once("a"));
	ask(scene, "a", 30);
	ask(scene, "behind", 1000);
	run(scene, 5);
	assert_string_equal(text_is(&scene->story), "opened link link lost opened ");
}

static void without_a_network_questions_wait_for_their_deadline(void **state)
{
	struct scene *scene = *state;

	fake_reachable(false);
	fake_on("a");
	ask(scene, "a", 30);
	run(scene, 1);
	assert_string_equal(text_is(&scene->story), "link ");
	ask(scene, "a", 1000);
	fake_reachable(true);
	run(scene, 2);
	assert_string_equal(text_is(&scene->story), "link opened empty ");
}

static void notifications_and_losses_can_be_made(void **state)
{
	struct scene *scene = *state;

	run(scene, 1);
	fake_notify(scene->session, "backfill", "{}");
	scene->wanted = 2;
	fake_lose(scene->session, "cable cut");
	assert_false(session_is_open(scene->session));
	assert_true(loop_run(scene->loop));
	assert_string_equal(text_is(&scene->story), "opened backfill={} lost opened ");
}

static void what_was_asked_ahead_fails_with_the_one_before(void **state)
{
	struct scene *scene = *state;

	fake_on("a");
	fake_fails(fake_once("a"), FAULT_DATA, "22012", "division by zero");
	ask(scene, "a", 1000);
	session_ask_ahead(scene->session, script_of("a"), 1000, on_answer, scene);
	ask(scene, "a", 1000);
	run(scene, 4);
	assert_string_equal(text_is(&scene->story), "opened another fault another fault empty ");
}

static void an_answer_may_free_the_session(void **state)
{
	struct scene *scene = *state;

	scene->free_at_answer = true;
	fake_on("a");
	ask(scene, "a", 1000);
	ask(scene, "a", 1000);
	run(scene, 2);
	assert_string_equal(text_is(&scene->story), "opened empty ");
	assert_int_equal(fake_sessions(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules_answer_and_questions_are_recorded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fault_is_answered_and_a_lost_link_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_ends_at_the_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_network_questions_wait_for_their_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(notifications_and_losses_can_be_made, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_asked_ahead_fails_with_the_one_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_may_free_the_session, set_up, tear_down),
	};

	alarm(60);
	return cmocka_run_group_tests_name("fake_session", tests, NULL, NULL);
}
