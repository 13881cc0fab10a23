#include "daemon/delivery.h"

#include "common/clock.h"

void delivery_ask(struct volleys *volleys, const struct volley *volley, struct session *session,
	const struct batch_order *order, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct batch_order each = *order;
	int64_t deadline_ms = 0;

	for (int i = 0; i < volley->count; i++) {
		each.stretch = &volley->batches[i];
		each.number = volleys->asked + i + 1;
		each.follows = i > 0 || !volley->alone;
		batch_add(script, &each);
	}
	volley_begin(volleys, volley, clock_ms());
	for (int i = 0; i < volleys->count; i++)
		deadline_ms += volleys->under_way[i].count * batch_deadline_ms(order);
	if (volley->alone)
		session_ask(session, script, deadline_ms, answer, owner);
	else
		session_ask_ahead(session, script, deadline_ms, answer, owner);
}

static double batches_ms(const struct batch_outcome *outcomes, int count)
{
	double ms = 0.0;

	for (int i = 0; i < count; i++)
		ms += outcomes[i].took.active_ms + outcomes[i].took.napped_ms;
	return ms;
}

int delivery_read(struct volleys *volleys, const struct reply *reply, const struct batch_order *order,
	struct volley *ret_volley, struct batch_outcome *ret_outcomes)
{
	int64_t now_ms = clock_ms();
	int statements = batch_statements(order);
	int committed;

	*ret_volley = volley_end(volleys, now_ms);
	committed = reply_fault(reply) ? (int)reply_fault_at(reply) / statements : ret_volley->count;
	for (int i = 0; i < committed; i++) {
		batch_read(reply, (size_t)(i * statements), &ret_outcomes[i]);
		lapse_bound(&ret_outcomes[i].took, (double)(now_ms - ret_volley->asked_ms), ret_volley->count);
	}
	if (committed == ret_volley->count)
		volley_learn(volleys, ret_volley, batches_ms(ret_outcomes, committed), now_ms);
	else
		volley_forget(volleys);
	return committed;
}
