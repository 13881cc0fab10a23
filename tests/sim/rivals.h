/*
 * rivals: simple laws that others use, to stand beside ours in the same run. Of no use to the daemon.
 */
#ifndef BACKFILLD_TESTS_SIM_RIVALS_H
#define BACKFILLD_TESTS_SIM_RIVALS_H

#include "daemon/signals.h"

enum law { LAW_PACE, LAW_GATE_1000, LAW_GATE_400, LAW_RECHECK, LAW_AIMD, LAW_NONE };

const char *law_name(enum law law) MUST_USE;

struct rival {
	enum law law;
	int64_t lag_ms; /* of the slowest replica, as it was last seen; 0 while there is none */
	int64_t sampled_ms;
	int64_t looked_ms; /* by the law that looks once a second */
	bool closed;
	double rate;   /* of AIMD, bytes a second */
	double tokens; /* bytes */
	int64_t filled_ms;
	int64_t cut_ms;
};

void rival_start(struct rival *rival, enum law law);
void rival_sample(struct rival *rival, const struct signals *signals, int64_t now_ms);

/* Milliseconds until it should ask again; 0: go. */
int64_t rival_ask(struct rival *rival, int64_t now_ms) MUST_USE;
void rival_spend(struct rival *rival, double bytes);

#endif
