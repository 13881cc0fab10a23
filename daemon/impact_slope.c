#include "daemon/impact_inside.h"

#include <math.h>

/* Of what is allowed: an estimate goes to and fro. And where sessions execute all the time their transactions
 * queue as well, before the server's counters see them: beside pgbench, five of whose 16 sessions executed on
 * two processors, in which only a quarter of the time was left, an aim of 0.5 made its p99 from when a
 * transaction was due 15 % longer (its mean 8 %), 0.35 -4 to 30 % (5 to 11 %), as others left us the machine,
 * in runs of five minutes. At fixed duties, in turns of four seconds, 0.05 made it 22 % longer than next to
 * none, 0.02 8 %. With more processors fewer wait, and the slope is less as well. */
#define AIM_BESIDE_NONE 0.8
#define AIM_BESIDE_TWO 0.2
/* By how much a batch that executes is thought to slow an application of which hardly a session executes,
 * and the more of them do, up to: pgbench at half of what two processors can do was slowed by 0.9 to 1.2. */
#define SLOPE_BESIDE_NONE 0.5
#define SLOPE_BESIDE_ONE 0.8
#define LEAST_SLOPE 0.01
#define MOST_SLOPE 10.0 /* to be learnt */
/* How far from that it may well be, to either side. */
#define SPREAD_BELOW 0.5
#define SPREAD_ABOVE 1.0
/* What was learnt of that grows old: so much of the first doubt comes back with each baseline, and is always
 * left. */
#define UNSURE_AGAIN 0.02
#define LEAST_UNSURE 0.05
#define LEAST_UNSURE_ABOVE 0.25

/* Between what holds beside an application of which hardly a session executes, and one of which so many do,
 * or more. */
static double by_business(const struct impact *impact, double beside_none, double beside_most, double most)
{
	return beside_none + (beside_most - beside_none) * fmin(impact->busy / most, 1.0);
}

/* Before anything was seen. */
static double first_slope(const struct impact *impact)
{
	return by_business(impact, SLOPE_BESIDE_NONE, SLOPE_BESIDE_ONE, 1.0);
}

static double thought_slope(const struct impact *impact)
{
	return fmax(first_slope(impact) + impact->lesson, LEAST_SLOPE);
}

/* Of slopes above the thought one, or below it. That it is more now is believed sooner, whatever was learnt.
 */
static double variance_of_slope(const struct impact *impact, bool above)
{
	double unsure = above ? fmax(impact->unsure, LEAST_UNSURE_ABOVE) : impact->unsure;
	double spread = above ? SPREAD_ABOVE : SPREAD_BELOW;

	return unsure * spread * spread;
}

/* What is thought comes nearer to what was seen (a Kalman filter): a small duty tells something as well, if
 * it is looked at for long. */
void impact_learn_slope(struct impact *impact)
{
	double used, seen, variance, gain, thought;

	impact->unsure = fmin(impact->unsure + UNSURE_AGAIN, 1.0);
	if (impact->beside_s < IMPACT_BESIDE_LEAST_S || impact->beside_transactions <= 0.0)
		return;
	used = impact->beside_batch_s / impact->beside_s;
	seen = impact->beside_ms / (impact->beside_transactions * impact->baseline_ms) - 1.0;
	variance = variance_of_slope(impact, false);
	gain = variance * used / (variance * used * used + impact->noise * impact->noise);
	thought = thought_slope(impact) + gain * (seen - thought_slope(impact) * used);
	impact->lesson = fmin(fmax(thought, LEAST_SLOPE), MOST_SLOPE) - first_slope(impact);
	impact->unsure = fmax(impact->unsure * (1.0 - gain * used), LEAST_UNSURE);
}

void impact_forget_slope(struct impact *impact)
{
	impact->lesson = 0.0;
	impact->unsure = 1.0;
}

/*
 * By how much a batch that executes slows the application: between what was thought and what was seen, as
 * much nearer to the latter as it can be told from the application's own ups and downs. Beside little of ours
 * nothing can: 10 % of them look like a slope of 1 where batches execute for a tenth of the time.
 */
static double likely_slope(const struct impact *impact)
{
	double thought = thought_slope(impact), used, seen, known, doubt;

	if (impact->seconds <= 0.0 || impact->best_ms <= 0.0)
		return thought;
	used = impact->batch_s / impact->seconds;
	seen = impact->extra_ms / impact->best_ms;
	known = used * impact->seconds / IMPACT_REMEMBER_S;
	doubt = impact->noise * impact->noise / variance_of_slope(impact, seen > thought * used);
	return fmax((seen * known + thought * doubt) / (used * known + doubt), LEAST_SLOPE);
}

double impact_times_allowed(const struct impact *impact)
{
	double busy = impact->seconds > 0.0 ? impact->best_ms / 1000.0 / impact->seconds : impact->busy;

	return busy > 0.0 ? fmax(IMPACT_BUSY / busy, 1.0) : 1.0;
}

/* Where batches have proved to slow it less than was thought at first, processors are left, and nobody queues
 * for them. */
static double aim(const struct impact *impact)
{
	double slope = thought_slope(impact) + sqrt(variance_of_slope(impact, false));
	double scarce = fmin(slope / first_slope(impact), 1.0);
	double beside = by_business(impact, AIM_BESIDE_NONE, AIM_BESIDE_TWO, 2.0);

	return AIM_BESIDE_NONE + (beside - AIM_BESIDE_NONE) * scarce;
}

double impact_aimed_duty(const struct impact *impact, int most_percent)
{
	return aim(impact) * impact_times_allowed(impact) * most_percent / 100.0 / likely_slope(impact);
}
