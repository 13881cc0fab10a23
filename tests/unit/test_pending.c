/*
 * pending: which rows still want a value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/script.h"
#include "daemon/pending.h"

#include <string.h>

struct kind {
	const char *what;
	enum job_sync sync;
	const char *value, *fill_where;
	bool is_volatile;
	const char *anywhere;
	const char *in_a_pass;
	const char *in_the_last_pass;
};

#define PASS "ctid >= $1::pg_catalog.tid AND ctid < $2::pg_catalog.tid AND "
#define IN_SLICE(passes, pass)                                                                               \
	"pg_catalog.get_byte(pg_catalog.tidsend(ctid), 5) % " passes "::pg_catalog.int4 = " pass                 \
	"::pg_catalog.int4"
#define SLICE "CASE WHEN " IN_SLICE("$3", "$4") " THEN "

static const struct breath no_naps = {0};

static const struct kind kinds[] = {
	{"a value that may be NULL", JOB_SYNC_FILL, "upper(a)", NULL, false,
		"(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND (upper(a)\n) IS DISTINCT FROM NULL",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND " SLICE
			 "(upper(a)\n) IS DISTINCT FROM NULL ELSE false END",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND (upper(a)\n) IS DISTINCT FROM NULL"},
	{"the same without a trigger", JOB_SYNC_NONE, "upper(a)", NULL, false,
		"(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND (upper(a)\n) IS DISTINCT FROM NULL",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND " SLICE
			 "(upper(a)\n) IS DISTINCT FROM NULL ELSE false END",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND (upper(a)\n) IS DISTINCT FROM NULL"},
	{"a volatile value is evaluated once, by the SET", JOB_SYNC_FILL, "gen_random_uuid()", NULL, true,
		"(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND true",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND " SLICE "true ELSE false END",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND true"},
	{"only some rows; the texts end in comments", JOB_SYNC_FILL, "b -- c", "a > 1 -- d", false,
		"(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND (a > 1 -- d\n) IS TRUE AND (b -- c\n) IS DISTINCT "
		"FROM NULL",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND " SLICE
			 "(a > 1 -- d\n) IS TRUE AND (b -- c\n) IS DISTINCT FROM NULL ELSE false END",
		PASS "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND (a > 1 -- d\n) IS TRUE AND (b -- c\n) IS "
			 "DISTINCT FROM NULL"},
	{"a derived value is pending where it differs", JOB_SYNC_DERIVE, "a + b", NULL, false,
		"true AND \"v\" IS DISTINCT FROM CAST((a + b\n) AS numeric(10,2))",
		PASS "true AND " SLICE "\"v\" IS DISTINCT FROM CAST((a + b\n) AS numeric(10,2)) ELSE false END",
		PASS "true AND \"v\" IS DISTINCT FROM CAST((a + b\n) AS numeric(10,2))"},
};

static struct job job_of(const struct kind *kind)
{
	return (struct job){.column_name = (char *)"v",
		.exact_type = (char *)"numeric(10,2)",
		.sync = kind->sync,
		.value = (char *)kind->value,
		.fill_where = (char *)kind->fill_where,
		.volatile_value = kind->is_volatile};
}

static void expect(const struct kind *kind, const char *where, const char *expected, struct text *sql)
{
	if (strcmp(text_is(sql), expected) != 0)
		fail_msg("%s, %s: %s", kind->what, where, text_is(sql));
	text_free(sql);
}

static void which_rows_are_pending(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct job job = job_of(&kinds[i]);
		struct window_batch batch = {.from_page = 8, .end_page = 16, .pass = 1, .passes = 4};
		struct text sql = {0};

		pending_add(&sql, &job);
		expect(&kinds[i], "anywhere", kinds[i].anywhere, &sql);
		pending_add_batch(&sql, &job, &batch, &no_naps);
		expect(&kinds[i], "in a pass", kinds[i].in_a_pass, &sql);
		batch.pass = 3;
		pending_add_batch(&sql, &job, &batch, &no_naps);
		expect(&kinds[i], "in the last pass", kinds[i].in_the_last_pass, &sql);
		batch.pass = batch.passes = 1;
		batch.pass = 0;
		pending_add_batch(&sql, &job, &batch, &no_naps);
		expect(&kinds[i], "in the only pass", kinds[i].in_the_last_pass, &sql);
	}
}

/* Whoever looks at rows naps, also where none is pending; what it slept is noted. */
static void one_that_breathes_sleeps_before_it_looks_any_further(void **state)
{
#define NAP                                                                                                  \
	"CASE WHEN pg_catalog.hashtid(ctid) % $3::pg_catalog.int4"                                               \
	" = 0 THEN pg_catalog.set_config('backfill.napped', (pg_catalog.current_setting('backfill.napped')"      \
	"::pg_catalog.float8 - pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.now())"   \
	" * 1000)::pg_catalog.text, true) IS NOT NULL"                                                           \
	" AND pg_catalog.pg_sleep(($4::pg_catalog.int4 - 0.5) / 1000.0) IS NOT NULL"                             \
	" AND pg_catalog.set_config('backfill.napped', (pg_catalog.current_setting('backfill.napped')"           \
	"::pg_catalog.float8 + pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.now())"   \
	" * 1000)::pg_catalog.text, true) IS NOT NULL ELSE true END"
#define REST "(\"v\" IS NOT DISTINCT FROM NULL) IS TRUE AND (upper(a)\n) IS DISTINCT FROM NULL"
	struct job job = job_of(&kinds[0]);
	struct window_batch batch = {.from_page = 8, .end_page = 16, .pass = 1, .passes = 4};
	const struct breath breath = {.rows = 20, .nap_ms = 3};
	struct text sql = {0};

	(void)state;
	pending_add_batch(&sql, &job, &batch, &breath);
	expect(&kinds[0], "a slice",
		PASS "CASE WHEN " IN_SLICE("$5", "$6") " AND " NAP " THEN " REST " ELSE false END", &sql);
	batch.pass = 3;
	pending_add_batch(&sql, &job, &batch, &breath);
	expect(&kinds[0], "the last", PASS "CASE WHEN " NAP " THEN " REST " ELSE false END", &sql);
}

