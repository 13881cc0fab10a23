#include "daemon/volley.h"

#include <assert.h>
#include <math.h>

/* Of a round trip: batches do not take the same time each. */
#define HIDES_TIMES 2.0
/* The shortest trip seen is forgotten slowly: networks change. */
#define FORGET 1.02

double volley_ms(const struct volleys *volleys)
{
	return fmin(HIDES_TIMES * volleys->trip_ms, VOLLEY_MOST_MS);
}

/* The window as it will be when all that is under way has committed. */
static struct window ahead_of(const struct volleys *volleys, const struct window *window)
{
	struct window ahead = *window;
	const struct volley *last;

	if (volleys->count == 0)
		return ahead;
	last = &volleys->under_way[volleys->count - 1];
	window_pass_by(&ahead, &last->batches[last->count - 1]);
	return ahead;
}

int volley_pass(const struct volleys *volleys, const struct window *window)
{
	struct window ahead = ahead_of(volleys, window);
	struct window_batch batch;

	return volleys->count < VOLLEYS_MOST && window_next(&ahead, 1, &batch) ? batch.pass : -1;
}

/* What is not known is long enough. */
static double expected_ms(const struct window_batch *batch, double page_ms)
{
	return page_ms > 0.0 ? page_ms * (double)(batch->end_page - batch->from_page) : VOLLEY_MOST_MS;
}

bool volley_plan(const struct volleys *volleys, const struct window *window, int64_t pages, double page_ms,
	double ms, struct volley *ret_volley)
{
	struct window ahead = ahead_of(volleys, window);
	struct volley volley = {.alone = volleys->count == 0};
	struct window_batch *next = volley.batches;
	double takes_ms = 0.0;

	if (volleys->count == VOLLEYS_MOST)
		return false;
	while ((volley.count == 0 || takes_ms < ms) && volley.count < VOLLEY_MOST &&
		   window_next(&ahead, pages, next)) {
		window_pass_by(&ahead, next);
		takes_ms += expected_ms(next++, page_ms);
		volley.count++;
	}
	*ret_volley = volley;
	return volley.count > 0;
}

void volley_begin(struct volleys *volleys, const struct volley *volley, int64_t now_ms)
{
	struct volley *begun = &volleys->under_way[volleys->count++];

	*begun = *volley;
	begun->asked_ms = begun->begun_ms = now_ms;
	volleys->asked += volley->count;
}

struct volley volley_end(struct volleys *volleys, int64_t now_ms)
{
	struct volley ended;

	assert(volleys->count > 0);
	ended = volleys->under_way[0];
	volleys->count--;
	for (int i = 0; i < volleys->count; i++)
		volleys->under_way[i] = volleys->under_way[i + 1];
	volleys->under_way[0].begun_ms = now_ms;
	return ended;
}

void volley_learn(struct volleys *volleys, const struct volley *volley, double batches_ms, int64_t now_ms)
{
	double trip_ms = fmax((double)(now_ms - volley->begun_ms) - batches_ms, 0.0);

	if (!volley->alone)
		return;
	if (volleys->trip_ms <= 0.0 || trip_ms < volleys->trip_ms * FORGET)
		volleys->trip_ms = trip_ms;
	else
		volleys->trip_ms *= FORGET;
}

void volley_forget(struct volleys *volleys)
{
	volleys->count = 0;
}
