#include "daemon/impact_inside.h"

#include <math.h>

/* Of what is allowed: an estimate goes to and fro. And where sessions execute all the time their transactions
 * queue as well, which no counter shows. Two processors of which pgbench's 16 sessions had three quarters of
 * the time (half of what they could do at most): a fiftieth of that time more, the batches' and what looks
 * after them, and the p99 from when a transaction was due was 4 % longer for each per cent of the
 * processors. That is for two processors; with more of them fewer wait, and the slope is less as well. */
#define AIM_BESIDE_NONE 0.8
#define AIM_BESIDE_TWO 0.3
/* By how much a batch that executes is thought to slow an application of which hardly a session executes,
 * and the more of them do, up to: pgbench at half of what two processors can do was slowed by 0.9 to 1.2. */
#define SLOPE_BESIDE_NONE 0.5
#define SLOPE_BESIDE_ONE 0.8
#define LEAST_SLOPE 0.01
/* How far from that it may well be, to either side. */
#define SPREAD_BELOW 0.5
#define SPREAD_ABOVE 1.0
/* What was learnt of that grows old: so much of the first doubt comes back with each baseline, and is always
 * left. */
#define UNSURE_AGAIN 0.02
#define LEAST_UNSURE 0.05

/* Between what holds beside an application of which hardly a session executes, and one of which so many do,
 * or more. */
static double by_business(const struct impact *impact, double beside_none, double beside_most, double most)
{
	return beside_none + (beside_most - beside_none) * fmin(impact->busy / most, 1.0);
}

static double thought_slope(const struct impact *impact)
{
	double first = by_business(impact, SLOPE_BESIDE_NONE, SLOPE_BESIDE_ONE, 1.0);

	return fmax(first + impact->lesson, LEAST_SLOPE);
}

static double variance_below(const struct impact *impact)
{
	return impact->unsure * SPREAD_BELOW * SPREAD_BELOW;
}

/* What is thought comes nearer to what was seen (a Kalman filter): a small duty tells something as well, if
 * it is looked at for long. */
void impact_learn_slope(struct impact *impact)
{
	double used, seen, variance, gain;

	impact->unsure = fmin(impact->unsure + UNSURE_AGAIN, 1.0);
	if (impact->beside_s < IMPACT_BESIDE_LEAST_S || impact->beside_transactions <= 0.0)
		return;
	used = impact->beside_batch_s / impact->beside_s;
	seen = impact->beside_ms / (impact->beside_transactions * impact->baseline_ms) - 1.0;
	variance = variance_below(impact);
	gain = variance * used / (variance * used * used + impact->noise * impact->noise);
	impact->lesson += gain * (seen - thought_slope(impact) * used);
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
 * nothing can: 10 % of them look like a slope of 1 where batches execute for a tenth of the time. That it is
 * more than was thought is believed at once, whatever was learnt.
 */
static double likely_slope(const struct impact *impact)
{
	double thought = thought_slope(impact), used, seen, known, variance, doubt;

	if (impact->seconds <= 0.0)
		return thought;
	used = impact->batch_s / impact->seconds;
	seen = impact->percent / 100.0;
	known = used * impact->seconds / IMPACT_REMEMBER_S;
	variance = seen > thought * used ? SPREAD_ABOVE * SPREAD_ABOVE : variance_below(impact);
	doubt = impact->noise * impact->noise / variance;
	return fmax((seen * known + thought * doubt) / (used * known + doubt), LEAST_SLOPE);
}

double impact_times_allowed(const struct impact *impact)
{
	double busy = impact->seconds > 0.0 ? impact->best_ms / 1000.0 / impact->seconds : impact->busy;

	return busy > 0.0 ? fmax(IMPACT_BUSY / busy, 1.0) : 1.0;
}

double impact_aimed_duty(const struct impact *impact, int most_percent)
{
	double aim = by_business(impact, AIM_BESIDE_NONE, AIM_BESIDE_TWO, 2.0);
	double times = impact_times_allowed(impact);

	return fmax(aim * times * most_percent / 100.0 / likely_slope(impact), IMPACT_LEAST_DUTY * times);
}
