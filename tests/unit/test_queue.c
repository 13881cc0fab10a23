/*
 * queue: what is bound to the statements of the control tables, and how their answers are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	void (*read)(struct stage_set *set, const struct reply *reply);
	int64_t epoch;
	struct queue_entry entry;
	struct queue_walk walk;
	struct queue_window window;
	bool found;
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

static void answered(void *owner, const struct reply *reply)
{
	struct stage_set *set = owner;

	set->scene.ended = true;
	if (set->read)
		set->read(set, reply);
}

static void read_claim(struct stage_set *set, const struct reply *reply)
{
	set->epoch = queue_read_claim(reply);
}

static void claim(struct stage_set *set)
{
	set->read = read_claim;
	set->epoch = -1;
	set->scene.ended = false;
	queue_claim(set->scene.task.control, 7, "here", answered, set);
	scene_run_to_end(&set->scene);
}

static void a_claim_tells_its_epoch_or_that_somebody_was_faster(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_once("INSERT INTO backfill.claim");

	fake_columns(rule, "epoch", NULL);
	fake_row(rule, "12");
	fake_once("INSERT INTO backfill.claim");
	fake_fails(fake_once("INSERT INTO backfill.claim"), FAULT_DATA, "23505", "duplicate key");
	claim(set);
	assert_int_equal(set->epoch, 12);
	assert_string_equal(fake_bound("INSERT INTO backfill.claim", 2), "here");
	assert_string_equal(fake_bound("INSERT INTO backfill.claim", 3), "15000");
	claim(set);
	assert_int_equal(set->epoch, 0);
	claim(set); /* two at the same moment: the unique index decides */
	assert_int_equal(set->epoch, 0);
}

static void move(struct stage_set *set, enum stage to, const struct fault *why)
{
	set->scene.ended = false;
	set->read = NULL;
	queue_move(set->scene.task.control, &set->scene.task.job, &(struct queue_move){.to = to, .why = why},
		answered, set);
	scene_run_to_end(&set->scene);
}

#define ASK_REPORT "SET waiting_for = $3"
#define ASK_MOVE "resume_stage = $8"

static void what_a_move_writes(void **state)
{
	struct stage_set *set = *state;
	struct fault why = {0};

	fake_on(ASK_MOVE);
	move(set, STAGE_SEALING, NULL);
	assert_string_equal(fake_bound(ASK_MOVE, 1), "7");
	assert_string_equal(fake_bound(ASK_MOVE, 2), "3");
	assert_string_equal(fake_bound(ASK_MOVE, 3), "sealing");
	assert_string_equal(fake_bound(ASK_MOVE, 4), "a sweep over the whole table found no pending row");
	for (size_t value = 5; value <= 8; value++)
		assert_null(fake_bound(ASK_MOVE, value));
	fault_set(&why, FAULT_DATA, "division by zero");
	strcpy(why.sqlstate, "22012");
	why.detail = strdup("a row");
	fault_set_hint(&why, "Mend it.");
	move(set, STAGE_FAILED, &why);
	assert_string_equal(fake_bound(ASK_MOVE, 5), "division by zero (a row)");
	assert_string_equal(fake_bound(ASK_MOVE, 6), "22012");
	assert_string_equal(fake_bound(ASK_MOVE, 7), "Mend it.");
	assert_string_equal(fake_bound(ASK_MOVE, 8), "filling"); /* from where it goes on */
	move(set, STAGE_CANCELLED, NULL);
	assert_string_equal(fake_bound(ASK_MOVE, 4), "cancelled while filling");
	assert_string_equal(fake_bound(ASK_MOVE, 8), "adding"); /* what is missing there is made again */
	fault_set(&why, FAULT_JOB, "ours");
	move(set, STAGE_FAILED, &why);
	assert_string_equal(fake_bound(ASK_MOVE, 5), "ours");
	assert_null(fake_bound(ASK_MOVE, 6));
	fault_clear(&why);
}

static void whose_sessions_are_ended(void **state)
{
	struct stage_set *set = *state;
	static const int fillers[] = {-1, 0, 5};
	static const char *const bound[] = {"-1", "0", "5"};

	for (size_t i = 0; i < COUNT_OF(fillers); i++) {
		set->scene.ended = false;
		queue_reap(set->scene.task.control, &set->scene.task.job, fillers[i], answered, set);
		scene_run_to_end(&set->scene);
		assert_string_equal(fake_bound(ASK_REAP, 2), "3");
		assert_string_equal(fake_bound(ASK_REAP, 3), bound[i]); /* also the one that changes the catalogue */
	}
}

static void read_entry(struct stage_set *set, const struct reply *reply)
{
	queue_read_look(reply, 0, &set->entry);
}

