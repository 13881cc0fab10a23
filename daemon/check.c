#include "daemon/check.h"

#include "common/loop.h"
#include "common/memory.h"
#include "common/session.h"
#include "common/text.h"
#include "daemon/fitness.h"
#include "daemon/monitor.h"
#include "daemon/pressure.h"
#include "daemon/queue.h"
#include "daemon/survey.h"
#include "sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 10000

/* What of a database is being looked at. */
enum part { AT_SERVER, AT_CASCADES, AT_LOGINS };

struct check {
	const struct options *options;
	struct loop *loop;
	struct session *session;
	size_t at; /* database being looked at */
	enum part part;
	size_t cascade;  /* of its cascades */
	size_t login;    /* of its logins; = logins_count: the control login serves all other owners */
	char **replicas; /* connected to it or to its cascades, so far; those that replay are counted */
	size_t replicas_count;
	int replaying;
	int bad;
};

static void lost(void *owner, const struct fault *why);

static const struct session_events events = {.lost = lost};

static void check_database(struct check *check);
static void check_cascade(struct check *check);
static void check_login(struct check *check);

static const struct options_database *database_of(const struct check *check)
{
	return &check->options->databases[check->at];
}

static void find(struct check *check, const char *verdict, const char *format, ...) PRINTF_LIKE(3, 4);

static void find(struct check *check, const char *verdict, const char *format, ...)
{
	va_list values;

	if (strcmp(verdict, "bad") == 0)
		check->bad = 1;
	printf("%-4s %s: ", verdict, database_of(check)->name);
	va_start(values, format);
	vprintf(format, values);
	va_end(values);
	putchar('\n');
}

static void find_fault(struct check *check, const char *what, const struct fault *why)
{
	find(check, "bad", "%s: %s%s%s", what, why->message, why->hint ? "; " : "", why->hint ? why->hint : "");
}

static void finish_session(struct check *check)
{
	session_free(check->session);
	check->session = NULL;
}

static void add_replica(struct check *check, const char *name, bool replays)
{
	check->replicas =
		memory_resize(check->replicas, (check->replicas_count + 1) * sizeof(check->replicas[0]));
	check->replicas[check->replicas_count++] = memory_text(name);
	check->replaying += replays;
}

static void forget_replicas(struct check *check)
{
	for (size_t i = 0; i < check->replicas_count; i++)
		free(check->replicas[i]);
	free(check->replicas);
	check->replicas = NULL;
	check->replicas_count = 0;
	check->replaying = 0;
}

static void next_database(struct check *check)
{
	finish_session(check);
	forget_replicas(check);
	check->at++;
	check->part = AT_SERVER;
	check->cascade = 0;
	check->login = 0;
	check_database(check);
}

static void next_cascade(struct check *check)
{
	finish_session(check);
	check->cascade++;
	check_cascade(check);
}

static void next_login(struct check *check)
{
	finish_session(check);
	check->login++;
	check_login(check);
}

/* Nothing would be filled until it can be asked: see monitor.h. */
static void find_cascade_fault(struct check *check, const struct fault *why)
{
	char *what = memory_textf(
		"cascades[%zu] cannot be asked for its replicas, and nothing would be filled", check->cascade);

	find_fault(check, what, why);
	free(what);
}

/* One attempt tells enough: the next finding does not wait for a server that may never come. */
static void lost(void *owner, const struct fault *why)
{
	struct check *check = owner;

	switch (check->part) {
	case AT_SERVER:
		find_fault(check, "cannot be reached", why);
		next_database(check);
		break;
	case AT_CASCADES:
		find_cascade_fault(check, why);
		next_cascade(check);
		break;
	case AT_LOGINS:
		find_fault(check, "worker login cannot be used", why);
		next_login(check);
		break;
	}
}

/* The server itself. False: nothing more can be learnt from it. */
static bool judge_server(struct check *check, const struct queue_database *database)
{
	int version = session_server_version(check->session);
	struct fault why = {0};

	if (fitness_of_server(database, version, session_backend_pid(check->session), &why)) {
		find(check, "ok", "PostgreSQL %s, a primary, reached as %s", database->server_version,
			session_user(check->session));
		return true;
	}
	find_fault(check, "cannot be served", &why);
	fault_clear(&why);
	return false;
}

static void judge_control_login(struct check *check, const struct queue_database *database)
{
	struct fault why = {0};

	if (!fitness_of_login(database, &why))
		find_fault(check, session_user(check->session), &why);
	fault_clear(&why);
}

static void judge_schema(struct check *check, int version)
{
	struct fault why = {0};

	if (fitness_of_schema(version, &why))
		find(check, "ok", "schema backfill is version %d", version);
	else
		find(check, "bad", "%s: %s", why.message, why.hint);
	fault_clear(&why);
}

