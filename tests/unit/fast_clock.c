/*
 * fast_clock: time runs 40 times as fast as elsewhere. What is built with it must be linked so that the clock
 * and the timers of all others go through it: --wrap=clock_ms, --wrap=loop_timer_after.
 */
#include "common/clock.h"
#include "common/loop.h"

#define FASTER 40

int64_t __wrap_clock_ms(void);
void __wrap_loop_timer_after(struct loop_timer *timer, int64_t delay_ms);
void __real_loop_timer_after(struct loop_timer *timer, int64_t delay_ms);

int64_t __wrap_clock_ms(void)
{
	return clock_us() * FASTER / 1000;
}

void __wrap_loop_timer_after(struct loop_timer *timer, int64_t delay_ms)
{
	__real_loop_timer_after(timer, (delay_ms + FASTER - 1) / FASTER);
}
