#include "daemon/pace_inside.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

/* What a share can use is what it used, and some more, unless its limit held it back. */
#define DEMAND 1.3
#define SMOOTH_S 1.0
#define STEADY_S 10.0

double pace_own_limit(const struct pace_share *share, enum pacer_count count)
{
	double beside_vacuum = share->pace->pacer.vacuums > 0 ? 1.0 - PACE_VACUUM_SHARE : 1.0;

	if (count != PACER_BYTES || share->wish.max_wal_rate == 0)
		return INFINITY;
	return beside_vacuum * (double)share->wish.max_wal_rate;
}

bool pace_waits_for_itself(const struct pace_share *share)
{
	return share->wish.opens_at || share->table.vacuum == SIGNALS_WRAPAROUND;
}

/* Whether it fills nothing that its wishes would have to bind. */
static bool is_away(const struct pace_share *share)
{
	return pace_waits_for_itself(share) || share->patience.gives_way;
}

/* The strictest of the wishes that there are; 0: there is none. */
static int least_of(const struct pace *pace, int (*wish)(const struct pace_wish *), bool also_away)
{
	int least = 0;

	for (const struct pace_share *share = pace->shares; share; share = share->next) {
		int of_share = wish(&share->wish);

		if (is_away(share) && !also_away)
			continue;
		if (of_share > 0 && (least == 0 || of_share < least))
			least = of_share;
	}
	return least;
}

/* Of those that are there, or when these have none of the others, so that what was learnt for them stays. */
static int least_wish(const struct pace *pace, int (*wish)(const struct pace_wish *), int none)
{
	int least = least_of(pace, wish, false);

	if (least == 0)
		least = least_of(pace, wish, true);
	return least > 0 ? least : none;
}

static int wish_of_target(const struct pace_wish *wish)
{
	return wish->lag_target_ms < wish->max_lag_ms ? wish->lag_target_ms : wish->max_lag_ms;
}

static int wish_of_impact(const struct pace_wish *wish)
{
	return wish->max_impact;
}

/* Who may not go at all leaves its part to the others. */
static double demand(const struct pace_share *share, enum pace_currency currency, double least)
{
	const struct pace_account *account = &share->accounts[currency];

	if (share->stopped)
		return 0.0;
	return account->held ? INFINITY : fmax(account->used * DEMAND, least);
}

static void settle(struct pace_account *account, double seconds)
{
	account->steady = pacer_smooth(account->steady, account->spent / seconds, seconds, STEADY_S);
	account->used = pacer_smooth(account->used, account->spent / seconds, seconds, SMOOTH_S);
	account->spent = 0.0;
}

static void divide_wal(struct pace *pace, enum pacer_count count, struct budget_claim *claims, int64_t now_ms)
{
	size_t i = 0;

	for (struct pace_share *share = pace->shares; share; share = share->next)
		claims[i++] = (struct budget_claim){
			.priority = share->wish.priority,
			.limit = pace_own_limit(share, count),
			.demand = demand(share, (enum pace_currency)count, PACE_LEAST_DEMAND),
		};
	budget_divide(pace->pacer.flows[count].allowance, claims, i);
	i = 0;
	for (struct pace_share *share = pace->shares; share; share = share->next)
		budget_set_rate(&share->accounts[count].bucket, claims[i++].given, now_ms);
}

/* Beside an autovacuum of its table a job runs at half its speed; before that is known, half of the time. */
static double time_limit(const struct pace_share *share)
{
	if (share->table.vacuum == SIGNALS_NO_VACUUM)
		return INFINITY;
	return (share->full_speed > 0.0 ? share->full_speed : 1000.0 * share->wish.fillers) / 2.0;
}

/* Whoever does not look at the application has no part in what those may have that do. */
bool pace_looks(const struct pace_share *share)
{
	return share->wish.max_impact > 0;
}

static void divide_time(struct pace *pace, struct budget_claim *claims, int64_t now_ms)
{
	size_t i = 0;

	for (struct pace_share *share = pace->shares; share; share = share->next) {
		if (pace_looks(share))
			claims[i++] = (struct budget_claim){
				.priority = share->wish.priority,
				.limit = time_limit(share),
				.demand = demand(share, PACE_TIME, 1.0),
			};
	}
	budget_divide(pace->impact.duty * 1000.0, claims, i);
	i = 0;
	for (struct pace_share *share = pace->shares; share; share = share->next)
		budget_set_rate(&share->accounts[PACE_TIME].bucket,
			pace_looks(share) ? claims[i++].given : time_limit(share), now_ms);
}

void pace_divide_again(struct pace *pace, int64_t now_ms)
{
	struct budget_claim *claims = memory_new((pace->shares_count + 1) * sizeof(*claims));

	divide_wal(pace, PACER_BYTES, claims, now_ms);
	divide_wal(pace, PACER_PLAIN, claims, now_ms);
	divide_time(pace, claims, now_ms);
	free(claims);
}

void pace_divide(struct pace *pace, int64_t now_ms)
{
	double seconds = (double)(now_ms - pace->divided_ms) / 1000.0;

	if (pace->shares_count == 0 || seconds <= 0.0)
		return;
	for (struct pace_share *share = pace->shares; share; share = share->next) {
		for (int i = 0; i < PACE_CURRENCIES; i++)
			settle(&share->accounts[i], seconds);
	}
	pace_divide_again(pace, now_ms);
	for (struct pace_share *share = pace->shares; share; share = share->next) {
		for (int i = 0; i < PACE_CURRENCIES; i++)
			share->accounts[i].held = false;
	}
	pace->divided_ms = now_ms;
}

int pace_least_target(const struct pace *pace)
{
	return least_wish(pace, wish_of_target, 500);
}

int pace_least_impact(const struct pace *pace)
{
	return least_wish(pace, wish_of_impact, 0);
}
