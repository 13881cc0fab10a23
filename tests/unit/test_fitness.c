/*
 * fitness: what is refused, and with which advice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/fitness.h"

#include <string.h>

static void which_table_a_job_may_work_on(void **state)
{
	static const struct {
		const char *what;
		bool exists, requester_may;
		const char *message; /* NULL: it may */
		const char *sqlstate, *hint;
	} cases[] = {
		{"as it was", true, true, NULL, "", NULL},
		{"given to somebody else", true, false,
			"who asked for the job no longer has the privileges of shop_owner, the owner of table "
			"public.users",
			"42501", "GRANT shop_owner to"},
		{"dropped", false, false, "table public.users is gone", "", "cancel the job"},
		{"dropped, and nobody knows more", false, true, "table public.users is gone", "", "cancel the job"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = {.table_name = (char *)"public.users"};
		struct relation relation = {.exists = cases[i].exists,
			.requester_may = cases[i].requester_may,
			.owner = (char *)"shop_owner"};
		struct fault why = {0};

		if (fitness_of_table(&job, &relation, &why) != !cases[i].message)
			fail_msg("%s: %s", cases[i].what, why.message ? why.message : "it may");
		assert_int_equal(why.kind, cases[i].message ? FAULT_JOB : FAULT_NONE);
		assert_string_equal(why.sqlstate, cases[i].sqlstate);
		if (cases[i].message) {
			assert_string_equal(why.message, cases[i].message);
			assert_non_null(strstr(why.hint, cases[i].hint));
		}
		fault_clear(&why);
	}
}

static void which_server_and_login_may_be_served(void **state)
{
	static const struct queue_database good = {
		.backend_pid = 7, .owns = true, .monitors = true, .signals = true};
	struct queue_database database = good;
	struct fault why = {0};

	(void)state;
	assert_true(fitness_of_server(&good, 140000, 7, &why));
	assert_true(fitness_of_login(&good, &why));
	assert_true(fitness_of_schema(QUEUE_SCHEMA_VERSION, &why));
	assert_int_equal(why.kind, FAULT_NONE);
	assert_false(fitness_of_server(&good, 130014, 7, &why));
	assert_non_null(strstr(why.message, "older than 14"));
	assert_false(fitness_of_server(&good, 150000, 8, &why));
	assert_non_null(strstr(why.message, "pooler"));
	database.in_recovery = true;
	assert_false(fitness_of_server(&database, 150000, 7, &why));
	assert_non_null(strstr(why.message, "hot standby"));
	database = good;
	database.signals = false;
	assert_false(fitness_of_login(&database, &why));
	assert_non_null(strstr(why.hint, "GRANT pg_monitor"));
	assert_false(fitness_of_schema(0, &why));
	assert_non_null(strstr(why.hint, "--install"));
	assert_false(fitness_of_schema(QUEUE_SCHEMA_VERSION + 1, &why));
	assert_non_null(strstr(why.hint, "newer backfilld"));
	fault_clear(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_table_a_job_may_work_on),
		cmocka_unit_test(which_server_and_login_may_be_served),
	};

	return cmocka_run_group_tests_name("fitness", tests, NULL, NULL);
}
