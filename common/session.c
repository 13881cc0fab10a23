#include "common/session_inside.h"

#include "common/clock.h"
#include "common/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- questions ---- */

void question_free(struct question *question)
{
	reply_clear(&question->reply);
	if (!question->is_greeting)
		script_free(question->script);
	free(question);
}

/* The question must have left the session: its owner may free that. */
void question_answer(struct question *question)
{
	if (question->answer)
		question->answer(question->owner, &question->reply);
	question_free(question);
}

static void queue_add(struct session *session, struct question *question)
{
	question->number = ++session->asked;
	*session->end = question;
	session->end = &question->next;
	session->waiting++;
}

struct question *session_take(struct session *session, struct question **at)
{
	struct question *taken = *at;

	*at = taken->next;
	if (session->end == &taken->next)
		session->end = at;
	taken->next = NULL;
	session->waiting--;
	return taken;
}

struct question *session_take_current(struct session *session)
{
	struct question *taken = session->current;

	session->current = taken->next;
	taken->next = NULL;
	return taken;
}

static void free_questions(struct session *session)
{
	while (session->first)
		question_free(session_take(session, &session->first));
	while (session->current)
		question_free(session_take_current(session));
}

void session_enter(struct session *session)
{
	session->entered++;
}

void session_leave(struct session *session)
{
	if (--session->entered == 0 && session->state == SESSION_CLOSED)
		free(session);
}

static void wake_up(void *owner)
{
	struct session *session = owner;

	session_enter(session);
	if (session->state == SESSION_OPEN)
		session_carry_on(session);
	session_leave(session);
}

/* ---- deadlines ---- */

static void set_deadline(struct session *session, int64_t due_ms)
{
	int64_t left_ms = due_ms - clock_ms();

	session->deadline_due_ms = due_ms;
	loop_timer_after(session->deadline, left_ms > 0 ? left_ms : 0);
}

/* Of these the one that is due first; NULL: there is none. */
static const struct question *earliest(const struct question *questions)
{
	const struct question *first = questions;

	for (; questions; questions = questions->next)
		if (questions->due_ms < first->due_ms)
			first = questions;
	return first;
}

static void set_next_deadline(struct session *session)
{
	const struct question *sent = earliest(session->current);
	const struct question *waiting = earliest(session->first);
	int64_t next_ms = sent ? sent->due_ms : INT64_MAX;

	if (waiting && waiting->due_ms < next_ms)
		next_ms = waiting->due_ms;
	if (next_ms != INT64_MAX)
		set_deadline(session, next_ms);
}

static void give_up(struct session *session, const struct question *question)
{
	struct fault why = {0};

	fault_set(&why, FAULT_LINK, "the server gave no answer within %" PRId64 " ms", question->deadline_ms);
	fault_set_hint(
		&why, "backend %d may still be at work: see pg_stat_activity", PQbackendPID(session->conn));
	session_lose(session, &why);
	fault_clear(&why);
}

static void expire(struct session *session, struct question *question)
{
	struct fault *why = &question->reply.why;

	if (session->state == SESSION_OPEN) {
		fault_set(why, FAULT_BUSY,
			"not asked within %" PRId64 " ms, since the questions before it took longer",
			question->deadline_ms);
	} else if (session->trouble.kind != FAULT_NONE) {
		fault_copy(why, &session->trouble);
		why->kind = FAULT_LINK;
		fault_add_context(why, "no connection within %" PRId64 " ms", question->deadline_ms);
	} else {
		fault_set(
			why, FAULT_LINK, "no connection within %" PRId64 " ms; still connecting", question->deadline_ms);
	}
	question_answer(question);
}

static void expire_waiting(struct session *session, int64_t now_ms)
{
	struct question **at = &session->first;

	while (*at) {
		if ((*at)->due_ms > now_ms) {
			at = &(*at)->next;
			continue;
		}
		expire(session, session_take(session, at));
		/* The callback may have changed everything. */
		at = &session->first;
	}
}

