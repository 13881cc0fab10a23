#include "daemon/volley.h"

#include "common/clock.h"

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

void volley_ask(struct volleys *volleys, const struct volley *volley, struct session *session,
	const struct batch_order *order, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct batch_order each = *order;
	struct volley *asked;
	int64_t deadline_ms = 0;

	for (int i = 0; i < volley->count; i++) {
		each.stretch = &volley->batches[i];
		each.number = ++volleys->asked;
		each.follows = i > 0 || !volley->alone;
		batch_add(script, &each);
	}
	asked = &volleys->under_way[volleys->count++];
	*asked = *volley;
	asked->asked_ms = asked->begun_ms = clock_ms();
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
	assert(volleys->count > 0);
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
	for (int i = 0; i < committed; i++) {
		batch_read(reply, (size_t)(i * statements), &ret_outcomes[i]);
		batch_bound_times(&ret_outcomes[i], (double)(clock_ms() - ret_volley->asked_ms), ret_volley->count);
	}
	if (committed == ret_volley->count)
		learn(volleys, ret_volley, ret_outcomes);
	else
		volleys->count = 0;
	return committed;
}
