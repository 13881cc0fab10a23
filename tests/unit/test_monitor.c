/*
 * monitor: what is seen of replicas and statistics, and what is said when it cannot be seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/monitor_scene.h"

#include <string.h>

#define ASK_SAMPLE ASK_PULSE

/* A replica in the pulse, of a primary at 2000; NULL: there is none. */
static void sees(struct fake_rule *rule, const char *name, const char *replayed, const char *received)
{
	fake_row(rule, "2000", "2100", "t", name, replayed, received, "f");
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
	stage_watch_anew(set);
	scene_pulse(rule);
	sees(rule, "walreceiver", "2000", "2000");
	sees(rule, "walreceiver", "900", "900");
	sees(rule, "walreceiver", "2000", "2000");
	samples(set, 2);
	assert_int_equal(monitor_signals(set->scene.task.monitor)->replicas_count, 1);
	assert_int_equal(seen(set, "walreceiver")->others, 2);
	assert_int_equal(seen(set, "walreceiver")->lag_ms, -1); /* behind all that is known */
	assert_int_equal(monitor_lag_ms(set->scene.task.monitor), seen(set, "walreceiver")->lag_ms);
}

static void counters_say_by_which_connection_they_came(void **state)
{
	struct stage_set *set = *state;
	int before = stage_signals(set)->traffic.connection;

	fake_lose(fake_session(2), "failover"); /* the monitor's */
	samples(set, 3);
	assert_int_equal(stage_signals(set)->traffic.connection, before + 1);
}

static void only_listed_replicas_are_kept_close(void **state)
{
	static char *listed[] = {(char *)"near"};
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SAMPLE);

	set->scene.database.replicas = listed;
	set->scene.database.replicas_count = 1;
	stage_watch_anew(set);
	scene_pulse(rule);
	sees(rule, "far", "1", "1");
	sees(rule, "near", "2000", "2000");
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
	stage_watch_anew(set);
	scene_pulse(rule);
	sees(rule, "standby1", "2000", "2000");
	samples(set, 1);
	assert_int_equal(seen(set, "standby1")->vanished_ago, 0);
	rule = fake_on(ASK_SAMPLE);
	scene_pulse(rule);
	sees(rule, NULL, NULL, NULL);
	samples(set, 2);
	assert_true(seen(set, "standby1")->vanished_ago > 0);
	assert_int_equal(monitor_lag_ms(set->scene.task.monitor), -1); /* it is not there */
	scene_run_ms(&set->scene, 1200);
	assert_null(seen(set, "standby1"));
	assert_string_equal(fake_bound("INSERT INTO backfill.event (kind", 2),
		"replica standby1 has been gone for 1 s (replica_grace_s) and is no longer waited for");
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

static void one_that_is_late_on_purpose_is_judged_by_what_it_received(void **state)
{
	static char *delayed[] = {(char *)"late"};
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SAMPLE);

	set->scene.database.replicas_all = true;
	set->scene.database.delayed_replicas = delayed;
	set->scene.database.delayed_replicas_count = 1;
	stage_watch_anew(set);
	scene_pulse(rule);
	sees(rule, "late", "1", "2000");
	samples(set, 1);
	assert_int_equal(seen(set, "late")->lag_ms, 0);
	assert_int_equal(seen(set, "late")->replayed, 2000);
}

static void beside_replicas_pulses_come_ten_times_a_second_and_heartbeats_four_times(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SAMPLE);
	size_t pulses;
	size_t heartbeats;
	size_t surveys;

	set->scene.database.replicas_all = true;
	stage_watch_anew(set);
	scene_pulse(rule);
	sees(rule, "standby1", "2000", "2000");
	scene_run_ms(&set->scene, 1300);
	pulses = fake_asked(ASK_SAMPLE);
	heartbeats = fake_asked("pg_logical_emit_message");
	surveys = fake_asked(ASK_SURVEY);
	assert_in_range(surveys, 8, 14); /* at first ten within a second */
	scene_run_ms(&set->scene, 2000);
	assert_in_range(fake_asked(ASK_SAMPLE) - pulses, 15, 21);
	assert_in_range(fake_asked("pg_logical_emit_message") - heartbeats, 6, 9);
	assert_in_range(fake_asked(ASK_SURVEY) - surveys, 1, 3);
}

