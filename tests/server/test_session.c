/*
 * session against a real server: what is promised of answers, losses, deadlines and notifications.
 *
 * BACKFILLD_TEST_CONNINFO names a superuser's connection to a server whose backends this process may signal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/session.h"
#include "common/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* What one question was answered. */
struct answer {
	struct world *world;
	int times;
	int order; /* among all answers, from 1 */
	enum fault_kind kind;
	char sqlstate[6];
	char *message;
	size_t failed_at;
	char *value; /* first column "x" of the last statement */
};

struct world {
	struct loop *loop;
	struct loop_timer *limit;
	bool late;
	struct session *session;
	struct session *helper; /* another connection, for doing things to the first */
	int answers;
	int opened;
	int lost;
	enum fault_kind lost_kind;
	char *lost_message;
	char *lost_hint;
	struct text notified;
	void (*when_answered)(struct world *world, struct answer *answer);
	void (*when_lost)(struct world *world);
};

static const char *conninfo(void)
{
	return getenv("BACKFILLD_TEST_CONNINFO");
}

static void on_opened(void *owner)
{
	struct world *world = owner;

	world->opened++;
	loop_stop(world->loop);
}

static void on_lost(void *owner, const struct fault *why)
{
	struct world *world = owner;

	world->lost++;
	world->lost_kind = why->kind;
	memory_set_text(&world->lost_message, why->message);
	memory_set_text(&world->lost_hint, why->hint);
	if (world->when_lost)
		world->when_lost(world);
	loop_stop(world->loop);
}

static void on_notified(void *owner, const char *channel, const char *payload)
{
	struct world *world = owner;

	text_addf(&world->notified, "%s:%s ", channel, payload);
	loop_stop(world->loop);
}

static const struct session_events events = {.opened = on_opened, .lost = on_lost, .notified = on_notified};

/* Of the helper: only to turn the loop. */
static void on_helper_opened(void *owner)
{
	const struct world *world = owner;

	loop_stop(world->loop);
}

static const struct session_events helper_events = {.opened = on_helper_opened};

static void on_limit(void *owner)
{
	struct world *world = owner;

	world->late = true;
	loop_stop(world->loop);
}

static void on_answer(void *owner, const struct reply *reply)
{
	struct answer *answer = owner;
	struct world *world = answer->world;
	const struct fault *why = reply_fault(reply);

	answer->times++;
	answer->order = ++world->answers;
	if (why) {
		answer->kind = why->kind;
		memcpy(answer->sqlstate, why->sqlstate, sizeof(answer->sqlstate));
		memory_set_text(&answer->message, why->message);
		answer->failed_at = reply_fault_at(reply);
	}
	for (size_t i = 0; i < 8; i++)
		if (reply_rows(reply, i) > 0)
			memory_set_text(&answer->value, reply_text(reply, i, 0, "x"));
	if (world->when_answered)
		world->when_answered(world, answer);
	loop_stop(world->loop);
}

static struct script *greeting(void)
{
	struct script *script = script_new();

	script_add(script, "LISTEN test_session");
	return script;
}

static struct script *script_of(const char *sql)
{
	struct script *script = script_new();

	script_add(script, sql);
	return script;
}

static struct answer *ask_script(
	struct world *world, struct session *session, struct script *script, int64_t deadline_ms)
{
	struct answer *answer = memory_new(sizeof(*answer));

	answer->world = world;
	session_ask(session, script, deadline_ms, on_answer, answer);
	return answer;
}

static struct answer *ask(struct world *world, const char *sql)
{
	return ask_script(world, world->session, script_of(sql), PATIENCE_MS);
}

static void answer_free(struct answer *answer)
{
	free(answer->message);
	free(answer->value);
	free(answer);
}

