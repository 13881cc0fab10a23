/*
 * options: the configuration file of the contract, every default and every limit of it, and what options must
 * be to each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST "databases: [{name: shop, conninfo: dbname=shop}]\n"

/* A file that has to be good. */
static struct options read_good(const char *yaml)
{
	struct options options = {0};
	struct fault why = {0};

	if (!options_read_text("f", yaml, strlen(yaml), &options, &why))
		fail_msg("%s\n%s", yaml, why.message);
	return options;
}

static void test_least_file(void **state)
{
	struct options options = read_good(LEAST);
	const struct options_database *shop = &options.databases[0];

	(void)state;
	assert_int_equal(options.databases_count, 1);
	assert_string_equal(shop->name, "shop");
	assert_string_equal(shop->conninfo, "dbname=shop");
	assert_int_equal(shop->logins_count, 0);
	assert_true(shop->replicas_all);
	assert_int_equal(shop->delayed_replicas_count, 0);
	assert_int_equal(shop->cascades_count, 0);
	assert_int_equal(shop->min_replicas, 0);
	assert_int_equal(shop->replica_grace_s, 60);
	assert_string_equal(shop->throttle_query, "");
	assert_int_equal(options.defaults.batch_ms, 100);
	assert_int_equal(options.defaults.workers, 1);
	assert_int_equal(options.defaults.max_lag_ms, 1000);
	assert_int_equal(options.defaults.lag_target_ms, 500);
	assert_int_equal(options.defaults.max_wal_rate, 0);
	assert_int_equal(options.defaults.max_impact, 10);
	assert_int_equal(options.defaults.synchronous_commit, OPTIONS_COMMIT_OFF);
	assert_int_equal(options.defaults.lock_timeout_ms, 100);
	assert_int_equal(options.defaults.ddl_lock_timeout_ms, 200);
	assert_int_equal(options.jobs_at_once, 2);
	assert_int_equal(options.poll_ms, 1000);
	assert_string_equal(options.http, "127.0.0.1:9842");
	assert_string_equal(options.http_host, "127.0.0.1");
	assert_int_equal(options.http_port, 9842);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
	options_free(&options);
	assert_null(options.databases);
	options_free(&options);
}

static void test_whole_file(void **state)
{
	struct options options = read_good("databases:\n"
									   "  - name: shop\n"
									   "    conninfo: \"host=/run/postgresql dbname=shop user=backfilld\"\n"
									   "    logins:\n"
									   "      - roles: [shop_owner, Stock]\n"
									   "        conninfo: \"dbname=shop user=backfilld_shop\"\n"
									   "      - {roles: [crm], conninfo: postgresql://u@h/shop}\n"
									   "    replicas: [standby1, standby2]\n"
									   "    delayed_replicas: [standby2]\n"
									   "    cascades: [\"host=standby1 dbname=shop\", service=far]\n"
									   "    min_replicas: 1\n"
									   "    replica_grace_s: 5\n"
									   "    throttle_query: \"SELECT false\"\n"
									   "  - {name: crm-2.x, conninfo: service=crm, replicas: []}\n"
									   "defaults:\n"
									   "  max_wal_rate: 5000000000\n"
									   "  synchronous_commit: \"remote_apply\"\n"
									   "http: \"[::1]:80\"\n"
									   "log_level: debug\n");
	const struct options_database *shop = &options.databases[0];

	(void)state;
	assert_int_equal(shop->logins_count, 2);
	assert_false(shop->replicas_all);
	assert_int_equal(shop->replicas_count, 2);
	assert_string_equal(shop->replicas[1], "standby2");
	assert_int_equal(shop->delayed_replicas_count, 1);
	assert_string_equal(shop->delayed_replicas[0], "standby2");
	assert_int_equal(shop->cascades_count, 2);
	assert_string_equal(shop->cascades[0], "host=standby1 dbname=shop");
	assert_string_equal(options_login_conninfo(shop, "Stock"), "dbname=shop user=backfilld_shop");
	assert_string_equal(options_login_conninfo(shop, "crm"), "postgresql://u@h/shop");
	assert_string_equal(options_login_conninfo(shop, "stock"), shop->conninfo);
	assert_false(options.databases[1].replicas_all);
	assert_int_equal(options.databases[1].replicas_count, 0);
	assert_true(options.defaults.max_wal_rate == INT64_C(5000000000));
	assert_int_equal(options.defaults.synchronous_commit, OPTIONS_COMMIT_REMOTE_APPLY);
	assert_string_equal(options.http_host, "::1");
	assert_int_equal(options.http_port, 80);
	assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
	options_free(&options);
}

