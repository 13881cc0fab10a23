#include "daemon/surveyor.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>

#define SURVEY_EVERY_MS 1000
/* The first ones come quicker: whether somebody is at work shows in none of them alone. */
#define FIRST_SURVEYS 10
/* Between one survey and the next, however long it took. */
#define REST_MS 100

struct surveyor {
	struct outages *outages;
	loop_fn *ended;
	void *owner;
	struct loop_timer *timer;
	struct session *session; /* NULL: at rest */
	struct survey survey;
	enum survey_part part; /* being asked for on its own */
	bool under_way;
	int64_t asked_ms;
	int64_t ended_ms;
	int hurried; /* surveys that are still to come quickly */
};

static void begin(void *owner);
static void ask_part(struct surveyor *surveyor);

struct surveyor *surveyor_new(struct loop *loop, struct outages *outages, loop_fn *ended, void *owner)
{
	struct surveyor *surveyor = memory_new(sizeof(*surveyor));

	*surveyor = (struct surveyor){.outages = outages, .ended = ended, .owner = owner};
	surveyor->timer = loop_timer_new(loop, begin, surveyor);
	return surveyor;
}

void surveyor_free(struct surveyor *surveyor)
{
	if (!surveyor)
		return;
	loop_timer_free(surveyor->timer);
	survey_free(&surveyor->survey);
	free(surveyor);
}

void surveyor_start(struct surveyor *surveyor, struct session *session)
{
	surveyor->session = session;
	surveyor->survey.connection++;
	surveyor->under_way = false;
	surveyor->ended_ms = 0;
	loop_timer_after(surveyor->timer, 0);
}

void surveyor_stop(struct surveyor *surveyor)
{
	loop_timer_stop(surveyor->timer);
	surveyor->session = NULL;
	surveyor->ended_ms = 0;
}

void surveyor_hurry(struct surveyor *surveyor)
{
	surveyor->hurried = FIRST_SURVEYS;
	if (surveyor->session && !surveyor->under_way)
		loop_timer_after(surveyor->timer, 0);
}

static void note(struct surveyor *surveyor, enum survey_part part, const struct reply *reply, size_t at)
{
	if (survey_read(&surveyor->survey, part, reply, at, surveyor->asked_ms))
		outages_end(surveyor->outages, part);
	else
		outages_begin(surveyor->outages, part, survey_missing(part, session_user(surveyor->session)));
}

static void end(struct surveyor *surveyor)
{
	int64_t every_ms = surveyor->hurried > 0 ? REST_MS : SURVEY_EVERY_MS;
	int64_t rest_ms = surveyor->asked_ms + every_ms - clock_ms();

	if (surveyor->hurried > 0)
		surveyor->hurried--;
	surveyor->under_way = false;
	surveyor->ended_ms = clock_ms();
	loop_timer_after(surveyor->timer, rest_ms > REST_MS ? rest_ms : REST_MS);
	surveyor->ended(surveyor->owner);
}

static void answered_part(void *owner, const struct reply *reply)
{
	struct surveyor *surveyor = owner;
	const struct fault *why = reply_fault(reply);

	if (why && why->kind == FAULT_LINK)
		return;
	if (why)
		outages_note(surveyor->outages, surveyor->part, survey_part_name(surveyor->part), why);
	else
		note(surveyor, surveyor->part, reply, 0);
	surveyor->part++;
	if (surveyor->part < SURVEY_PARTS)
		ask_part(surveyor);
	else
		end(surveyor);
}

static void ask_part(struct surveyor *surveyor)
{
	enum survey_part part = surveyor->part;

	survey_ask(surveyor->session, &surveyor->survey, part, part, answered_part, surveyor);
}

static void ask_parts(struct surveyor *surveyor)
{
	surveyor->part = 0;
	ask_part(surveyor);
}

static void answered_all(void *owner, const struct reply *reply)
{
	struct surveyor *surveyor = owner;
	const struct fault *why = reply_fault(reply);

	if (why) {
		if (why->kind != FAULT_LINK)
			ask_parts(surveyor);
		return;
	}
	for (enum survey_part part = 0; part < SURVEY_PARTS; part++)
		note(surveyor, part, reply, part);
	end(surveyor);
}

static void begin(void *owner)
{
	struct surveyor *surveyor = owner;

	if (!surveyor->session || !session_is_open(surveyor->session))
		return;
	surveyor->under_way = true;
	surveyor->asked_ms = clock_ms();
	if (outages_first(surveyor->outages, SURVEY_PARTS))
		ask_parts(surveyor);
	else
		survey_ask(surveyor->session, &surveyor->survey, 0, SURVEY_PARTS - 1, answered_all, surveyor);
}

int64_t surveyor_ended_ms(const struct surveyor *surveyor)
{
	return surveyor->ended_ms;
}

struct survey *surveyor_survey(struct surveyor *surveyor)
{
	return &surveyor->survey;
}