static void where_nobody_replays_pulses_come_four_times_a_second(void **state)
{
	struct stage_set *set = *state;
	size_t pulses;

	scene_run_ms(&set->scene, 1300);
	pulses = fake_asked(ASK_SAMPLE);
	scene_run_ms(&set->scene, 2000);
	assert_in_range(fake_asked(ASK_SAMPLE) - pulses, 6, 9);
	assert_int_equal(fake_asked("pg_logical_emit_message"), 0);
}

/* Its people watch its lag as well, and may ask for it in a throttle_query. */
static void a_standby_that_is_not_waited_for_gets_heartbeats_too(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SAMPLE);

	scene_pulse(rule);
	sees(rule, "unlisted", "2000", "2000");
	scene_run_ms(&set->scene, 1500);
	assert_null(seen(set, "unlisted"));
	assert_true(fake_asked("pg_logical_emit_message") > 0);
}

static void the_survey_is_told_as_it_was_answered(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SURVEY);

	scene_survey(rule);
	fake_statement(rule, "pg_replication_slots");
	fake_columns(rule, "slot_name", "wal_status", "safe_bytes", "retained_bytes", NULL);
	fake_row(rule, "a", "unreserved", "-5", "900");
	fake_row(rule, "b", "extended", NULL, "70");
	fake_statement(rule, "pg_stat_archiver");
	fake_columns(rule, "really", "waiting", "failing", NULL);
	fake_row(rule, "t", "7", "000000010000000000000003");
	fake_statement(rule, "pg_prepared_xact()");
	fake_columns(rule, "xids", "held_s", "who", NULL);
	fake_row(rule, "44", "3", "session 9 (psql, active for 3 s)");
	stage_watch_anew(set);
	scene_run_ms(&set->scene, 200);
	assert_int_equal(stage_signals(set)->slots_count, 2);
	assert_string_equal(stage_signals(set)->slots[0].name, "a");
	assert_int_equal(stage_signals(set)->slots[0].wal_status, SIGNALS_WAL_UNRESERVED);
	assert_int_equal(stage_signals(set)->slots[1].safe_bytes, -1);
	assert_int_equal(stage_signals(set)->archiver_waiting, 7);
	assert_string_equal(stage_signals(set)->archiver_failing, "000000010000000000000003");
	assert_int_equal(stage_signals(set)->checkpoints_asked, 3);
	assert_int_equal(stage_signals(set)->horizon.xids, 44);
	assert_int_equal(stage_signals(set)->horizon.held_s, 3);
	assert_string_equal(stage_signals(set)->horizon.who, "session 9 (psql, active for 3 s)");
	assert_int_equal(stage_signals(set)->traffic.transactions, 100);
	assert_int_equal(stage_signals(set)->traffic.busy_sessions, 2);
	assert_int_equal(stage_signals(set)->cores, 0);
	assert_null(stage_signals(set)->unreadable);
	assert_int_equal(stage_signals(set)->veto, SIGNALS_NO_QUERY);
}

/* The answer to a part that is asked for on its own, or to the whole survey. */
static void every_part_answers(void)
{
	static const char *const parts[] = {"pg_replication_slots", "pg_stat_archiver", "pg_stat_bgwriter",
		"pg_prepared_xact()", "pg_stat_get_db_active_time", "to prevent wraparound",
		"pg_stat_get_dead_tuples", "track_activities", ASK_SURVEY};

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		scene_survey(fake_on(parts[i]));
}

static void a_part_that_fails_hides_no_other_and_is_said_once(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule;
	size_t said;

	every_part_answers();
	rule = fake_on("pg_replication_slots");
	fake_fails(rule, FAULT_JOB, "42501", "permission denied for view pg_replication_slots");
	stage_watch_anew(set);
	scene_run_ms(&set->scene, 200);
	assert_string_equal(stage_signals(set)->unreadable,
		"pg_replication_slots cannot be read: permission denied for view pg_replication_slots");
	assert_int_equal(stage_signals(set)->checkpoints_asked, 3);
	assert_true(stage_signals(set)->survey_ms > 0);
	said = fake_asked("INSERT INTO backfill.event (kind");
	scene_run_ms(&set->scene, 1200);
	assert_int_equal(fake_asked("INSERT INTO backfill.event (kind"), said);
	assert_string_equal(fake_bound("INSERT INTO backfill.event (kind", 1), "signal lost");
	every_part_answers();
	scene_run_ms(&set->scene, 1200);
	assert_null(stage_signals(set)->unreadable);
	assert_int_equal(fake_asked("INSERT INTO backfill.event (kind"), said + 1);
	assert_string_equal(fake_bound("INSERT INTO backfill.event (kind", 1), "signal back");
}

