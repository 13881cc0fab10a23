/*
 * clock: the one place that asks what time it is.
 *
 * Judgement rooms never ask: they are told.
 */
#ifndef BACKFILLD_COMMON_CLOCK_H
#define BACKFILLD_COMMON_CLOCK_H

#include "common/base.h"

/* Milliseconds of a clock that only goes forward (CLOCK_MONOTONIC); no relation to the calendar. */
int64_t clock_ms(void) MUST_USE;

/* The same in microseconds, as sd_notify wants it in MONOTONIC_USEC. */
int64_t clock_us(void) MUST_USE;

/* A number from 0 to `below` - 1, for jitter; not for secrets. */
int64_t clock_jitter(int64_t below) MUST_USE;

#endif
