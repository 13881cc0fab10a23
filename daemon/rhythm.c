#include "daemon/rhythm.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>

struct rhythm {
	struct rhythm_question question;
	size_t number;
	rhythm_answer *answer;
	void *owner;
	struct session *session;
	struct loop_timer *timer;
	int64_t asked_ms;
};

static void answered(void *owner, const struct reply *reply)
{
	struct rhythm *rhythm = owner;
	int64_t took_ms = clock_ms() - rhythm->asked_ms;
	int64_t left_ms = rhythm->question.every_ms - took_ms;

	loop_timer_after(rhythm->timer, rhythm->question.rests && left_ms < took_ms ? took_ms : left_ms);
	rhythm->answer(rhythm->owner, rhythm->number, reply, reply_fault(reply));
}

static void ask(void *owner)
{
	struct rhythm *rhythm = owner;
	struct script *script;

	if (!session_is_open(rhythm->session) || session_open_questions(rhythm->session) > 0)
		return;
	rhythm->asked_ms = clock_ms();
	script = script_new();
	script_add(script, rhythm->question.sql);
	session_ask(rhythm->session, script, rhythm->question.deadline_ms, answered, rhythm);
}

static void opened(void *owner)
{
	struct rhythm *rhythm = owner;

	loop_timer_after(rhythm->timer, 0);
}

static void lost(void *owner, const struct fault *why)
{
	struct rhythm *rhythm = owner;
	struct fault link = {0};

	loop_timer_stop(rhythm->timer);
	fault_copy(&link, why);
	link.kind = FAULT_LINK;
	rhythm->answer(rhythm->owner, rhythm->number, NULL, &link);
	fault_clear(&link);
}

static const struct session_events events = {.opened = opened, .lost = lost};

struct rhythm *rhythm_new(struct loop *loop, const struct rhythm_question *question, struct script *greeting,
	size_t number, rhythm_answer *answer, void *owner)
{
	struct rhythm *rhythm = memory_new(sizeof(*rhythm));

	*rhythm = (struct rhythm){.question = *question, .number = number, .answer = answer, .owner = owner};
	rhythm->timer = loop_timer_new(loop, ask, rhythm);
	rhythm->session = session_new(loop, question->conninfo, question->name, greeting, &events, rhythm);
	return rhythm;
}

void rhythm_free(struct rhythm *rhythm)
{
	if (!rhythm)
		return;
	session_free(rhythm->session);
	loop_timer_free(rhythm->timer);
	free(rhythm);
}

const char *rhythm_login(const struct rhythm *rhythm)
{
	return session_user(rhythm->session);
}
