/*
 * session_hosts: libpq's lists of hosts, before and after the names in them got addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/session_hosts.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

/* Owned texts, by their type; nobody frees these. */
#define TEXT(text) ((char[]){text})

static char *db_addresses[] = {TEXT("10.0.0.1"), TEXT("10.0.0.2")};
static char *six_addresses[] = {TEXT("fd00::6")};

static const struct resolved answers[] = {
	{.name = TEXT("db"), .addresses = db_addresses, .count = 2},
	{.name = TEXT("six"), .addresses = six_addresses, .count = 1},
	{.name = TEXT("gone"), .reason = TEXT("Name or service not known")},
	{.name = TEXT("slow"), .reason = TEXT("no answer within 5000 ms")},
};

static const struct {
	const char *what;
	const char *host, *hostaddr, *port; /* as libpq has them */
	size_t attempt;
	const char *names;    /* to be looked up */
	const char *expanded; /* host|hostaddr|port */
} cases[] = {
	{"nothing said: libpq's defaults", NULL, NULL, "5432", 0, "", "-|-|-"},
	{"a name", "db", NULL, "5432", 0, "db", "db,db|10.0.0.1,10.0.0.2|5432,5432"},
	{"a name without a port", "six", NULL, NULL, 0, "six", "six|fd00::6|-"},
	{"a socket's folder", "/run/postgresql", NULL, "5432", 0, "", "/run/postgresql|-|5432"},
	{"an abstract socket", "@shop", NULL, "5432", 0, "", "@shop|-|5432"},
	{"an address", "10.1.1.1", NULL, "5432", 0, "", "10.1.1.1|-|5432"},
	{"an address of another kind", "fd00::1", NULL, "5432", 0, "", "fd00::1|-|5432"},
	{"an address in short", "127.1", NULL, "5432", 0, "", "127.1|-|5432"},
	{"a name that has its address", "db", "10.9.9.9", "5432", 0, "", "db|10.9.9.9|5432"},
	{"an address alone", NULL, "10.9.9.9", "5432", 0, "", "-|10.9.9.9|5432"},
	{"several", "six,/run,db,10.1.1.1", NULL, "1,2,3,4", 0, "six db",
		"six,/run,db,db,10.1.1.1|fd00::6,,10.0.0.1,10.0.0.2,|1,2,3,3,4"},
	{"one port for all", "six,/run", NULL, "7", 0, "six", "six,/run|fd00::6,|7,7"},
	{"ports left out", "six,/run", NULL, ",7", 0, "six", "six,/run|fd00::6,|,7"},
	{"some have addresses", "db,six", "10.9.9.9,", "1,2", 0, "six", "db,six|10.9.9.9,fd00::6|1,2"},
	{"the same name with and without", "db,db", ",10.9.9.9", "1,2", 0, "db",
		"db,db,db|10.0.0.1,10.0.0.2,10.9.9.9|1,1,2"},
	{"a name twice is looked up once", "six,six", NULL, "1,2", 0, "six", "six,six|fd00::6,fd00::6|1,2"},
	{"the default socket among names", "six,", NULL, "1,2", 0, "six", "six,|fd00::6,|1,2"},

	{"a name without an address is left out", "gone,six", NULL, "1,2", 0, "gone six", "six|fd00::6|2"},
	{"so is a slow one", "six,slow", NULL, "1,2", 0, "six slow", "six|fd00::6|1"},
	{"a socket remains", "gone,/run", NULL, "1,2", 0, "gone", "/run|-|2"},
	{"an address remains", "gone,gone", "10.9.9.9,", "1,2", 0, "gone", "gone|10.9.9.9|1"},

	{"after a time-out the next host is first", "six,/run,db", NULL, "1,2,3", 1, "six db",
		"/run,db,db,six|,10.0.0.1,10.0.0.2,fd00::6|2,3,3,1"},
	{"then the one behind it", "six,/run,db", NULL, "1,2,3", 2, "six db",
		"db,db,six,/run|10.0.0.1,10.0.0.2,fd00::6,|3,3,1,2"},
	{"once round, the next address of each", "six,/run,db", NULL, "1,2,3", 3, "six db",
		"six,/run,db,db|fd00::6,,10.0.0.2,10.0.0.1|1,2,3,3"},
	{"a single name: its addresses take turns", "db", NULL, "1", 1, "db", "db,db|10.0.0.2,10.0.0.1|1,1"},
	{"and again the first", "db", NULL, "1", 2, "db", "db,db|10.0.0.1,10.0.0.2|1,1"},
	{"the one whose turn it is has no address", "six,gone,/run", NULL, "1,2,3", 1, "six gone",
		"/run,six|,fd00::6|3,1"},
	{"addresses take turns too", NULL, "10.0.0.1,10.0.0.2", "1,2", 1, "", "-|10.0.0.2,10.0.0.1|2,1"},

	{"more ports than hosts: libpq says it", "db", NULL, "1,2", 0, "", "-|-|-"},
	{"fewer ports than hosts: libpq says it", "db,six,six", NULL, "1,2", 0, "", "-|-|-"},
	{"not as many addresses: libpq says it", "db,six", "10.9.9.9", "1", 0, "", "-|-|-"},
};

static char *names_of(const struct hosts *hosts)
{
	struct text list = {0};
	const char **names;
	size_t count = hosts_names(hosts, &names);

	for (size_t i = 0; i < count; i++)
		text_addf(&list, "%s%s", i > 0 ? " " : "", names[i]);
	free(names);
	return text_take(&list);
}

static char *written(const struct hosts *hosts)
{
	struct text all = {0};
	char *host, *hostaddr, *port;

	hosts_write(hosts, &host, &hostaddr, &port);
	text_addf(&all, "%s|%s|%s", host ? host : "-", hostaddr ? hostaddr : "-", port ? port : "-");
	free(host);
	free(hostaddr);
	free(port);
	return text_take(&all);
}

static void hosts_are_expanded(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct hosts hosts = hosts_read(cases[i].host, cases[i].hostaddr, cases[i].port);
		struct hosts expanded = {0};
		struct fault why = {0};
		char *names = names_of(&hosts);
		char *lists;

		if (!hosts_expand(&hosts, answers, COUNT_OF(answers), cases[i].attempt, &expanded, &why))
			fail_msg("%s: %s", cases[i].what, why.message);
		lists = written(&expanded);
		if (strcmp(names, cases[i].names) != 0 || strcmp(lists, cases[i].expanded) != 0)
			fail_msg("%s: names %s, %s instead of names %s, %s", cases[i].what, names, lists, cases[i].names,
				cases[i].expanded);
		free(names);
		free(lists);
		hosts_free(&hosts);
		hosts_free(&expanded);
	}
}

static void without_any_address_it_says_why(void **state)
{
	struct hosts hosts = hosts_read("gone,slow", NULL, "5432");
	struct hosts expanded = {0};
	struct fault why = {0};

	(void)state;
	assert_false(hosts_expand(&hosts, answers + 2, 2, 0, &expanded, &why));
	assert_int_equal(why.kind, FAULT_LINK);
	assert_string_equal(why.message, "could not resolve host name \"gone\": Name or service not known; "
									 "could not resolve host name \"slow\": no answer within 5000 ms");
	assert_string_equal(why.hint, "check the host in the conninfo, and name resolution on this machine");
	assert_null(expanded.list);
	fault_clear(&why);
	hosts_free(&hosts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_expanded),
		cmocka_unit_test(without_any_address_it_says_why),
	};

	return cmocka_run_group_tests_name("session_hosts", tests, NULL, NULL);
}