static void a_job_as_the_table_has_it(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_once("hold_seal");
	struct job_knobs defaults = {.batch_ms = 100,
		.workers = 1,
		.max_lag_ms = 1000,
		.lag_target_ms = 500,
		.max_wal_rate = INT64_C(5000000000),
		.max_impact = 11,
		.lock_timeout_ms = 150,
		.ddl_lock_timeout_ms = 200};

	fake_columns(rule, "id", "epoch", "stage", "wanted", "table_oid", "table_name", "search_path",
		"column_name", "column_type", "collation", "identity", "default_expr", "value", "fill_where", "field",
		"skip_triggers", "sync", "not_null", "adopted", "exact_type", "is_unique", "check_expr",
		"foreign_key", "index", "index_where", "index_name", "unique_name", "check_name", "foreign_key_name",
		"fast_default", "volatile_value", "rows_estimate", "throttled_ms", "rows_filled", "had_not_null",
		"had_default", "added", "hold_add", "hold_fill", "hold_seal", "batch_ms", "workers", "max_lag_ms",
		"lock_timeout_ms", "ddl_lock_timeout_ms", "lag_target_ms", "max_wal_rate", "max_impact", "priority",
		"outside_window", "window_closes_in_ms", "opens_at", "mine", "elsewhere", "column_number", NULL);
	fake_row(rule, "7", "5", "sealing", "pause", "4294967295", "public.users", "public, pg_temp", "v", NULL,
		NULL, NULL, "0", NULL, NULL, NULL, "t", "auto", "t", "t", "text", "t", "v > 0", "public.org(id)",
		"gin (v)", NULL, "users_v_idx", "users_v_key", "users_v_check", "users_v_fkey", "f", "t", NULL, "12",
		"34", "t", "f", "f", "f", "t", "t", "50", "4", "2000", "120", "300", "1500", "6000000000", "0", "-3",
		"t", NULL, "2026-11-22 22:00 Europe/Berlin", "t", "f", "3");
	set->read = read_entry;
	queue_look(set->scene.task.control, "here", &defaults, answered, set);
	scene_run_to_end(&set->scene);
	assert_string_equal(fake_bound("hold_seal", 5), "150");
	assert_string_equal(fake_bound("hold_seal", 7), "500");
	assert_string_equal(fake_bound("hold_seal", 8), "5000000000");
	assert_string_equal(fake_bound("hold_seal", 9), "11");
	assert_int_equal(set->entry.job.id, 7);
	assert_int_equal(set->entry.job.stage, STAGE_SEALING);
	assert_int_equal(set->entry.job.wanted, JOB_PAUSE);
	assert_true(set->entry.job.table_oid == UINT32_MAX); /* oids have no sign */
	assert_null(set->entry.job.value);
	assert_true(set->entry.job.is_unique && set->entry.job.skip_triggers);
	assert_string_equal(set->entry.job.check_expr, "v > 0");
	assert_string_equal(set->entry.job.foreign_key, "public.org(id)");
	assert_string_equal(set->entry.job.index, "gin (v)");
	assert_string_equal(set->entry.job.foreign_key_name, "users_v_fkey");
	assert_int_equal(set->entry.job.sync, JOB_SYNC_NONE); /* auto without a value */
	assert_int_equal(set->entry.job.holds, STAGE_HOLD_FILL | STAGE_HOLD_SEAL);
	assert_int_equal(set->entry.job.knobs.workers, 4);
	assert_int_equal(set->entry.job.knobs.ddl_lock_timeout_ms, 300);
	assert_int_equal(set->entry.job.knobs.lag_target_ms, 1500);
	assert_true(set->entry.job.knobs.max_wal_rate == INT64_C(6000000000));
	assert_int_equal(set->entry.job.knobs.max_impact, 0);
	assert_int_equal(set->entry.job.priority, -3);
	assert_true(set->entry.job.outside_window);
	assert_int_equal(set->entry.job.window_closes_ms, 0);
	assert_string_equal(set->entry.job.opens_at, "2026-11-22 22:00 Europe/Berlin");
	assert_true(set->entry.mine && set->entry.job.not_null && set->entry.job.adopted);
	assert_true(set->entry.job.volatile_value && !set->entry.job.fast_default);
	assert_int_equal(set->entry.rows_estimate, -1);
	assert_int_equal(set->entry.throttled_ms, 12);
	assert_int_equal(set->entry.job.rows_filled, 34);
	assert_true(set->entry.job.had_not_null && !set->entry.job.had_default && !set->entry.job.added);
	queue_entry_clear(&set->entry);
}

static void read_walk_and_window(struct stage_set *set, const struct reply *reply)
{
	set->found = reply_rows(reply, 0) > 0;
	if (fake_asked(ASK_WINDOW) > 0)
		set->found = queue_read_window(reply, &set->window);
	else
		set->found = queue_read_walk(reply, &set->walk);
}