static void test_commits(void **state)
{
	static const struct {
		const char *yaml;
		enum options_commit commit;
		const char *name;
	} cases[] = {
		{LEAST "defaults: {synchronous_commit: off}", OPTIONS_COMMIT_OFF, "off"},
		{LEAST "defaults: {synchronous_commit: \"off\"}", OPTIONS_COMMIT_OFF, "off"},
		{LEAST "defaults: {synchronous_commit: local}", OPTIONS_COMMIT_LOCAL, "local"},
		{LEAST "defaults: {synchronous_commit: remote_write}", OPTIONS_COMMIT_REMOTE_WRITE, "remote_write"},
		{LEAST "defaults: {synchronous_commit: on}", OPTIONS_COMMIT_ON, "on"},
		{LEAST "defaults: {synchronous_commit: 'remote_apply'}", OPTIONS_COMMIT_REMOTE_APPLY, "remote_apply"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct options options = read_good(cases[i].yaml);

		assert_int_equal(options.defaults.synchronous_commit, cases[i].commit);
		assert_string_equal(options_commit_name(cases[i].commit), cases[i].name);
		options_free(&options);
	}
}

static void test_http_off(void **state)
{
	static const char *const yamls[] = {LEAST "http: off", LEAST "http: \"off\""};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(yamls); i++) {
		struct options options = read_good(yamls[i]);

		assert_null(options.http_host);
		assert_int_equal(options.http_port, 0);
		options_free(&options);
	}
}

/* Who lowers the limit alone is not asked for a target. */
static void test_target_follows_a_lower_limit(void **state)
{
	struct options options = read_good(LEAST "defaults: {max_lag_ms: 400}");

	(void)state;
	assert_int_equal(options.defaults.lag_target_ms, 400);
	options_free(&options);
}