/* Turns the loop until the condition holds. */
#define RUN_UNTIL(world, condition)                                                                          \
	do {                                                                                                     \
		(world)->late = false;                                                                               \
		loop_timer_after((world)->limit, PATIENCE_MS);                                                       \
		while (!(condition) && !(world)->late)                                                               \
			assert_true(loop_run((world)->loop));                                                            \
		if (!(condition))                                                                                    \
			fail_msg("it did not come within %d ms: %s", PATIENCE_MS, #condition);                           \
	} while (0)

static void run_for(struct world *world, int64_t milliseconds)
{
	world->late = false;
	loop_timer_after(world->limit, milliseconds);
	while (!world->late)
		assert_true(loop_run(world->loop));
}

static int set_up_at(void **state, const char *where)
{
	struct world *world = memory_new(sizeof(*world));

	world->loop = loop_new();
	world->limit = loop_timer_new(world->loop, on_limit, world);
	world->session = session_new(world->loop, where, "test_session", greeting(), &events, world);
	world->helper = session_new(world->loop, conninfo(), "test_session helper", NULL, &helper_events, world);
	*state = world;
	return 0;
}

static int set_up(void **state)
{
	return set_up_at(state, conninfo());
}

static int tear_down(void **state)
{
	struct world *world = *state;

	session_free(world->session);
	session_free(world->helper);
	loop_timer_free(world->limit);
	loop_free(world->loop);
	free(world->lost_message);
	free(world->lost_hint);
	text_free(&world->notified);
	free(world);
	return 0;
}

/* ---- answers ---- */

static void answers_values_of_every_kind(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	assert_false(session_is_open(world->session));
	assert_int_equal(session_backend_pid(world->session), 0);
	assert_null(session_user(world->session));
	script_add(script, "SELECT $1::text || pg_catalog.current_setting('client_encoding') || "
					   "pg_catalog.current_setting('application_name') AS x, $2::int AS n, $3::bool AS b");
	script_bind(script, "ä'\"");
	script_bind(script, NULL);
	script_bind_bool(script, true);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	assert_int_equal(session_open_questions(world->session), 1);
	assert_int_equal(answer->times, 0);
	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->value, "ä'\"UTF8test_session");
	assert_int_equal(session_open_questions(world->session), 0);
	assert_true(session_is_open(world->session));
	assert_true(session_server_version(world->session) >= 140000);
	assert_true(session_backend_pid(world->session) > 0);
	assert_non_null(session_user(world->session));
	answer_free(answer);
}

static void on_details(void *owner, const struct reply *reply)
{
	struct world *world = owner;
	uint32_t oid;
	int32_t modifier;

	assert_null(reply_fault(reply));
	assert_int_equal(reply_rows(reply, 0), 3);
	assert_int_equal(reply_int(reply, 0, 1, "n", -1), 2);
	assert_int_equal(reply_int(reply, 0, 2, "nothing", -1), -1);
	assert_true(reply_real(reply, 0, 1, "Half", 0) == 1.0);
	assert_true(reply_bool(reply, 0, 0, "first"));
	assert_false(reply_bool(reply, 0, 1, "first"));
	assert_null(reply_text(reply, 0, 0, "nothing"));
	assert_int_equal(reply_affected(reply, 2), 3);
	reply_first_type(reply, 3, &oid, &modifier);
	assert_int_equal(oid, 1700); /* numeric */
	assert_int_equal(modifier, (10 << 16 | 2) + 4);
	reply_first_type(reply, 1, &oid, &modifier);
	assert_int_equal(oid, 0);
	assert_int_equal(modifier, -1);
	assert_int_equal(reply_rows(reply, 99), 0);
	world->answers++;
	loop_stop(world->loop);
}

static void describes_rows_types_and_counts(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();

	script_add(script, "SELECT n, n / 2.0 AS \"Half\", n = 1 AS first, NULL::int AS nothing "
					   "FROM pg_catalog.generate_series(1, 3) AS n");
	script_add(script, "CREATE TEMP TABLE counted (n int)");
	script_add(script, "INSERT INTO counted SELECT pg_catalog.generate_series(1, 3)");
	script_add_parse(script, "SELECT CAST(NULL AS numeric(10,2)), 1 / 0");
	session_ask(world->session, script, PATIENCE_MS, on_details, world);
	RUN_UNTIL(world, world->answers == 1);
}

static void a_statement_that_cannot_be_parsed_is_a_fault(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	script_add(script, "SELECT 1 AS x");
	script_add_parse(script, "SELECT nonsense");
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, answer->times == 1);
	assert_int_equal(answer->kind, FAULT_JOB);
	assert_string_equal(answer->sqlstate, "42703");
	assert_int_equal(answer->failed_at, 1);
	answer_free(answer);
}