static void judge_settings(struct check *check, const struct reply *reply)
{
	int64_t deadlock_ms = reply_int(reply, 2, 0, "deadlock_timeout_ms", 1000);
	int lock_ms = check->options->defaults.lock_timeout_ms;

	if (!reply_bool(reply, 3, 0, "tracks"))
		find(check, "bad",
			"track_activities or track_counts is off: what the application does cannot be seen, and nothing "
			"is filled; ALTER SYSTEM SET … = on, SELECT pg_reload_conf()");
	if (lock_ms > deadlock_ms / 4)
		find(check, "note",
			"lock_timeout_ms is %d, but batches wait %lld ms at most: a quarter of deadlock_timeout", lock_ms,
			(long long)deadlock_ms / 4);
}

/* Why it is not waited for; NULL: it is. */
static const char *why_left_out(const struct check *check, const struct replicas_seen *seen)
{
	struct replicas_rules rules = monitor_rules(database_of(check));

	if (replicas_want(&rules, seen))
		return NULL;
	return rules.all ? "a logical one, which replicas does not list" : "not among those that replicas lists";
}

static void find_replica(
	struct check *check, const struct replicas_seen *seen, bool receives_only, const char *state)
{
	const char *why = receives_only ? "receives only" : why_left_out(check, seen);

	add_replica(check, seen->name, !why);
	find(check, "ok", "replica %s is %s%s%s%s", seen->name, state, why ? ", " : "", why ? why : "",
		why ? ": not waited for" : "");
}

static void find_replicas(struct check *check, const struct reply *reply)
{
	for (size_t row = 0; row < reply_rows(reply, 1); row++) {
		struct replicas_seen seen = {
			.name = reply_text(reply, 1, row, "application_name"),
			.logical = reply_bool(reply, 1, row, "logical"),
		};

		find_replica(
			check, &seen, reply_bool(reply, 1, row, "receives_only"), reply_text(reply, 1, row, "state"));
	}
}

static bool is_connected(const struct check *check, const char *name)
{
	for (size_t i = 0; i < check->replicas_count; i++) {
		if (strcmp(check->replicas[i], name) == 0)
			return true;
	}
	return false;
}

/* Those of the server and of its cascades. */
static void judge_replicas(struct check *check)
{
	const struct options_database *database = database_of(check);

	for (size_t i = 0; i < database->replicas_count; i++) {
		if (!is_connected(check, database->replicas[i]))
			find(check, "bad", "replica %s of the list is not connected", database->replicas[i]);
	}
	if (check->replaying < database->min_replicas)
		find(check, "bad", "%d replicas replay, min_replicas is %d: nothing would be filled",
			check->replaying, database->min_replicas);
	if (check->replaying == 0)
		find(check, "note", "no replica that is waited for is connected: lag will not hold anything back");
}

static void got_version(void *owner, const struct reply *reply)
{
	struct check *check = owner;

	if (reply_fault(reply)) {
		find_fault(check, "schema backfill cannot be read", reply_fault(reply));
		next_database(check);
		return;
	}
	judge_schema(check, queue_read_version(reply));
	finish_session(check);
	check_cascade(check);
}

static void got_hello(void *owner, const struct reply *reply)
{
	struct check *check = owner;
	struct queue_database database;

	if (reply_fault(reply)) {
		find_fault(check, "cannot be asked", reply_fault(reply));
		next_database(check);
		return;
	}
	queue_read_hello(reply, &database);
	if (!judge_server(check, &database)) {
		next_database(check);
		return;
	}
	judge_control_login(check, &database);
	judge_settings(check, reply);
	find_replicas(check, reply);
	if (!database.installed) {
		judge_schema(check, 0);
		finish_session(check);
		check_cascade(check);
		return;
	}
	queue_version(check->session, got_version, check);
}

static void check_database(struct check *check)
{
	struct script *script;

	if (check->at >= check->options->databases_count) {
		loop_stop(check->loop);
		return;
	}
	script = script_new();
	script_add(script, sql_hello);
	script_add(script, sql_check_replicas);
	script_add(script, sql_check_settings);
	script_add(script, sql_survey_tracking);
	check->session =
		session_new(check->loop, database_of(check)->conninfo, "backfilld check", NULL, &events, check);
	session_ask(check->session, script, DEADLINE_MS, got_hello, check);
}

static void judge_cascade(struct check *check, const struct reply *reply)
{
	char *place = memory_textf("behind cascades[%zu]", check->cascade);
	struct replicas_seen seen;
	size_t count = 0;

	for (; pressure_read_replica(reply, count, &seen); count++)
		find_replica(check, &seen, false, place);
	free(place);
	if (count == 0)
		find(check, "note", "cascades[%zu], reached as %s, has no replica that replays", check->cascade,
			session_user(check->session));
}

