/*
 * conninfo: read as libpq reads it (held against PQconninfoParse() itself), secrets found in every spelling,
 * and nothing of it repeated in a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/conninfo.h"

#include <libpq-fe.h>
#include <string.h>

static const struct {
	const char *text;
	const char *secret; /* the keyword that carries one, or NULL */
	bool good;
} cases[] = {
	{"host=/run/postgresql dbname=shop user=backfilld", NULL, true},
	{"  host = a   port\t=\n5432  ", NULL, true},
	{"", NULL, true},
	{"dbname='two words' user='it\\'s' application_name=back\\ slash", NULL, true},
	{"dbname=''", NULL, true},
	{"host=a,b,c port=1,2,3 target_session_attrs=read-write", NULL, true},
	{"user=a user=b", NULL, true},
	{"password=x", "password", true},
	{"dbname=x password = 'a b'", "password", true},
	{"dbname=x\npassword=x", "password", true},
	{"password=", NULL, true},
	{"password=''", NULL, true},
	{"sslpassword=x", "sslpassword", true},
	{"passfile=/etc/pass service=shop", NULL, true},
	{"dbname='password=x'", NULL, true},
	{"application_name=password\\=x", NULL, true},
	{"host", NULL, false},
	{"host=a dbname", NULL, false},
	{"dbname='open", NULL, false},
	{"dbname='open\\'", NULL, false},
	{"=x", NULL, false},
	{"host=a\\", NULL, true},

	{"postgresql://", NULL, true},
	{"postgres://h", NULL, true},
	{"postgresql://u@h:5432/db?application_name=x&connect_timeout=3", NULL, true},
	{"postgresql://u:secret@h/db", "password", true},
	{"postgresql://u:@h/db", NULL, true},
	{"postgresql://:secret@h/db", "password", true},
	{"postgresql://u%40x:p%3aq@h/db%20x", "password", true},
	{"postgresql://h/db?password=x", "password", true},
	{"postgresql://h/db?pass%77ord=x", "password", true},
	{"postgresql:///db?host=/run/postgresql&user=u", NULL, true},
	{"postgresql://%2Frun%2Fpostgresql/db", NULL, true},
	{"postgresql://a:1,b:2,c/db?target_session_attrs=any", NULL, true},
	{"postgresql://[::1]:5432/db", NULL, true},
	{"postgresql://[::1],[fe80::2]:7/db", NULL, true},
	{"postgresql://h/db?", NULL, true},
	{"postgresql://h/a@b", NULL, true},
	{"postgresql://[::1/db", NULL, false},
	{"postgresql://[::1]x/db", NULL, false},
	{"postgresql://h/db?connect_timeout", NULL, false},
	{"postgresql://h/db?connect_timeout=1=2", NULL, false},
	{"postgresql://h/%zz", NULL, false},
	{"postgresql://h/%4", NULL, false},
	{"postgresql://h/a%00b", NULL, false},
	{"Postgresql://h/db", NULL, false},
};

static void test_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct conninfo conninfo = {0};
		struct fault why = {0};
		const char *secret;

		if (conninfo_read(cases[i].text, &conninfo, &why) != cases[i].good)
			fail_msg("%s: %s", cases[i].text, why.message ? why.message : "was accepted");
		secret = conninfo_secret(&conninfo);
		if (!secret != !cases[i].secret || (secret && strcmp(secret, cases[i].secret) != 0))
			fail_msg("%s: found %s", cases[i].text, secret ? secret : "no secret");
		assert_int_equal(cases[i].good, why.kind == FAULT_NONE);
		conninfo_free(&conninfo);
		fault_clear(&why);
	}
}

/* The last one wins. */
static const char *value_of(const struct conninfo *conninfo, const char *keyword)
{
	const char *value = NULL;

	for (size_t i = 0; i < conninfo->count; i++)
		if (strcmp(conninfo->settings[i].keyword, keyword) == 0)
			value = conninfo->settings[i].value;
	return value;
}

/* What libpq makes of the text is what we make of it. */
static void compare(const char *text, PQconninfoOption *theirs)
{
	struct conninfo ours = {0};
	struct fault why = {0};

	if (!conninfo_read(text, &ours, &why))
		fail_msg("%s: libpq takes it: %s", text, why.message);
	for (PQconninfoOption *option = theirs; option->keyword; option++) {
		const char *value = value_of(&ours, option->keyword);

		/* empty parts of a URI are not there for one and empty for the other */
		if (strcmp(value ? value : "", option->val ? option->val : "") != 0)
			fail_msg("%s: %s is \"%s\", for libpq \"%s\"", text, option->keyword, value ? value : "not there",
				option->val ? option->val : "not there");
	}
	conninfo_free(&ours);
}

static void test_as_libpq_reads_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *complaint = NULL;
		PQconninfoOption *theirs = PQconninfoParse(cases[i].text, &complaint);

		if (!theirs && cases[i].good)
			fail_msg("%s: libpq refuses it: %s", cases[i].text, complaint);
		if (theirs && !cases[i].good)
			fail_msg("%s: libpq takes it", cases[i].text);
		if (theirs)
			compare(cases[i].text, theirs);
		PQconninfoFree(theirs);
		PQfreemem(complaint);
	}
}

static void test_no_message_repeats_it(void **state)
{
	static const char *const texts[] = {"dbname=x password=hunter2 hunter2", "password='hunter2",
		"postgresql://u:hunter2%zz@h/", "postgresql://u:hunter2@h/?hunter2", "hunter2"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct conninfo conninfo = {0};
		struct fault why = {0};

		assert_false(conninfo_read(texts[i], &conninfo, &why));
		assert_null(strstr(why.message, "hunter2"));
		assert_int_equal(conninfo.count, 0);
		fault_clear(&why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_as_libpq_reads_it),
		cmocka_unit_test(test_no_message_repeats_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
