/*
 * watcher: what is told of those who waited for us, how often, and what when it cannot look.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "common/clock.h"
#include "daemon/watcher.h"

#include <string.h>

#define ASK_ANYBODY "AS anybody"
#define ASK_WAITERS "AS waited_ms"
#define ASK_NOTE "INSERT INTO backfill.event (kind"
#define A_LONG_BATCH "UPDATE public.users"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct watcher *watcher;
	size_t looks;
	size_t events;
};

static void waited_for(struct fake_rule *rule, const char *anybody, const char *for_advisory)
{
	fake_columns(rule, "tolerated_ms", "anybody", "for_advisory", NULL);
	fake_row(rule, "5", anybody, for_advisory, NULL);
}

static void somewhere(struct fake_rule *rule, const char *anybody)
{
	waited_for(rule, anybody, "f");
}

static void nobody_waits(struct fake_rule *rule)
{
	fake_columns(rule, "job_id", "epoch", "stage", "filler", "query", "waiters", "waiter", "application_name",
		"waited_ms", "wanted", "cancelled", NULL);
}

static void somebody_waits(struct fake_rule *rule, const char *filler, const char *waiter, const char *ms)
{
	fake_columns(rule, "job_id", "epoch", "stage", "filler", "query", "waiters", "waiter", "application_name",
		"waited_ms", "wanted", "cancelled", NULL);
	fake_row(rule, "7", "3", "sealing", filler, "ANALYZE public.users", "1", waiter, "psql", ms,
		"a row lock in users", "t");
}

static void begin_batch(struct scene *scene)
{
	struct script *script = script_new();

	script_add(script, A_LONG_BATCH);
	session_ask(scene->task.session, script, 3600 * 1000, NULL, NULL);
}

static int set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){0};
	scene_begin(&set.scene);
	somewhere(fake_on(ASK_ANYBODY), "t");
	nobody_waits(fake_on(ASK_WAITERS));
	fake_silent(fake_on(A_LONG_BATCH));
	presence_enter(set.scene.task.presence, set.scene.task.session);
	begin_batch(&set.scene);
	set.watcher =
		watcher_new(set.scene.loop, &set.scene.database, set.scene.task.control, set.scene.task.presence);
	watcher_watch(set.watcher, true);
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	struct stage_set *set = *state;

	watcher_free(set->watcher);
	scene_end(&set->scene);
	return 0;
}

static bool has_looked(struct scene *scene)
{
	return fake_asked(ASK_WAITERS) >= ((struct stage_set *)scene)->looks;
}

/* Until so many more looks were answered: the next one was asked for. */
static void look(struct stage_set *set, size_t count)
{
	set->looks = fake_asked(ASK_WAITERS) + count + 1;
	scene_run(&set->scene, has_looked);
}

static bool has_told(struct scene *scene)
{
	return fake_asked(ASK_EVENT) >= ((struct stage_set *)scene)->events;
}

static void nobody_waits_and_nothing_is_told(void **state)
{
	struct stage_set *set = *state;

	look(set, 3);
	assert_int_equal(fake_asked(ASK_EVENT), 0);
	assert_int_equal(fake_asked(ASK_NOTE), 0);
}

static bool has_looked_around(struct scene *scene)
{
	return fake_asked(ASK_ANYBODY) >= ((struct stage_set *)scene)->looks;
}

static void look_around(struct stage_set *set, size_t count)
{
	set->looks = fake_asked(ASK_ANYBODY) + count;
	scene_run(&set->scene, has_looked_around);
}

static void whose_locks_are_waited_for_is_asked_when_somebody_waits(void **state)
{
	struct stage_set *set = *state;
	size_t asked;

	look(set, 1);
	somewhere(fake_on(ASK_ANYBODY), "f");
	look_around(set, 2);
	asked = fake_asked(ASK_WAITERS);
	look_around(set, 3);
	assert_int_equal(fake_asked(ASK_WAITERS), asked);
	assert_int_equal(watcher_looks(set->watcher), fake_asked(ASK_ANYBODY) + asked);
	assert_string_equal(fake_bound(ASK_WAITERS, 1), "5");
	somewhere(fake_on(ASK_ANYBODY), "t");
	look(set, 1);
}