static void got_cascade(void *owner, const struct reply *reply)
{
	struct check *check = owner;

	if (reply_fault(reply)) {
		find_cascade_fault(check, reply_fault(reply));
	} else if (!pressure_may_see(reply)) {
		char *rights = survey_missing_rights(session_user(check->session));

		find(check, "bad", "cascades[%zu] does not show its replicas: %s", check->cascade, rights);
		free(rights);
	} else {
		judge_cascade(check, reply);
	}
	next_cascade(check);
}

static void check_cascade(struct check *check)
{
	const struct options_database *database = database_of(check);
	struct script *script;

	check->part = AT_CASCADES;
	if (check->cascade >= database->cascades_count) {
		judge_replicas(check);
		check_login(check);
		return;
	}
	script = script_new();
	script_add(script, sql_cascade);
	check->session =
		session_new(check->loop, database->cascades[check->cascade], "backfilld check", NULL, &events, check);
	session_ask(check->session, script, DEADLINE_MS, got_cascade, check);
}

static void judge_role(struct check *check, const struct reply *reply, size_t row, bool asked_for)
{
	const char *role = reply_text(reply, 0, row, "role");
	const char *login = reply_text(reply, 0, row, "login");
	const char *lacking = reply_text(reply, 0, row, "cannot_create_in");

	if (!reply_bool(reply, 0, row, "member")) {
		if (asked_for)
			find(check, "bad", "login %s cannot act as %s: GRANT %s TO %s", login, role, role, login);
		else
			find(check, "note", "no login serves tables of %s: GRANT %s TO %s, or give it one in logins",
				role, role, login);
		return;
	}
	find(check, "ok", "login %s serves tables of %s", login, role);
	if (!reply_bool(reply, 0, row, "temp"))
		find(check, "bad",
			"%s lacks TEMP on this database, which planning needs: GRANT TEMPORARY ON DATABASE ... TO %s",
			role, role);
	if (lacking)
		find(check, "bad",
			"%s lacks CREATE on schema %s, where its trigger functions and indexes go: GRANT CREATE ON "
			"SCHEMA ... TO %s",
			role, lacking, role);
}

static bool has_login_of_its_own(const struct options_database *database, const char *role)
{
	for (size_t i = 0; i < database->logins_count; i++) {
		for (size_t r = 0; r < database->logins[i].roles_count; r++) {
			if (strcmp(database->logins[i].roles[r], role) == 0)
				return true;
		}
	}
	return false;
}

static void got_login(void *owner, const struct reply *reply)
{
	struct check *check = owner;
	const struct options_database *database = database_of(check);
	bool asked_for = check->login < database->logins_count;

	if (reply_fault(reply))
		find_fault(check, "worker login", reply_fault(reply));
	else
		for (size_t row = 0; row < reply_rows(reply, 0); row++) {
			if (asked_for || !has_login_of_its_own(database, reply_text(reply, 0, row, "role")))
				judge_role(check, reply, row, asked_for);
		}
	next_login(check);
}

static char *roles_of(const struct options_login *login)
{
	struct text roles = {0};

	for (size_t i = 0; i < login->roles_count; i++)
		text_addf(&roles, "%s%s", i > 0 ? "," : "", login->roles[i]);
	return text_take(&roles);
}

static void check_login(struct check *check)
{
	const struct options_database *database = database_of(check);
	struct script *script;
	char *roles = NULL;

	check->part = AT_LOGINS;
	if (check->login > database->logins_count) {
		next_database(check);
		return;
	}
	if (check->login < database->logins_count)
		roles = roles_of(&database->logins[check->login]);
	else if (database->logins_count == 0)
		find(check, "note",
			"one login does everything: code of a table's owner (defaults, triggers, expressions) can reach "
			"what"
			" this login can; give each owner a login of its own in logins where owners do not trust each "
			"other");
	script = script_new();
	script_add(script, sql_check_login);
	script_bind(script, roles);
	free(roles);
	check->session = session_new(check->loop,
		check->login < database->logins_count ? database->logins[check->login].conninfo : database->conninfo,
		"backfilld check", NULL, &events, check);
	session_ask(check->session, script, DEADLINE_MS, got_login, check);
}

int check_run(const struct options *options)
{
	struct check check = {.options = options, .loop = loop_new()};

	check_database(&check);
	if (options->databases_count > 0 && !loop_run(check.loop))
		check.bad = 3;
	session_free(check.session);
	forget_replicas(&check);
	loop_free(check.loop);
	return check.bad;
}
