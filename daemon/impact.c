#include "daemon/impact_inside.h"

#include <math.h>

/* Counters handed in after a change still tell of the time before it; the survey a second later no longer
 * does. */
#define SETTLE_MS 900
/* Of a transaction of ours the server counts its COMMIT (impact.h), which is as short as this. */
#define COMMIT_MS 0.04
#define WINDOW_MS 1900 /* two surveys */
#define QUIET_WINDOW_MS 3900
#define LEAST_PER_S 40.0
#define LEAST_ACTIVE_MS_PER_S 40.0 /* less than that is somebody who looks on: another daemon */
/* Times what is enough, once a pause has found less than that. */
#define ONCE_MORE 2.0
#define BASELINE_EVERY_MS 60000
#define BASELINES_FIRST 4
#define BASELINE_FIRST_EVERY_MS 12000
/* So long a baseline without enough transactions: there is no application to speak of. */
#define BASELINE_MOST_MS 4500
/* And without one in which nothing else of ours ran. */
#define BASELINE_LONGEST_MS 10000
#define FIRST_DUTY 0.05
/* One look that finds nobody says little: of a few sessions all may rest at a moment. */
#define LOOKS 2
/* What was seen longer ago says nothing of now. */
#define LOOK_LASTS_MS 2000
/* While nothing is heard of an application that was there. */
#define QUIET_CLIMB 2.0
#define MOST_DUTY 1.0
/* So much more than enough needs no long look. */
#define PLAIN 10.0
/* Times what the application should have executed: mostly a statement of minutes that ends is counted at
 * once. */
#define ODD 3.0
#define GLANCE_MS 900
/* By so much, as a share, an application's time goes up and down by itself, until it is known. */
#define FIRST_NOISE 0.05
/* A limit that is not nearly used is none. */
#define HARDLY_USED 3.0
/* From window to window, beside one that is not busy. */
#define LIGHT_CLIMB 1.5
#define CLIMBS_FROM 0.95
/* Times what is promised. */
#define DOUBTFUL 1.5
/* Of the duty before the pause that assured it: an impact that is as large still is hardly the batches'. */
#define ASSURED_UNTIL 0.6

/* No full speed before it is known that nobody is at work, or by how much who is; whoever was seen once is.
 */
static double first_duty(const struct impact *impact, int64_t now_ms)
{
	bool fresh = now_ms - impact->looked_ms <= LOOK_LASTS_MS;
	bool seen = impact->busy_ms != 0 && impact->busy_ms >= impact->phase_since_ms - LOOK_LASTS_MS;

	return fresh && !seen && impact->quiet_looks >= LOOKS ? INFINITY : FIRST_DUTY;
}

void impact_start(struct impact *impact, int64_t now_ms)
{
	*impact = (struct impact){.phase_since_ms = now_ms,
		.statements = impact->statements,
		.unsettled_ms = now_ms - SETTLE_MS,
		.looked_ms = impact->looked_ms,
		.quiet_looks = impact->quiet_looks,
		.busy_ms = impact->busy_ms,
		.percent = NAN,
		.noise = FIRST_NOISE};
	impact->duty = first_duty(impact, now_ms);
	impact_forget_slope(impact);
}

bool impact_look(struct impact *impact, const struct signals_traffic *traffic)
{
	if (traffic->counted_ms <= impact->looked_ms)
		return false;
	if (traffic->counted_ms - impact->looked_ms > LOOK_LASTS_MS)
		impact->quiet_looks = 0;
	impact->looked_ms = traffic->counted_ms;
	impact->quiet_looks++;
	if (traffic->busy_sessions > 0) {
		impact->quiet_looks = 0;
		impact->busy_ms = traffic->counted_ms;
	}
	return true;
}

static void enter(struct impact *impact, enum impact_phase phase, int64_t now_ms)
{
	impact->phase = phase;
	impact->phase_since_ms = now_ms;
	impact->window.open = false;
}

