#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_inside.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question {
	struct question *next;
	const struct script *script; /* the record's */
	const struct fake_rule *rule;
	uint64_t number;
	int64_t deadline_ms;
	int64_t due_ms;
	int64_t ready_ms;
	session_answer *answer;
	void *owner;
	bool ahead;
};

struct session {
	struct session *next;
	struct loop_timer *timer;
	char *conninfo;
	char *user;
	const struct session_events *events;
	void *owner;
	int number;
	bool open;
	bool shut;
	bool closed;
	int entered;
	uint64_t asked;
	struct question *first;
};

/* What becomes of a transaction that was asked ahead when the one before it fails. */
static char aborted_message[] = "current transaction is aborted";
static const struct fake_rule aborted = {
	.fault = {.kind = FAULT_JOB, .sqlstate = "25P02", .message = aborted_message},
};

static struct {
	struct session *sessions; /* youngest first */
	int sessions_made;
	bool unreachable;
} fake;

size_t fake_forget_sessions(void)
{
	size_t count = fake_sessions();

	fake.sessions = NULL;
	fake.sessions_made = 0;
	fake.unreachable = false;
	return count;
}

size_t fake_sessions(void)
{
	size_t count = 0;

	for (const struct session *session = fake.sessions; session; session = session->next)
		count++;
	return count;
}

/* The list has the youngest first. */
struct session *fake_session(size_t index)
{
	size_t count = fake_sessions();
	struct session *session = fake.sessions;

	assert_true(index < count);
	for (size_t skip = count - 1 - index; skip > 0; skip--)
		session = session->next;
	return session;
}

const char *fake_conninfo(const struct session *session)
{
	return session->conninfo;
}

static void enter(struct session *session)
{
	session->entered++;
}

static void leave(struct session *session)
{
	if (--session->entered == 0 && session->closed)
		free(session);
}

static void answer(struct question *question, const struct fault *why, size_t failed_at)
{
	struct reply reply = {.script = question->script, .rule = question->rule, .failed_at = failed_at};

	if (why)
		fault_copy(&reply.why, why);
	if (question->answer)
		question->answer(question->owner, &reply);
	fault_clear(&reply.why);
	free(question);
}

static void plan_next(struct session *session)
{
	const struct question *first = session->first;
	int64_t now_ms = clock_ms();
	int64_t due_ms = INT64_MAX;

	if (session->closed)
		return;
	for (const struct question *question = first; question; question = question->next)
		if (question->due_ms < due_ms)
			due_ms = question->due_ms;
	if (!session->open && !session->shut && !fake.unreachable)
		due_ms = now_ms;
	else if (session->open && first && (!first->rule || first->ready_ms < due_ms))
		due_ms = first->rule ? first->ready_ms : now_ms;
	if (due_ms == INT64_MAX)
		loop_timer_stop(session->timer);
	else
		loop_timer_after(session->timer, due_ms - now_ms);
}

static void begin_question(struct question *question)
{
	struct fake_rule *rule = fake_find_rule(question->script);

	if (!rule) {
		print_error("a question that no rule expects:\n");
		fake_print(question->script);
		fail();
		return;
	}
	rule->used = rule->once;
	question->rule = rule;
	question->ready_ms = rule->silent ? INT64_MAX : clock_ms() + rule->delay_ms;
}

/* Only what was asked before the loss. */
static void lose(struct session *session, const struct fault *why)
{
	uint64_t last = session->asked;

	session->open = false;
	while (session->first && session->first->number <= last) {
		struct question *question = session->first;

		session->first = question->next;
		answer(question, why, 0);
	}
	if (!session->closed && session->events->lost)
		session->events->lost(session->owner, why);
}

static void answer_first(struct session *session)
{
	struct question *question = session->first;
	const struct fake_rule *rule = question->rule;
	const struct fault *why = rule->fault.kind == FAULT_NONE ? NULL : &rule->fault;
	struct fault cause = {0};
	size_t failed_at = 0;

	session->first = question->next;
	if (why && rule->fails_at)
		fake_find_statement(question->script, rule->fails_at, &failed_at);
	if (why && session->first && session->first->ahead)
		session->first->rule = &aborted;
	answer(question, why, failed_at);
	if (why && why->kind == FAULT_LINK && !session->closed) {
		fault_copy(&cause, why);
		lose(session, &cause);
		fault_clear(&cause);
	}
}

static void expire(struct session *session, struct question *question)
{
	struct fault why = {0};
	struct question **at = &session->first;

	if (session->open && question == session->first) {
		fault_set(
			&why, FAULT_LINK, "the server gave no answer within %lld ms", (long long)question->deadline_ms);
		lose(session, &why);
	} else {
		fault_set(&why, session->open ? FAULT_BUSY : FAULT_LINK, "%s within %lld ms",
			session->open ? "not asked" : "no connection", (long long)question->deadline_ms);
		while (*at != question)
			at = &(*at)->next;
		*at = question->next;
		answer(question, &why, 0);
	}
	fault_clear(&why);
}

static struct question *find_overdue(const struct session *session)
{
	for (struct question *question = session->first; question; question = question->next)
		if (question->due_ms <= clock_ms())
			return question;
	return NULL;
}