/* Who waits for us has not waited for longer than we have been at work. */
static void while_nothing_of_ours_is_at_work_it_only_proves_that_it_can_look(void **state)
{
	struct stage_set *set = *state;
	size_t asked;

	look(set, 1);
	somewhere(fake_on(ASK_ANYBODY), "f");
	look_around(set, 1);
	presence_leave(set->scene.task.presence, set->scene.task.session, clock_ms() - PRESENCE_LINGERS_MS);
	asked = fake_asked(ASK_ANYBODY);
	scene_run_ms(&set->scene, 2500);
	assert_in_range(fake_asked(ASK_ANYBODY) - asked, 1, 4);
	asked = fake_asked(ASK_ANYBODY);
	presence_enter(set->scene.task.presence, set->scene.task.session);
	scene_run_ms(&set->scene, 500);
	assert_true(fake_asked(ASK_ANYBODY) - asked > 20);
}

static void what_nobody_answers_for_any_more_is_thought_to_be_at_work_for_a_while(void **state)
{
	struct stage_set *set = *state;
	struct presence *presence = set->scene.task.presence;
	int64_t since_ms = presence_since_ms(presence, 0);
	int64_t left_ms = clock_ms();

	assert_true(since_ms > 0);
	presence_leave(presence, set->scene.task.session, left_ms);
	assert_int_equal(presence_since_ms(presence, left_ms + PRESENCE_LINGERS_MS - 1), since_ms);
	assert_int_equal(presence_since_ms(presence, left_ms + PRESENCE_LINGERS_MS), 0);
	presence_enter(presence, set->scene.task.control); /* nobody asks anything of it */
	assert_int_equal(presence_since_ms(presence, left_ms + PRESENCE_LINGERS_MS), 0);
}

/* A leader's election: it is looked into, but not twenty times a second for as long as the job runs. */
static void who_waits_for_an_advisory_lock_is_looked_at_once_a_second(void **state)
{
	struct stage_set *set = *state;
	size_t asked;

	look(set, 1);
	waited_for(fake_on(ASK_ANYBODY), "f", "t");
	look_around(set, 2);
	asked = fake_asked(ASK_WAITERS);
	scene_run_ms(&set->scene, 900);
	assert_in_range(fake_asked(ASK_WAITERS) - asked, 0, 1);
	scene_run_ms(&set->scene, 1300);
	assert_in_range(fake_asked(ASK_WAITERS) - asked, 1, 3);
	assert_true(fake_asked(ASK_ANYBODY) > 100); /* the others are looked for as ever */
	waited_for(fake_on(ASK_ANYBODY), "t", "t");
	look(set, 3);
}

static void who_waited_is_told_at_once(void **state)
{
	struct stage_set *set = *state;

	somebody_waits(fake_once(ASK_WAITERS), "1", "4711", "80");
	look(set, 1);
	assert_int_equal(fake_asked(ASK_EVENT), 1);
	assert_string_equal(fake_bound(ASK_EVENT, 1), "7");
	assert_string_equal(fake_bound(ASK_EVENT, 2), "yield");
	assert_string_equal(fake_bound(ASK_EVENT, 3), "sealing");
	assert_string_equal(fake_bound(ASK_EVENT, 4),
		"cancelled the batch of filler 1: session 4711 (psql) had waited 80 ms for a row lock in users");
	assert_string_equal(fake_bound(ASK_EVENT, 6), "80");
	assert_string_equal(fake_bound(ASK_EVENT, 9), "3");
}

static void a_statement_on_the_table_is_named(void **state)
{
	struct stage_set *set = *state;

	somebody_waits(fake_once(ASK_WAITERS), "-1", "4711", "60");
	look(set, 1);
	assert_non_null(strstr(fake_bound(ASK_EVENT, 4), "cancelled ANALYZE public.users: session 4711"));
}

static void a_storm_is_one_row_a_second_with_its_worst(void **state)
{
	struct stage_set *set = *state;

	for (int i = 0; i < 10; i++)
		somebody_waits(fake_once(ASK_WAITERS), "0", i == 5 ? "4799" : "4711", i == 5 ? "190" : "60");
	look(set, 10);
	assert_int_equal(fake_asked(ASK_EVENT), 1);
	set->events = 2;
	scene_run(&set->scene, has_told);
	assert_non_null(strstr(fake_bound(ASK_EVENT, 4), "session 4799 (psql) had waited 190 ms"));
	assert_non_null(strstr(fake_bound(ASK_EVENT, 4), "(the longest of 9 in "));
	assert_string_equal(fake_bound(ASK_EVENT, 6), "190");
}

static void what_is_untold_is_told_when_it_ends(void **state)
{
	struct stage_set *set = *state;

	somebody_waits(fake_once(ASK_WAITERS), "0", "4711", "60");
	somebody_waits(fake_once(ASK_WAITERS), "0", "4712", "70");
	look(set, 2);
	watcher_watch(set->watcher, false);
	assert_int_equal(fake_asked(ASK_EVENT), 2);
	assert_non_null(strstr(fake_bound(ASK_EVENT, 4), "session 4712"));
}

