#include "tests/sim/rivals.h"

#define AGAIN_MS 50
#define RECHECK_MS 1000
#define LAG_MOST_MS 1000
/* AIMD: a quarter of a megabyte a second more each second while all is well, half at once when it is not. */
#define AIMD_FIRST 5e6
#define AIMD_MORE_PER_S 1e6
#define AIMD_CUT_EVERY_MS 1000
#define AIMD_LAG_MS 500

const char *law_name(enum law law)
{
	switch (law) {
	case LAW_PACE:
		return "this daemon's pace";
	case LAW_GATE_1000:
		return "gate at 1 s";
	case LAW_GATE_400:
		return "gate at 0.4 s";
	case LAW_RECHECK:
		return "sleep and recheck each second";
	case LAW_AIMD:
		return "AIMD";
	case LAW_NONE:
		return "none";
	}
	return "";
}

void rival_start(struct rival *rival, enum law law)
{
	*rival = (struct rival){.law = law, .rate = AIMD_FIRST};
}

static void steer(struct rival *rival, int64_t now_ms)
{
	double past_s = (double)(now_ms - rival->sampled_ms) / 1e3;

	if (rival->lag_ms <= AIMD_LAG_MS) {
		rival->rate += AIMD_MORE_PER_S * past_s;
	} else if (now_ms - rival->cut_ms >= AIMD_CUT_EVERY_MS) {
		rival->rate /= 2;
		rival->cut_ms = now_ms;
	}
}

void rival_sample(struct rival *rival, const struct signals *signals, int64_t now_ms)
{
	rival->lag_ms = 0;
	for (size_t i = 0; i < signals->replicas_count; i++) {
		if (signals->replicas[i].lag_ms > rival->lag_ms)
			rival->lag_ms = signals->replicas[i].lag_ms;
	}
	if (rival->law == LAW_AIMD && rival->sampled_ms > 0)
		steer(rival, now_ms);
	rival->sampled_ms = now_ms;
}

static int64_t ask_bucket(struct rival *rival, int64_t now_ms)
{
	if (rival->filled_ms > 0)
		rival->tokens += rival->rate * (double)(now_ms - rival->filled_ms) / 1e3;
	if (rival->tokens > rival->rate / 5)
		rival->tokens = rival->rate / 5;
	rival->filled_ms = now_ms;
	return rival->tokens > 0 ? 0 : 5;
}

int64_t rival_ask(struct rival *rival, int64_t now_ms)
{
	switch (rival->law) {
	case LAW_GATE_1000:
		return rival->lag_ms > 1000 ? AGAIN_MS : 0;
	case LAW_GATE_400:
		return rival->lag_ms > 400 ? AGAIN_MS : 0;
	case LAW_RECHECK:
		if (now_ms - rival->looked_ms >= RECHECK_MS) {
			rival->looked_ms = now_ms;
			rival->closed = rival->lag_ms > LAG_MOST_MS;
		}
		return rival->closed ? RECHECK_MS : 0;
	case LAW_AIMD:
		return ask_bucket(rival, now_ms);
	case LAW_PACE:
	case LAW_NONE:
		return 0;
	}
	return 0;
}

void rival_spend(struct rival *rival, double bytes)
{
	rival->tokens -= bytes;
}
