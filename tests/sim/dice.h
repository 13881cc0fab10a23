/*
 * dice: chance that falls the same way in every run.
 */
#ifndef BACKFILLD_TESTS_SIM_DICE_H
#define BACKFILLD_TESTS_SIM_DICE_H

#include "common/base.h"

struct dice {
	uint64_t state;
};

/* From 0 up to, but not including, 1. */
double dice_unit(struct dice *dice) MUST_USE;

/* Mean 0, standard deviation 1. */
double dice_normal(struct dice *dice) MUST_USE;

/* A factor around 1 with the standard deviation `noise`. */
double dice_factor(struct dice *dice, double noise) MUST_USE;

/* How often something happened that happens `mean` times on average. */
double dice_count(struct dice *dice, double mean) MUST_USE;

/* A factor around 1 that wanders: what it is now depends on what it was. */
struct drift {
	double at;
};
double drift_next(struct drift *drift, struct dice *dice, double noise) MUST_USE;

#endif
