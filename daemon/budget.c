#include "daemon/budget.h"

#include <math.h>

/* More milliseconds than this are not to be told from never, and may not fit an integer. */
#define NEVER_MS 1e15

static double most_of(const struct budget_claim *claim)
{
	return fmin(claim->limit, claim->demand);
}

/* The highest priority below `below` (INT64_MAX at first); false: there is none. */
static bool next_priority(
	const struct budget_claim *claims, size_t count, int64_t below, int64_t *ret_priority)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (claims[i].priority >= below || (found && claims[i].priority <= *ret_priority))
			continue;
		*ret_priority = claims[i].priority;
		found = true;
	}
	return found;
}

/* Gives all that want less than an equal part what they want, until the rest are equal. */
static double divide_among_equals(double total, int64_t priority, struct budget_claim *claims, size_t count)
{
	size_t open = 0;
	bool moved = true;

	for (size_t i = 0; i < count; i++) {
		if (claims[i].priority == priority) {
			claims[i].given = -1.0;
			open++;
		}
	}
	while (moved && open > 0) {
		double part = total / (double)open;

		moved = false;
		for (size_t i = 0; i < count; i++) {
			if (claims[i].priority != priority || claims[i].given >= 0.0 || most_of(&claims[i]) > part)
				continue;
			claims[i].given = most_of(&claims[i]);
			total -= claims[i].given;
			open--;
			moved = true;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (claims[i].priority == priority && claims[i].given < 0.0)
			claims[i].given = total / (double)open;
	}
	return open > 0 ? 0.0 : fmax(total, 0.0);
}

void budget_divide(double total, struct budget_claim *claims, size_t count)
{
	int64_t priority = INT64_MAX;

	if (isinf(total)) {
		for (size_t i = 0; i < count; i++)
			claims[i].given = claims[i].limit;
		return;
	}
	while (next_priority(claims, count, priority, &priority))
		total = divide_among_equals(total, priority, claims, count);
}

static void refill(struct budget_bucket *bucket, int64_t now_ms)
{
	double burst = bucket->rate * BUDGET_BURST_MS / 1000.0;

	if (isinf(bucket->rate))
		bucket->tokens = 0.0;
	else
		bucket->tokens =
			fmin(bucket->tokens + bucket->rate * (double)(now_ms - bucket->at_ms) / 1000.0, burst);
	bucket->at_ms = now_ms;
}

void budget_set_rate(struct budget_bucket *bucket, double rate, int64_t now_ms)
{
	if (bucket->at_ms != 0)
		refill(bucket, now_ms);
	bucket->at_ms = now_ms;
	bucket->rate = rate;
}

void budget_take(struct budget_bucket *bucket, double amount, int64_t now_ms)
{
	refill(bucket, now_ms);
	if (!isinf(bucket->rate))
		bucket->tokens -= amount;
}

int64_t budget_wait_ms(struct budget_bucket *bucket, int64_t now_ms)
{
	double wait_ms;

	refill(bucket, now_ms);
	if (isinf(bucket->rate) || (bucket->tokens >= 0.0 && bucket->rate > 0.0))
		return 0;
	if (bucket->rate <= 0.0)
		return INT64_MAX;
	wait_ms = ceil(-bucket->tokens * 1000.0 / bucket->rate);
	return wait_ms < NEVER_MS ? (int64_t)wait_ms : INT64_MAX;
}
