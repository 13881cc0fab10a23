#include "daemon/pace_inside.h"

#include <math.h>

static void say(struct pace_share *share, const char *sentence)
{
	text_clear(&share->reason);
	text_add(&share->reason, sentence);
}

bool pace_is_held(struct pace_share *share, int64_t now_ms)
{
	text_clear(&share->reason);
	if (share->wish.opens_at) {
		text_addf(&share->reason, "outside daily_window, which opens at %s", share->wish.opens_at);
	} else if (now_ms - share->pace->sampled_ms > SIGNALS_PULSE_STALE_MS) {
		struct signals none = {0}; /* a sample that came judged its own age */

		(void)!gate_may_go(&share->gate, &none, &share->table, share->wish.max_lag_ms, now_ms);
		say(share, text_is(&share->gate.reason));
	} else if (share->gate.closed) {
		say(share, text_is(&share->gate.reason));
		if (share->gate.lagged && share->patience.gives_way && share->another_goes)
			text_add(&share->reason, "; the other jobs go by their own limits");
	} else if (impact_pauses(&share->pace->impact) && pace_looks(share)) {
		say(share, "a short pause, to learn how fast the application is without the fill (max_impact)");
	}
	return share->reason.length > 0;
}

static bool is_own_limit(const struct pace_share *share, int count)
{
	return share->accounts[count].bucket.rate >= pace_own_limit(share, count);
}

static bool is_beside_vacuum(const struct pace_share *share)
{
	return share->table.vacuum != SIGNALS_NO_VACUUM;
}

/* Of what is divided, is another job served first? */
static bool is_outranked(const struct pace_share *share, enum pace_currency currency)
{
	if (currency == PACE_TIME ? is_beside_vacuum(share) : is_own_limit(share, currency))
		return false;
	for (const struct pace_share *other = share->pace->shares; other; other = other->next)
		if (other->wish.priority > share->wish.priority && !other->stopped &&
			(currency != PACE_TIME || pace_looks(other)))
			return true;
	return false;
}

static void say_time_limit(struct pace_share *share)
{
	if (is_beside_vacuum(share))
		say(share, "an autovacuum of the table: half speed");
	else
		say(share, "the application would be slowed by more than max_impact");
}

static void say_wal_limit(struct pace_share *share, enum pacer_count count)
{
	const struct pacer *pacer = &share->pace->pacer;
	const char *slowest = pacer->flows[count].slowest;

	if (is_own_limit(share, count))
		say(share, "max_wal_rate");
	else if (slowest)
		text_addf(&share->reason, "replica %s takes no more WAL than this without falling behind", slowest);
	else if (pacer->first_climb)
		say(share, "the start is slow: what the replicas take is not known yet");
	else
		say(share, "the start after an overload is slow");
}

/* Told with each turn it would come and go where two of them are nearly even. */
static enum pace_currency waited_for_most(const struct pace_share *share)
{
	enum pace_currency most = share->waits_for;

	for (int i = 0; i < PACE_CURRENCIES; i++) {
		if (share->accounts[i].held_part > share->accounts[most].held_part)
			most = i;
	}
	return most;
}

void pace_say_limit(struct pace_share *share)
{
	enum pace_currency by = waited_for_most(share);

	if (isinf(share->accounts[by].bucket.rate)) /* what limited it does so no longer */
		return;
	if (by == PACE_TIME)
		say_time_limit(share);
	else
		say_wal_limit(share, (enum pacer_count)by);
	if (is_outranked(share, by))
		text_add(&share->reason, "; jobs of higher priority come first");
}

bool pace_replica_limits(const struct pace_share *share)
{
	enum pace_currency by = waited_for_most(share);

	return share->limited && by != PACE_TIME && !is_own_limit(share, by);
}