/* A survey in which the slot has this wal_status. */
static void slot_is(const char *wal_status)
{
	struct fake_rule *rule = fake_on(ASK_SURVEY);

	scene_survey(rule);
	fake_statement(rule, "pg_replication_slots");
	fake_columns(rule, "slot_name", "wal_status", "safe_bytes", "retained_bytes", NULL);
	fake_row(rule, "walreceiver", wal_status, NULL, "70");
}

static void a_slot_that_is_lost_is_told_once(void **state)
{
	struct stage_set *set = *state;

	slot_is("unreserved");
	stage_watch_anew(set);
	scene_run_ms(&set->scene, 100);
	assert_int_equal(fake_asked("INSERT INTO backfill.event (kind"), 0);
	slot_is("lost");
	scene_run_ms(&set->scene, 2200);
	assert_int_equal(fake_asked("INSERT INTO backfill.event (kind"), 1);
	assert_string_equal(fake_bound("INSERT INTO backfill.event (kind", 1), "slot");
	assert_non_null(strstr(fake_bound("INSERT INTO backfill.event (kind", 2), "walreceiver has lost WAL"));
}

static void without_rights_nothing_is_believed(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule;
	int64_t pulse_ms;

	set->scene.database.replicas_all = true;
	rule = fake_on(ASK_SAMPLE);
	scene_pulse(rule);
	sees(rule, "standby1", "2000", "2000");
	stage_watch_anew(set);
	samples(set, 1);
	pulse_ms = stage_signals(set)->pulse_ms;
	every_part_answers();
	rule = fake_on(ASK_SURVEY);
	scene_survey(rule);
	fake_statement(rule, ASK_SURVEY);
	fake_columns(rule, "sees", NULL);
	fake_row(rule, "f");
	rule = fake_on(ASK_SAMPLE);
	scene_pulse(rule);
	fake_row(rule, "2000", "2000", "f", NULL, NULL, NULL, "f");
	samples(set, 2);
	assert_true(stage_signals(set)->pulse_ms <= pulse_ms + 100);
	assert_non_null(strstr(stage_signals(set)->unreadable, "GRANT pg_monitor TO"));
	assert_non_null(seen(set, "standby1"));
}

static void without_what_sessions_do_nothing_is_believed(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule;

	every_part_answers();
	rule = fake_on("track_activities");
	scene_survey(rule);
	fake_statement(rule, "track_activities");
	fake_columns(rule, "tracks", NULL);
	fake_row(rule, "f");
	stage_watch_anew(set);
	scene_run_ms(&set->scene, 200);
	assert_non_null(strstr(stage_signals(set)->unreadable, "track_activities and track_counts must be on"));
}

/* ---- cascades and tables ---- */

#define ASK_NOTE "INSERT INTO backfill.event (kind"

/* A primary and a cascade, which both see the same replica. Returns the cascade's session. */
static struct session *watch_cascade(struct stage_set *set, int grace_s)
{
	static char *cascades[] = {(char *)"host=standby1"};
	struct fake_rule *rule = fake_on(ASK_SAMPLE);

	set->scene.database.replicas_all = true;
	set->scene.database.cascades = cascades;
	set->scene.database.cascades_count = 1;
	set->scene.database.replica_grace_s = grace_s;
	scene_pulse(rule);
	sees(rule, "standby1", "2000", "2000");
	stage_watch_anew(set);
	return fake_session(fake_sessions() - 1);
}

static void a_cascade_that_never_answered_is_not_let_go(void **state)
{
	struct stage_set *set = *state;
	struct session *cascade = watch_cascade(set, 1);

	fake_shut(cascade);
	scene_run_ms(&set->scene, 2500);
	assert_non_null(stage_signals(set)->unreadable);
	assert_string_equal(stage_signals(set)->unreadable,
		"pg_stat_replication of cascades[0] cannot be read: the server is gone");
	assert_non_null(seen(set, "cascades[0]"));
	assert_int_equal(fake_asked(ASK_NOTE), 1);
	assert_string_equal(fake_bound(ASK_NOTE, 1), "signal lost");
	fake_open(cascade);
	scene_run_ms(&set->scene, 300);
	assert_null(stage_signals(set)->unreadable);
	assert_null(seen(set, "cascades[0]"));
	assert_int_equal(fake_asked(ASK_NOTE), 2);
	assert_string_equal(fake_bound(ASK_NOTE, 1), "signal back");
}

