/*
 * budget: who gets how much of what all fills together may have, and when each may have its next portion.
 *
 * The same for every currency, WAL and milliseconds of execution. All are a second's; INFINITY is "no limit".
 */
#ifndef BACKFILLD_DAEMON_BUDGET_H
#define BACKFILLD_DAEMON_BUDGET_H

#include "common/base.h"

struct budget_claim {
	int priority;
	double limit;  /* its own */
	double demand; /* what it can use; INFINITY: not known, whatever it gets */
	double given;  /* set by budget_divide() */
};

/*
 * Divides `total`: higher priority is served first with what it can use; equals get equal shares, and what
 * one of them cannot use goes to the others (max-min fairness, "water filling").
 */
void budget_divide(double total, struct budget_claim *claims, size_t count);

/*
 * A token bucket that may go into debt: a portion is taken when its size is known, afterwards, and the next
 * one waits until the debt is paid. What is not used is kept for 200 ms.
 */
struct budget_bucket {
	double rate; /* a second */
	double tokens;
	int64_t at_ms;
};

#define BUDGET_BURST_MS 200

void budget_set_rate(struct budget_bucket *bucket, double rate, int64_t now_ms);
void budget_take(struct budget_bucket *bucket, double amount, int64_t now_ms);

/* Milliseconds until the next portion may be had; 0: now; INT64_MAX: never at this rate. */
int64_t budget_wait_ms(struct budget_bucket *bucket, int64_t now_ms) MUST_USE;

#endif
