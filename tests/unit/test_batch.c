/*
 * batch: fill and bookmark are one transaction in one pipeline, and how its rows are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "common/memory.h"
#include "daemon/authority.h"
#include "daemon/batch.h"

#include <string.h>

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct batch_outcome outcome;
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

	batch_read(reply, 0, &set->outcome);
	set->scene.ended = true;
}

/* As in a job's first batch, or when the server is known to count. */
static const struct script *ask(struct stage_set *set, bool skip_locked, bool server_counts)
{
	struct task *task = &set->scene.task;
	struct script *script = script_new();

	batch_add(script, &(struct batch_order){
						  .job = &task->job,
						  .relation = &task->relation,
						  .stretch = &(struct window_batch){.from_page = 8,
							  .end_page = 16,
							  .passes = 1,
							  .then = {.from_page = 0, .end_page = 64, .passes = 1, .pass = 0, .page = 16}},
						  .filler = 2,
						  .synchronous_commit = "off",
						  .statement_timeout_ms = 2000,
						  .server_counts = server_counts,
						  .skip_locked = skip_locked,
					  });
	session_ask(task->session, script, 10000, answered, set);
	scene_run_to_end(&set->scene);
	return fake_last(ASK_BATCH);
}

#define UNFILLED " AND (\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND "
#define WANTING "(upper(email)\n) IS DISTINCT FROM NULL"
#define ANY_STRETCH "ctid >= $1::pg_catalog.tid AND ctid < $2::pg_catalog.tid"
#define PENDING ANY_STRETCH UNFILLED WANTING
#define EXPLAIN "EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF, BUFFERS OFF, SUMMARY OFF, FORMAT JSON) "
#define FILL "UPDATE ONLY public.users SET \"v\" = (upper(email)\n) WHERE "
#define COUNTED                                                                                              \
	" RETURNING \"v\" IS DISTINCT FROM NULL AS has_value) SELECT pg_catalog.set_config('backfill.rows',"     \
	" pg_catalog.count(*)::text, true) FROM filled WHERE has_value"

static const char *fill(const struct script *script)
{
	return script->statements[AUTHORITY_STATEMENTS + 1].sql;
}

static bool counts_itself(const struct script *script)
{
	bool counting_fill = strstr(fill(script), "RETURNING") != NULL;
	bool counting_after = strstr(script->statements[AUTHORITY_STATEMENTS + 2].sql, "'backfill.rows'") != NULL;

	assert_int_equal(counting_fill, counting_after);
	return counting_fill;
}

/* Under the job's name for the expressions, and only where that name still means the same table. */
static void in_a_leaf_of_the_tree(void **state)
{
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;
	struct script *script = script_new();
	struct batch_order order = {.job = &task->job,
		.relation = &task->relation,
		.stretch = &(struct window_batch){.from_page = 8, .end_page = 16, .passes = 1},
		.oid = 4711,
		.leaf = "public.\"Part\"",
		.server_counts = true};
	struct script *skipping = script_new();

	batch_add(script, &order);
	assert_string_equal(fill(script), EXPLAIN "UPDATE ONLY public.\"Part\" AS \"users\" SET \"v\" = "
											  "(upper(email)\n) WHERE tableoid = 4711 AND " PENDING);
	assert_string_equal(script->statements[AUTHORITY_STATEMENTS].values[0], "4711");
	order.skip_locked = true;
	batch_add(skipping, &order);
	assert_non_null(strstr(
		fill(skipping), "SELECT ctid FROM ONLY public.\"Part\" AS \"users\" WHERE tableoid = 4711 AND "));
	script_free(script);
	script_free(skipping);
}

static void one_transaction_from_begin_to_commit(void **state)
{
	struct stage_set *set = *state;
	const struct script *script = ask(set, false, false);

	assert_int_equal(script->count, AUTHORITY_STATEMENTS + 5);
	assert_ptr_equal(strstr(script->statements[0].sql, "BEGIN"), script->statements[0].sql);
	assert_string_equal(fill(script), EXPLAIN "WITH filled AS (" FILL PENDING COUNTED);
	assert_string_equal(script->statements[script->count - 1].sql, "COMMIT");
	assert_string_equal(fake_bound(ASK_BATCH, 2), "7");
	assert_string_equal(fake_bound(ASK_BATCH, 3), "2");
	assert_string_equal(fake_bound(ASK_BATCH, 4), "3");
	assert_string_equal(fake_bound(ASK_BATCH, 5), "0");
	assert_string_equal(fake_bound(ASK_BATCH, 6), "16");
	assert_null(fake_bound(ASK_BATCH, 9)); /* it does not matter which came before */
	assert_string_equal(fake_bound("'row_security'", 5), "shop_owner");
	assert_string_equal(fake_bound("'row_security'", 3), "2000");
}

