#include "tests/unit/fake_session.h"

#include "common/clock.h"
#include "common/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct result {
	struct result *next;
	char *part;
	char **columns;
	size_t columns_count;
	char **values; /* row after row */
	size_t rows;
	int64_t affected;
	uint32_t oid;
	int32_t modifier;
};

struct fake_rule {
	struct fake_rule *next;
	char *part;
	bool once;
	bool used;
	struct result *results; /* the one that is being described first */
	struct fault fault;
	char *fails_at;
	int64_t delay_ms;
	bool silent;
};

struct record {
	struct record *next;   /* the one before */
	struct script *script; /* outlives its question */
};

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
};

struct reply {
	const struct script *script;
	const struct fake_rule *rule; /* NULL: never asked */
	struct fault why;
	size_t failed_at;
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
	bool closed;
	int entered;
	uint64_t asked;
	struct question *first;
};

static struct {
	struct fake_rule *rules; /* youngest first */
	struct record *records;  /* youngest first */
	struct session *sessions;
	int sessions_made;
	bool unreachable;
} fake;

/* ---- rules ---- */

static struct fake_rule *add_rule(const char *part, bool once)
{
	struct fake_rule *rule = memory_new(sizeof(*rule));

	rule->part = memory_text(part);
	rule->once = once;
	rule->next = fake.rules;
	fake.rules = rule;
	fake_statement(rule, part);
	return rule;
}

struct fake_rule *fake_on(const char *part)
{
	return add_rule(part, false);
}

struct fake_rule *fake_once(const char *part)
{
	return add_rule(part, true);
}

void fake_statement(struct fake_rule *rule, const char *part)
{
	struct result *result = memory_new(sizeof(*result));

	result->part = memory_text(part);
	result->modifier = -1;
	result->next = rule->results;
	rule->results = result;
}

void fake_columns(struct fake_rule *rule, ...)
{
	struct result *result = rule->results;
	const char *name;
	va_list names;

	va_start(names, rule);
	while ((name = va_arg(names, const char *))) {
		size_t size = (result->columns_count + 1) * sizeof(result->columns[0]);

		result->columns = memory_resize(result->columns, size);
		result->columns[result->columns_count++] = memory_text(name);
	}
	va_end(names);
}

void fake_row(struct fake_rule *rule, ...)
{
	struct result *result = rule->results;
	size_t count = result->columns_count;
	va_list values;

	result->values =
		memory_resize(result->values, ((result->rows + 1) * count + 1) * sizeof(result->values[0]));
	va_start(values, rule);
	for (size_t i = 0; i < count; i++)
		result->values[result->rows * count + i] = memory_text(va_arg(values, const char *));
	va_end(values);
	result->rows++;
	result->affected = (int64_t)result->rows;
}

void fake_affected(struct fake_rule *rule, int64_t rows)
{
	rule->results->affected = rows;
}

void fake_type(struct fake_rule *rule, uint32_t oid, int32_t modifier)
{
	rule->results->oid = oid;
	rule->results->modifier = modifier;
}

void fake_fails(struct fake_rule *rule, enum fault_kind kind, const char *sqlstate, const char *message)
{
	fault_set(&rule->fault, kind, "%s", message);
	snprintf(rule->fault.sqlstate, sizeof(rule->fault.sqlstate), "%s", sqlstate);
	memory_set_text(&rule->fails_at, rule->results->part);
}

void fake_detail(struct fake_rule *rule, const char *detail)
{
	memory_set_text(&rule->fault.detail, detail);
}

void fake_after(struct fake_rule *rule, int64_t delay_ms)
{
	rule->delay_ms = delay_ms;
}

void fake_silent(struct fake_rule *rule)
{
	rule->silent = true;
}

static bool find_statement(const struct script *script, const char *part, size_t *ret_index)
{
	for (size_t i = 0; i < script->count; i++)
		if (strstr(script->statements[i].sql, part)) {
			*ret_index = i;
			return true;
		}
	return false;
}

static void print_script(const struct script *script)
{
	for (size_t i = 0; i < script->count; i++) {
		const struct script_statement *statement = &script->statements[i];

		print_error("%s", statement->sql);
		for (size_t v = 0; v < statement->values_count; v++)
			print_error("%s$%zu = %s", v ? ", " : "\n\t-- ", v + 1,
				statement->values[v] ? statement->values[v] : "NULL");
		print_error(";\n");
	}
}

static struct fake_rule *find_rule(const struct script *script)
{
	struct fake_rule *once = NULL;
	struct fake_rule *every = NULL;
	size_t at;

	for (struct fake_rule *rule = fake.rules; rule; rule = rule->next) {
		if (rule->used || !find_statement(script, rule->part, &at))
			continue;
		if (rule->once)
			once = rule;
		else if (!every)
			every = rule;
	}
	return once ? once : every;
}

static void free_rule(struct fake_rule *rule)
{
	while (rule->results) {
		struct result *result = rule->results;

		rule->results = result->next;
		for (size_t i = 0; i < result->columns_count * result->rows; i++)
			free(result->values[i]);
		for (size_t i = 0; i < result->columns_count; i++)
			free(result->columns[i]);
		free(result->values);
		free(result->columns);
		free(result->part);
		free(result);
	}
	fault_clear(&rule->fault);
	free(rule->fails_at);
	free(rule->part);
	free(rule);
}

