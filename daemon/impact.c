#include "daemon/impact.h"

#include <math.h>

/* Counters handed in after a change still tell of the time before it. */
#define SETTLE_MS 1100
#define WINDOW_MS 1900 /* two surveys */
#define LEAST_PER_S 10.0
#define LEAST_ACTIVE_MS_PER_S 10.0 /* a hundredth of a core: less than that is somebody who looks on */
#define BASELINE_EVERY_MS 60000
/* So long a baseline without enough transactions: there is no application to speak of. */
#define BASELINE_MOST_MS 4500
#define AIM 0.8
#define STEEPEST 0.3
#define CLIMB 1.3
#define LEAST_DUTY 0.02
/* A limit that is not nearly used is none. */
#define HARDLY_USED 3.0
#define NEW_BASELINE_WEIGHT 0.5
#define NEW_IMPACT_WEIGHT 0.6

void impact_start(struct impact *impact, int64_t now_ms)
{
	*impact = (struct impact){.phase_since_ms = now_ms, .percent = NAN, .duty = INFINITY};
}

static void enter(struct impact *impact, enum impact_phase phase, int64_t now_ms)
{
	impact->phase = phase;
	impact->phase_since_ms = now_ms;
	impact->window.since_ms = 0;
	impact->disturbed = false;
}

static void begin_window(struct impact *impact, const struct signals_traffic *traffic,
	const struct impact_own *own, int64_t now_ms)
{
	impact->window = (struct impact_window){.since_ms = now_ms, .traffic = *traffic, .own = *own};
	impact->disturbed = false;
}

/* What the application did in the window. */
struct done {
	double seconds;
	double transactions;
	double active_ms;
	double own_ms;
};

static struct done since_window(
	const struct impact *impact, const struct signals_traffic *traffic, const struct impact_own *own)
{
	const struct impact_window *window = &impact->window;
	double own_ms = own->active_ms - window->own.active_ms;

	return (struct done){
		.seconds = (double)(traffic->counted_ms - window->traffic.counted_ms) / 1000.0,
		.transactions = (double)(traffic->transactions - window->traffic.transactions) -
						(double)(traffic->ours - window->traffic.ours) -
						(double)(own->transactions - window->own.transactions),
		.active_ms = fmax(traffic->active_ms - window->traffic.active_ms - own_ms, 0.0),
		.own_ms = own_ms,
	};
}

static bool enough(const struct done *done)
{
	return done->seconds > 0.0 && done->transactions / done->seconds >= LEAST_PER_S &&
		   done->active_ms / done->seconds >= LEAST_ACTIVE_MS_PER_S;
}

static void learn_baseline(struct impact *impact, const struct done *done, int64_t now_ms)
{
	double seen_ms = done->active_ms / done->transactions;

	if (impact->baseline_ms > 0.0)
		seen_ms = impact->baseline_ms + NEW_BASELINE_WEIGHT * (seen_ms - impact->baseline_ms);
	impact->baseline_ms = seen_ms;
	impact->baseline_at_ms = now_ms;
	enter(impact, IMPACT_RUNNING, now_ms);
}

static void give_up_measuring(struct impact *impact, int64_t now_ms)
{
	impact->percent = NAN;
	impact->duty = INFINITY;
	enter(impact, IMPACT_QUIET, now_ms);
}

/* From what was used, since a limit that was not reached has had no effect. */
static void steer(struct impact *impact, double used, int most_percent)
{
	double factor = CLIMB;

	if (used <= 0.0)
		return;
	if (impact->percent > 0.0)
		factor = fmin(fmax(AIM * most_percent / impact->percent, STEEPEST), CLIMB);
	if (factor < 1.0)
		impact->duty = fmax(fmin(impact->duty, used) * factor, LEAST_DUTY);
	else if (!isinf(impact->duty))
		impact->duty *= factor;
	if (impact->duty > HARDLY_USED * used)
		impact->duty = INFINITY;
}

static void learn_impact(struct impact *impact, const struct done *done, int most_percent)
{
	double percent = 100.0 * (done->active_ms / done->transactions / impact->baseline_ms - 1.0);

	if (isnan(impact->percent))
		impact->percent = percent;
	else
		impact->percent += NEW_IMPACT_WEIGHT * (percent - impact->percent);
	steer(impact, done->own_ms / done->seconds / 1000.0, most_percent);
}

static void judge_baseline(struct impact *impact, const struct done *done, int64_t now_ms)
{
	if (enough(done))
		learn_baseline(impact, done, now_ms);
	else if (now_ms - impact->phase_since_ms > BASELINE_MOST_MS)
		give_up_measuring(impact, now_ms);
}

static void judge_window(struct impact *impact, const struct done *done, int most_percent, int64_t now_ms)
{
	switch (impact->phase) {
	case IMPACT_UNKNOWN:
	case IMPACT_QUIET:
		enter(impact, enough(done) ? IMPACT_BASELINE : IMPACT_QUIET, now_ms);
		return;
	case IMPACT_BASELINE:
		judge_baseline(impact, done, now_ms);
		return;
	case IMPACT_RUNNING:
		if (!enough(done))
			give_up_measuring(impact, now_ms);
		else if (now_ms - impact->baseline_at_ms > BASELINE_EVERY_MS)
			enter(impact, IMPACT_BASELINE, now_ms);
		else
			learn_impact(impact, done, most_percent);
		return;
	}
}

static int64_t settle_ms(enum impact_phase phase)
{
	return phase == IMPACT_BASELINE || phase == IMPACT_RUNNING ? SETTLE_MS : 0;
}

/* The first look only asks whether there is an application at all. */
static int64_t window_ms(enum impact_phase phase)
{
	return phase == IMPACT_UNKNOWN ? 900 : WINDOW_MS;
}

void impact_sample(struct impact *impact, const struct signals_traffic *traffic, const struct impact_own *own,
	int most_percent, int64_t now_ms)
{
	struct done done;

	if (most_percent == 0) {
		impact_start(impact, now_ms);
		return;
	}
	if (traffic->counted_ms == 0 || traffic->counted_ms == impact->window.traffic.counted_ms)
		return;
	if (impact->window.since_ms == 0 || impact->disturbed) {
		if (now_ms - impact->phase_since_ms >= settle_ms(impact->phase))
			begin_window(impact, traffic, own, now_ms);
		return;
	}
	if (traffic->counted_ms - impact->window.traffic.counted_ms < window_ms(impact->phase))
		return;
	done = since_window(impact, traffic, own);
	begin_window(impact, traffic, own, now_ms);
	judge_window(impact, &done, most_percent, now_ms);
}

bool impact_pauses(const struct impact *impact)
{
	return impact->phase == IMPACT_BASELINE;
}

void impact_disturb(struct impact *impact)
{
	impact->disturbed = true;
}
