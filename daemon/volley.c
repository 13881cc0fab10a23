#include "daemon/volley.h"

#include "common/clock.h"

#include <math.h>

#define TRIP_PART 0.08
#define MOST_MS 250.0
/* The shortest trip seen is forgotten slowly: networks change. */
#define FORGET 1.02

int volley_size(const struct volley *volley)
{
	double hides;
	double fits;

	if (volley->batch_ms <= 0.0)
		return 1;
	hides = ceil(volley->trip_ms * (1.0 - TRIP_PART) / TRIP_PART / volley->batch_ms);
	fits = floor(MOST_MS / volley->batch_ms);
	if (hides > fits)
		hides = fits;
	if (hides > VOLLEY_MOST)
		hides = VOLLEY_MOST;
	return hides < 1.0 ? 1 : (int)hides;
}

bool volley_plan(struct volley *volley, const struct window *window, int64_t pages, int most)
{
	struct window ahead = *window;

	if (most > VOLLEY_MOST || window->search.on)
		most = window->search.on ? 1 : VOLLEY_MOST;
	volley->count = 0;
	while (volley->count < most && window_next(&ahead, pages, &volley->batches[volley->count]))
		ahead.bookmark = volley->batches[volley->count++].then;
	return volley->count > 0;
}

void volley_ask(struct volley *volley, struct session *session, const struct batch_order *order,
	session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct batch_order each = *order;

	for (int i = 0; i < volley->count; i++) {
		each.stretch = &volley->batches[i];
		batch_add(script, &each);
	}
	volley->asked_ms = clock_ms();
	session_ask(session, script, volley->count * batch_deadline_ms(order), answer, owner);
}

static void learn(struct volley *volley, const struct batch_outcome *outcomes)
{
	double took_ms = (double)(clock_ms() - volley->asked_ms);
	double trip_ms = took_ms;

	for (int i = 0; i < volley->count; i++)
		trip_ms -= outcomes[i].active_ms + outcomes[i].napped_ms;
	volley->batch_ms = (took_ms - trip_ms) / volley->count;
	if (trip_ms < 0.0)
		trip_ms = 0.0;
	if (volley->trip_ms <= 0.0 || trip_ms < volley->trip_ms * FORGET)
		volley->trip_ms = trip_ms;
	else
		volley->trip_ms *= FORGET;
}

int volley_read(struct volley *volley, const struct reply *reply, const struct batch_order *order,
	struct batch_outcome *ret_outcomes)
{
	int statements = batch_statements(order);
	int committed = volley->count;

	if (reply_fault(reply))
		committed = (int)reply_fault_at(reply) / statements;
	for (int i = 0; i < committed; i++)
		batch_read(reply, (size_t)(i * statements), &ret_outcomes[i]);
	if (committed == volley->count)
		learn(volley, ret_outcomes);
	return committed;
}

const struct window_batch *volley_failed(const struct volley *volley, int committed)
{
	return &volley->batches[committed];
}
