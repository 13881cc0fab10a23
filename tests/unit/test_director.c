/*
 * director: what a database is served with, and what is said when it cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "daemon/director.h"

#include <string.h>

#define ASK_HELLO "pg_is_in_recovery"
#define ASK_VERSION "backfill.schema_version v"
#define ASK_LOOK "hold_seal"
#define ASK_CLAIM "INSERT INTO backfill.claim"
#define ASK_RELEASE "DELETE FROM backfill.claim c WHERE"
#define ASK_MOVE "resume_stage = $8"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct options options;
	struct director *director;
	int serving, idle, stopped;
};

static void told(void *owner, struct director *director, enum director_event event)
{
	struct stage_set *set = owner;

	assert_ptr_equal(director, set->director);
	switch (event) {
	case DIRECTOR_SERVING:
		set->serving++;
		return;
	case DIRECTOR_IDLE:
		set->idle++;
		return;
	case DIRECTOR_STOPPED:
		set->stopped++;
		return;
	}
}

static bool is_serving(struct scene *scene)
{
	return ((struct stage_set *)scene)->serving > 0;
}

static bool is_idle(struct scene *scene)
{
	return ((struct stage_set *)scene)->idle > 0;
}

static bool is_stopped(struct scene *scene)
{
	return ((struct stage_set *)scene)->stopped > 0;
}

static bool has_trouble(struct scene *scene)
{
	const char *trouble = director_trouble(((struct stage_set *)scene)->director);

	return trouble && strcmp(trouble, "not connected yet") != 0;
}

static bool has_released(struct scene *scene)
{
	(void)scene;
	return fake_asked(ASK_RELEASE) > 0;
}

static bool has_claimed_twice(struct scene *scene)
{
	(void)scene;
	return fake_asked(ASK_CLAIM) > 1;
}

/* The director's session is the fourth that is made: 1004. */
static void hello(struct fake_rule *rule, const char *in_recovery, const char *installed, const char *owns)
{
	fake_columns(rule, "server_version", "in_recovery", "installed", "monitors", "signals", "owns",
		"backend_pid", "shared_buffers", "block_size", NULL);
	fake_row(rule, "15.20", in_recovery, installed, "t", "t", owns, "1004", "16384", "8192");
}

static void version(struct fake_rule *rule, const char *number)
{
	fake_columns(rule, "version", NULL);
	fake_row(rule, number);
}

static void look_columns(struct fake_rule *rule)
{
	fake_columns(rule, "id", "epoch", "stage", "wanted", "table_oid", "table_name", "search_path",
		"column_name", "column_type", "collation", "identity", "default_expr", "value", "fill_where", "field",
		"skip_triggers", "sync", "not_null", "adopted", "exact_type", "is_unique", "check_expr",
		"foreign_key", "index", "index_where", "index_name", "unique_name", "check_name", "foreign_key_name",
		"fast_default", "volatile_value", "rows_estimate", "throttled_ms", "rows_filled", "had_not_null",
		"had_default", "added", "hold_add", "hold_fill", "hold_seal", "batch_ms", "workers", "max_lag_ms",
		"lock_timeout_ms", "ddl_lock_timeout_ms", "lag_target_ms", "max_wal_rate", "max_impact", "priority",
		"outside_window", "window_closes_in_ms", "opens_at", "mine", "elsewhere", "column_number", NULL);
}

static void look_row(struct fake_rule *rule, const char *id, const char *mine)
{
	fake_row(rule, id, "5", "queued", "run", "4242", "public.users", "public, pg_temp", "v", "text", NULL,
		NULL, NULL, "upper(email)", NULL, NULL, "f", "auto", "f", "f", NULL, "f", NULL, NULL, NULL, NULL,
		"users_v_idx", "users_v_key", "users_v_check", "users_v_fkey", "f", "f", NULL, "0", "0", "f", "f",
		"f", "f", "f", "f", "100", "1", "1000", "100", "200", "500", "0", "10", "0", "f", NULL, NULL, mine,
		"f", NULL);
}

static void nobody_waits(struct fake_rule *rule)
{
	fake_columns(rule, "tolerated_ms", "anybody", "for_advisory", NULL);
	fake_row(rule, "50", "f", "f");
}

