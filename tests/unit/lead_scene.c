#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "common/clock.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY_MS 1
#define STEPS 50
#define STEP_LEAST_MS 5
#define LIMIT_MS 60000

static const struct session_events no_events = {0};

static void look(void *owner)
{
	struct scene *scene = owner;

	if (scene->until && scene->until(scene))
		loop_stop(scene->loop);
	else
		loop_timer_after(scene->look, LOOK_EVERY_MS);
}

static void give_up(void *owner)
{
	struct scene *scene = owner;

	print_error("waiting for: %s\n", text_is(&scene->task.waiting_for));
	fail_msg("it did not come to pass within %d ms", LIMIT_MS);
}

static void stop(void *owner)
{
	struct scene *scene = owner;

	loop_stop(scene->loop);
}

void scene_run(struct scene *scene, bool (*until)(struct scene *scene))
{
	scene->until = until;
	scene->limit = loop_timer_new(scene->loop, give_up, scene);
	loop_timer_after(scene->limit, LIMIT_MS);
	loop_timer_after(scene->look, 0);
	assert_true(loop_run(scene->loop));
	loop_timer_stop(scene->look);
	loop_timer_free(scene->limit);
	scene->limit = NULL;
}

/* In steps, of which each counts twice at most: while the machine stands still, so does the scene.
 * (With fast_clock a step is 40 ms at least, and short spans last longer.) */
void scene_run_ms(struct scene *scene, int64_t ms)
{
	struct loop_timer *timer = loop_timer_new(scene->loop, stop, scene);
	int64_t step_ms = ms / STEPS > STEP_LEAST_MS ? ms / STEPS : STEP_LEAST_MS;

	while (ms > 0) {
		int64_t began_ms = clock_ms();
		int64_t took_ms;

		loop_timer_after(timer, ms < step_ms ? ms : step_ms);
		assert_true(loop_run(scene->loop));
		took_ms = clock_ms() - began_ms;
		ms -= took_ms < 2 * step_ms ? took_ms : 2 * step_ms;
	}
	loop_timer_free(timer);
}

static bool has_ended(struct scene *scene)
{
	return scene->ended;
}

void scene_run_to_end(struct scene *scene)
{
	scene_run(scene, has_ended);
}

void scene_share(struct scene *scene, struct filler_shared *ret_shared)
{
	struct pace_wish wish;

	*ret_shared = (struct filler_shared){.task = &scene->task, .workers = 1};
	task_wish(&scene->task, 1, 0, &wish);
	ret_shared->share = pace_join(scene->task.pace, &wish, 0);
	window_course_start(&ret_shared->course, 1);
}

void scene_done(void *owner, const struct fault *why)
{
	struct scene *scene = owner;

	scene->ended = true;
	scene->endings++;
	if (why)
		fault_copy(&scene->why, why);
}

void scene_catalogue(struct fake_rule *rule, const struct scene_catalogue *says)
{
	fake_columns(rule, "table_name", "schema_name", "owner", "requester_may", "may_sleep", "relkind",
		"has_children", "relforcerowsecurity", "update_triggers", "publication", "key_columns",
		"stored_generated", "pages", "reltuples", "secondary_indexes", "column_indexed", "column_generated",
		"column_users", "column_type", "not_null_unvalidated", "update_rules", "function_name",
		"column_exists", "column_number", "column_now", "column_default", "insert_trigger_exists",
		"update_trigger_exists", "column_not_null", "check_exists", "check_valid", "has_strays", "counters",
		"control_login", NULL);
	fake_row(rule, "public.users", "public", "shop_owner", "t", "t", "r", "f", "f", NULL, NULL, "id", NULL,
		"4", "400", "1", "f", "f", NULL, "text", NULL, NULL,
		says->insert_trigger && says->insert_trigger[0] == 't' ? "public.backfill_fill_7" : NULL,
		says->column_exists, says->column_exists ? "3" : NULL, NULL, says->column_default,
		says->insert_trigger, says->update_trigger, says->column_not_null, says->check_exists,
		says->check_valid, "f", NULL, "backfilld");
	fake_statement(rule, ASK_MEMBERS);
	fake_columns(rule, "oid", "parent_oid", "name", "schema_name", "bare_name", "owner", "relkind",
		"temporary", "is_partition", "key_columns", "pages", "reltuples", "joined", "column_exists",
		"column_not_null", "insert_trigger_exists", "update_trigger_exists", "index_name", "index_exists",
		"index_valid", "index_attached", "unique_name", "unique_exists", "unique_valid", "unique_attached",
		"unique_constrained", "check_exists", "check_valid", "foreign_key_exists", "foreign_key_valid", NULL);
	fake_row(rule, "4242", "0", "public.users", "public", "users", "shop_owner", "r", "f", "f", "id", "4",
		"400", "f", says->column_exists, says->column_not_null, says->insert_trigger, says->update_trigger,
		"users_v_idx", "f", "f", "f", "users_v_key", "f", "f", "f", "f", "f", "f", "f", "f");
}