static void what_is_bound_fits_the_statement(void **state)
{
	static const struct {
		int passes;
		struct breath breath;
		const char *values[7];
	} cases[] = {
		{1, {0}, {"(8,2)", "(16,4)"}},
		{1, {20, 3}, {"(8,2)", "(16,4)", "20", "3"}},
		{4, {0}, {"(8,2)", "(16,4)", "4", "0"}},
		{4, {20, 3}, {"(8,2)", "(16,4)", "20", "3", "4", "0"}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct script *script = script_new();
		const struct script_statement *statement;
		size_t count = 0;

		script_add(script, "");
		statement = &script->statements[0];
		pending_bind_batch(script,
			&(struct window_batch){
				.from_page = 8, .from_item = 2, .end_page = 16, .end_item = 4, .passes = cases[i].passes},
			&cases[i].breath);
		for (; cases[i].values[count]; count++)
			assert_string_equal(statement->values[count], cases[i].values[count]);
		assert_int_equal(statement->values_count, count);
		script_free(script);
	}
}

static void a_field_is_looked_for_behind_the_slice(void **state)
{
	struct job job = job_of(&kinds[0]);
	struct window_batch batch = {.from_page = 8, .end_page = 16, .pass = 1, .passes = 4};
	struct text sql = {0};

	(void)state;
	job.field = (char *)"{a,it's}";
	pending_add_batch(&sql, &job, &batch, &no_naps);
	expect(&kinds[0], "a field",
		PASS "\"v\" IS NOT NULL AND " SLICE
			 "pg_catalog.jsonb_extract_path(\"v\", VARIADIC '{a,it''s}'::pg_catalog.text[]) IS NULL AND "
			 "(upper(a)\n) IS DISTINCT FROM NULL ELSE false END",
		&sql);
	pending_add_value(&sql, &job);
	expect(&kinds[0], "its value",
		"backfill.field_set(\"v\", '{a,it''s}'::pg_catalog.text[], pg_catalog.to_jsonb((upper(a)\n)))", &sql);
	pending_add_missing(&sql, &job, "NEW.");
	expect(&kinds[0], "as a trigger asks",
		"NEW.\"v\" IS NOT NULL AND pg_catalog.jsonb_extract_path(NEW.\"v\", VARIADIC "
		"'{a,it''s}'::pg_catalog.text[]) IS NULL",
		&sql);
}

static void names_are_quoted(void **state)
{
	struct job job = job_of(&kinds[0]);
	struct text sql = {0};

	(void)state;
	job.column_name = (char *)"a\"b";
	pending_add(&sql, &job);
	assert_non_null(strstr(text_is(&sql), "(\"a\"\"b\" IS NOT DISTINCT FROM NULL) IS TRUE"));
	text_free(&sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_rows_are_pending),
		cmocka_unit_test(one_that_breathes_sleeps_before_it_looks_any_further),
		cmocka_unit_test(what_is_bound_fits_the_statement),
		cmocka_unit_test(a_field_is_looked_for_behind_the_slice),
		cmocka_unit_test(names_are_quoted),
	};

	return cmocka_run_group_tests_name("pending", tests, NULL, NULL);
}
