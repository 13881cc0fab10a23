#include "daemon/crew.h"

#define WAIT_LEAST_MS 30000
#define WAIT_MOST_MS 600000

#define GAIN_WORTH_IT 1.10
#define GAIN_CLEAR 1.30
#define GAIN_HOPELESS 1.05
#define STEPS_TO_ADD 5
#define STEPS_TO_KEEP 3
#define STEPS_TO_GIVE_UP 5
/* Fillers that never come to work (no connection is free) end their try too. */
#define STEPS_OF_A_TRY 30

/* Of a step, by the pace. */
#define HELD_BACK_HARDLY 0.1
#define HELD_BACK_MOSTLY 0.5
#define HELD_BACK_STEPS 2

/* Weight of the newest look at others' sessions. */
#define OTHERS_WEIGHT 0.3
/* So many more or fewer of them make a try worthless as evidence. */
#define OTHERS_CHANGED 1.0
#define CORES_TOO_FEW 0.5
/* Of others, smoothed. */
#define OTHERS_NOBODY 0.1

static int least(int a, int b)
{
	return a < b ? a : b;
}

static int cores_of(const struct crew_step *step)
{
	return least(step->cores > 0 ? step->cores : CREW_CORES_UNKNOWN, CREW_MOST);
}

static double mean_rate(const struct crew *crew)
{
	int count = least(crew->samples, CREW_SAMPLES);
	double sum = 0;

	for (int i = 0; i < count; i++)
		sum += crew->rates[i];
	return count > 0 ? sum / count : 0;
}

static void change(struct crew *crew, int fillers)
{
	crew->fillers = fillers;
	crew->samples = 0;
	crew->steps = 0;
	crew->held_back = 0;
	crew->trying = false;
}

static void add_one(struct crew *crew)
{
	crew->base_rate = mean_rate(crew);
	crew->others_before = crew->others;
	change(crew, crew->fillers + 1);
	crew->trying = true;
	crew->added_last = true;
}

/* A server that changes its mind often is asked less often. */
static void take_away(struct crew *crew, int fillers, int64_t now_ms)
{
	change(crew, fillers);
	crew->not_before_ms = now_ms + crew->wait_ms;
	if (crew->added_last)
		crew->wait_ms = crew->wait_ms * 2 < WAIT_MOST_MS ? crew->wait_ms * 2 : WAIT_MOST_MS;
	crew->added_last = false;
}

static void keep(struct crew *crew)
{
	crew->trying = false;
	crew->wait_ms = crew->wait_ms / 2 > WAIT_LEAST_MS ? crew->wait_ms / 2 : WAIT_LEAST_MS;
}

static void learn(struct crew *crew, const struct crew_step *step)
{
	crew->others += OTHERS_WEIGHT * (step->busy_others - crew->others);
	crew->held_back = step->throttled > HELD_BACK_MOSTLY ? crew->held_back + 1 : 0;
	/* the first step after a change has a part of before in it */
	if (crew->steps++ > 0 && step->throttled <= HELD_BACK_HARDLY && step->fillers == crew->fillers)
		crew->rates[crew->samples++ % CREW_SAMPLES] = step->rate;
	if (crew->samples == 2 * CREW_SAMPLES)
		crew->samples = CREW_SAMPLES;
}

enum verdict { VERDICT_OPEN, VERDICT_KEEP, VERDICT_GIVE_UP };

static enum verdict judge(const struct crew *crew)
{
	double rate = mean_rate(crew);
	double others = crew->others - crew->others_before;

	if (others > OTHERS_CHANGED || others < -OTHERS_CHANGED || crew->steps > STEPS_OF_A_TRY)
		return VERDICT_GIVE_UP;
	if (crew->samples >= STEPS_TO_KEEP && rate >= GAIN_CLEAR * crew->base_rate)
		return VERDICT_KEEP;
	if (crew->samples >= STEPS_TO_GIVE_UP && rate < GAIN_HOPELESS * crew->base_rate)
		return VERDICT_GIVE_UP;
	if (crew->samples < CREW_SAMPLES)
		return VERDICT_OPEN;
	return rate >= GAIN_WORTH_IT * crew->base_rate ? VERDICT_KEEP : VERDICT_GIVE_UP;
}

/* True: there are too many; they are fewer now. */
static bool make_room(struct crew *crew, const struct crew_step *step, const char **ret_why)
{
	double room = cores_of(step) - crew->others;

	if (crew->fillers <= 1)
		return false;
	if (crew->fillers > room + CORES_TOO_FEW) {
		take_away(crew, room >= 1 ? (int)room : 1, step->now_ms);
		*ret_why = "fewer fillers: other sessions keep the server's cores busy";
		return true;
	}
	if (crew->held_back >= HELD_BACK_STEPS) {
		take_away(crew, crew->fillers - 1, step->now_ms);
		*ret_why = "one filler fewer: the others can do what the pace allows";
		return true;
	}
	return false;
}

static void end_try(struct crew *crew, const struct crew_step *step, const char **ret_why)
{
	switch (judge(crew)) {
	case VERDICT_OPEN:
		return;
	case VERDICT_KEEP:
		keep(crew);
		return;
	case VERDICT_GIVE_UP:
		take_away(crew, crew->fillers - 1, step->now_ms);
		*ret_why = "one filler fewer: it did not make the fill a tenth faster";
		return;
	}
}

static bool may_add(const struct crew *crew, const struct crew_step *step)
{
	double others = crew->others < OTHERS_NOBODY ? 0.0 : crew->others;

	return step->now_ms >= crew->not_before_ms && crew->samples >= STEPS_TO_ADD &&
		   step->throttled <= HELD_BACK_HARDLY && crew->fillers + 1 + others <= cores_of(step);
}

int crew_size(struct crew *crew, const struct crew_step *step, const char **ret_why)
{
	*ret_why = NULL;
	if (crew->fillers == 0) {
		*crew = (struct crew){.fillers = 1, .wait_ms = WAIT_LEAST_MS, .others = step->busy_others};
		return 1;
	}
	learn(crew, step);
	if (make_room(crew, step, ret_why))
		return crew->fillers;
	if (crew->trying) {
		end_try(crew, step, ret_why);
	} else if (may_add(crew, step)) {
		add_one(crew);
		*ret_why = "one filler more: the server has a core to spare";
	}
	return crew->fillers;
}
