/*
 * session_world: what the tests of the session room share: a loop, a session under test, and another one for
 * doing things to the first.
 *
 * BACKFILLD_TEST_CONNINFO names a superuser's connection to a server whose backends this process may signal.
 */
#ifndef BACKFILLD_TESTS_SERVER_SESSION_WORLD_H
#define BACKFILLD_TESTS_SERVER_SESSION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/session.h"
#include "common/text.h"

/* More than anything here takes on a busy machine. */
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

/* Setup and teardown of a test; set_up_at() lets the session connect to another place. */
int set_up(void **state);
int set_up_at(void **state, const char *where);
int tear_down(void **state);

/* BACKFILLD_TEST_CONNINFO. */
const char *conninfo(void);

/* The events of the session under test. */
extern const struct session_events world_events;

struct script *script_of(const char *sql);

/* Asks, and keeps what is answered; to be freed by answer_free(). `script` is taken. */
struct answer *ask_script(
	struct world *world, struct session *session, struct script *script, int64_t deadline_ms);
struct answer *ask(struct world *world, const char *sql);
/* The same, of the session under test, behind the question asked last. */
struct answer *ask_ahead(struct world *world, struct script *script, int64_t deadline_ms);
/* A thousand questions of which every tenth fails, `ahead` or not: each is answered once, and in order. */
void check_a_thousand(struct world *world, bool ahead);
void answer_free(struct answer *answer);

/* The callback behind them. */
void on_answer(void *owner, const struct reply *reply);

/* Ends the backend of the session under test, by the helper's connection. */
void terminate(struct world *world);

void run_for(struct world *world, int64_t milliseconds);

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

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITHOUT_WORLD(test) cmocka_unit_test_setup_teardown(test, NULL, tear_down)

#endif
