#include "daemon/install.h"

#include "common/loop.h"
#include "common/memory.h"
#include "common/quote.h"
#include "common/session.h"
#include "common/text.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>

#define DEADLINE_MS 30000

struct errand {
	const struct options *options;
	struct loop *loop;
	const char *sql;
	const char *achieved;
	struct session *session;
	size_t at; /* database being worked on */
	int failed;
};

static void next_database(struct errand *errand);

static void finish_database(struct errand *errand, const struct fault *why)
{
	const char *name = errand->options->databases[errand->at].name;

	if (!why) {
		printf("%s: %s\n", name, errand->achieved);
	} else {
		errand->failed = 1;
		printf("%s: %s\n", name, why->message);
		if (why->detail)
			printf("%s: detail: %s\n", name, why->detail);
		if (why->hint)
			printf("%s: hint: %s\n", name, why->hint);
	}
	session_free(errand->session);
	errand->session = NULL;
	errand->at++;
	next_database(errand);
}

static void answered(void *owner, const struct reply *reply)
{
	finish_database(owner, reply_fault(reply));
}

/* One attempt tells enough. */
static void lost(void *owner, const struct fault *why)
{
	finish_database(owner, why);
}

static const struct session_events events = {.lost = lost};

static void next_database(struct errand *errand)
{
	struct script *script;

	if (errand->at >= errand->options->databases_count) {
		loop_stop(errand->loop);
		return;
	}
	script = script_new();
	script_add(script, errand->sql);
	errand->session = session_new(errand->loop, errand->options->databases[errand->at].conninfo,
		"backfilld install", NULL, &events, errand);
	session_ask(errand->session, script, DEADLINE_MS, answered, errand);
}

static int run(const struct options *options, const char *sql, const char *achieved)
{
	struct errand errand = {.options = options, .loop = loop_new(), .sql = sql, .achieved = achieved};

	next_database(&errand);
	if (options->databases_count > 0 && !loop_run(errand.loop))
		errand.failed = 3;
	session_free(errand.session);
	loop_free(errand.loop);
	return errand.failed;
}

/* Many commands as the one statement that a pipeline wants: all or nothing. */
int install_run(const struct options *options)
{
	struct text body = {0};
	struct text sql = {0};
	int code;

	text_add(&body, "BEGIN EXECUTE ");
	quote_body(&body, sql_control);
	text_add(&body, "; END");
	text_add(&sql, "DO ");
	quote_body(&sql, text_is(&body));
	code = run(options, text_is(&sql), "schema backfill is installed and up to date");
	text_free(&sql);
	text_free(&body);
	return code;
}

int install_undo(const struct options *options)
{
	return run(options, sql_uninstall, "schema backfill is removed");
}