static void a_look_that_fails_is_said_once_and_taken_again(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_on(ASK_WAITERS), FAULT_JOB, "42501", "must be a superuser to cancel superuser query");
	look(set, 1);
	assert_int_equal(fake_asked(ASK_NOTE), 1);
	assert_string_equal(fake_bound(ASK_NOTE, 1), "watcher");
	assert_non_null(strstr(fake_bound(ASK_NOTE, 2), "must be a superuser"));
	nobody_waits(fake_on(ASK_WAITERS));
	look(set, 1);
	assert_int_equal(fake_asked(ASK_NOTE), 2);
	assert_non_null(strstr(fake_bound(ASK_NOTE, 2), "sees again"));
}

static bool is_blind(struct scene *scene)
{
	return watcher_blind(((struct stage_set *)scene)->watcher) != NULL;
}

/* A connection that hangs is no sight. */
static void an_answer_that_does_not_come_is_none(void **state)
{
	struct stage_set *set = *state;

	fake_silent(fake_on(ASK_ANYBODY));
	watcher_watch(set->watcher, true);
	scene_run_ms(&set->scene, 200);
	assert_null(watcher_blind(set->watcher));
	scene_run(&set->scene, is_blind);
	assert_string_equal(watcher_blind(set->watcher), "the server has not answered for 2 s");
}

static bool has_noted_twice(struct scene *scene)
{
	(void)scene;
	return fake_asked(ASK_NOTE) >= 2;
}

/* That nobody waits is no sight while what is asked when somebody does cannot be asked. */
static void it_sees_again_when_it_could_cancel_again(void **state)
{
	struct stage_set *set = *state;

	somewhere(fake_on(ASK_ANYBODY), "f");
	fake_fails(fake_on(ASK_WAITERS), FAULT_JOB, "42501", "permission denied for function pg_blocking_pids");
	look(set, 2);
	assert_int_equal(fake_asked(ASK_NOTE), 1);
	nobody_waits(fake_on(ASK_WAITERS));
	scene_run(&set->scene, has_noted_twice);
	look_around(set, 2);
	assert_int_equal(fake_asked(ASK_NOTE), 2);
	assert_non_null(strstr(fake_bound(ASK_NOTE, 2), "sees again"));
}

static void a_lost_connection_is_said_once_and_prepared_anew(void **state)
{
	struct stage_set *set = *state;
	struct session *session = fake_session(fake_sessions() - 1);

	look(set, 1);
	fake_shut(session);
	assert_int_equal(fake_asked(ASK_NOTE), 1);
	assert_non_null(strstr(fake_bound(ASK_NOTE, 2), "the server is gone"));
	fake_open(session);
	look(set, 1);
	assert_non_null(strstr(fake_bound(ASK_NOTE, 2), "sees again"));
	assert_int_equal(fake_asked(ASK_NOTE), 2);
}

static void at_rest_it_does_not_look(void **state)
{
	struct stage_set *set = *state;
	size_t looks;

	look(set, 1);
	watcher_watch(set->watcher, false);
	looks = fake_asked(ASK_WAITERS);
	scene_run_ms(&set->scene, 60);
	assert_int_equal(fake_asked(ASK_WAITERS), looks);
	watcher_watch(set->watcher, true);
	look(set, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(nobody_waits_and_nothing_is_told),
		CASE(whose_locks_are_waited_for_is_asked_when_somebody_waits),
		CASE(while_nothing_of_ours_is_at_work_it_only_proves_that_it_can_look),
		CASE(what_nobody_answers_for_any_more_is_thought_to_be_at_work_for_a_while),
		CASE(who_waits_for_an_advisory_lock_is_looked_at_once_a_second),
		CASE(who_waited_is_told_at_once),
		CASE(a_statement_on_the_table_is_named),
		CASE(a_storm_is_one_row_a_second_with_its_worst),
		CASE(what_is_untold_is_told_when_it_ends),
		CASE(a_look_that_fails_is_said_once_and_taken_again),
		CASE(an_answer_that_does_not_come_is_none),
		CASE(it_sees_again_when_it_could_cancel_again),
		CASE(a_lost_connection_is_said_once_and_prepared_anew),
		CASE(at_rest_it_does_not_look),
	};

	return cmocka_run_group_tests_name("watcher", tests, NULL, NULL);
}