static void open_session(struct session *session)
{
	session->open = true;
	if (session->events->opened)
		session->events->opened(session->owner);
}

static void session_turn(void *owner)
{
	struct session *session = owner;
	struct question *overdue;

	enter(session);
	if (session->open && fake.unreachable)
		fake_lose(session, "the server is gone");
	else if (!session->open && !session->shut && !fake.unreachable)
		open_session(session);
	else if ((overdue = find_overdue(session)))
		expire(session, overdue);
	else if (session->open && session->first && !session->first->rule)
		begin_question(session->first);
	else if (session->open && session->first && session->first->ready_ms <= clock_ms())
		answer_first(session);
	plan_next(session);
	leave(session);
}

void fake_reachable(bool reachable)
{
	fake.unreachable = !reachable;
	for (struct session *session = fake.sessions; session; session = session->next)
		loop_timer_after(session->timer, 0);
}

static void lose_for(struct session *session, const char *sqlstate, const char *message)
{
	struct fault why = {0};

	enter(session);
	fault_set(&why, FAULT_LINK, "%s", message);
	snprintf(why.sqlstate, sizeof(why.sqlstate), "%s", sqlstate);
	lose(session, &why);
	fault_clear(&why);
	plan_next(session);
	leave(session);
}

void fake_lose(struct session *session, const char *message)
{
	lose_for(session, "", message);
}

void fake_refuse(struct session *session, const char *sqlstate, const char *message)
{
	session->shut = true;
	lose_for(session, sqlstate, message);
}

void fake_shut(struct session *session)
{
	session->shut = true;
	fake_lose(session, "the server is gone");
}

void fake_open(struct session *session)
{
	session->shut = false;
	plan_next(session);
}

void fake_notify(struct session *session, const char *channel, const char *payload)
{
	enter(session);
	if (session->events->notified)
		session->events->notified(session->owner, channel, payload);
	leave(session);
}

static char *user_of(const char *conninfo)
{
	const char *user = strstr(conninfo, "user=");

	if (!user)
		return memory_text("fake");
	user += strlen("user=");
	return memory_textf("%.*s", (int)strcspn(user, " "), user);
}

struct session *session_new(struct loop *loop, const char *conninfo, const char *name,
	struct script *greeting, const struct session_events *events, void *owner)
{
	struct session *session = memory_new(sizeof(*session));

	assert_non_null(name);
	session->timer = loop_timer_new(loop, session_turn, session);
	session->conninfo = memory_text(conninfo);
	session->user = user_of(conninfo);
	session->events = events;
	session->owner = owner;
	session->number = ++fake.sessions_made;
	session->next = fake.sessions;
	fake.sessions = session;
	if (greeting)
		fake_record(greeting);
	loop_timer_after(session->timer, 0);
	return session;
}

void session_free(struct session *session)
{
	struct session **at = &fake.sessions;

	if (!session)
		return;
	while (*at && *at != session)
		at = &(*at)->next;
	if (*at)
		*at = session->next;
	enter(session);
	session->closed = true;
	session->open = false;
	while (session->first) {
		struct question *question = session->first;

		session->first = question->next;
		free(question);
	}
	loop_timer_free(session->timer);
	free(session->conninfo);
	free(session->user);
	leave(session);
}

static void ask(struct session *session, struct script *script, bool ahead, int64_t deadline_ms,
	session_answer *answer_fn, void *owner)
{
	struct question *question = memory_new(sizeof(*question));
	struct question **end = &session->first;

	fake_record(script);
	question->script = script;
	question->number = ++session->asked;
	question->deadline_ms = deadline_ms;
	question->due_ms = clock_ms() + deadline_ms;
	question->answer = answer_fn;
	question->owner = owner;
	question->ahead = ahead;
	while (*end)
		end = &(*end)->next;
	*end = question;
	plan_next(session);
}

void session_ask(struct session *session, struct script *script, int64_t deadline_ms,
	session_answer *answer_fn, void *owner)
{
	ask(session, script, false, deadline_ms, answer_fn, owner);
}

void session_ask_ahead(struct session *session, struct script *script, int64_t deadline_ms,
	session_answer *answer_fn, void *owner)
{
	ask(session, script, true, deadline_ms, answer_fn, owner);
}

void session_forget(struct session *session, const void *owner)
{
	for (struct question *question = session->first; question; question = question->next)
		if (question->owner == owner)
			question->answer = NULL;
}

size_t session_open_questions(const struct session *session)
{
	size_t count = 0;

	for (const struct question *question = session->first; question; question = question->next)
		count++;
	return count;
}

int64_t session_asked(const struct session *session)
{
	return (int64_t)session->asked;
}

bool session_is_open(const struct session *session)
{
	return session->open;
}

int64_t session_at_work_since_ms(const struct session *session)
{
	return session->first ? session->first->due_ms - session->first->deadline_ms : 0;
}

int session_server_version(const struct session *session)
{
	return session->open ? 150018 : 0;
}

int session_backend_pid(const struct session *session)
{
	return session->open ? 1000 + session->number : 0;
}

const char *session_user(const struct session *session)
{
	return session->open ? session->user : NULL;
}
