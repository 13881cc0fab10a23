/*
 * trigger: SQL text of the triggers and their function.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/trigger.h"

#include <string.h>

static struct job job_with(enum job_sync sync)
{
	return (struct job){.id = 7,
		.table_name = (char *)"public.\"Users\"",
		.search_path = (char *)"public, pg_temp",
		.column_name = (char *)"v",
		.value = (char *)"upper(email) -- shout",
		.sync = sync};
}

static void who_wants_triggers(void **state)
{
	struct job none = job_with(JOB_SYNC_NONE);
	struct job fill = job_with(JOB_SYNC_FILL);
	struct job derive = job_with(JOB_SYNC_DERIVE);

	(void)state;
	assert_false(trigger_wanted(&none));
	assert_true(trigger_wanted(&fill));
	assert_true(trigger_wanted(&derive));
}

static void expect(const char *what, struct text *sql, const char *expected)
{
	if (strcmp(text_is(sql), expected) != 0)
		fail_msg("%s: %s", what, text_is(sql));
	text_clear(sql);
}

static void what_is_made_and_dropped(void **state)
{
	struct job fill = job_with(JOB_SYNC_FILL);
	struct job derive = job_with(JOB_SYNC_DERIVE);
	struct text sql = {0};

	(void)state;
	trigger_add_create(&sql, &fill, "public.backfill_fill_7", "public.\"Users\"", TRIGGER_INSERT);
	expect("fill helps only where the writer left it NULL", &sql,
		"CREATE TRIGGER \"~backfill_7_insert\" BEFORE INSERT ON public.\"Users\" FOR EACH ROW WHEN "
		"(NEW.\"v\" IS "
		"NOT DISTINCT FROM NULL) EXECUTE FUNCTION public.backfill_fill_7()");
	trigger_add_create(&sql, &derive, "\"My Schema\".backfill_derive_7", "public.\"Users\"", TRIGGER_UPDATE);
	expect("derive always computes it", &sql,
		"CREATE TRIGGER \"~backfill_7_update\" BEFORE UPDATE ON public.\"Users\" FOR EACH ROW EXECUTE "
		"FUNCTION "
		"\"My Schema\".backfill_derive_7()");
	trigger_add_drop(&sql, &fill, "public.\"Users\"", TRIGGER_UPDATE);
	expect("its trigger goes", &sql, "DROP TRIGGER \"~backfill_7_update\" ON public.\"Users\"");
	trigger_add_close_function(&sql, &fill, "public");
	expect("nobody else calls it", &sql, "REVOKE ALL ON FUNCTION public.backfill_fill_7() FROM PUBLIC");
	text_free(&sql);
}

static void the_function(void **state)
{
	static const struct {
		const char *what;
		const char *fill_where;
		const char *part;
		bool there;
	} cases[] = {
		{"it acts as the table's owner on the submitter's path", NULL,
			"SECURITY DEFINER SET search_path = public, pg_temp AS $body0$", true},
		{"a comment in the value ends at its line", NULL, "SELECT (upper(email) -- shout\n) INTO NEW.\"v\"",
			true},
		{"the row goes by the table's own name", NULL, "FROM (SELECT NEW.*) AS \"Users\"", true},
		{"an error never breaks a write", NULL, "EXCEPTION WHEN OTHERS THEN\n\tRETURN NEW;", true},
		{"the catalogue knows it by this line", NULL, "-- made by backfilld for job 7", true},
		{"without a condition every row", NULL, "IF NOT EXISTS", false},
		{"with one only those rows", "a > 1 -- x",
			"IF NOT EXISTS (SELECT FROM (SELECT NEW.*) AS \"Users\" WHERE (a > 1 -- x\n)) THEN", true},
		{"it counts whom it has helped, once there is a value", NULL,
			"IF NEW.\"v\" IS DISTINCT FROM NULL THEN\n\t\tDECLARE\n\t\t\tcounted bigint;\n\t\tBEGIN\n"
			"\t\t\tcounted := pg_catalog.setval('public.backfill_helped_at_7', ",
			true},
		{"... the count after when and who, or a look in between would miss them", NULL,
			"% 4194304);\n\t\t\tcounted := pg_catalog.nextval('public.backfill_helped_7');\n\t\tEXCEPTION",
			true},
		{"... and the value stays where that cannot be", NULL,
			"nextval('public.backfill_helped_7');\n\t\tEXCEPTION WHEN OTHERS THEN\n\t\t\tNULL;\n\t\tEND;",
			true},
		{"a value that holds our tag", "'$body0$' = b", "AS $body1$", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct job job = job_with(JOB_SYNC_FILL);
		struct text sql = {0};

		job.fill_where = (char *)cases[i].fill_where;
		trigger_add_create_function(&sql, &job, "public");
		if (!strstr(text_is(&sql), cases[i].part) != !cases[i].there)
			fail_msg("%s: %s", cases[i].what, text_is(&sql));
		text_free(&sql);
	}
}

static void derived_rows_are_not_counted(void **state)
{
	struct job fill = job_with(JOB_SYNC_FILL);
	struct job derive = job_with(JOB_SYNC_DERIVE);
	struct text sql = {0};

	(void)state;
	assert_true(trigger_counts(&fill));
	assert_false(trigger_counts(&derive));
	trigger_add_create_function(&sql, &derive, "public");
	assert_null(strstr(text_is(&sql), "nextval"));
	text_clear(&sql);
	trigger_add_create_function(&sql, &fill, "\"It's\"");
	assert_non_null(strstr(text_is(&sql), "nextval('\"It''s\".backfill_helped_7')"));
	text_free(&sql);
}

static void the_counters(void **state)
{
	struct job fill = job_with(JOB_SYNC_FILL);
	struct text sql = {0};

	(void)state;
	trigger_add_create_counter(&sql, &fill, "public", TRIGGER_HELPED);
	expect("their number", &sql, "CREATE SEQUENCE public.backfill_helped_7");
	trigger_add_create_counter(&sql, &fill, "public", TRIGGER_HELPED_AT);
	expect("the last one's time", &sql, "CREATE SEQUENCE public.backfill_helped_at_7");
	trigger_add_open_counters(&sql, &fill, "public", "The \"Daemon\"");
	expect("the daemon may read them", &sql,
		"GRANT SELECT ON SEQUENCE public.backfill_helped_7, public.backfill_helped_at_7 TO "
		"\"The \"\"Daemon\"\"\"");
	text_free(&sql);
}

static void its_name_sorts_behind_other_triggers(void **state)
{
	struct text name = {0};

	(void)state;
	trigger_add_name(&name, 7, TRIGGER_INSERT);
	assert_true(strcmp(text_is(&name), "zz_last_of_all") > 0);
	assert_true(strcmp(text_is(&name), "_x") > 0);
	text_free(&name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_wants_triggers),
		cmocka_unit_test(what_is_made_and_dropped),
		cmocka_unit_test(the_function),
		cmocka_unit_test(derived_rows_are_not_counted),
		cmocka_unit_test(the_counters),
		cmocka_unit_test(its_name_sorts_behind_other_triggers),
	};

	return cmocka_run_group_tests_name("trigger", tests, NULL, NULL);
}
