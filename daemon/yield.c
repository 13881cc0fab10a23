#include "daemon/yield.h"

#include "common/memory.h"
#include "common/text.h"
#include "sql.h"

#include <inttypes.h>

/* Whoever waits meanwhile waits for nothing: a server that is silent so long is connected to anew. */
#define LOOK_DEADLINE_MS 3000
#define TELL_DEADLINE_MS 10000

void yield_ask_anybody(struct session *session, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	script_add_prepared(script, sql_anybody);
	session_ask(session, script, LOOK_DEADLINE_MS, answer, owner);
}

int64_t yield_read_tolerated_ms(const struct reply *reply, int64_t otherwise)
{
	return reply_int(reply, 0, 0, "tolerated_ms", otherwise);
}

bool yield_read_anybody(const struct reply *reply)
{
	return reply_bool(reply, 0, 0, "anybody");
}

bool yield_read_advisory(const struct reply *reply)
{
	return reply_bool(reply, 0, 0, "for_advisory");
}

void yield_cancel(
	struct session *session, int64_t tolerated_ms, bool advisory, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	script_add_prepared(script, sql_waiters);
	script_bind_int(script, tolerated_ms);
	script_bind_bool(script, advisory);
	session_ask(session, script, LOOK_DEADLINE_MS, answer, owner);
}

bool yield_read(const struct reply *reply, size_t row, struct yield *ret_yield)
{
	struct yield yield = {.stage = STAGE_FILLING};

	if (row >= reply_rows(reply, 0))
		return false;
	yield.job_id = reply_int(reply, 0, row, "job_id", 0);
	yield.epoch = reply_int(reply, 0, row, "epoch", 0);
	yield.filler = (int)reply_int(reply, 0, row, "filler", 0);
	yield.query = reply_text(reply, 0, row, "query");
	yield.waiter_pid = reply_int(reply, 0, row, "waiter", 0);
	yield.waiter_name = reply_text(reply, 0, row, "application_name");
	yield.waited_ms = reply_int(reply, 0, row, "waited_ms", 0);
	yield.wanted = reply_text(reply, 0, row, "wanted");
	yield.waiters = reply_int(reply, 0, row, "waiters", 1);
	if (reply_text(reply, 0, row, "stage") && !stage_parse(reply_text(reply, 0, row, "stage"), &yield.stage))
		yield.stage = STAGE_FILLING;
	*ret_yield = yield;
	return true;
}

char *yield_sentence(const struct yield *yield)
{
	const char *name = yield->waiter_name && yield->waiter_name[0] ? yield->waiter_name : "no name";
	struct text sentence = {0};

	if (yield->filler >= 0)
		text_addf(&sentence, "cancelled the batch of filler %d: ", yield->filler);
	else
		text_addf(&sentence, "cancelled %s: ", yield->query ? yield->query : "a statement");
	text_addf(&sentence, "session %" PRId64 " (%s) had waited %" PRId64 " ms for %s", yield->waiter_pid, name,
		yield->waited_ms, yield->wanted ? yield->wanted : "a lock");
	if (yield->waiters > 1)
		text_addf(&sentence, ", and so had others (%" PRId64 ")", yield->waiters - 1);
	return text_take(&sentence);
}

void yield_tell_sight(struct session *control, const char *sentence)
{
	struct script *script = script_new();

	script_add(script, sql_note);
	script_bind(script, "watcher");
	script_bind(script, sentence);
	session_ask(control, script, TELL_DEADLINE_MS, NULL, NULL);
}