static void begin_window(
	struct impact *impact, const struct signals_traffic *traffic, const struct impact_own *own)
{
	impact->window = (struct impact_window){.open = true, .traffic = *traffic, .own = *own};
}

static struct impact_done since_window(
	const struct impact *impact, const struct signals_traffic *traffic, const struct impact_own *own)
{
	const struct impact_window *window = &impact->window;
	double own_transactions = (double)(own->transactions - window->own.transactions);

	return (struct impact_done){
		.seconds = (double)(traffic->counted_ms - window->traffic.counted_ms) / 1000.0,
		.transactions = (double)(traffic->transactions - window->traffic.transactions) -
						(double)(traffic->ours - window->traffic.ours) - own_transactions,
		.active_ms = traffic->active_ms - window->traffic.active_ms - own_transactions * COMMIT_MS,
		.steered_ms = own->steered_ms - window->own.steered_ms,
		.ours = (double)(traffic->ours - window->traffic.ours) + own_transactions,
	};
}

/* Statistics were reset, another server counts now, or other databases: a difference would be nonsense. */
static bool went_back(const struct signals_traffic *before, const struct signals_traffic *now)
{
	return now->connection != before->connection || now->scope != before->scope ||
		   now->transactions < before->transactions || now->ours < before->ours ||
		   now->active_ms < before->active_ms;
}

static bool enough_times(const struct impact *impact, const struct impact_done *done, double times)
{
	double least = times * LEAST_PER_S;

	if (done->seconds <= 0.0)
		return false;
	/* Of the transactions that are ours a second's worth may be told too early or too late: that is no
	 * application. */
	if (impact->phase == IMPACT_UNKNOWN || impact->phase == IMPACT_QUIET)
		least += done->ours / done->seconds / done->seconds;
	/* While batches run a single window is not exact enough to tell so little from nothing. */
	if (impact->phase != IMPACT_RUNNING &&
		done->active_ms / done->seconds < LEAST_ACTIVE_MS_PER_S * fmin(times, ONCE_MORE))
		return false;
	return done->transactions / done->seconds >= least;
}

static bool enough(const struct impact *impact, const struct impact_done *done)
{
	return enough_times(impact, done, 1.0);
}

/* Beside the fill everything takes longer: who was enough there and not in the pause would be paused for
 * again and again. */
static bool enough_to_pause_for(const struct impact *impact, const struct impact_done *done)
{
	return enough_times(impact, done, impact->paused_in_vain ? ONCE_MORE : 1.0);
}

/* Nothing was ever measured, and no pause was made for anybody. */
static bool never_was(const struct impact *impact)
{
	return impact->baselines == 0 && !impact->paused_in_vain &&
		   (impact->phase == IMPACT_UNKNOWN || impact->phase == IMPACT_QUIET);
}

/* What was limited is let go by and by, but for whom only a look has met of whom neither the counters nor the
 * next looks know. */
static double quiet_duty(const struct impact *impact)
{
	bool nobody = never_was(impact) && impact->quiet_looks >= LOOKS;

	return nobody || impact->duty >= MOST_DUTY ? INFINITY : impact->duty * QUIET_CLIMB;
}

static void give_up_measuring(struct impact *impact, int64_t now_ms)
{
	impact_forget_beside(impact);
	impact->percent = NAN;
	impact->duty = quiet_duty(impact);
	enter(impact, IMPACT_QUIET, now_ms);
}

static void steer(struct impact *impact, int most_percent)
{
	double used = impact->batch_s / impact->seconds;
	double duty = impact_aimed_duty(impact, most_percent);
	double most = impact->busy >= IMPACT_BUSY ? impact->harmless * impact->climb : impact->duty * LIGHT_CLIMB;

	impact->duty = impact_limit_duty(impact, duty, isinf(impact->duty) ? INFINITY : most);
	if (impact->duty > HARDLY_USED * used && used > 0.5)
		impact->duty = INFINITY;
}

