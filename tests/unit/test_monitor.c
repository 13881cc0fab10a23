/*
 * monitor: what of the replicas is seen, and for how long one that vanished is waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include <string.h>

#define ASK_SAMPLE "pg_stat_replication"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	size_t samples;
};

static int set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){0};
	scene_begin(&set.scene);
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	struct stage_set *set = *state;

	scene_end(&set->scene);
	return 0;
}

static void sample_answers(struct fake_rule *rule)
{
	fake_columns(rule, "flush_lsn", "application_name", "replay_lsn", NULL);
}

static bool one_more(struct scene *scene)
{
	struct stage_set *set = (struct stage_set *)scene;

	return fake_asked(ASK_SAMPLE) >= set->samples;
}

/* Until so many more samples were answered: the next one was asked for. */
static void samples(struct stage_set *set, size_t count)
{
	set->samples = fake_asked(ASK_SAMPLE) + count + 1;
	scene_run(&set->scene, one_more);
}

static const struct signals_replica *seen(struct stage_set *set, const char *name)
{
	const struct signals *signals = monitor_signals(set->scene.task.monitor);

	for (size_t i = 0; i < signals->replicas_count; i++)
		if (strcmp(signals->replicas[i].name, name) == 0)
			return &signals->replicas[i];
	return NULL;
}

static void replicas_of_one_name_are_the_slowest_of_them(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SAMPLE);

	set->scene.database.replicas_all = true;
	sample_answers(rule);
	fake_row(rule, "2000", "walreceiver", "2000");
	fake_row(rule, "2000", "walreceiver", "900");
	fake_row(rule, "2000", "walreceiver", "2000");
	samples(set, 2);
	assert_int_equal(monitor_signals(set->scene.task.monitor)->replicas_count, 1);
	assert_int_equal(seen(set, "walreceiver")->lag_ms, -1); /* behind all that is known */
	assert_int_equal(monitor_lag_ms(set->scene.task.monitor), seen(set, "walreceiver")->lag_ms);
}

static void only_listed_replicas_are_kept_close(void **state)
{
	static char *listed[] = {(char *)"near"};
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SAMPLE);

	set->scene.database.replicas = listed;
	set->scene.database.replicas_count = 1;
	sample_answers(rule);
	fake_row(rule, "2000", "far", "1");
	fake_row(rule, "2000", "near", "2000");
	samples(set, 1);
	assert_null(seen(set, "far"));
	assert_int_equal(seen(set, "near")->lag_ms, 0);
}

static void one_that_vanished_is_waited_for_and_then_dropped(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SAMPLE);

	set->scene.database.replicas_all = true;
	set->scene.database.replica_grace_s = 1;
	sample_answers(rule);
	fake_row(rule, "2000", "standby1", "2000");
	samples(set, 1);
	assert_int_equal(seen(set, "standby1")->vanished_ago, 0);
	rule = fake_on(ASK_SAMPLE);
	sample_answers(rule);
	fake_row(rule, "2000", NULL, NULL);
	samples(set, 2);
	assert_true(seen(set, "standby1")->vanished_ago > 0);
	samples(set, 14);
	assert_null(seen(set, "standby1"));
	assert_int_equal(monitor_lag_ms(set->scene.task.monitor), -1);
}

static void a_sample_that_fails_is_no_sample(void **state)
{
	struct stage_set *set = *state;
	int64_t sampled_ms = monitor_signals(set->scene.task.monitor)->pulse_ms;

	fake_fails(fake_on(ASK_SAMPLE), FAULT_BUSY, "57014", "canceling statement");
	samples(set, 1);
	assert_int_equal(monitor_signals(set->scene.task.monitor)->pulse_ms, sampled_ms);
}

static void at_rest_it_knows_nothing(void **state)
{
	struct stage_set *set = *state;

	monitor_watch(set->scene.task.monitor, false);
	assert_int_equal(monitor_signals(set->scene.task.monitor)->pulse_ms, 0);
	monitor_watch(set->scene.task.monitor, true);
	assert_int_equal(monitor_signals(set->scene.task.monitor)->pulse_ms, 0);
	samples(set, 1);
	assert_true(monitor_signals(set->scene.task.monitor)->pulse_ms > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(replicas_of_one_name_are_the_slowest_of_them),
		CASE(only_listed_replicas_are_kept_close),
		CASE(one_that_vanished_is_waited_for_and_then_dropped),
		CASE(a_sample_that_fails_is_no_sample),
		CASE(at_rest_it_knows_nothing),
	};

	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