static void claim_answers(struct fake_rule *rule, const char *epoch)
{
	fake_columns(rule, "epoch", NULL);
	fake_row(rule, epoch);
}

static int set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){.options = {.jobs_at_once = 2, .poll_ms = 50}};
	scene_begin(&set.scene);
	hello(fake_on(ASK_HELLO), "f", "t", "t");
	version(fake_on(ASK_VERSION), "3");
	look_columns(fake_on(ASK_LOOK));
	fake_on("INSERT INTO backfill.daemon_seen");
	fake_on("DELETE FROM backfill.daemon_seen");
	fake_on("pg_sequence_last_value");
	fake_on("a free place");
	fake_on("restored from a dump");
	nobody_waits(fake_on("AS anybody"));
	fake_on("AS waited_ms");
	fake_on("lease_until = pg_catalog.clock_timestamp() + $2");
	fake_on(ASK_RELEASE);
	fake_on("SET waiting_for = $3");
	*state = &set;
	return 0;
}

static int tear_down(void **state)
{
	struct stage_set *set = *state;

	director_free(set->director);
	scene_end(&set->scene);
	return 0;
}

static void start(struct stage_set *set)
{
	set->director = director_new(set->scene.loop, &set->options, &set->scene.database, "here/1/a", told, set);
}

static void it_serves_and_is_idle_when_there_is_nothing_to_do(void **state)
{
	struct stage_set *set = *state;

	start(set);
	assert_string_equal(director_trouble(set->director), "not connected yet");
	scene_run(&set->scene, is_idle);
	assert_int_equal(set->serving, 1);
	assert_null(director_trouble(set->director));
	assert_int_equal(fake_asked("LISTEN backfill"), 1);
	director_stop(set->director);
	scene_run(&set->scene, is_stopped);
	assert_int_equal(fake_asked("DELETE FROM backfill.daemon_seen"), 1);
	scene_run_ms(&set->scene, 100);
	assert_int_equal(set->stopped, 1);
}

static void what_keeps_a_database_from_being_served(void **state)
{
	static const struct {
		const char *what;
		const char *in_recovery, *installed, *owns, *version;
		const char *trouble;
	} cases[] = {
		{"a hot standby", "t", "t", "t", "1", "the server is a hot standby and takes no writes; "},
		{"no schema", "f", "f", "t", "1", "schema backfill is not installed; run backfilld --install"},
		{"somebody else's schema", "f", "t", "f", "1", "schema backfill belongs to another role; "},
		{"an old schema", "f", "t", "t", "-1",
			"schema backfill is version -1, this program knows version 3; run backfilld --install"},
		{"a schema from the future", "f", "t", "t", "99",
			"schema backfill is version 99, this program knows version 3; install a newer backfilld"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct stage_set *set;

		if (i > 0)
			set_up(state);
		set = *state;
		hello(fake_on(ASK_HELLO), cases[i].in_recovery, cases[i].installed, cases[i].owns);
		version(fake_on(ASK_VERSION), cases[i].version);
		start(set);
		scene_run(&set->scene, has_trouble);
		if (strncmp(director_trouble(set->director), cases[i].trouble, strlen(cases[i].trouble)) != 0)
			fail_msg("%s: %s", cases[i].what, director_trouble(set->director));
		assert_int_equal(set->serving, 0);
		assert_int_equal(fake_asked(ASK_LOOK), 0);
		if (i + 1 < COUNT_OF(cases))
			tear_down(state);
	}
}

static void a_schema_that_goes_away_is_said(void **state)
{
	struct stage_set *set = *state;

	start(set);
	scene_run(&set->scene, is_idle);
	fake_fails(fake_on(ASK_LOOK), FAULT_JOB, "42P01", "relation \"backfill.job\" does not exist");
	scene_run(&set->scene, has_trouble);
	assert_string_equal(director_trouble(set->director), "relation \"backfill.job\" does not exist");
}

static void a_look_that_fails_for_now_is_taken_again(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once(ASK_LOOK), FAULT_BUSY, "57014", "canceling statement");
	start(set);
	scene_run(&set->scene, is_idle);
	assert_null(director_trouble(set->director));
}

