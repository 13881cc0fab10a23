/*
 * session against a real server: finding it, and what is said when it cannot be reached.
 */
#include "tests/server/session_world.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
	char folder[64];
	char *link;
	char *where; /* conninfo through the link */
};

static const char *server_folder(char *folder, size_t size)
{
	const char *host = strstr(conninfo(), "host=") + strlen("host=");
	size_t length = strcspn(host, " ");

	assert_true(length < size);
	memcpy(folder, host, length);
	folder[length] = '\0';
	return folder;
}

/* A folder in which the server's socket may appear. */
static void place_make(struct place *place)
{
	const char *rest = strstr(conninfo(), "host=");

	strcpy(place->folder, "/tmp/backfilld-session.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	place->link = memory_textf("%s/server", place->folder);
	place->where = memory_textf("host=%s%s", place->link, rest + strcspn(rest, " "));
}

static void place_free(struct place *place)
{
	unlink(place->link);
	rmdir(place->folder);
	free(place->link);
	free(place->where);
}

static void a_server_that_appears_later_is_found(void **state)
{
	char folder[256];
	struct place place;
	struct world *world;
	struct answer *waiting;
	struct answer *impatient;

	place_make(&place);
	set_up_at(state, place.where);
	world = *state;
	waiting = ask(world, "SELECT 1 AS x");
	impatient = ask_script(world, world->session, script_of("SELECT 2 AS x"), 250);
	RUN_UNTIL(world, impatient->times == 1 && world->lost >= 2);
	assert_int_equal(impatient->kind, FAULT_LINK);
	assert_non_null(
		strstr(impatient->message, "no connection within 250 ms: connection to server on socket"));
	assert_non_null(strstr(impatient->message, "No such file or directory"));
	assert_non_null(strstr(world->lost_hint, "check that the server runs"));
	assert_int_equal(waiting->times, 0);
	assert_int_equal(symlink(server_folder(folder, sizeof(folder)), place.link), 0);
	RUN_UNTIL(world, waiting->times == 1);
	assert_string_equal(waiting->value, "1");
	assert_int_equal(world->opened, 1);
	answer_free(waiting);
	answer_free(impatient);
	place_free(&place);
}

/* Takes connections and says nothing. */
static int listen_silently(const char *folder)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *path = memory_textf("%s/.s.PGSQL.5432", folder);

	assert_true(listener >= 0 && strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 10), 0);
	free(path);
	return listener;
}

static void a_silent_first_host_does_not_hide_the_second(void **state)
{
	char folder[256];
	struct place place;
	struct world *world;
	struct answer *answer;
	char *where;
	int listener;

	place_make(&place);
	listener = listen_silently(place.folder);
	where = memory_textf("%s host=%s,%s", conninfo(), place.folder, server_folder(folder, sizeof(folder)));
	set_up_at(state, where);
	world = *state;
	answer = ask(world, "SELECT 1 AS x");
	RUN_UNTIL(world, answer->times == 1);
	assert_int_equal(world->lost, 1);
	assert_non_null(strstr(world->lost_message, "did not answer within 10 s"));
	assert_string_equal(answer->value, "1");
	answer_free(answer);
	free(where);
	close(listener);
	where = memory_textf("%s/.s.PGSQL.5432", place.folder);
	unlink(where);
	free(where);
	place_free(&place);
}

struct refusal {
	const char *more; /* after the test's conninfo: the last one wins */
	const char *sqlstate;
	const char *message;
	const char *hint;
};

static void a_connection_that_cannot_be_says_why_and_what_to_do(void **state)
{
	static const struct refusal refusals[] = {
		{"user=no_such_role", "28000", "role \"no_such_role\" does not exist", "create the role"},
		{"dbname=no_such_db", "3D000", "database \"no_such_db\" does not exist", "create the database"},
		{"host=/nowhere", "", "No such file or directory", "check that the server runs"},
		{"host=127.0.0.1 port=1", "", "Connection refused", "check that the server runs"},
		{"hots=/nowhere", "", "invalid connection option \"hots\"", "keyword=value"},
		{"password=my secret", "", "the conninfo is not a valid connection string", "keyword=value"},
		{"service=no_such_service", "", "definition of service", "add the service"},
		{"target_session_attrs=standby", "", "server is not in hot standby mode", "the hosts"},
	};

	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		char *where = memory_textf("%s %s", conninfo(), refusals[i].more);
		struct world *world;
		struct answer *answer;

		set_up_at(state, where);
		world = *state;
		RUN_UNTIL(world, world->lost > 0);
		answer = ask_script(world, world->session, script_of("SELECT 1"), 150);
		RUN_UNTIL(world, answer->times == 1);
		assert_int_equal(answer->kind, FAULT_LINK);
		assert_string_equal(answer->sqlstate, refusals[i].sqlstate);
		if (!strstr(answer->message, refusals[i].message) || !strstr(world->lost_hint, refusals[i].hint))
			fail_msg("%s: %s (%s)", refusals[i].more, answer->message, world->lost_hint);
		assert_null(strstr(answer->message, "secret"));
		answer_free(answer);
		free(where);
		if (i + 1 < COUNT_OF(refusals))
			tear_down(state);
	}
}

static void a_greeting_that_fails_is_no_connection(void **state)
{
	struct world *world = *state;

	session_free(world->session);
	world->session =
		session_new(world->loop, conninfo(), "greeting", script_of("LISTEN 1"), &world_events, world);
	RUN_UNTIL(world, world->lost == 2);
	assert_int_equal(world->opened, 0);
	assert_non_null(
		strstr(world->lost_message, "the first statements on a new connection failed: syntax error"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITHOUT_WORLD(a_server_that_appears_later_is_found),
		WITHOUT_WORLD(a_silent_first_host_does_not_hide_the_second),
		WITHOUT_WORLD(a_connection_that_cannot_be_says_why_and_what_to_do),
		WITH_WORLD(a_greeting_that_fails_is_no_connection),
	};

	if (!conninfo())
		return 77;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_connect", tests, NULL, NULL);
}
