#include "tests/sim/dice.h"

#include <math.h>

/* What is left of a wandering factor's past after a step. */
#define MEMORY 0.9

double dice_unit(struct dice *dice)
{
	dice->state = dice->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(dice->state >> 11) / 9007199254740992.0;
}

double dice_normal(struct dice *dice)
{
	double u = 1.0 - dice_unit(dice);
	double v = dice_unit(dice);

	return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

double dice_factor(struct dice *dice, double noise)
{
	return noise > 0 ? exp(noise * dice_normal(dice) - noise * noise / 2) : 1.0;
}

double dice_count(struct dice *dice, double mean)
{
	double left = exp(-mean);
	double count = 0;

	if (mean > 30)
		return fmax(0.0, round(mean + sqrt(mean) * dice_normal(dice)));
	for (double product = dice_unit(dice); product > left; product *= dice_unit(dice))
		count++;
	return count;
}

double drift_next(struct drift *drift, struct dice *dice, double noise)
{
	drift->at = MEMORY * drift->at + sqrt(1 - MEMORY * MEMORY) * dice_normal(dice);
	return exp(noise * drift->at - noise * noise / 2);
}