static void a_failure_in_the_middle_leaves_the_next_question_alone(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *failing;
	struct answer *following;

	script_add(script, "BEGIN");
	script_add(script, "CREATE TABLE public.never_kept (n int)");
	script_add(script, "SELECT 1 / $1::int");
	script_bind_int(script, 0);
	script_add(script, "SELECT 1 AS x");
	script_add(script, "COMMIT");
	failing = ask_script(world, world->session, script, PATIENCE_MS);
	following = ask(world, "SELECT pg_catalog.to_regclass('public.never_kept') IS NULL AS x");
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(failing->kind, FAULT_DATA);
	assert_string_equal(failing->sqlstate, "22012");
	assert_string_equal(failing->message, "division by zero");
	assert_int_equal(failing->failed_at, 2);
	assert_null(failing->value);
	assert_int_equal(failing->order, 1);
	assert_int_equal(following->kind, FAULT_NONE);
	assert_string_equal(following->value, "t");
	assert_int_equal(world->lost, 0);
	answer_free(failing);
	answer_free(following);
}

static void a_failed_transaction_is_rolled_back_though_nobody_asks(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *failing;
	struct answer *seen;

	script_add(script, "BEGIN");
	script_add(script, "SELECT 1 / 0");
	failing = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, failing->times == 1);
	for (int tries = 0; tries < 500 && session_open_questions(world->session) > 0; tries++)
		run_for(world, 10);
	script = script_of("SELECT state AS x FROM pg_catalog.pg_stat_activity WHERE pid = $1");
	script_bind_int(script, session_backend_pid(world->session));
	seen = ask_script(world, world->helper, script, PATIENCE_MS);
	RUN_UNTIL(world, seen->times == 1);
	assert_string_equal(seen->value, "idle");
	answer_free(failing);
	answer_free(seen);
}

static void a_thousand_questions_are_answered_once_each_in_order(void **state)
{
	enum { COUNT = 1000 };
	struct world *world = *state;
	struct answer *answers[COUNT];

	for (int i = 0; i < COUNT; i++) {
		struct script *script =
			script_of(i % 10 == 3 ? "SELECT 1 / ($1::int - $1::int)" : "SELECT $1::int AS x");

		script_bind_int(script, i);
		answers[i] = ask_script(world, world->session, script, PATIENCE_MS);
	}
	assert_int_equal(session_open_questions(world->session), COUNT);
	RUN_UNTIL(world, world->answers == COUNT);
	run_for(world, 50);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(answers[i]->times, 1);
		assert_int_equal(answers[i]->order, i + 1);
		if (i % 10 == 3)
			assert_int_equal(answers[i]->kind, FAULT_DATA);
		else
			assert_int_equal(atoi(answers[i]->value), i);
		answer_free(answers[i]);
	}
}

static void a_parameter_and_a_result_of_megabytes_pass(void **state)
{
	enum { SIZE = 5 * 1024 * 1024 };
	struct world *world = *state;
	struct script *script = script_new();
	char *big = memory_new(SIZE + 1);
	struct answer *answer;
	struct answer *back;

	memset(big, 'a', SIZE);
	script_add(script, "SELECT pg_catalog.length($1::text) AS x");
	script_bind(script, big);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	script = script_of("SELECT $1::text AS x");
	script_bind(script, big);
	back = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(atoi(answer->value), SIZE);
	assert_string_equal(back->value, big);
	free(big);
	answer_free(answer);
	answer_free(back);
}

static void on_tick(void *owner)
{
	struct world *world = owner;

	world->opened += 1000;
	loop_timer_after(world->limit, 5);
	loop_stop(world->loop);
}

