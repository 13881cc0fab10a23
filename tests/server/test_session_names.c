/*
 * session against a real server that is found by name: names are looked up beside the loop, never by libpq.
 */
#include "tests/server/session_world.h"

#include "common/memory.h"
#include "tests/unit/fake_names.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 50

/* BACKFILLD_TEST_CONNINFO begins with its host. */
static const char *without_host(void)
{
	const char *host = strstr(conninfo(), "host=");

	return host + strcspn(host, " ");
}

static struct world *begin(void **state, const char *more)
{
	char *where = memory_textf("%s %s", without_host(), more);

	fake_names_reset();
	set_up_at(state, where);
	free(where);
	return *state;
}

static int end(void **state)
{
	tear_down(state);
	fake_names_release();
	unsetenv("PGHOST");
	unsetenv("PGSERVICEFILE");
	return 0;
}

static void expect_connection(struct world *world)
{
	struct answer *answer = ask(world, "SELECT pg_catalog.host(pg_catalog.inet_server_addr()) AS x");

	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->value, "127.0.0.1");
	assert_int_equal(world->lost, 0);
	assert_int_equal(fake_names_on_the_loop(), 0);
	assert_true(fake_names_looked_up() > 0);
	answer_free(answer);
}

static void a_name_is_as_good_as_its_address(void **state)
{
	expect_connection(begin(state, "host=localhost"));
}

static void addresses_are_tried_in_turn(void **state)
{
	/* Nobody listens at the first. */
	expect_connection(begin(state, "host=two.test"));
}

static void a_first_host_that_nobody_knows_is_passed_over(void **state)
{
	expect_connection(begin(state, "host=nowhere.test,localhost"));
}

static void a_first_host_that_stalls_is_passed_over(void **state)
{
	expect_connection(begin(state, "host=stalled.test,localhost"));
}

static void a_name_from_the_environment_counts(void **state)
{
	setenv("PGHOST", "localhost", 1);
	expect_connection(begin(state, ""));
}

static void a_name_from_a_service_file_counts(void **state)
{
	static const char service[] = "[names]\nhost=localhost\n";
	char path[] = "/tmp/backfilld-service.XXXXXX";
	int file = mkstemp(path);

	assert_true(file >= 0);
	assert_int_equal(write(file, service, sizeof(service) - 1), sizeof(service) - 1);
	close(file);
	setenv("PGSERVICEFILE", path, 1);
	setenv("PGHOST", "nowhere.test", 1);
	expect_connection(begin(state, "service=names"));
	unlink(path);
}

static void a_name_that_nobody_knows_is_told(void **state)
{
	struct world *world = begin(state, "host=nowhere.test");

	RUN_UNTIL(world, world->lost == 2);
	assert_int_equal(world->lost_kind, FAULT_LINK);
	assert_string_equal(
		world->lost_message, "could not resolve host name \"nowhere.test\": Name or service not known");
	assert_non_null(strstr(world->lost_hint, "name resolution on this machine"));
	assert_int_equal(fake_names_on_the_loop(), 0);
}

static void a_fault_tells_name_and_address(void **state)
{
	struct world *world = begin(state, "port=1 host=nowhere.test,two.test");

	RUN_UNTIL(world, world->lost == 1);
	assert_non_null(strstr(world->lost_message, "server at \"two.test\" (127.0.0.2), port 1 failed: "));
	assert_non_null(strstr(world->lost_message, "server at \"two.test\" (127.0.0.1), port 1 failed: "));
	assert_non_null(strstr(world->lost_hint, "check that the server runs"));
}

struct clockwork {
	struct loop_timer *timer;
	int ticks;
};

static void on_tick(void *owner)
{
	struct clockwork *clockwork = owner;

	clockwork->ticks++;
	loop_timer_after(clockwork->timer, TICK_MS);
}

static void a_name_that_stalls_holds_up_nothing(void **state)
{
	struct world *world = begin(state, "host=stalled.test");
	struct clockwork clockwork = {0};
	struct answer *impatient = ask_script(world, world->session, script_of("SELECT 1"), 300);

	clockwork.timer = loop_timer_new(world->loop, on_tick, &clockwork);
	loop_timer_after(clockwork.timer, 0);
	run_for(world, 2000);
	assert_in_range(clockwork.ticks, 10, 41);
	assert_int_equal(impatient->times, 1);
	assert_string_equal(impatient->message, "no connection within 300 ms; still connecting");
	assert_int_equal(world->lost, 0);
	fake_names_release();
	expect_connection(world);
	loop_timer_free(clockwork.timer);
	answer_free(impatient);
}

static void a_session_may_be_freed_while_it_looks_a_name_up(void **state)
{
	struct world *world = begin(state, "host=stalled.test,localhost");

	struct answer *never = ask(world, "SELECT 1 AS x");

	RUN_UNTIL(world, session_is_open(world->helper));
	fake_names_await(2);
	session_free(world->session);
	world->session = NULL;
	run_for(world, 50);
	fake_names_release();
	run_for(world, 50);
	assert_int_equal(never->times, 0);
	answer_free(never);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, NULL, end)
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_as_good_as_its_address),
		TEST(addresses_are_tried_in_turn),
		TEST(a_first_host_that_nobody_knows_is_passed_over),
		TEST(a_first_host_that_stalls_is_passed_over),
		TEST(a_name_from_the_environment_counts),
		TEST(a_name_from_a_service_file_counts),
		TEST(a_name_that_nobody_knows_is_told),
		TEST(a_fault_tells_name_and_address),
		TEST(a_name_that_stalls_holds_up_nothing),
		TEST(a_session_may_be_freed_while_it_looks_a_name_up),
	};

	if (!conninfo())
		return 77;
	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_names", tests, NULL, NULL);
}
