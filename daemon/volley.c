#include "daemon/volley.h"

#include "common/clock.h"

#include <math.h>

/* Of a round trip: batches do not take the same time each. */
#define HIDES_TIMES 2.0
#define MOST_MS 250.0
/* The shortest trip seen is forgotten slowly: networks change. */
#define FORGET 1.02

double volley_ms(const struct volleys *volleys)
{
	return fmin(HIDES_TIMES * volleys->trip_ms, MOST_MS);
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

/* Adds a batch to the volley, if there is one and the volley is still to be longer. */
static bool add_next(
	struct volley *volley, struct window *ahead, int64_t pages, double page_ms, double *left_ms)
{
	struct window_batch *batch = &volley->batches[volley->count];

	if (volley->count == VOLLEY_MOST || !window_next(ahead, pages, batch))
		return false;
	window_pass_by(ahead, batch);
	volley->count++;
	*left_ms -= page_ms > 0.0 ? page_ms * (double)(batch->end_page - batch->from_page) : *left_ms;
	return *left_ms > 0.0;
}

bool volley_plan(const struct volleys *volleys, const struct window *window, int64_t pages, double page_ms,
	double ms, struct volley *ret_volley)
{
	struct window ahead = ahead_of(volleys, window);
	struct volley volley = {.alone = volleys->count == 0};

	if (volleys->count == VOLLEYS_MOST)
		return false;
	while (add_next(&volley, &ahead, pages, page_ms, &ms))
		continue;
	*ret_volley = volley;
	return volley.count > 0;
}

void volley_ask(struct volleys *volleys, const struct volley *volley, struct session *session,
	const struct batch_order *order, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct batch_order each = *order;
	int64_t deadline_ms = 0;

	for (int i = 0; i < volley->count; i++) {
		each.stretch = &volley->batches[i];
		each.number = ++volleys->asked;
		each.follows = i > 0 || !volley->alone;
		batch_add(script, &each);
	}
	volleys->under_way[volleys->count] = *volley;
	volleys->under_way[volleys->count++].begun_ms = clock_ms();
	for (int i = 0; i < volleys->count; i++)
		deadline_ms += volleys->under_way[i].count * batch_deadline_ms(order);
	if (volley->alone)
		session_ask(session, script, deadline_ms, answer, owner);
	else
		session_ask_ahead(session, script, deadline_ms, answer, owner);
}

static void learn(struct volleys *volleys, const struct volley *volley, const struct batch_outcome *outcomes)
{
	double batches_ms = 0.0;
	double trip_ms;

	if (!volley->alone)
		return;
	for (int i = 0; i < volley->count; i++)
		batches_ms += outcomes[i].active_ms + outcomes[i].napped_ms;
	trip_ms = fmax((double)(clock_ms() - volley->begun_ms) - batches_ms, 0.0);
	if (volleys->trip_ms <= 0.0 || trip_ms < volleys->trip_ms * FORGET)
		volleys->trip_ms = trip_ms;
	else
		volleys->trip_ms *= FORGET;
}

static void take_first(struct volleys *volleys, struct volley *ret_volley)
{
	*ret_volley = volleys->under_way[0];
	volleys->count--;
	for (int i = 0; i < volleys->count; i++)
		volleys->under_way[i] = volleys->under_way[i + 1];
	volleys->under_way[0].begun_ms = clock_ms();
}

int volley_read(struct volleys *volleys, const struct reply *reply, const struct batch_order *order,
	struct volley *ret_volley, struct batch_outcome *ret_outcomes)
{
	int statements = batch_statements(order);
	int committed;

	take_first(volleys, ret_volley);
	committed = reply_fault(reply) ? (int)reply_fault_at(reply) / statements : ret_volley->count;
	for (int i = 0; i < committed; i++)
		batch_read(reply, (size_t)(i * statements), &ret_outcomes[i]);
	if (committed == ret_volley->count)
		learn(volleys, ret_volley, ret_outcomes);
	else
		volleys->count = 0;
	return committed;
}