void scene_walk(struct fake_rule *rule, const char *sweep, const char *pages, const char *fresh)
{
	fake_columns(rule, "sweep", "done", "pages", "fresh", NULL);
	fake_row(rule, sweep, "0", pages, fresh);
}

void scene_window(struct fake_rule *rule, const struct window_bookmark *bookmark)
{
	scene_window_in(rule, bookmark, "4242", NULL);
}

void scene_window_in(
	struct fake_rule *rule, const struct window_bookmark *bookmark, const char *oid, const char *leaf)
{
	bool gone = !leaf && strcmp(oid, "4242") != 0;
	char numbers[5][24];

	snprintf(numbers[0], sizeof(numbers[0]), "%" PRId64, bookmark->from_page);
	snprintf(numbers[1], sizeof(numbers[1]), "%" PRId64, bookmark->end_page);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", bookmark->passes);
	snprintf(numbers[3], sizeof(numbers[3]), "%d", bookmark->pass);
	snprintf(numbers[4], sizeof(numbers[4]), "%" PRId64, bookmark->page);
	fake_columns(
		rule, "window_from", "window_to", "passes", "pass", "page", "relation", "leaf", "gone", NULL);
	fake_row(rule, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], oid, leaf, gone ? "t" : "f");
}

void scene_batch(struct fake_rule *rule, const char *rows)
{
	fake_statement(rule, ASK_BATCH);
	fake_columns(rule, "ms", "updated", "hot", "active_ms", "napped_ms", "rows", NULL);
	fake_row(rule, "1012", "0", "0", "13", "2", rows);
	fake_statement(rule, "UPDATE ONLY");
	fake_columns(rule, "QUERY PLAN", NULL);
	fake_row(rule, "[{\"Plan\": {\"Node Type\": \"ModifyTable\", \"WAL Records\": 9, \"WAL Bytes\": 4711, "
				   "\"Plans\": [{\"WAL Bytes\": 5}]}}]");
	fake_statement(rule, "AS counted");
	fake_columns(rule, "ms", "updated", "hot", "counted", NULL);
	fake_row(rule, "1000", "0", "0", "t");
}

void scene_pulse(struct fake_rule *rule)
{
	fake_columns(rule, "flush_lsn", "insert_lsn", "sees", "application_name", "replay_lsn", "received_lsn",
		"logical", NULL);
}

void scene_survey(struct fake_rule *rule)
{
	fake_statement(rule, "has_function_privilege");
	fake_columns(rule, "sees", NULL);
	fake_row(rule, "t");
	fake_statement(rule, "track_activities");
	fake_columns(rule, "tracks", NULL);
	fake_row(rule, "t");
	fake_statement(rule, "pg_stat_archiver");
	fake_columns(rule, "really", "waiting", "failing", NULL);
	fake_row(rule, "f", "0", NULL);
	fake_statement(rule, "pg_stat_bgwriter");
	fake_columns(rule, "asked", NULL);
	fake_row(rule, "3");
	fake_statement(rule, "pg_stat_get_db_active_time");
	fake_columns(rule, "scope", "transactions", "active_ms", "busy_sessions", "way", "server_pid", NULL);
	fake_row(rule, "16384", "100", "250.5", "2", "network", "4711");
}

