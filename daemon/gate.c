#include "daemon/gate.h"

#define WITHIN_MS 10000

/* What a replica's lag may be. */
struct limit {
	int64_t ms;    /* now */
	int64_t whole; /* max_lag_ms */
};

static bool lag_forbids(const struct signals_replica *replica, const struct limit *limit, struct text *reason)
{
	if (replica->vanished_ago > 0)
		text_addf(
			reason, "replica %s vanished %.0f s ago", replica->name, (double)replica->vanished_ago / 1e3);
	else if (replica->lag_ms < 0)
		text_addf(reason, "the lag of replica %s is not known yet", replica->name);
	else if (replica->lag_ms > limit->whole)
		text_addf(reason, "replica %s is %.1f s behind", replica->name, (double)replica->lag_ms / 1e3);
	else if (replica->lag_ms > limit->ms)
		text_addf(reason,
			"replica %s is %.1f s behind, and one was more than %.1f s: below %.1f s it goes on, or in some "
			"seconds",
			replica->name, (double)replica->lag_ms / 1e3, (double)limit->whole / 1e3,
			(double)limit->ms / 1e3);
	return reason->length > 0;
}

static bool is_stale(const struct signals *signals, int64_t now_ms)
{
	return signals->pulse_ms == 0 || now_ms - signals->pulse_ms > SIGNALS_PULSE_STALE_MS;
}

static bool one_lags(const struct signals *signals, int64_t limit_ms)
{
	for (size_t i = 0; i < signals->replicas_count; i++) {
		if (signals->replicas[i].vanished_ago == 0 && signals->replicas[i].lag_ms > limit_ms)
			return true;
	}
	return false;
}

static bool pulse_forbids(
	const struct signals *signals, const struct limit *limit, int64_t now_ms, struct text *reason)
{
	int present = 0;

	if (is_stale(signals, now_ms)) {
		text_add(reason, "the replica lag cannot be measured: no fresh sample from pg_stat_replication");
		return true;
	}
	for (size_t i = 0; i < signals->replicas_count; i++) {
		if (lag_forbids(&signals->replicas[i], limit, reason))
			return true;
		present += 1 + signals->replicas[i].others;
	}
	if (present < signals->min_replicas)
		text_addf(
			reason, "%d of the %d replicas that must be there are connected", present, signals->min_replicas);
	return reason->length > 0;
}

static bool slots_forbid(const struct signals *signals, struct text *reason)
{
	for (size_t i = 0; i < signals->slots_count; i++) {
		const struct signals_slot *slot = &signals->slots[i];

		if (slot->wal_status != SIGNALS_WAL_UNRESERVED)
			continue;
		text_addf(reason, "replication slot %s is about to be lost: the server keeps %.0f MB of WAL for it",
			slot->name, (double)slot->retained_bytes / 1e6);
		return true;
	}
	return false;
}

static bool archiver_forbids(const struct signals *signals, struct text *reason)
{
	if (signals->archiver_failing)
		text_addf(reason, "archive_command keeps failing on %s", signals->archiver_failing);
	else if (signals->archiver_waiting > GATE_ARCHIVER_WAITING)
		text_addf(reason, "%lld WAL segments wait to be archived", (long long)signals->archiver_waiting);
	return reason->length > 0;
}

/* Before all others: what cannot be read makes those grow stale. */
static bool ignorance_forbids(const struct signals *signals, struct text *reason)
{
	if (signals->unreadable)
		text_addf(reason, "the server's health cannot be read: %s", signals->unreadable);
	else if (signals->blind)
		text_addf(reason, "nobody sees who waits for locks of the backfill: %s", signals->blind);
	return reason->length > 0;
}

static bool survey_forbids(const struct signals *signals, int64_t now_ms, struct text *reason)
{
	if (signals->survey_ms == 0 || now_ms - signals->survey_ms > SIGNALS_SURVEY_STALE_MS)
		text_add(reason, "the server's health cannot be measured: no fresh sample of its statistics");
	return reason->length > 0 || slots_forbid(signals, reason) || archiver_forbids(signals, reason);
}

static bool operator_forbids(const struct signals *signals, struct text *reason)
{
	if (signals->veto != SIGNALS_HOLD)
		return false;
	text_addf(reason, "throttle_query holds it: %s", signals->veto_why ? signals->veto_why : "it says true");
	return true;
}

static bool table_forbids(const struct signals_table *table, struct text *reason)
{
	if (!table || table->vacuum != SIGNALS_WRAPAROUND)
		return false;
	text_add(reason,
		"an autovacuum of the table against wraparound of transaction ids, which must not be held up");
	return true;
}

/* Hysteresis, for ten seconds: a gate that lag has closed bears half of it. */
static void note_lag(struct gate *gate, const struct signals *signals, int64_t limit_ms, int64_t now_ms)
{
	bool lags = one_lags(signals, limit_ms);

	gate->lagged = gate->lagged || lags;
	if (lags || is_stale(signals, now_ms))
		gate->within_ms = 0;
	else if (gate->within_ms == 0)
		gate->within_ms = now_ms;
	if (gate->within_ms != 0 && now_ms - gate->within_ms >= WITHIN_MS)
		gate->lagged = false;
}

bool gate_may_go(struct gate *gate, const struct signals *signals, const struct signals_table *table,
	int max_lag_ms, int64_t now_ms)
{
	struct text reason = {0};
	bool fresh = signals->pulse_ms != gate->judged_ms;
	struct limit limit = {.whole = max_lag_ms};

	gate->judged_ms = signals->pulse_ms;
	note_lag(gate, signals, max_lag_ms, now_ms);
	limit.ms = gate->lagged ? max_lag_ms / 2 : max_lag_ms;
	if (ignorance_forbids(signals, &reason) || pulse_forbids(signals, &limit, now_ms, &reason) ||
		survey_forbids(signals, now_ms, &reason) || operator_forbids(signals, &reason) ||
		table_forbids(table, &reason)) {
		text_free(&gate->reason);
		gate->reason = reason;
		gate->good_samples = 0;
		gate->closed = true;
		return false;
	}
	text_free(&reason);
	if (gate->closed && fresh)
		gate->good_samples++;
	if (gate->closed && gate->good_samples < 2)
		return false;
	gate->closed = gate->lagged = false;
	text_clear(&gate->reason);
	return true;
}

void gate_free(struct gate *gate)
{
	text_free(&gate->reason);
	*gate = (struct gate){0};
}