/* The reader stands still while megabytes are to be sent to it: a blocking send would hold up the timers. */
static void a_big_send_does_not_hold_up_the_loop(void **state)
{
	enum { SIZE = 5 * 1024 * 1024 };
	struct world *world = *state;
	struct script *script = script_of("SELECT pg_catalog.length($1::text) AS x");
	char *big = memory_new(SIZE + 1);
	struct loop_timer *tick;
	struct loop_timer *limit = world->limit;
	struct answer *answer;
	int pid;

	RUN_UNTIL(world, session_is_open(world->session));
	pid = session_backend_pid(world->session);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	memset(big, 'a', SIZE);
	script_bind(script, big);
	free(big);
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	tick = loop_timer_new(world->loop, on_tick, world);
	world->limit = tick;
	loop_timer_after(tick, 5);
	while (world->opened < 20000)
		assert_true(loop_run(world->loop));
	loop_timer_free(tick);
	world->limit = limit;
	assert_int_equal(answer->times, 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	RUN_UNTIL(world, answer->times == 1);
	assert_int_equal(atoi(answer->value), SIZE);
	answer_free(answer);
}

/* ---- notifications and idleness ---- */

static void notifications_arrive_while_idle(void **state)
{
	struct world *world = *state;
	struct answer *answer;

	RUN_UNTIL(world, session_is_open(world->session) && session_is_open(world->helper));
	answer = ask_script(world, world->helper, script_of("NOTIFY test_session, 'hello'"), PATIENCE_MS);
	RUN_UNTIL(world, world->notified.length > 0);
	assert_string_equal(text_is(&world->notified), "test_session:hello ");
	RUN_UNTIL(world, answer->times == 1);
	answer_free(answer);
}

static void terminate(struct world *world)
{
	struct script *script = script_of("SELECT pg_catalog.pg_terminate_backend($1) AS x");

	script_bind_int(script, session_backend_pid(world->session));
	session_ask(world->helper, script, PATIENCE_MS, NULL, NULL);
}

static void an_idle_connection_that_the_server_ends_is_noticed(void **state)
{
	struct world *world = *state;
	struct answer *answer;

	RUN_UNTIL(world, session_is_open(world->session));
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	assert_false(session_is_open(world->session));
	assert_int_equal(world->lost_kind, FAULT_LINK);
	assert_string_equal(world->lost_message, "terminating connection due to administrator command");
	RUN_UNTIL(world, world->opened == 2);
	answer = ask(world, "SELECT 5 AS x");
	RUN_UNTIL(world, answer->times == 1);
	assert_string_equal(answer->value, "5");
	answer_free(answer);
}

/* ---- losses and deadlines ---- */

static void a_backend_terminated_in_mid_question_answers_all_with_link(void **state)
{
	struct world *world = *state;
	struct answer *working = ask(world, "SELECT pg_catalog.pg_sleep(60)");
	struct answer *behind = ask(world, "SELECT 1 AS x");
	struct answer *after;

	RUN_UNTIL(world, session_is_open(world->session));
	run_for(world, 50);
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	assert_int_equal(world->answers, 2);
	assert_int_equal(working->kind, FAULT_LINK);
	assert_string_equal(working->sqlstate, "57P01");
	assert_int_equal(behind->kind, FAULT_LINK);
	assert_int_equal(behind->order, 2);
	after = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, after->times == 1);
	assert_string_equal(after->value, "2");
	assert_int_equal(working->times, 1);
	assert_int_equal(behind->times, 1);
	answer_free(working);
	answer_free(behind);
	answer_free(after);
}

/* Terminated at some point of its work, again and again; questions go on being asked all the time. */
static void through_many_losses_each_question_is_answered_once(void **state)
{
	enum { ROUNDS = 6, EACH = 50 };
	struct world *world = *state;
	struct answer *answers[ROUNDS * EACH];

	for (int round = 0; round < ROUNDS; round++) {
		RUN_UNTIL(world, world->opened == round + 1 && session_is_open(world->helper));
		for (int i = 0; i < EACH; i++)
			answers[round * EACH + i] =
				ask(world, i % 5 == 4 ? "SELECT 1 / 0" : "SELECT pg_catalog.pg_sleep(0.001)::text AS x");
		run_for(world, clock_jitter(30));
		terminate(world);
		RUN_UNTIL(world, world->lost == round + 1);
	}
	RUN_UNTIL(world, world->opened == ROUNDS + 1);
	assert_int_equal(world->answers, ROUNDS * EACH);
	for (int i = 0; i < ROUNDS * EACH; i++) {
		assert_int_equal(answers[i]->times, 1);
		assert_int_equal(answers[i]->order, i + 1);
		assert_true(answers[i]->value || answers[i]->kind == FAULT_LINK || answers[i]->kind == FAULT_DATA);
		answer_free(answers[i]);
	}
}