static void a_cascade_that_refuses_us_has_not_vanished(void **state)
{
	struct stage_set *set = *state;
	struct session *cascade = watch_cascade(set, 1);

	scene_run_ms(&set->scene, 300);
	fake_refuse(cascade, "28000", "no pg_hba.conf entry for host");
	scene_run_ms(&set->scene, 2500);
	assert_non_null(stage_signals(set)->unreadable);
	assert_string_equal(stage_signals(set)->unreadable,
		"pg_stat_replication of cascades[0] cannot be read: no pg_hba.conf entry for host");
	assert_non_null(seen(set, "cascades[0]"));
	assert_int_equal(fake_asked(ASK_NOTE), 1);
	fake_open(cascade);
	scene_run_ms(&set->scene, 300);
	assert_null(stage_signals(set)->unreadable);
	assert_int_equal(fake_asked(ASK_NOTE), 2);
}

/* And then has. */
static void a_cascade_that_refused_us_may_vanish(void **state)
{
	struct stage_set *set = *state;
	struct session *cascade = watch_cascade(set, 1);

	scene_run_ms(&set->scene, 300);
	fake_refuse(cascade, "28000", "no pg_hba.conf entry for host");
	scene_run_ms(&set->scene, 500);
	assert_non_null(stage_signals(set)->unreadable);
	fake_refuse(cascade, "57P03", "the database system is shutting down");
	scene_run_ms(&set->scene, 500);
	assert_null(stage_signals(set)->unreadable);
	assert_non_null(seen(set, "cascades[0]"));
	scene_run_ms(&set->scene, 2000);
	assert_null(seen(set, "cascades[0]"));
	assert_string_equal(fake_bound(ASK_NOTE, 1), "replica");
}

/* As does one that starts or shuts down: it was there, and so it may vanish. */
static void a_cascade_that_vanished_is_let_go_with_what_it_said(void **state)
{
	struct stage_set *set = *state;
	struct session *cascade = watch_cascade(set, 1);

	scene_run_ms(&set->scene, 300);
	fake_refuse(cascade, "57P03", "the database system is shutting down");
	scene_run_ms(&set->scene, 2500);
	assert_null(stage_signals(set)->unreadable);
	assert_null(seen(set, "cascades[0]"));
	assert_string_equal(fake_bound(ASK_NOTE, 1), "replica");
	assert_non_null(
		strstr(fake_bound(ASK_NOTE, 2), "is no longer waited for: the database system is shutting down"));
}

static void replicas_of_a_cascade_must_be_close_too(void **state)
{
	struct stage_set *set = *state;

	watch_cascade(set, 60);
	assert_non_null(seen(set, "cascades[0]"));
	scene_run_ms(&set->scene, 300);
	assert_null(seen(set, "cascades[0]"));
	assert_int_equal(seen(set, "standby1")->vanished_ago, 0);
	fake_shut(fake_session(fake_sessions() - 1));
	scene_run_ms(&set->scene, 1300);
	assert_true(seen(set, "cascades[0]")->vanished_ago > 1000);
	assert_null(stage_signals(set)->unreadable);
}

static void tables_are_surveyed_while_they_are_watched(void **state)
{
	struct stage_set *set = *state;
	struct monitor *monitor = set->scene.task.monitor;
	struct fake_rule *rule = fake_on(ASK_SURVEY);
	struct signals_table table;

	scene_survey(rule);
	fake_statement(rule, "pg_stat_get_dead_tuples");
	fake_columns(rule, "table_oid", "dead_rows", NULL);
	fake_row(rule, "4242", "12");
	fake_row(rule, "4343", "0");
	assert_false(monitor_read_table(monitor, 4242, NULL, 0, &table));
	monitor_watch_table(monitor, 4242);
	monitor_watch_table(monitor, 4343);
	monitor_watch_table(monitor, 4242);
	assert_false(monitor_read_table(monitor, 4242, NULL, 0, &table));
	scene_run_ms(&set->scene, 100);
	assert_string_equal(fake_bound("pg_stat_get_dead_tuples", 1), "{4242,4343}");
	assert_true(monitor_read_table(monitor, 4242, NULL, 0, &table));
	assert_int_equal(table.dead_rows, 12);
	assert_true(table.surveyed_ms > 0);
	monitor_unwatch_table(monitor, 4242);
	assert_false(monitor_read_table(monitor, 4242, NULL, 0, &table));
	assert_true(monitor_read_table(monitor, 4343, NULL, 0, &table));
}

