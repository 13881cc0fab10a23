#include "tests/sim/application.h"

#include <math.h>

#define TOLD_EVERY_MS 1000
/* Times of single transactions scatter as if by an exponential law. */
#define SCATTER 1.0

void application_start(struct application *application, const struct application_plan *plan, uint64_t seed)
{
	*application = (struct application){.plan = plan, .dice.state = seed + 7, .factor = 1, .wandering = 1};
	for (size_t i = 0; i < APPLICATION_SESSIONS; i++)
		application->sessions[i].told_ms = 1000.0 * (double)i / APPLICATION_SESSIONS;
}

void application_count(struct application *application, struct application_session *session, double ms,
	double transactions, double active_ms)
{
	session->transactions += transactions;
	session->active_ms += active_ms;
	if (ms - session->told_ms < TOLD_EVERY_MS)
		return;
	application->transactions += session->transactions;
	application->active_ms += session->active_ms;
	session->transactions = session->active_ms = 0;
	session->told_ms = ms;
}

/* Counted when it ends. */
static bool report_ends(const struct application_plan *plan, double ms, double step_ms)
{
	double every_ms = plan->report_every_s * 1e3;

	return every_ms > 0 && floor(ms / every_ms) > floor((ms - step_ms) / every_ms);
}

void application_step(struct application *application, double ms, double step_ms, double executing)
{
	const struct application_plan *plan = application->plan;
	double per_s = curve_at(&plan->per_s, ms / 1e3);
	double base_ms = curve_at(&plan->base_ms, ms / 1e3) * application->wandering;
	double mean_ms = base_ms * (1 + curve_at(&plan->slope, ms / 1e3) * executing);
	double count;

	if (ms >= application->next_factor_ms) {
		application->next_factor_ms = ms + 1000;
		application->factor = dice_factor(&application->dice, plan->noise);
		if (plan->wander > 0)
			application->wandering = drift_next(&application->drift, &application->dice, plan->wander);
	}
	if (report_ends(plan, ms, step_ms)) {
		application->transactions++;
		application->active_ms += plan->report_s * 1e3;
	}
	count = dice_count(&application->dice, per_s * step_ms / 1e3);
	application->mean_busy = per_s / 1e3 * mean_ms;
	application->spent += count * mean_ms;
	application->spent_at_best += count * base_ms;
	if (count > 0)
		application_count(application, &application->sessions[application->turn++ % APPLICATION_SESSIONS], ms,
			count,
			count * mean_ms * application->factor *
				fmax(0.1, 1 + SCATTER * dice_normal(&application->dice) / sqrt(count)));
}

void application_read(struct application *application, int64_t now_ms, struct signals_traffic *ret_traffic)
{
	*ret_traffic = (struct signals_traffic){
		.counted_ms = now_ms,
		.transactions = (int64_t)application->transactions,
		.active_ms = application->active_ms,
		.busy_sessions = (int64_t)dice_count(&application->dice, application->mean_busy),
	};
}

struct application_mark application_mark(const struct application *application)
{
	return (struct application_mark){application->spent, application->spent_at_best};
}

double application_impact(const struct application *application, const struct application_mark *since)
{
	double at_best = application->spent_at_best - since->spent_at_best;

	return at_best > 0 ? 100 * ((application->spent - since->spent) / at_best - 1) : 0;
}