static void a_silent_server_is_given_up_at_the_deadline(void **state)
{
	struct world *world = *state;
	struct answer *silent;
	struct answer *behind;
	int64_t began_ms;
	int pid;

	RUN_UNTIL(world, session_is_open(world->session));
	pid = session_backend_pid(world->session);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	began_ms = clock_ms();
	silent = ask_script(world, world->session, script_of("SELECT 1 AS x"), 300);
	behind = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, world->answers == 2);
	assert_in_range(clock_ms() - began_ms, 300, 2000);
	assert_int_equal(silent->kind, FAULT_LINK);
	assert_non_null(strstr(silent->message, "no answer within 300 ms"));
	assert_int_equal(behind->kind, FAULT_LINK);
	RUN_UNTIL(world, world->opened == 2);
	assert_int_not_equal(session_backend_pid(world->session), pid);
	assert_int_equal(kill(pid, SIGCONT), 0);
	answer_free(silent);
	answer_free(behind);
}

static void a_question_that_only_waited_too_long_is_busy(void **state)
{
	struct world *world = *state;
	struct answer *slow;
	struct answer *impatient;

	RUN_UNTIL(world, session_is_open(world->session));
	slow = ask(world, "SELECT pg_catalog.pg_sleep(0.6)::text AS x");
	impatient = ask_script(world, world->session, script_of("SELECT 1 AS x"), 100);
	RUN_UNTIL(world, world->answers == 2);
	assert_int_equal(impatient->kind, FAULT_BUSY);
	assert_int_equal(impatient->order, 1);
	assert_int_equal(slow->kind, FAULT_NONE);
	assert_int_equal(world->lost, 0);
	answer_free(slow);
	answer_free(impatient);
}

static void a_standby_is_a_link_fault(void **state)
{
	struct world *world = *state;
	struct script *script = script_new();
	struct answer *answer;

	script_add(script, "BEGIN READ ONLY");
	script_add(script, "CREATE TABLE public.never (n int)");
	answer = ask_script(world, world->session, script, PATIENCE_MS);
	RUN_UNTIL(world, world->lost == 1);
	assert_int_equal(answer->times, 1);
	assert_int_equal(answer->kind, FAULT_LINK);
	assert_string_equal(answer->sqlstate, "25006");
	RUN_UNTIL(world, world->opened == 2);
	answer_free(answer);
}

/* ---- connecting ---- */

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
		answer = ask_script(world, world->session, script_of("SELECT 1"), 150);
		RUN_UNTIL(world, answer->times == 1 && world->lost > 0);
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
	world->session = session_new(world->loop, conninfo(), "greeting", script_of("LISTEN 1"), &events, world);
	RUN_UNTIL(world, world->lost == 2);
	assert_int_equal(world->opened, 0);
	assert_non_null(
		strstr(world->lost_message, "the first statements on a new connection failed: syntax error"));
}

/* ---- freeing and forgetting from inside ---- */

static void free_session(struct world *world, struct answer *answer)
{
	if (answer->order != 1)
		return;
	session_free(world->session);
	world->session = NULL;
}

static void a_callback_may_free_the_session(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *second;

	world->when_answered = free_session;
	first = ask(world, "SELECT 1 AS x");
	second = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, first->times == 1);
	run_for(world, 50);
	assert_string_equal(first->value, "1");
	assert_int_equal(second->times, 0);
	answer_free(first);
	answer_free(second);
}

static void free_lost_session(struct world *world)
{
	session_free(world->session);
	world->session = NULL;
}

static void the_lost_event_may_free_the_session(void **state)
{
	struct world *world = *state;

	RUN_UNTIL(world, session_is_open(world->session));
	world->when_lost = free_lost_session;
	terminate(world);
	RUN_UNTIL(world, world->lost == 1);
	run_for(world, 300);
	assert_int_equal(world->opened, 1);
}