static void learn_impact(struct impact *impact, const struct impact_done *done, int most_percent)
{
	double kept = exp(-done->seconds / IMPACT_REMEMBER_S);
	double best_ms = done->transactions * impact->baseline_ms;

	impact->seconds = kept * impact->seconds + done->seconds;
	impact->beside_s += done->seconds;
	impact->beside_transactions += done->transactions;
	impact->beside_ms += done->active_ms;
	impact->beside_batch_s += done->steered_ms / 1000.0;
	impact->best_ms = kept * impact->best_ms + best_ms;
	impact->extra_ms = kept * impact->extra_ms + done->active_ms - best_ms;
	impact->batch_s = kept * impact->batch_s + done->steered_ms / 1000.0;
	impact->percent = 100.0 * impact->extra_ms / impact->best_ms;
	steer(impact, most_percent);
}

/* Without a window that tells something the fill does not pause for ever: what was known is good enough. */
static void end_vain_pause(struct impact *impact, int64_t now_ms)
{
	if (impact->phase != IMPACT_BASELINE || now_ms - impact->phase_since_ms <= BASELINE_LONGEST_MS)
		return;
	if (impact->baselines == 0) {
		give_up_measuring(impact, now_ms);
		return;
	}
	impact->baseline_at_ms = now_ms;
	enter(impact, IMPACT_RUNNING, now_ms);
}

static void judge_baseline(
	struct impact *impact, const struct impact_done *done, int most_percent, int64_t now_ms)
{
	if (enough(impact, done)) {
		impact_learn_baseline(impact, done, most_percent, now_ms);
		enter(impact, IMPACT_RUNNING, now_ms);
		return;
	}
	if (now_ms - impact->phase_since_ms <= BASELINE_MOST_MS)
		return;
	impact->paused_in_vain = true;
	give_up_measuring(impact, now_ms);
}

/* Is there so much impact that the baseline may be another application's? */
static bool is_doubtful(const struct impact *impact, int most_percent)
{
	bool assured = impact->assured && impact->duty > ASSURED_UNTIL * impact->baseline_duty;

	return !assured && impact->percent > DOUBTFUL * impact_times_allowed(impact) * most_percent;
}

/* More often while little is known, while duty would rise if it might, and in doubt. */
static int64_t baseline_every_ms(const struct impact *impact, int most_percent)
{
	bool climbs = impact->duty > CLIMBS_FROM * impact->harmless * impact->climb;

	return climbs || is_doubtful(impact, most_percent) || impact->baselines < BASELINES_FIRST
			   ? BASELINE_FIRST_EVERY_MS
			   : BASELINE_EVERY_MS;
}

/* A pause in which a VACUUM goes on would take its share of the server for the application's own. */
static bool is_baseline_due(const struct impact *impact, int most_percent, int64_t now_ms)
{
	return impact->statements == 0 &&
		   now_ms - impact->baseline_at_ms > baseline_every_ms(impact, most_percent);
}

static void judge_window(
	struct impact *impact, const struct impact_done *done, int most_percent, int64_t now_ms)
{
	switch (impact->phase) {
	case IMPACT_UNKNOWN:
	case IMPACT_QUIET:
		if (enough_to_pause_for(impact, done))
			enter(impact, IMPACT_BASELINE, now_ms);
		else
			give_up_measuring(impact, now_ms);
		return;
	case IMPACT_BASELINE:
		judge_baseline(impact, done, most_percent, now_ms);
		return;
	case IMPACT_RUNNING:
		if (!enough(impact, done))
			give_up_measuring(impact, now_ms);
		else if (is_baseline_due(impact, most_percent, now_ms))
			enter(impact, IMPACT_BASELINE, now_ms);
		else
			learn_impact(impact, done, most_percent);
		return;
	}
}

