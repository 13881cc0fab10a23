/*
 * catalog: what the server's catalogue says, and how a row is told without its contents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "daemon/catalog.h"

#include <stdlib.h>
#include <string.h>

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct relation relation;
	char *row;
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

static void got_catalogue(void *owner, const struct reply *reply)
{
	struct stage_set *set = owner;

	catalog_read(reply, 150018, &set->relation);
	set->scene.ended = true;
}

static void ask(struct stage_set *set)
{
	set->scene.ended = false;
	catalog_ask(set->scene.task.control, &set->scene.task.job, got_catalogue, set);
	scene_run_to_end(&set->scene);
}

static void a_table_is_read_and_forgotten_when_it_is_gone(void **state)
{
	struct stage_set *set = *state;

	scene_catalogue(fake_once(ASK_CATALOGUE),
		&(struct scene_catalogue){.column_exists = "t", .column_default = "0", .check_exists = "t"});
	set->relation.analyzed = true;
	ask(set);
	assert_true(set->relation.exists && set->relation.column_exists && set->relation.check_exists);
	assert_false(set->relation.check_valid);
	assert_true(set->relation.analyzed); /* the catalogue does not tell: it stays */
	assert_string_equal(set->relation.owner, "shop_owner");
	assert_string_equal(set->relation.column_default, "0");
	assert_null(set->relation.publication);
	assert_int_equal(set->relation.pages, 4);
	assert_int_equal(set->relation.server_version, 150018);
	assert_int_equal(set->relation.members_count, 1);
	assert_int_equal(set->relation.members[0].oid, 4242);
	assert_string_equal(set->relation.members[0].bare_name, "users");
	assert_true(member_has_rows(&set->relation.members[0]));
	assert_ptr_equal(relation_member(&set->relation, 4242), &set->relation.members[0]);
	assert_null(relation_member(&set->relation, 4711));
	assert_string_equal(fake_bound(ASK_CATALOGUE, 3), "~backfill_7_insert");
	assert_string_equal(fake_bound(ASK_CATALOGUE, 4), "~backfill_7_update");
	assert_string_equal(fake_bound(ASK_CATALOGUE, 6), "backfill_7_not_null");
	fake_on(ASK_CATALOGUE);
	ask(set);
	assert_false(set->relation.exists);
	assert_null(set->relation.owner);
	assert_int_equal(set->relation.members_count, 0);
	relation_clear(&set->relation);
}

static void got_row(void *owner, const struct reply *reply)
{
	struct stage_set *set = owner;

	set->row = catalog_read_row(reply);
	set->scene.ended = true;
}

static void a_row_is_told_by_place_and_key(void **state)
{
	static const struct {
		const char *what;
		const char *keys, *place, *key;
		const char *told; /* NULL: nothing */
		const char *sql;
	} cases[] = {
		{"with a key", "id", "(4,7)", "(1234)", "row ctid (4,7), key (id)=(1234)",
			"SELECT ctid AS place, ROW(id)::text AS key FROM ONLY public.users WHERE ctid = '(4,7)' LIMIT 1"},
		{"with a key of two columns", "a, \"B\"", "(4,7)", "(1,x)", "row ctid (4,7), key (a, \"B\")=(1,x)",
			"SELECT ctid AS place, ROW(a, \"B\")::text AS key FROM ONLY public.users WHERE ctid = '(4,7)' "
			"LIMIT 1"},
		{"without a key", NULL, "(4,7)", NULL, "row ctid (4,7)",
			"SELECT ctid AS place, NULL::text AS key FROM ONLY public.users WHERE ctid = '(4,7)' LIMIT 1"},
		{"gone meanwhile", "id", NULL, NULL, NULL, NULL},
	};
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct fake_rule *rule = fake_once("AS place");
		struct relation relation = {.owner = (char *)"o", .key_columns = (char *)cases[i].keys};

		fake_columns(rule, "place", "key", NULL);
		if (cases[i].place)
			fake_row(rule, cases[i].place, cases[i].key);
		fake_statement(rule, "AS columns");
		fake_columns(rule, "columns", NULL);
		fake_row(rule, cases[i].keys);
		set->scene.ended = false;
		catalog_ask_row(task->session, &task->job, &relation, NULL, 4, 7, got_row, set);
		scene_run_to_end(&set->scene);
		if (!set->row != !cases[i].told || (set->row && strcmp(set->row, cases[i].told) != 0))
			fail_msg("%s: %s", cases[i].what, set->row ? set->row : "nothing");
		if (cases[i].sql)
			assert_int_equal(fake_asked(cases[i].sql), 1);
		free(set->row);
		set->row = NULL;
	}
}

static void a_question_that_fails_tells_no_row(void **state)
{
	struct stage_set *set = *state;
	struct task *task = &set->scene.task;

	fake_fails(fake_once("AS place"), FAULT_JOB, "42501", "permission denied");
	catalog_ask_null_row(task->session, &task->job, &task->relation, got_row, set);
	scene_run_to_end(&set->scene);
	assert_null(set->row);
	assert_int_equal(fake_asked("WHERE \"v\" IS NOT DISTINCT FROM NULL LIMIT 1"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(a_table_is_read_and_forgotten_when_it_is_gone),
		CASE(a_row_is_told_by_place_and_key),
		CASE(a_question_that_fails_tells_no_row),
	};

	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