static void an_autovacuum_counts_where_the_table_is_being_filled(void **state)
{
	static const struct {
		const char *what;
		uint32_t parts[2];
		int vacuum;
	} cases[] = {
		{"no filler has a window", {0, 0}, SIGNALS_NO_VACUUM},
		{"all are in other partitions", {4400, 4401}, SIGNALS_NO_VACUUM},
		{"the table itself is filled", {4242, 0}, SIGNALS_NO_VACUUM},
		{"one is where an autovacuum is", {4400, 4501}, SIGNALS_AUTOVACUUM},
		{"one is where it is against wraparound", {4502, 4400}, SIGNALS_WRAPAROUND},
		{"the worst of two", {4502, 4503}, SIGNALS_WRAPAROUND},
		{"whoever comes first", {4501, 4502}, SIGNALS_WRAPAROUND},
	};
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_on(ASK_SURVEY);
	struct signals_table table;

	scene_survey(rule);
	fake_statement(rule, "to prevent wraparound");
	fake_columns(rule, "table_oid", "wraparound", NULL);
	fake_row(rule, "4501", "f");
	fake_row(rule, "4502", "t");
	fake_row(rule, "4503", "f");
	fake_statement(rule, "pg_stat_get_dead_tuples");
	fake_columns(rule, "table_oid", "dead_rows", NULL);
	fake_row(rule, "4242", "0");
	monitor_watch_table(set->scene.task.monitor, 4242);
	scene_run_ms(&set->scene, 100);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_true(monitor_read_table(
			set->scene.task.monitor, 4242, cases[i].parts, COUNT_OF(cases[i].parts), &table));
		if ((int)table.vacuum != cases[i].vacuum)
			fail_msg("%s: %d, not %d", cases[i].what, (int)table.vacuum, cases[i].vacuum);
	}
}

static void count(void *owner)
{
	int *calls = owner;

	++*calls;
}

static void whoever_wants_to_know_is_told_of_every_sample(void **state)
{
	struct stage_set *set = *state;
	struct scene *scene = &set->scene;
	int calls = 0;

	monitor_free(scene->task.monitor);
	scene->task.monitor = monitor_new(scene->loop, &scene->database, count, &calls);
	monitor_watch(scene->task.monitor, true);
	samples(set, 3);
	assert_in_range(calls, 3, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, stage_set_up, stage_tear_down)
		CASE(replicas_of_one_name_are_the_slowest_of_them),
		CASE(counters_say_by_which_connection_they_came),
		CASE(only_listed_replicas_are_kept_close),
		CASE(one_that_vanished_is_waited_for_and_then_dropped),
		CASE(a_sample_that_fails_is_no_sample),
		CASE(at_rest_it_knows_nothing),
		CASE(one_that_is_late_on_purpose_is_judged_by_what_it_received),
		CASE(beside_replicas_pulses_come_ten_times_a_second_and_heartbeats_four_times),
		CASE(where_nobody_replays_pulses_come_four_times_a_second),
		CASE(a_standby_that_is_not_waited_for_gets_heartbeats_too),
		CASE(the_survey_is_told_as_it_was_answered),
		CASE(a_part_that_fails_hides_no_other_and_is_said_once),
		CASE(a_slot_that_is_lost_is_told_once),
		CASE(without_rights_nothing_is_believed),
		CASE(without_what_sessions_do_nothing_is_believed),
		CASE(a_cascade_that_never_answered_is_not_let_go),
		CASE(a_cascade_that_refuses_us_has_not_vanished),
		CASE(a_cascade_that_refused_us_may_vanish),
		CASE(a_cascade_that_vanished_is_let_go_with_what_it_said),
		CASE(replicas_of_a_cascade_must_be_close_too),
		CASE(tables_are_surveyed_while_they_are_watched),
		CASE(an_autovacuum_counts_where_the_table_is_being_filled),
		CASE(whoever_wants_to_know_is_told_of_every_sample),
	};

	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
