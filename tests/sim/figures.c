#include "tests/sim/figures.h"

#include <math.h>

void figures_note_lag(struct figures_lag *lag, double lag_ms)
{
	size_t bar = lag_ms < FIGURES_BARS - 1 ? (size_t)fmax(0, lag_ms) : FIGURES_BARS - 1;

	lag->bars[bar]++;
	lag->count++;
	lag->most_ms = fmax(lag->most_ms, lag_ms);
}

double figures_lag_ms(const struct figures_lag *lag, double part)
{
	double left = part * (double)lag->count;

	for (size_t bar = 0; bar + 1 < FIGURES_BARS; bar++) {
		left -= lag->bars[bar];
		if (left <= 0)
			return (double)bar;
	}
	return lag->most_ms;
}
