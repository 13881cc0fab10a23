/*
 * plan: what is refused, and which of the job's texts is blamed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "common/memory.h"
#include "daemon/plan.h"

#include <string.h>

#define ASK_MISSING "a.atthasmissing"
#define ASK_READS "AS subquery"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct plan_probe probe;
	bool allowed;
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

	plan_probe_free(&set->probe);
	scene_end(&set->scene);
	return 0;
}

static void what_the_catalogue_alone_forbids(void **state)
{
	static struct member foreign[] = {{.kind = 'p'}, {.name = (char *)"public.far", .kind = 'f'}};
	static struct member temporary[] = {{.kind = 'r'}, {.name = (char *)"x", .kind = 'r', .temporary = true}};
	static struct member others[] = {{.kind = 'r'}, {.name = (char *)"x", .kind = 'r', .owner = (char *)"p"}};
	static struct member partition[] = {{.kind = 'r', .is_partition = true}};
	static const struct {
		const char *what;
		struct relation relation;
		struct job job;
		const char *message; /* NULL: nothing */
	} cases[] = {
		{"a new column", {.exists = true}, {.column_type = (char *)"text"}, NULL},
		{"a table that is gone", {0}, {.column_type = (char *)"text"}, "table public.users is gone"},
		{"a partition that is somebody else's server's",
			{.exists = true, .owner = (char *)"o", .members = foreign, .members_count = COUNT_OF(foreign)},
			{.column_type = (char *)"text"},
			"public.far, of the tree under the job's table, is a foreign table"},
		{"a child that one session has for itself",
			{.exists = true,
				.owner = (char *)"o",
				.members = temporary,
				.members_count = COUNT_OF(temporary)},
			{.column_type = (char *)"text"}, "is a temporary table"},
		{"a child of another owner",
			{.exists = true, .owner = (char *)"o", .members = others, .members_count = COUNT_OF(others)},
			{.column_type = (char *)"text"}, "belongs to another role"},
		{"a partition that has become one meanwhile",
			{.exists = true,
				.owner = (char *)"o",
				.members = partition,
				.members_count = COUNT_OF(partition)},
			{.column_type = (char *)"text"}, "is a partition"},
		{"forced row security", {.exists = true, .forced_row_security = true},
			{.column_type = (char *)"text"}, "the table has FORCE ROW LEVEL SECURITY"},
		{"a publication that would refuse updates", {.exists = true, .publication = (char *)"pub"},
			{.column_type = (char *)"text"}, "publication pub publishes updates of the table"},
		{"a generated column", {.exists = true, .column_exists = true, .column_generated = true}, {0},
			"the column exists and is generated"},
		{"no column and no type", {.exists = true}, {0},
			"the column does not exist and no column_type is given"},
		{"a column that is there and no type", {.exists = true, .column_exists = true}, {0}, NULL},
		{"NOT NULL and nothing to fill rows with", {.exists = true, .pages = 4},
			{.column_type = (char *)"text", .not_null = true}, "not_null on a table with rows"},
		{"the same without rows", {.exists = true}, {.column_type = (char *)"text", .not_null = true}, NULL},
		{"the same with a default", {.exists = true, .pages = 4},
			{.column_type = (char *)"text", .not_null = true, .default_expr = (char *)"0"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = cases[i].job;
		struct fault why = {0};

		job.table_name = (char *)"public.users";
		if (plan_allows(&job, &cases[i].relation, &why) != !cases[i].message)
			fail_msg("%s: %s", cases[i].what, why.message ? why.message : "allowed");
		if (cases[i].message && !strstr(why.message, cases[i].message))
			fail_msg("%s: %s", cases[i].what, why.message);
		assert_int_equal(why.kind, cases[i].message ? FAULT_JOB : FAULT_NONE);
		assert_int_equal(why.hint != NULL, cases[i].message != NULL); /* each says what to do */
		fault_clear(&why);
	}
}

static void probed(void *owner, const struct reply *reply)
{
	struct stage_set *set = owner;
	struct task *task = &set->scene.task;

	set->allowed = plan_read_probe(reply, &set->probe, &task->job, &task->relation, &set->scene.why);
	set->scene.ended = true;
}

static void probe(struct stage_set *set)
{
	struct task *task = &set->scene.task;

	set->scene.ended = false;
	plan_probe_free(&set->probe);
	plan_ask_probe(task->session, &set->probe, &task->job, &task->relation, probed, set);
	scene_run_to_end(&set->scene);
}

static void answers(struct fake_rule *rule, const char *missing, const char *is_volatile)
{
	fake_statement(rule, ASK_MISSING);
	fake_columns(rule, "atthasmissing", "atthasdef", "wanted_default", "present_default", NULL);
	fake_row(rule, missing, "t", "0", NULL);
	fake_statement(rule, ASK_READS);
	fake_columns(rule, "volatile", "subquery", "moment", "generated", NULL);
	fake_row(rule, is_volatile, "f", "f", NULL);
}

static void which_text_is_blamed(void **state)
{
	static const struct {
		const char *part;
		enum fault_kind kind;
		const char *message;
	} cases[] = {
		{"CREATE TEMPORARY TABLE", FAULT_JOB, "temporary copy: it failed"},
		{"SELECT (upper(email)\n)", FAULT_JOB, "value: it failed"},
		{"SELECT ARRAY[a > 1\n]", FAULT_JOB, "fill_where: it failed"},
		{"SELECT (0\n)", FAULT_JOB, "default_expr: it failed"},
		{"SET DEFAULT", FAULT_JOB, "default_expr: it failed"},
		{"SELECT ARRAY[upper(email)\n]", FAULT_DATA, "value: it failed"},
	};
	struct stage_set *set = *state;
	struct job *job = &set->scene.task.job;

	set->scene.task.relation.column_exists = true;
	memory_set_text(&job->default_expr, "0");
	memory_set_text(&job->fill_where, "a > 1");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		fake_fails(fake_once(cases[i].part), cases[i].kind, "42703", "it failed");
		probe(set);
		if (set->allowed || strcmp(set->scene.why.message, cases[i].message) != 0)
			fail_msg("%s: %s", cases[i].part, set->allowed ? "allowed" : set->scene.why.message);
		assert_int_equal(set->scene.why.kind, FAULT_JOB);
	}
}