static void forget_everything(void)
{
	while (fake.rules) {
		struct fake_rule *rule = fake.rules;

		fake.rules = rule->next;
		free_rule(rule);
	}
	while (fake.records) {
		struct record *record = fake.records;

		fake.records = record->next;
		script_free(record->script);
		free(record);
	}
	fake.sessions = NULL;
	fake.sessions_made = 0;
	fake.unreachable = false;
}

void fake_begin(void)
{
	forget_everything();
}

void fake_end(void)
{
	size_t unused = 0;
	size_t living = fake_sessions();

	for (const struct fake_rule *rule = fake.rules; rule; rule = rule->next)
		if (rule->once && !rule->used) {
			print_error("never asked: %s\n", rule->part);
			unused++;
		}
	forget_everything();
	assert_int_equal(unused, 0);
	assert_int_equal(living, 0);
}

/* ---- records ---- */

static void record(struct script *script)
{
	struct record *made = memory_new(sizeof(*made));

	made->script = script;
	made->next = fake.records;
	fake.records = made;
}

size_t fake_asked(const char *part)
{
	size_t count = 0;
	size_t at;

	for (const struct record *made = fake.records; made; made = made->next)
		if (find_statement(made->script, part, &at))
			count++;
	return count;
}

const struct script *fake_last(const char *part)
{
	size_t at;

	for (const struct record *made = fake.records; made; made = made->next)
		if (find_statement(made->script, part, &at))
			return made->script;
	return NULL;
}

const char *fake_bound(const char *part, size_t number)
{
	const struct script *script = fake_last(part);
	size_t at = 0;

	if (!script || !find_statement(script, part, &at))
		fail_msg("nobody asked: %s", part);
	assert_in_range(number, 1, script->statements[at].values_count);
	return script->statements[at].values[number - 1];
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

/* ---- the session ---- */

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
	if (!session->open && !fake.unreachable)
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
	struct fake_rule *rule = find_rule(question->script);

	if (!rule) {
		print_error("a question that no rule expects:\n");
		print_script(question->script);
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
	if (why)
		find_statement(question->script, rule->fails_at, &failed_at);
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
	else if (!session->open && !fake.unreachable)
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

void fake_lose(struct session *session, const char *message)
{
	struct fault why = {0};

	enter(session);
	fault_set(&why, FAULT_LINK, "%s", message);
	lose(session, &why);
	fault_clear(&why);
	plan_next(session);
	leave(session);
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
		record(greeting);
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

void session_ask(struct session *session, struct script *script, int64_t deadline_ms,
	session_answer *answer_fn, void *owner)
{
	struct question *question = memory_new(sizeof(*question));
	struct question **end = &session->first;

	record(script);
	question->script = script;
	question->number = ++session->asked;
	question->deadline_ms = deadline_ms;
	question->due_ms = clock_ms() + deadline_ms;
	question->answer = answer_fn;
	question->owner = owner;
	while (*end)
		end = &(*end)->next;
	*end = question;
	plan_next(session);
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

bool session_is_open(const struct session *session)
{
	return session->open;
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

/* ---- the reply ---- */

static const struct result *result_of(const struct reply *reply, size_t statement)
{
	size_t at;

	if (!reply->rule || (reply->why.kind != FAULT_NONE && statement >= reply->failed_at))
		return NULL;
	for (const struct result *result = reply->rule->results; result; result = result->next)
		if (find_statement(reply->script, result->part, &at) && at == statement)
			return result;
	return NULL;
}

const struct fault *reply_fault(const struct reply *reply)
{
	return reply->why.kind == FAULT_NONE ? NULL : &reply->why;
}

size_t reply_fault_at(const struct reply *reply)
{
	return reply->failed_at;
}

size_t reply_rows(const struct reply *reply, size_t statement)
{
	const struct result *result = result_of(reply, statement);

	return result ? result->rows : 0;
}

int64_t reply_affected(const struct reply *reply, size_t statement)
{
	const struct result *result = result_of(reply, statement);

	return result ? result->affected : 0;
}

const char *reply_text(const struct reply *reply, size_t statement, size_t row, const char *column)
{
	const struct result *result = result_of(reply, statement);

	if (!result || row >= result->rows) {
		fail_msg("no row %zu in what statement %zu was told to answer", row, statement);
		return NULL;
	}
	for (size_t i = 0; i < result->columns_count; i++)
		if (strcmp(result->columns[i], column) == 0)
			return result->values[row * result->columns_count + i];
	fail_msg("no column \"%s\" in what \"%s\" was told to answer", column, result->part);
	return NULL;
}

int64_t reply_int(
	const struct reply *reply, size_t statement, size_t row, const char *column, int64_t when_null)
{
	const char *text = reply_text(reply, statement, row, column);

	return text ? strtoll(text, NULL, 10) : when_null;
}

double reply_real(
	const struct reply *reply, size_t statement, size_t row, const char *column, double when_null)
{
	const char *text = reply_text(reply, statement, row, column);

	return text ? strtod(text, NULL) : when_null;
}

bool reply_bool(const struct reply *reply, size_t statement, size_t row, const char *column)
{
	const char *text = reply_text(reply, statement, row, column);

	return text && strcmp(text, "t") == 0;
}

void reply_first_type(const struct reply *reply, size_t statement, uint32_t *ret_oid, int32_t *ret_modifier)
{
	const struct result *result = result_of(reply, statement);

	*ret_oid = result ? result->oid : 0;
	*ret_modifier = result ? result->modifier : -1;
}
