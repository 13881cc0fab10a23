/*
 * ddl: who holds the table, and a step that nobody queues behind for long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "common/memory.h"
#include "daemon/authority.h"
#include "daemon/ddl.h"

#include <string.h>

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	bool held;
	struct text sentence;
	struct change_step step;
	struct ddl_outcome outcome;
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

static void got_holders(void *owner, const struct reply *reply)
{
	struct stage_set *set = owner;

	set->held = ddl_read_holders(reply, &set->scene.task.job, &set->sentence);
	set->scene.ended = true;
}

static void who_holds_the_table(void **state)
{
	static const struct {
		const char *what;
		const char *pid, *application, *state, *age_s, *prepared, *autovacuum, *mode, *query;
		const char *sentence;
	} cases[] = {
		{"a session", "11", "report", "idle in transaction", "75.4", NULL, "f", "AccessShareLock", "SELECT 1",
			"a transaction (pid 11, report, idle in transaction) has held AccessShareLock on public.users "
			"for 75 s: "
			"SELECT 1"},
		{"autovacuum", "12", "", "active", "3", NULL, "t", "ShareUpdateExclusiveLock", "autovacuum: VACUUM x",
			"an autovacuum (pid 12, , active) has held ShareUpdateExclusiveLock on public.users for 3 s: "
			"autovacuum: "
			"VACUUM x"},
		{"a prepared transaction", "0", NULL, NULL, "7200", "tx1", NULL, "RowExclusiveLock", NULL,
			"prepared transaction tx1, 7200 s old, holds public.users; COMMIT or ROLLBACK PREPARED it"},
	};
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;

	set->step.lock_mode = "ACCESS EXCLUSIVE";
	for (size_t i = 0; i <= COUNT_OF(cases); i++) {
		struct fake_rule *rule = fake_once(ASK_HOLDERS);

		fake_columns(rule, "pid", "application_name", "state", "age_s", "prepared", "autovacuum", "mode",
			"query", "table_name", NULL);
		if (i < COUNT_OF(cases))
			fake_row(rule, cases[i].pid, cases[i].application, cases[i].state, cases[i].age_s,
				cases[i].prepared, cases[i].autovacuum, cases[i].mode, cases[i].query, "public.users");
		set->scene.ended = false;
		ddl_ask_holders(
			task->control, &task->job, &task->relation, set->step.lock_mode, 99, got_holders, set);
		scene_run_to_end(&set->scene);
		if (set->held != (i < COUNT_OF(cases)))
			fail_msg("case %zu", i);
		if (set->held && strcmp(text_is(&set->sentence), cases[i].sentence) != 0)
			fail_msg("%s: %s", cases[i].what, text_is(&set->sentence));
	}
	assert_string_equal(fake_bound(ASK_HOLDERS, 1), "{4242}");
	assert_string_equal(fake_bound(ASK_HOLDERS, 2), "200");
	assert_string_equal(fake_bound(ASK_HOLDERS, 3), "ACCESS EXCLUSIVE");
	assert_string_equal(fake_bound(ASK_HOLDERS, 4), "99");
	text_free(&set->sentence);
}

static void took(void *owner, const struct reply *reply)
{
	struct stage_set *set = owner;

	ddl_read(reply, &set->step, &set->outcome);
	set->scene.ended = true;
}

static void a_step_is_one_pipeline_with_a_short_wait(void **state)
{
	static const struct {
		int64_t timeout_ms;
		const char *statement_timeout;
	} cases[] = {{30000, "30000"}, {7200000, "7200000"}};
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct fake_rule *rule = fake_once("ALTER");
		const struct script *script;

		fake_statement(rule, "AS ms");
		fake_columns(rule, "ms", NULL);
		fake_row(rule, "1000");
		set->step = (struct change_step){
			.script = script_new(), .lock_mode = "SHARE UPDATE EXCLUSIVE", .timeout_ms = cases[i].timeout_ms};
		script_add(set->step.script, "ALTER one");
		script_add(set->step.script, "ALTER two");
		set->scene.ended = false;
		ddl_ask(task->session, &task->job, &task->relation, &set->step, 0.5, took, set);
		scene_run_to_end(&set->scene);
		script = fake_last("ALTER");
		assert_int_equal(script->count, AUTHORITY_STATEMENTS + 7);
		assert_string_equal(script->statements[AUTHORITY_STATEMENTS + 1].sql,
			"LOCK TABLE ONLY public.users IN SHARE UPDATE EXCLUSIVE MODE");
		assert_string_equal(script->statements[AUTHORITY_STATEMENTS + 3].sql, "ALTER one");
		assert_string_equal(script->statements[AUTHORITY_STATEMENTS + 4].sql, "ALTER two");
		assert_string_equal(script->statements[script->count - 1].sql, "COMMIT");
		assert_string_equal(fake_bound("'row_security'", 2), "200"); /* never without a lock_timeout */
		assert_string_equal(fake_bound("'row_security'", 3), cases[i].statement_timeout);
		assert_string_equal(script->statements[AUTHORITY_STATEMENTS + 2].values[4], "260"); /* half speed */
		assert_int_equal(set->outcome.lock_wait_ms, 0);
		change_step_clear(&set->step);
	}
}

/* One lock after the other would be waited for, each for the whole time. */
static void a_tree_is_locked_as_a_whole(void **state)
{
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;
	struct fake_rule *rule = fake_once("ALTER");
	const struct script *script;

	fake_statement(rule, "AS ms");
	fake_columns(rule, "ms", NULL);
	fake_row(rule, "1000");
	*relation_add_member(&task->relation) =
		(struct member){.oid = 4243, .name = memory_text("public.users_1")};
	set->step =
		(struct change_step){.script = script_new(), .lock_mode = "ACCESS EXCLUSIVE", .timeout_ms = 30000};
	script_add(set->step.script, "ALTER one");
	ddl_ask(task->session, &task->job, &task->relation, &set->step, 1.0, took, set);
	scene_run_to_end(&set->scene);
	script = fake_last("ALTER");
	assert_string_equal(script->statements[AUTHORITY_STATEMENTS].values[1], "200");
	assert_string_equal(
		script->statements[AUTHORITY_STATEMENTS + 1].sql, "LOCK TABLE public.users IN ACCESS EXCLUSIVE MODE");
	assert_string_equal(script->statements[AUTHORITY_STATEMENTS + 2].values[1], "30000");
	change_step_clear(&set->step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(who_holds_the_table),
		CASE(a_step_is_one_pipeline_with_a_short_wait),
		CASE(a_tree_is_locked_as_a_whole),
	};

	return cmocka_run_group_tests_name("ddl", tests, NULL, NULL);
}
