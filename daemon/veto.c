#include "daemon/veto.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

#define BOOLEAN_OID 16

struct script *veto_greeting(void)
{
	struct script *script = script_new();

	script_add(script, "SET default_transaction_read_only = on");
	script_addf(script, "SET statement_timeout = %d", VETO_TIMEOUT_MS);
	return script;
}

/* What is wrong with the answer, to be freed; NULL: nothing. */
static char *find_wrong(const struct reply *reply)
{
	uint32_t type;
	int32_t modifier;

	if (reply_rows(reply, 0) != 1)
		return memory_textf("it returned %zu rows instead of one", reply_rows(reply, 0));
	if (reply_columns(reply, 0) < 1 || reply_columns(reply, 0) > 2)
		return memory_textf(
			"it returned %zu columns instead of a boolean and perhaps a text", reply_columns(reply, 0));
	reply_first_type(reply, 0, &type, &modifier);
	if (type != BOOLEAN_OID)
		return memory_text("its first column is not a boolean");
	if (!reply_text_at(reply, 0, 0, 0))
		return memory_text("it returned NULL instead of true or false");
	return NULL;
}

static char *describe(const struct fault *why)
{
	if (strcmp(why->sqlstate, "57014") == 0)
		return memory_textf("it was cancelled: it may take %d s", VETO_TIMEOUT_MS / 1000);
	/* A write that is refused counts as a standby's for the session. */
	if (why->kind == FAULT_LINK && strcmp(why->sqlstate, "25006") != 0)
		return memory_textf("it could not be asked: %s", why->message);
	return memory_textf("it failed: %s", why->message);
}

static void decide(struct veto *veto, enum signals_veto verdict, bool wrong, char *why)
{
	free(veto->why);
	*veto = (struct veto){.verdict = verdict, .wrong = wrong, .why = why};
}

void veto_begin(struct veto *veto)
{
	decide(veto, SIGNALS_HOLD, false, memory_text("it has not answered yet"));
}

void veto_read(struct veto *veto, const struct reply *reply, const struct fault *why)
{
	char *wrong = why ? describe(why) : find_wrong(reply);
	bool hold;

	if (wrong) {
		decide(veto, SIGNALS_HOLD, true, wrong);
		return;
	}
	hold = strcmp(reply_text_at(reply, 0, 0, 0), "t") == 0;
	decide(veto, hold ? SIGNALS_HOLD : SIGNALS_GO, false,
		reply_columns(reply, 0) == 2 ? memory_text(reply_text_at(reply, 0, 0, 1)) : NULL);
}

void veto_free(struct veto *veto)
{
	free(veto->why);
	*veto = (struct veto){0};
}