/* COMMIT may fail, too, and leaves nothing behind that the next one would stumble over. */
static void who_was_asked_ahead_commits_only_behind_the_one_before(void **state)
{
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;
	struct window_batch stretch = {.from_page = 8, .end_page = 16, .passes = 1};
	struct batch_order order = {
		.job = &task->job, .relation = &task->relation, .stretch = &stretch, .number = 12, .follows = true};
	struct script *script = script_new();
	const struct script_statement *after;

	batch_add(script, &order);
	after = &script->statements[AUTHORITY_STATEMENTS + 2];
	assert_non_null(
		strstr(after->sql, "($9::text IS NULL OR pg_catalog.current_setting('backfill.batch', true) = $9)"));
	assert_non_null(strstr(after->sql, "AS rows, pg_catalog.set_config('backfill.batch', $8, false)"));
	assert_string_equal(after->values[7], "12");
	assert_string_equal(after->values[8], "11");
	script_free(script);
}

/* The server parses it once for all the batches of its kind. */
static void what_is_kept_is_told_the_batch(void **state)
{
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;
	struct window_batch stretch = {.from_page = 8, .from_item = 2, .end_page = 16, .pass = 1, .passes = 3};
	struct batch_order order = {
		.job = &task->job, .relation = &task->relation, .stretch = &stretch, .server_counts = true};
	struct script *script = script_new();
	const struct script_statement *statement;

	batch_add(script, &order);
	stretch = (struct window_batch){.from_page = 16, .end_page = 24, .pass = 2, .passes = 3};
	batch_add(script, &order);
	statement = &script->statements[AUTHORITY_STATEMENTS + 1];
	assert_true(statement->prepared);
	assert_string_equal(statement->sql,
		EXPLAIN FILL ANY_STRETCH UNFILLED "CASE WHEN pg_catalog.get_byte(pg_catalog.tidsend(ctid), 5) % "
										  "$3::pg_catalog.int4 = $4::pg_catalog.int4"
										  " THEN " WANTING " ELSE false END");
	assert_int_equal(statement->values_count, 4);
	assert_string_equal(statement->values[0], "(8,2)");
	assert_string_equal(statement->values[1], "(16,0)");
	assert_string_equal(statement->values[2], "3");
	assert_string_equal(statement->values[3], "1");
	statement += batch_statements(&order);
	assert_string_equal(statement->sql, EXPLAIN FILL PENDING);
	assert_int_equal(statement->values_count, 2);
	assert_string_equal(statement->values[0], "(16,0)");
	script_free(script);
}

static void locked_rows_are_left_by_a_scan_that_stays_one_by_ctid(void **state)
{
	struct stage_set *set = *state;
	const struct script *script = ask(set, true, false);

	assert_string_equal(fill(script),
		EXPLAIN "WITH filled AS (" FILL "ctid = ANY (ARRAY(SELECT ctid FROM ONLY public.users WHERE " PENDING
				" FOR NO KEY UPDATE SKIP LOCKED))" COUNTED);
}

static void a_derived_row_counts_also_when_it_becomes_null(void **state)
{
	struct stage_set *set = *state;
	const struct script *script;

	set->scene.task.job.sync = JOB_SYNC_DERIVE;
	script = ask(set, false, false);
	assert_non_null(strstr(fill(script), " RETURNING true AS has_value)"));
}

static void a_server_that_counts_is_not_asked_to_return_rows(void **state)
{
	struct stage_set *set = *state;

	assert_string_equal(fill(ask(set, false, true)), EXPLAIN FILL PENDING);
	assert_false(counts_itself(fake_last(ASK_BATCH)));
}

/* The server's count says nothing of values that are NULL. */
static void rows_that_may_stay_null_are_counted_one_by_one(void **state)
{
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;

	assert_true(counts_itself(ask(set, false, false)));
	task->job.volatile_value = true;
	assert_true(counts_itself(ask(set, false, true)));
	task->job.volatile_value = false;
	task->relation.update_triggers = memory_text("audit");
	assert_true(counts_itself(ask(set, false, true)));
}

static void what_came_of_it(void **state)
{
	struct stage_set *set = *state;
	struct fake_rule *rule = fake_once(ASK_BATCH);

	scene_batch(rule, "123");
	ask(set, false, false);
	assert_int_equal(set->outcome.rows, 123);
	assert_int_equal(set->outcome.updated, 0); /* the stand-in tells the same before and after */
	assert_int_equal(set->outcome.wal_bytes, 4711);
	assert_int_equal(set->outcome.wal_records, 9);
	assert_true(set->outcome.took.active_ms > 10.9 && set->outcome.took.active_ms < 11.1);
	assert_true(set->outcome.counted);
	assert_true(set->outcome.took.napped_ms > 1.9 && set->outcome.took.napped_ms < 2.1);
	assert_true(set->outcome.took.ms > 9.9 && set->outcome.took.ms < 10.1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(in_a_leaf_of_the_tree),
		CASE(one_transaction_from_begin_to_commit),
		CASE(who_was_asked_ahead_commits_only_behind_the_one_before),
		CASE(what_is_kept_is_told_the_batch),
		CASE(locked_rows_are_left_by_a_scan_that_stays_one_by_ctid),
		CASE(a_derived_row_counts_also_when_it_becomes_null),
		CASE(a_server_that_counts_is_not_asked_to_return_rows),
		CASE(rows_that_may_stay_null_are_counted_one_by_one),
		CASE(what_came_of_it),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