/* What this version reads, checks and does not act on is said: see main. */
static void test_idle(void **state)
{
	static const struct {
		const char *yaml;
		const char *keys;
	} cases[] = {
		{LEAST, ""},
		{LEAST "http: off", ""},
		{LEAST "http: \"0.0.0.0:80\"", "http"},
		{LEAST "defaults: {workers: 0, max_impact: 5, max_wal_rate: 1000000, lag_target_ms: 200}", ""},
		{"databases: [{name: a, conninfo: dbname=a, throttle_query: SELECT true}]", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct options options = read_good(cases[i].yaml);
		struct text keys = {0};

		options_add_idle(&options, &keys);
		assert_string_equal(text_is(&keys), cases[i].keys);
		text_free(&keys);
		options_free(&options);
	}
}

/* The sample file, from the top of the source tree (meson starts the test there). */
static void read_sample(struct text *ret)
{
	FILE *file = fopen("conf/backfilld.yaml", "re");
	char part[4096];
	size_t got;

	assert_non_null(file);
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		text_add_bytes(ret, part, got);
	fclose(file);
}

/* Takes away each # that stands directly before a key. */
static char *written_out(const char *sample)
{
	struct text all = {0};

	for (const char *c = sample; *c; c++)
		if (*c != '#' || !(islower((unsigned char)c[1]) || c[1] == '-'))
			text_add_bytes(&all, c, 1);
	return text_take(&all);
}

static void compare_knobs(const struct options_knobs *a, const struct options_knobs *b)
{
	assert_int_equal(a->batch_ms, b->batch_ms);
	assert_int_equal(a->workers, b->workers);
	assert_int_equal(a->max_lag_ms, b->max_lag_ms);
	assert_int_equal(a->lag_target_ms, b->lag_target_ms);
	assert_int_equal(a->max_wal_rate, b->max_wal_rate);
	assert_int_equal(a->max_impact, b->max_impact);
	assert_int_equal(a->synchronous_commit, b->synchronous_commit);
	assert_int_equal(a->lock_timeout_ms, b->lock_timeout_ms);
	assert_int_equal(a->ddl_lock_timeout_ms, b->ddl_lock_timeout_ms);
}

static void test_sample_file(void **state)
{
	struct text sample = {0};
	char *all;
	struct options as_it_is;
	struct options with_all_keys;
	struct options least = read_good(LEAST);

	(void)state;
	read_sample(&sample);
	all = written_out(text_is(&sample));
	as_it_is = read_good(text_is(&sample));
	with_all_keys = read_good(all);
	assert_string_equal(as_it_is.databases[0].name, "postgres");
	assert_int_equal(as_it_is.databases[0].logins_count, 0);
	compare_knobs(&as_it_is.defaults, &least.defaults);
	assert_int_equal(with_all_keys.databases[0].logins_count, 1);
	compare_knobs(&with_all_keys.defaults, &least.defaults);
	assert_string_equal(with_all_keys.http, least.http);
	assert_int_equal(with_all_keys.log_level, least.log_level);
	free(all);
	text_free(&sample);
	options_free(&as_it_is);
	options_free(&with_all_keys);
	options_free(&least);
}

static const struct {
	const char *what;
	const char *yaml;
	const char *message; /* begins so */
} refused[] = {
	{"no databases", "log_level: info",
		"f:1:1: key \"databases\" is missing; expected a list of at least one"},
	{"an empty list of databases", "databases: []",
		"f:1:12: databases is a list of 0 entries; expected at least 1"},
	{"a database without its conninfo", "databases:\n  - name: a",
		"f:2:5: key \"conninfo\" is missing; expected a libpq"},
	{"a misspelt knob", LEAST "defaults:\n  batch_m: 5",
		"f:3:3: unknown key \"batch_m\"; did you mean \"batch_ms\"?"},
	{"a knob outside defaults", LEAST "workers: 2",
		"f:2:1: unknown key \"workers\"; it belongs under defaults; here"},
	{"a key for the password", "databases: [{name: a, conninfo: dbname=a, password: x}]",
		"f:1:43: unknown key \"password\"; expected one of"},

	{"two databases of one name",
		"databases:\n  - {name: a, conninfo: dbname=a}\n  - {conninfo: dbname=b, name: a}",
		"f:3:32: name \"a\" is taken by an entry before; expected another one"},
	{"a label with a blank", "databases: [{name: my shop, conninfo: dbname=a}]",
		"f:1:20: name: cannot be a label; expected 1 to 63 letters"},
	{"a label with a quote", "databases: [{name: 'a\"b', conninfo: dbname=a}]",
		"f:1:20: name: cannot be a label"},
	{"an empty label", "databases: [{name: '', conninfo: dbname=a}]", "f:1:20: name: cannot be a label"},
	{"a label of 64 letters",
		"databases: [{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, conninfo: "
		"dbname=a}]",
		"f:1:20: name: cannot be a label"},

	{"a password", "databases: [{name: a, conninfo: dbname=a password=x}]",
		"f:1:33: conninfo: carries a secret (password); expected a connection string without one: libpq "
		"finds "
		"passwords in a passfile (passfile=… or ~/.pgpass), a service file (service=…) or the environment"},
	{"a password in a URI", "databases: [{name: a, conninfo: \"postgresql://u:x@h/a\"}]",
		"f:1:33: conninfo: carries a secret (password)"},
	{"a password in a URI's parameters",
		"databases: [{name: a, conninfo: \"postgresql://h/a?pass%77ord=x\"}]",
		"f:1:33: conninfo: carries a secret (password)"},
	{"a password of a login",
		"databases:\n- name: a\n  conninfo: dbname=a\n  logins:\n  - roles: [o]\n    conninfo: dbname=a "
		"password=x",
		"f:6:15: conninfo: carries a secret (password)"},
	{"the password of a key file", "databases: [{name: a, conninfo: dbname=a sslpassword=x}]",
		"f:1:33: conninfo: carries a secret (sslpassword)"},
	{"no connection string", "databases: [{name: a, conninfo: shop}]",
		"f:1:33: conninfo: not a connection string: a keyword or its \"=\" is missing"},
	{"an empty connection string", "databases: [{name: a, conninfo: ''}]",
		"f:1:33: conninfo: names nothing to connect to; expected"},

	{"a login without roles",
		"databases: [{name: a, conninfo: dbname=a, logins: [{roles: [], conninfo: dbname=a}]}]",
		"f:1:60: roles is a list of 0 entries; expected at least 1"},
	{"an empty role",
		"databases: [{name: a, conninfo: dbname=a, logins: [{roles: [''], conninfo: dbname=a}]}]",
		"f:1:61: roles: cannot be a role; expected a name of 1 to 63 bytes"},
	{"two logins for one role",
		"databases:\n- name: a\n  conninfo: dbname=a\n  logins:\n  - {roles: [o, p], conninfo: dbname=a}\n  "
		"- {roles: [q, p], conninfo: dbname=a}",
		"f:6:17: role \"p\" has a login before; expected one login for each role"},
	{"all inside the list of replicas", "databases: [{name: a, conninfo: dbname=a, replicas: [all]}]",
		"f:1:54: replicas: all stands in the list; expected it alone (replicas: all)"},
	{"one replica without a list", "databases: [{name: a, conninfo: dbname=a, replicas: s1}]",
		"f:1:53: replicas is a single value; expected all, or a list of application_name values"},
	{"a replica twice", "databases: [{name: a, conninfo: dbname=a, replicas: [s1, s1]}]",
		"f:1:58: replicas is \"s1\"; expected each text only once"},
	{"one delayed replica without a list", "databases: [{name: a, conninfo: dbname=a, delayed_replicas: s1}]",
		"f:1:61: delayed_replicas is a single value; expected a list of application_name values"},
	{"a cascade with a password", "databases: [{name: a, conninfo: dbname=a, cascades: [host=s password=x]}]",
		"f:1:54: cascades: carries a secret (password); expected a connection string without one"},
	{"a throttle query of nothing", "databases: [{name: a, conninfo: dbname=a, throttle_query: ' ;'}]",
		"f:1:59: throttle_query: holds nothing but blanks"},

	{"a target above the limit", LEAST "defaults: {max_lag_ms: 400, lag_target_ms: 401}",
		"f:2:44: lag_target_ms (401) is above max_lag_ms (400); expected a target at or below the limit"},
	{"a target above the default limit", LEAST "defaults: {lag_target_ms: 2000}",
		"f:2:27: lag_target_ms (2000) is above max_lag_ms (1000, the default)"},

	{"batches of no time", LEAST "defaults: {batch_ms: 0}",
		"f:2:22: batch_ms is 0, out of range; expected a whole number from 1 to 10000 ms"},
	{"batches that would block writers", LEAST "defaults: {batch_ms: 10001}",
		"f:2:22: batch_ms is 10001, out of range"},
	{"fewer workers than none", LEAST "defaults: {workers: -1}",
		"f:2:21: workers is -1, out of range; expected a whole number from 0 to 32 connections"},
	{"a lock timeout that waits for ever", LEAST "defaults: {lock_timeout_ms: 0}",
		"f:2:29: lock_timeout_ms is 0, out of range; expected a whole number from 1 to 900 ms"},
	{"a lock timeout of the deadlock timeout", LEAST "defaults: {lock_timeout_ms: 1000}",
		"f:2:29: lock_timeout_ms is 1000, out of range"},
	{"a rate below nothing", LEAST "defaults: {max_wal_rate: -1}",
		"f:2:26: max_wal_rate is -1, out of range; expected a whole number from 0 to 1000000000000 bytes/s"},
	{"a knob in quotes", LEAST "defaults: {batch_ms: \"100\"}",
		"f:2:22: batch_ms is \"100\", a text in quotes; expected"},
	{"another word for synchronous_commit", LEAST "defaults: {synchronous_commit: none}",
		"f:2:32: synchronous_commit is \"none\"; expected one of off, local, remote_write, on, remote_apply"},
	{"a truth for synchronous_commit", LEAST "defaults: {synchronous_commit: false}",
		"f:2:32: synchronous_commit is \"false\"; expected one of"},
	{"no job at once", LEAST "jobs_at_once: 0",
		"f:2:15: jobs_at_once is 0, out of range; expected a whole number from 1 to 64 jobs"},
	{"busy polling", LEAST "poll_ms: 1",
		"f:2:10: poll_ms is 1, out of range; expected a whole number from 50 to 60000 ms"},
	{"a port alone", LEAST "http: 9842", "f:2:7: http is a number; expected a text: put it in quotes"},
	{"a port without a host", LEAST "http: ':9842'",
		"f:2:7: http: is no address to listen at; expected host:port"},
	{"a host without a port", LEAST "http: localhost", "f:2:7: http: is no address to listen at"},
	{"a port that cannot be", LEAST "http: localhost:65536", "f:2:7: http: is no address to listen at"},
	{"a port beyond numbers", LEAST "http: localhost:99999999999999999999",
		"f:2:7: http: is no address to listen at"},
	{"an IPv6 address without brackets", LEAST "http: '::1:80'", "f:2:7: http: is no address to listen at"},
	{"a URL", LEAST "http: http://localhost:80", "f:2:7: http: is no address to listen at"},
	{"a level there is not", LEAST "log_level: warn",
		"f:2:12: log_level is \"warn\"; expected one of error, warning, info, debug"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct options options = {.poll_ms = 7};
		struct fault why = {0};

		if (options_read_text("f", refused[i].yaml, strlen(refused[i].yaml), &options, &why))
			fail_msg("%s: was accepted", refused[i].what);
		if (strncmp(why.message, refused[i].message, strlen(refused[i].message)) != 0)
			fail_msg("%s:\n  expected %s\n  but got  %s", refused[i].what, refused[i].message, why.message);
		assert_int_equal(options.poll_ms, 7); /* untouched: what a reload keeps */
		assert_null(options.databases);
		fault_clear(&why);
	}
}

static void test_read_does_not_trust_an_old_fault(void **state)
{
	struct options options = {0};
	struct fault why = {0};

	(void)state;
	assert_false(options_read("/no/such/file.yaml", &options, &why));
	assert_true(options_read_text("f", LEAST, strlen(LEAST), &options, &why));
	options_free(&options);
	fault_clear(&why);
}

/* --help and the README's table are read by columns: two blanks and bars part them. */
static void test_description_can_be_read_by_columns(void **state)
{
	struct text said = {0};

	(void)state;
	options_describe(&said);
	assert_null(strchr(text_is(&said), '|'));
	assert_non_null(strstr(text_is(&said), "\n  defaults.batch_ms  "));
	for (const char *line = text_is(&said); *line; line = strchr(line, '\n') + 1) {
		int columns = 0;
		const char *end = strchr(line, '\n');

		if (strncmp(line, "        ", 8) == 0) {
			assert_true(end[-1] == '.');
			continue;
		}
		for (const char *c = line; c + 2 < end; c++)
			columns += c[0] == ' ' && c[1] == ' ' && c[2] != ' ';
		assert_int_equal(columns, 4);
	}
	text_free(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_file),
		cmocka_unit_test(test_whole_file),
		cmocka_unit_test(test_commits),
		cmocka_unit_test(test_http_off),
		cmocka_unit_test(test_target_follows_a_lower_limit),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_sample_file),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_read_does_not_trust_an_old_fault),
		cmocka_unit_test(test_description_can_be_read_by_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