static void who_may_make_no_temporary_tables_is_told_what_to_grant(void **state)
{
	struct stage_set *set = *state;

	fake_fails(fake_once("CREATE TEMPORARY TABLE"), FAULT_JOB, "42501",
		"permission denied to create temporary tables in database \"shop\"");
	probe(set);
	assert_false(set->allowed);
	assert_non_null(strstr(set->scene.why.hint, "GRANT TEMPORARY ON DATABASE"));
	assert_non_null(strstr(set->scene.why.hint, "shop_owner"));
}

static void what_the_server_finds_out(void **state)
{
	static const struct {
		const char *what;
		const char *value, *default_expr, *fill_where;
		bool column_exists;
		const char *missing, *is_volatile;
		bool fast, keeps_volatile;
	} cases[] = {
		{"a constant default is instant", NULL, "0", NULL, false, "t", "f", true, false},
		{"not if the server had to evaluate it for each row", NULL, "random()", NULL, false, "f", "t", false,
			true},
		{"not with a value besides", "1", "0", NULL, false, "t", "f", false, false},
		{"not for some rows only", NULL, "0", "id > 1", false, "t", "f", false, false},
		{"not for a column that is there", NULL, "0", NULL, true, "t", "f", false, false},
	};
	struct stage_set *set = *state;
	struct job *job = &set->scene.task.job;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		memory_set_text(&job->value, cases[i].value);
		memory_set_text(&job->default_expr, cases[i].default_expr);
		memory_set_text(&job->fill_where, cases[i].fill_where);
		set->scene.task.relation.column_exists = cases[i].column_exists;
		answers(fake_once(ASK_MISSING), cases[i].missing, cases[i].is_volatile);
		probe(set);
		if (!set->allowed || job->fast_default != cases[i].fast ||
			job->volatile_value != cases[i].keeps_volatile || job->adopted != cases[i].column_exists)
			fail_msg("%s: %s", cases[i].what, set->allowed ? "allowed" : set->scene.why.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		cmocka_unit_test(what_the_catalogue_alone_forbids),
		CASE(which_text_is_blamed),
		CASE(who_may_make_no_temporary_tables_is_told_what_to_grant),
		CASE(what_the_server_finds_out),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