static void deadline_passed(void *owner)
{
	struct session *session = owner;
	int64_t now_ms = clock_ms();
	const struct question *sent = earliest(session->current);

	session_enter(session);
	if (sent && sent->due_ms <= now_ms)
		give_up(session, sent);
	expire_waiting(session, now_ms);
	if (session->state != SESSION_CLOSED)
		set_next_deadline(session);
	session_leave(session);
}

/* ---- what others call ---- */

struct session *session_new(struct loop *loop, const char *conninfo, const char *name,
	struct script *greeting, const struct session_events *events, void *owner)
{
	struct session *session = memory_new(sizeof(*session));

	session->loop = loop;
	session->conninfo = memory_text(conninfo);
	session->name = memory_text(name);
	session->greeting = greeting;
	session->events = events;
	session->owner = owner;
	session->end = &session->first;
	session->backoff_ms = BACKOFF_MIN_MS;
	session->wake = loop_timer_new(loop, wake_up, session);
	session->resolve = resolve_new(loop, session_resolved, session);
	session->patience = loop_timer_new(loop, session_patience_ended, session);
	session->deadline = loop_timer_new(loop, deadline_passed, session);
	loop_timer_after(session->patience, 0);
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	assert(session->state != SESSION_CLOSED);
	session_enter(session);
	session->state = SESSION_CLOSED;
	session_close_connection(session);
	free_questions(session);
	resolve_free(session->resolve);
	hosts_free(&session->hosts);
	loop_timer_free(session->wake);
	loop_timer_free(session->patience);
	loop_timer_free(session->deadline);
	script_free(session->greeting);
	fault_clear(&session->trouble);
	fault_clear(&session->parting);
	free(session->conninfo);
	free(session->name);
	session_leave(session);
}

static void ask(struct session *session, struct script *script, bool ahead, int64_t deadline_ms,
	session_answer *answer, void *owner)
{
	struct question *question = memory_new(sizeof(*question));

	assert(session->state != SESSION_CLOSED);
	question->script = script;
	question->ahead = ahead;
	question->deadline_ms = deadline_ms;
	question->due_ms = clock_ms() + deadline_ms;
	question->answer = answer;
	question->owner = owner;
	queue_add(session, question);
	if (!loop_timer_pending(session->deadline) || question->due_ms < session->deadline_due_ms)
		set_deadline(session, question->due_ms);
	if (session->state == SESSION_OPEN)
		loop_timer_after(session->wake, 0);
}

void session_ask(
	struct session *session, struct script *script, int64_t deadline_ms, session_answer *answer, void *owner)
{
	ask(session, script, false, deadline_ms, answer, owner);
}

void session_ask_ahead(
	struct session *session, struct script *script, int64_t deadline_ms, session_answer *answer, void *owner)
{
	ask(session, script, true, deadline_ms, answer, owner);
}

static void forget(struct question *questions, const void *owner)
{
	for (struct question *question = questions; question; question = question->next)
		if (question->owner == owner)
			question->answer = NULL;
}

static void drop_ahead(struct session *session, const void *owner)
{
	struct question **at = &session->first;

	while (*at) {
		if ((*at)->ahead && (*at)->owner == owner)
			question_free(session_take(session, at));
		else
			at = &(*at)->next;
	}
}

void session_forget(struct session *session, const void *owner)
{
	drop_ahead(session, owner);
	forget(session->current, owner);
	forget(session->first, owner);
}

size_t session_open_questions(const struct session *session)
{
	size_t sent = 0;

	for (const struct question *question = session->current; question; question = question->next)
		sent += !question->is_greeting;
	return session->waiting + sent;
}

int64_t session_asked(const struct session *session)
{
	return (int64_t)session->asked;
}

bool session_is_open(const struct session *session)
{
	return session->state == SESSION_OPEN;
}

int64_t session_at_work_since_ms(const struct session *session)
{
	return session->at_work_since_ms;
}

static const PGconn *standing(const struct session *session)
{
	bool stands = session->state == SESSION_OPEN || session->state == SESSION_GREETING;

	return stands ? session->conn : NULL;
}

int session_server_version(const struct session *session)
{
	return PQserverVersion(standing(session));
}

int session_backend_pid(const struct session *session)
{
	return PQbackendPID(standing(session));
}

const char *session_user(const struct session *session)
{
	return PQuser(standing(session));
}
