#include "common/clock.h"

#include <stdlib.h>
#include <time.h>

int64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_jitter(int64_t below)
{
	if (below <= 0)
		return 0;
	return (int64_t)(((uint64_t)(uint32_t)random() << 31 | (uint32_t)random()) % (uint64_t)below);
}
