#include "tests/server/session_world.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

const char *conninfo(void)
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

const struct session_events world_events = {.opened = on_opened, .lost = on_lost, .notified = on_notified};

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

void on_answer(void *owner, const struct reply *reply)
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

struct script *script_of(const char *sql)
{
	struct script *script = script_new();

	script_add(script, sql);
	return script;
}

static struct answer *answer_of(struct world *world)
{
	struct answer *answer = memory_new(sizeof(*answer));

	answer->world = world;
	return answer;
}

struct answer *ask_script(
	struct world *world, struct session *session, struct script *script, int64_t deadline_ms)
{
	struct answer *answer = answer_of(world);

	session_ask(session, script, deadline_ms, on_answer, answer);
	return answer;
}

struct answer *ask(struct world *world, const char *sql)
{
	return ask_script(world, world->session, script_of(sql), PATIENCE_MS);
}

struct answer *ask_ahead(struct world *world, struct script *script, int64_t deadline_ms)
{
	struct answer *answer = answer_of(world);

	session_ask_ahead(world->session, script, deadline_ms, on_answer, answer);
	return answer;
}

void answer_free(struct answer *answer)
{
	free(answer->message);
	free(answer->value);
	free(answer);
}

void check_a_thousand(struct world *world, bool ahead)
{
	enum { COUNT = 1000 };
	struct answer *answers[COUNT];

	for (int i = 0; i < COUNT; i++) {
		struct script *script =
			script_of(i % 10 == 3 ? "SELECT 1 / ($1::int - $1::int)" : "SELECT $1::int AS x");

		script_bind_int(script, i);
		answers[i] = ahead ? ask_ahead(world, script, PATIENCE_MS)
						   : ask_script(world, world->session, script, PATIENCE_MS);
	}
	assert_int_equal(session_open_questions(world->session), COUNT);
	RUN_UNTIL(world, world->answers == COUNT);
	run_for(world, 50);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(answers[i]->times, 1);
		assert_int_equal(answers[i]->order, i + 1);
		assert_int_equal(answers[i]->kind, i % 10 == 3 ? FAULT_DATA : FAULT_NONE);
		if (i % 10 != 3)
			assert_int_equal(atoi(answers[i]->value), i);
		answer_free(answers[i]);
	}
}

void run_for(struct world *world, int64_t milliseconds)
{
	world->late = false;
	loop_timer_after(world->limit, milliseconds);
	while (!world->late)
		assert_true(loop_run(world->loop));
}

int set_up_at(void **state, const char *where)
{
	struct world *world = memory_new(sizeof(*world));

	world->loop = loop_new();
	world->limit = loop_timer_new(world->loop, on_limit, world);
	world->session = session_new(world->loop, where, "test_session", greeting(), &world_events, world);
	world->helper = session_new(world->loop, conninfo(), "test_session helper", NULL, &helper_events, world);
	*state = world;
	return 0;
}

int set_up(void **state)
{
	return set_up_at(state, conninfo());
}

int tear_down(void **state)
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

void terminate(struct world *world)
{
	struct script *script = script_of("SELECT pg_catalog.pg_terminate_backend($1) AS x");

	script_bind_int(script, session_backend_pid(world->session));
	session_ask(world->helper, script, PATIENCE_MS, NULL, NULL);
}