/* Do the counters tell nothing anymore of what was before the phase, or of a disturbance? */
static bool is_settled(const struct impact *impact, const struct signals_traffic *traffic)
{
	bool quick = impact->phase == IMPACT_UNKNOWN || impact->phase == IMPACT_QUIET;

	if (impact->phase == IMPACT_BASELINE && impact->statements > 0)
		return false;
	return traffic->counted_ms - impact->unsettled_ms >= SETTLE_MS &&
		   (quick || traffic->counted_ms - impact->phase_since_ms >= SETTLE_MS);
}

/* The first look only asks whether there is an application at all; a longer one is surer. */
static int64_t window_ms(const struct impact *impact)
{
	if (impact->phase == IMPACT_UNKNOWN)
		return GLANCE_MS;
	return impact->phase == IMPACT_QUIET && isinf(impact->duty) ? QUIET_WINDOW_MS : WINDOW_MS;
}

/* An application has shown itself before the window is over. */
static bool is_plain(const struct impact *impact, const struct impact_done *done)
{
	return impact->phase == IMPACT_QUIET && done->seconds * 1000.0 >= GLANCE_MS &&
		   enough_times(impact, done, PLAIN);
}

/* Where they cannot be read nothing can be promised. */
static void await_counters(struct impact *impact, int64_t now_ms)
{
	if (impact->phase == IMPACT_UNKNOWN && now_ms - impact->phase_since_ms > GLANCE_MS)
		impact->duty = INFINITY;
}

bool impact_knows(const struct impact *impact)
{
	return impact->phase == IMPACT_BASELINE || impact->phase == IMPACT_RUNNING;
}

/* Of two in a row the second tells the truth. */
static bool is_odd(struct impact *impact, const struct impact_done *done)
{
	bool was = impact->odd;

	impact->odd = impact_knows(impact) && impact->baselines > 0 && enough(impact, done) &&
				  done->active_ms > ODD * done->transactions * impact->baseline_ms;
	return impact->odd && !was;
}

void impact_sample(struct impact *impact, const struct signals_traffic *traffic, const struct impact_own *own,
	int most_percent, int64_t now_ms)
{
	struct impact_done done;

	if (most_percent == 0) {
		impact_start(impact, now_ms);
		impact->duty = INFINITY;
		return;
	}
	if (traffic->counted_ms == 0) {
		await_counters(impact, now_ms);
		return;
	}
	if (traffic->counted_ms == impact->window.traffic.counted_ms)
		return;
	if (never_was(impact) && impact_look(impact, traffic) && impact->phase == IMPACT_UNKNOWN)
		impact->duty = first_duty(impact, traffic->counted_ms);
	if (!impact->window.open) {
		end_vain_pause(impact, now_ms);
		if (is_settled(impact, traffic))
			begin_window(impact, traffic, own);
		return;
	}
	if (went_back(&impact->window.traffic, traffic)) {
		end_vain_pause(impact, now_ms);
		begin_window(impact, traffic, own);
		return;
	}
	done = since_window(impact, traffic, own);
	if (done.seconds * 1000.0 < (double)window_ms(impact) && !is_plain(impact, &done))
		return;
	begin_window(impact, traffic, own);
	if (!is_odd(impact, &done))
		judge_window(impact, &done, most_percent, now_ms);
}

const char *impact_told(const struct impact *impact)
{
	if (impact->phase == IMPACT_QUIET)
		return "too little to measure";
	return isnan(impact->percent) ? "being measured" : "measured";
}

bool impact_pauses(const struct impact *impact)
{
	return impact->phase == IMPACT_BASELINE;
}

void impact_accompany(struct impact *impact, bool began)
{
	impact->statements += began ? 1 : -1;
	if (began && impact->phase == IMPACT_BASELINE)
		impact->window.open = false;
}

void impact_disturb(struct impact *impact, int64_t now_ms)
{
	impact->unsettled_ms = now_ms;
	impact->window.open = false;
}