/* A job is claimed, fails since its table is gone, and is put down. */
static void a_job_is_claimed_worked_on_and_put_down(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *look = fake_once(ASK_LOOK);
	struct fake_rule *mine = fake_once(ASK_LOOK);
	struct fake_rule *move = fake_once(ASK_MOVE);

	look_columns(look);
	look_row(look, "7", "f");
	look_columns(mine);
	look_row(mine, "7", "t");
	claim_answers(fake_once(ASK_CLAIM), "6");
	fake_on(ASK_CATALOGUE);
	fake_columns(move, "id", "overtaken", NULL);
	fake_row(move, "7", "f");
	start(set);
	scene_run(&set->scene, is_idle);
	assert_int_equal(director_failures(set->director), 1);
	assert_string_equal(fake_bound(ASK_MOVE, 2), "6"); /* under the epoch of the claim */
	assert_string_equal(fake_bound(ASK_MOVE, 3), "failed");
	assert_string_equal(fake_bound(ASK_MOVE, 5), "table public.users is gone");
	assert_int_equal(fake_asked(ASK_RELEASE), 1);
}

static void a_claim_of_ours_that_nobody_works_on_is_given_back(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *look = fake_once(ASK_LOOK);

	look_columns(look);
	look_row(look, "7", "t");
	start(set);
	scene_run(&set->scene, has_released);
	assert_string_equal(fake_bound(ASK_RELEASE, 1), "7");
	assert_string_equal(fake_bound(ASK_RELEASE, 2), "5");
}

static void a_job_that_cannot_be_claimed_keeps_no_other_from_being(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *look = fake_on(ASK_LOOK);

	look_columns(look);
	look_row(look, "7", "f");
	look_row(look, "8", "f");
	fake_on(ASK_CLAIM); /* no row: somebody was faster, or has it locked */
	start(set);
	scene_run(&set->scene, has_claimed_twice);
	assert_string_equal(fake_bound(ASK_CLAIM, 1), "8");
}

static void stopped_while_it_connects_it_tells_so_once_and_serves_no_more(void **state)
{
	(void)state;
	for (int64_t at_ms = 0; at_ms < 40; at_ms += 4) {
		struct stage_set *set;
		struct fake_rule *slow;

		if (at_ms > 0)
			set_up(state);
		set = *state;
		hello(fake_on(ASK_HELLO), "f", "t", "t");
		slow = fake_on(ASK_VERSION);
		version(slow, "1");
		fake_after(slow, 10);
		start(set);
		scene_run_ms(&set->scene, at_ms);
		set->serving = 0;
		director_stop(set->director);
		scene_run(&set->scene, is_stopped);
		scene_run_ms(&set->scene, 30);
		assert_int_equal(set->stopped, 1);
		assert_int_equal(set->serving, 0);
		if (at_ms + 4 < 40)
			tear_down(state);
	}
}

static void a_lost_connection_is_said_and_served_again(void **state)
{
	struct stage_set *set = *state;

	start(set);
	scene_run(&set->scene, is_idle);
	/* the new connection has the same number in the stand-in */
	fake_shut(fake_session(3));
	assert_string_equal(director_trouble(set->director), "the server is gone");
	set->serving = 0;
	fake_open(fake_session(3));
	scene_run(&set->scene, is_serving);
	assert_null(director_trouble(set->director));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(it_serves_and_is_idle_when_there_is_nothing_to_do),
		CASE(what_keeps_a_database_from_being_served),
		CASE(a_schema_that_goes_away_is_said),
		CASE(a_look_that_fails_for_now_is_taken_again),
		CASE(a_job_is_claimed_worked_on_and_put_down),
		CASE(a_claim_of_ours_that_nobody_works_on_is_given_back),
		CASE(a_job_that_cannot_be_claimed_keeps_no_other_from_being),
		CASE(stopped_while_it_connects_it_tells_so_once_and_serves_no_more),
		CASE(a_lost_connection_is_said_and_served_again),
	};

	return cmocka_run_group_tests_name("director", tests, NULL, NULL);
}
