#include "daemon/impact_inside.h"

#include <math.h>

/* Until pauses have told, so much is taken for harmless. */
#define FIRST_HARMLESS 0.15
#define LEAST_NOISE 0.02
#define NOISE_WEIGHT 0.25
#define LEAST_DUTY 0.02
/* Times what it does beside the fill; less is the coming and going of its users. */
#define CATCHES_UP 1.17
/* From pause to pause, while that was never seen, and since it was. */
#define BOLD_CLIMB 2.0
#define WARY_CLIMB 1.05
#define STEADY_WEIGHT 0.25
#define DRIFTING_WEIGHT 0.7
/* It is another application now. */
#define ANOTHER 0.6
/* Of a baseline: more than its noise. */
#define NOTABLE 0.1

/* Does the application do much more now that the fill pauses? */
static bool catches_up(const struct impact *impact, const struct impact_done *done)
{
	double beside = impact->beside_s > 0.0 ? impact->beside_transactions / impact->beside_s : 0.0;

	return impact->beside_s >= IMPACT_BESIDE_LEAST_S &&
		   done->transactions / done->seconds > CATCHES_UP * beside;
}

void impact_forget_beside(struct impact *impact)
{
	impact->beside_s = impact->beside_transactions = impact->beside_ms = impact->beside_batch_s = 0.0;
}

static void judge_duty(struct impact *impact, const struct impact_done *done)
{
	if (catches_up(impact, done)) {
		impact->duty = fmax(impact->duty / 2.0, LEAST_DUTY);
		impact->harmless = impact->duty;
		impact->climb = WARY_CLIMB;
	}
	impact->harmless = fmax(impact->harmless, impact->duty);
	impact_forget_beside(impact);
}

/* What was summed up by the old baseline is told by the new one. */
static void rebase(struct impact *impact, double baseline_ms)
{
	double all_ms = impact->best_ms + impact->extra_ms;

	if (impact->baselines > 0)
		impact->best_ms *= baseline_ms / impact->baseline_ms;
	impact->extra_ms = all_ms - impact->best_ms;
	impact->baseline_ms = baseline_ms;
}

/* The root of the mean square. */
static void learn_noise(struct impact *impact, double innovation)
{
	double square = impact->noise * impact->noise;

	square += fmax(NOISE_WEIGHT, 1.0 / (impact->baselines + 1)) * (innovation * innovation - square);
	impact->noise = fmax(sqrt(square), LEAST_NOISE);
}

double impact_limit_duty(const struct impact *impact, double duty, double most)
{
	return fmax(fmin(duty, most), LEAST_DUTY * impact_times_allowed(impact));
}

/* It is the first application, or another one: what was seen beside the fill was not beside this one. */
static void judge_anew(struct impact *impact)
{
	impact->climb = BOLD_CLIMB;
	impact->harmless = FIRST_HARMLESS;
	impact_forget_slope(impact);
}

/* Noise goes to and fro; what goes on in one direction is a drift, and is followed faster. */
void impact_learn_baseline(
	struct impact *impact, const struct impact_done *done, int most_percent, int64_t now_ms)
{
	double seen_ms = done->active_ms / done->transactions;
	double innovation = impact->baselines > 0 ? seen_ms / impact->baseline_ms - 1.0 : 0.0;
	double weight = innovation * impact->innovation > 0.0 ? DRIFTING_WEIGHT : STEADY_WEIGHT;

	weight = fmax(weight, 1.0 / (impact->baselines + 1));
	if (fabs(innovation) > ANOTHER)
		weight = 1.0;
	else if (impact->baselines > 0)
		learn_noise(impact, innovation);
	impact->assured = !impact->assured && fabs(innovation) < NOTABLE;
	rebase(impact, impact->baseline_ms + weight * (seen_ms - impact->baseline_ms));
	impact->innovation = innovation;
	impact->paused_in_vain = false;
	impact->baselines++;
	impact->baseline_at_ms = now_ms;
	impact->busy = done->active_ms / 1000.0 / done->seconds;
	if (weight >= 1.0)
		judge_anew(impact);
	else
		impact_learn_slope(impact);
	if (impact->seconds <= 0.0 || isinf(impact->duty))
		impact->duty = impact_limit_duty(impact, impact_aimed_duty(impact, most_percent), FIRST_HARMLESS);
	impact->baseline_duty = impact->duty;
	judge_duty(impact, done);
}