static void content_server(void)
{
	struct fake_rule *rule = fake_on(ASK_PULSE);

	scene_pulse(rule);
	fake_row(rule, "1000", "1000", "t", NULL, NULL, NULL, "f");
	scene_survey(fake_on(ASK_SURVEY));
	rule = fake_on(ASK_REAP);
	fake_columns(rule, "left_over", "pid", "ended", NULL);
	fake_row(rule, "0", NULL, "t");
	rule = fake_on(ASK_ENLIST);
	fake_columns(rule, "login", NULL);
	fake_row(rule, "worker");
	fake_affected(fake_on(ASK_EVENT), 1);
	fake_on("INSERT INTO backfill.event (kind");
	fake_on(ASK_WINDOW);
	fake_on(ASK_HOLDERS);
	scene_catalogue(fake_on(ASK_CATALOGUE), &(struct scene_catalogue){.column_exists = "t"});
	scene_batch(fake_on(ASK_BATCH), "0");
}

static void job_on_users(struct job *job)
{
	*job = (struct job){
		.id = 7,
		.epoch = 3,
		.stage = STAGE_FILLING,
		.table_oid = 4242,
		.table_name = memory_text("public.users"),
		.search_path = memory_text("public, pg_temp"),
		.column_name = memory_text("v"),
		.column_type = memory_text("text"),
		.exact_type = memory_text("text"),
		.value = memory_text("upper(email)"),
		.sync = JOB_SYNC_NONE,
		.knobs = {.batch_ms = 100,
			.workers = 1,
			.max_lag_ms = 1000,
			.lock_timeout_ms = 100,
			.ddl_lock_timeout_ms = 200},
	};
}

static bool sampled(struct scene *scene)
{
	return session_is_open(scene->task.control) && session_is_open(scene->task.session) &&
		   monitor_signals(scene->task.monitor)->pulse_ms > 0 &&
		   monitor_signals(scene->task.monitor)->survey_ms > 0;
}

static void pace_along(void *owner)
{
	struct scene *scene = owner;

	pace_sample(scene->task.pace, monitor_signals(scene->task.monitor), clock_ms());
}

static void add_table_itself(struct relation *relation)
{
	*relation_add_member(relation) = (struct member){
		.oid = 4242,
		.name = memory_text("public.users"),
		.schema_name = memory_text("public"),
		.bare_name = memory_text("users"),
		.owner = memory_text("shop_owner"),
		.kind = 'r',
		.pages = 4,
		.rows = 400,
	};
}

void scene_begin(struct scene *scene)
{
	struct task *task = &scene->task;

	*scene = (struct scene){.loop = loop_new()};
	fake_begin();
	scene->look = loop_timer_new(scene->loop, look, scene);
	scene->database = (struct options_database){.name = (char *)"shop", .conninfo = (char *)"user=control"};
	task->loop = scene->loop;
	task->database = "shop";
	task->conninfo = "user=worker";
	task->synchronous_commit = "off";
	task->window_pages = 4096;
	task->shared_buffers = 1 << 20;
	task->relation.server_version = 150018;
	task->relation.exists = true;
	task->relation.pages = 4;
	task->relation.rows = 400;
	task->relation.owner = memory_text("shop_owner");
	add_table_itself(&task->relation);
	job_on_users(&task->job);
	content_server();
	task->control = session_new(scene->loop, "user=control", "control", NULL, &no_events, scene);
	task->session = session_new(scene->loop, "user=worker", "worker", NULL, &no_events, scene);
	task->presence = presence_new();
	task->pace = pace_new();
	task->monitor = monitor_new(scene->loop, &scene->database, pace_along, scene);
	monitor_watch(task->monitor, true);
	scene_run(scene, sampled);
}

void scene_end(struct scene *scene)
{
	struct task *task = &scene->task;

	monitor_free(task->monitor);
	pace_free(task->pace);
	presence_free(task->presence);
	session_free(task->session);
	session_free(task->control);
	fake_end();
	loop_timer_free(scene->look);
	loop_free(scene->loop);
	text_free(&task->waiting_for);
	relation_clear(&task->relation);
	job_clear(&task->job);
	fault_clear(&scene->why);
}
