#include "tests/sim/plan.h"

#include <math.h>

double curve_at(const struct curve *curve, double s)
{
	int last = 0;
	double along;

	if (curve->period_s > 0)
		s = fmod(s, curve->period_s);
	while (last + 1 < PLAN_POINTS && curve->at[last + 1].s > 0 && curve->at[last + 1].s <= s)
		last++;
	if (!curve->ramp || last + 1 == PLAN_POINTS || curve->at[last + 1].s <= 0)
		return curve->at[last].value;
	along = (s - curve->at[last].s) / (curve->at[last + 1].s - curve->at[last].s);
	return curve->at[last].value + along * (curve->at[last + 1].value - curve->at[last].value);
}