static void walks_and_windows(void **state)
{
	struct stage_set *set = *state;
	struct session *control = set->scene.task.control;
	const struct job *job = &set->scene.task.job;

	set->read = read_walk_and_window;
	scene_walk(fake_once(ASK_WALK), "2", "9", "f");
	queue_start_walk(control, job, &set->scene.task.relation, 2, answered, set);
	scene_run_to_end(&set->scene);
	assert_true(set->found);
	assert_int_equal(set->walk.sweep, 2);
	assert_int_equal(set->walk.pages, 9);
	assert_false(set->walk.fresh);
	assert_string_equal(fake_bound(ASK_WALK, 2), "4242");
	assert_string_equal(fake_bound(ASK_WALK, 4), "4");
	assert_string_equal(fake_bound(ASK_WALK, 6), "{}"); /* it stands alone */
	scene_window(fake_once(ASK_WINDOW), &(struct window_bookmark){4096, 8192, 16, 3, 5000});
	set->scene.ended = false;
	queue_ask_window(control, job, 1, 4096, 16, "worker", answered, set);
	scene_run_to_end(&set->scene);
	assert_true(set->found);
	assert_int_equal(set->window.bookmark.from_page, 4096);
	assert_int_equal(set->window.bookmark.end_page, 8192);
	assert_int_equal(set->window.bookmark.passes, 16);
	assert_int_equal(set->window.bookmark.pass, 3);
	assert_int_equal(set->window.bookmark.page, 5000);
	assert_int_equal(set->window.oid, 4242);
	assert_null(set->window.leaf);
	assert_false(set->window.gone);
	set->scene.ended = false;
	queue_ask_window(control, job, 1, 4096, 16, "worker", answered, set);
	scene_run_to_end(&set->scene);
	assert_false(set->found); /* the walk has none left */
}

/* Its tables with rows are walked as one, in the order of members. */
static void a_tree_is_walked_leaf_by_leaf(void **state)
{
	struct stage_set *set = *state;
	struct session *control = set->scene.task.control;
	const struct job *job = &set->scene.task.job;
	struct member members[] = {{.oid = 4242, .kind = 'p'}, {.oid = 5, .kind = 'r', .pages = 10},
		{.oid = 6, .kind = 'p'}, {.oid = 7, .kind = 'r', .pages = 20}};
	struct relation relation = {.pages = 4, .members = members, .members_count = COUNT_OF(members)};

	set->read = read_walk_and_window;
	scene_walk(fake_once(ASK_WALK), "0", "30", "t");
	queue_start_walk(control, job, &relation, 0, answered, set);
	scene_run_to_end(&set->scene);
	assert_string_equal(fake_bound(ASK_WALK, 4), "30");
	assert_string_equal(fake_bound(ASK_WALK, 6), "{5,7}");
	assert_string_equal(fake_bound(ASK_WALK, 7), "{10,20}");
	scene_window_in(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 10, 1, 0, 0}, "5", "public.part_1");
	set->scene.ended = false;
	queue_ask_window(control, job, 1, 4096, 16, "worker", answered, set);
	scene_run_to_end(&set->scene);
	assert_int_equal(set->window.oid, 5);
	assert_false(set->window.gone);
	scene_window_in(fake_once(ASK_WINDOW), &(struct window_bookmark){0, 10, 1, 0, 0}, "7", NULL);
	set->scene.ended = false;
	queue_ask_window(control, job, 1, 4096, 16, "worker", answered, set);
	scene_run_to_end(&set->scene);
	assert_true(set->window.gone);
}

static void what_is_not_known_is_null(void **state)
{
	struct stage_set *set = *state;
	struct queue_report report = {.rows_estimate = -1,
		.rows_per_s = -1,
		.seconds_left = -1,
		.earliest_s = -1,
		.latest_s = 70,
		.lag_ms = -1};

	fake_on(ASK_REPORT);
	queue_tell_progress(set->scene.task.control, &set->scene.task.job, &report);
	report.rows_per_s = 12.5;
	assert_null(fake_bound(ASK_REPORT, 3));
	assert_null(fake_bound(ASK_REPORT, 4));
	assert_null(fake_bound(ASK_REPORT, 7));
	assert_null(fake_bound(ASK_REPORT, 9));
	assert_null(fake_bound(ASK_REPORT, 11));
	assert_null(fake_bound(ASK_REPORT, 12));
	assert_string_equal(fake_bound(ASK_REPORT, 13), "70.000");
	queue_tell_progress(set->scene.task.control, &set->scene.task.job, &report);
	assert_string_equal(fake_bound(ASK_REPORT, 7), "12.500");
	assert_string_equal(fake_bound(ASK_REPORT, 5), "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(a_claim_tells_its_epoch_or_that_somebody_was_faster),
		CASE(what_a_move_writes),
		CASE(whose_sessions_are_ended),
		CASE(a_job_as_the_table_has_it),
		CASE(walks_and_windows),
		CASE(a_tree_is_walked_leaf_by_leaf),
		CASE(what_is_not_known_is_null),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