static void an_answer_of_a_lost_connection_may_free_the_session(void **state)
{
	struct world *world = *state;
	struct answer *first;
	struct answer *second;

	world->when_answered = free_session;
	first = ask(world, "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())");
	second = ask(world, "SELECT 2 AS x");
	RUN_UNTIL(world, first->times == 1);
	run_for(world, 50);
	assert_int_equal(first->kind, FAULT_LINK);
	assert_int_equal(second->times, 0);
	assert_int_equal(world->lost, 0);
	answer_free(first);
	answer_free(second);
}

static void ask_again(struct world *world, struct answer *answer)
{
	if (answer->kind == FAULT_LINK && answer->times < 3)
		session_ask(world->session, script_of("SELECT 7 AS x"), PATIENCE_MS, on_answer, answer);
	answer->kind = FAULT_NONE;
}

static void a_question_asked_by_an_answer_waits_for_the_next_connection(void **state)
{
	struct world *world = *state;
	struct answer *answer;

	world->when_answered = ask_again;
	answer = ask(world, "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())");
	RUN_UNTIL(world, answer->times == 2);
	assert_string_equal(answer->value, "7");
	assert_int_equal(world->lost, 1);
	answer_free(answer);
}

static struct answer *forgotten;

static void forget(struct world *world, struct answer *answer)
{
	(void)answer;
	session_forget(world->session, forgotten);
}

static void a_forgotten_question_is_carried_out_but_not_answered(void **state)
{
	struct world *world = *state;
	struct answer *last;
	struct answer *first;

	world->when_answered = forget;
	first = ask(world, "CREATE TEMP TABLE carried_out (n int)");
	forgotten = ask(world, "INSERT INTO carried_out VALUES (1)");
	last = ask(world, "SELECT pg_catalog.count(*) AS x FROM carried_out");
	RUN_UNTIL(world, last->times == 1);
	assert_int_equal(forgotten->times, 0);
	assert_string_equal(last->value, "1");
	answer_free(first);
	answer_free(forgotten);
	answer_free(last);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITHOUT_WORLD(test) cmocka_unit_test_setup_teardown(test, NULL, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(answers_values_of_every_kind),
		WITH_WORLD(describes_rows_types_and_counts),
		WITH_WORLD(a_statement_that_cannot_be_parsed_is_a_fault),
		WITH_WORLD(a_failure_in_the_middle_leaves_the_next_question_alone),
		WITH_WORLD(a_failed_transaction_is_rolled_back_though_nobody_asks),
		WITH_WORLD(a_thousand_questions_are_answered_once_each_in_order),
		WITH_WORLD(a_parameter_and_a_result_of_megabytes_pass),
		WITH_WORLD(a_big_send_does_not_hold_up_the_loop),
		WITH_WORLD(notifications_arrive_while_idle),
		WITH_WORLD(an_idle_connection_that_the_server_ends_is_noticed),
		WITH_WORLD(a_backend_terminated_in_mid_question_answers_all_with_link),
		WITH_WORLD(through_many_losses_each_question_is_answered_once),
		WITH_WORLD(a_silent_server_is_given_up_at_the_deadline),
		WITH_WORLD(a_question_that_only_waited_too_long_is_busy),
		WITH_WORLD(a_standby_is_a_link_fault),
		WITHOUT_WORLD(a_server_that_appears_later_is_found),
		WITHOUT_WORLD(a_silent_first_host_does_not_hide_the_second),
		WITHOUT_WORLD(a_connection_that_cannot_be_says_why_and_what_to_do),
		WITH_WORLD(a_greeting_that_fails_is_no_connection),
		WITH_WORLD(a_callback_may_free_the_session),
		WITH_WORLD(the_lost_event_may_free_the_session),
		WITH_WORLD(an_answer_of_a_lost_connection_may_free_the_session),
		WITH_WORLD(a_question_asked_by_an_answer_waits_for_the_next_connection),
		WITH_WORLD(a_forgotten_question_is_carried_out_but_not_answered),
	};

	log_open(LOG_LEVEL_ERROR);
	if (!conninfo())
		return 77;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
