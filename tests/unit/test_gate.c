/*
 * gate: what closes it, and when it opens again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/gate.h"

#include <string.h>

#define ROUNDS 2000

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

static void what_closes_the_gate(void **state)
{
	static const struct {
		const char *what;
		int64_t sampled_ms;
		int replicas;
		struct signals_replica replica[2];
		int min_replicas;
		const char *reason; /* NULL: it is open */
	} cases[] = {
		{"no replicas, none wanted", 9000, 0, {{0}}, 0, NULL},
		{"a replica that keeps up", 9900, 1, {{.name = "s1", .lag_ms = 0}}, 1, NULL},
		{"two of one name are two", 9900, 1, {{.name = "walreceiver", .others = 1}}, 2, NULL},
		{"at the limit", 9900, 1, {{.name = "s1", .lag_ms = 1000}}, 0, NULL},
		{"beyond the limit", 9900, 1, {{.name = "s1", .lag_ms = 1400}}, 0, "replica s1 is 1.4 s behind"},
		{"one of two is behind", 9900, 2, {{.name = "s1", .lag_ms = 10}, {.name = "s2", .lag_ms = 60000}}, 0,
			"replica s2 is 60.0 s behind"},
		{"a lag nobody knows", 9900, 1, {{.name = "s1", .lag_ms = -1}}, 0,
			"the lag of replica s1 is not known yet"},
		{"a replica that vanished", 9900, 1, {{.name = "s1", .lag_ms = 0, .vanished_ago = 3000}}, 0,
			"replica s1 vanished 3 s ago"},
		{"fewer than must be there", 9900, 1, {{.name = "s1", .lag_ms = 0}}, 2,
			"1 of the 2 replicas that must be there are connected"},
		{"a sample a second old", 9000, 1, {{.name = "s1", .lag_ms = 0}}, 0, NULL},
		{"an older one is no evidence", 8999, 1, {{.name = "s1", .lag_ms = 0}}, 0,
			"the replica lag cannot be measured: no fresh sample from pg_stat_replication"},
		{"no sample yet", 0, 0, {{0}}, 0,
			"the replica lag cannot be measured: no fresh sample from pg_stat_replication"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct gate gate = {0};
		struct signals signals = {
			.pulse_ms = cases[i].sampled_ms,
			.survey_ms = 10000,
			.archiver_waiting = -1,
			.replicas = cases[i].replica,
			.replicas_count = (size_t)cases[i].replicas,
			.min_replicas = cases[i].min_replicas,
		};
		bool open = gate_may_go(&gate, &signals, NULL, 1000, 10000);

		if (open != !cases[i].reason || gate.closed == open)
			fail_msg("%s: %s", cases[i].what, open ? "open" : text_is(&gate.reason));
		if (strcmp(text_is(&gate.reason), cases[i].reason ? cases[i].reason : "") != 0)
			fail_msg("%s: %s", cases[i].what, text_is(&gate.reason));
		gate_free(&gate);
	}
}

static void what_else_closes_the_gate(void **state)
{
	static const struct signals_slot slots[] = {
		{.name = "fine", .wal_status = SIGNALS_WAL_RESERVED},
		{.name = "kept", .wal_status = SIGNALS_WAL_EXTENDED, .retained_bytes = 1000000000},
		{.name = "gone", .wal_status = SIGNALS_WAL_LOST},
		{.name = "walreceiver", .wal_status = SIGNALS_WAL_UNRESERVED, .retained_bytes = 2000000},
	};
	static const struct {
		const char *what;
		struct signals signals; /* besides a fresh pulse */
		struct signals_table table;
		const char *reason; /* NULL: it is open */
	} cases[] = {
		{"slots that lag and one that is lost", {.survey_ms = 9000, .slots = slots, .slots_count = 3}, {0},
			NULL},
		{"a slot about to be lost", {.survey_ms = 9000, .slots = slots, .slots_count = 4}, {0},
			"replication slot walreceiver is about to be lost: the server keeps 2 MB of WAL for it"},
		{"an archiver with work to do", {.survey_ms = 9000, .archiver_waiting = 42}, {0}, NULL},
		{"one that does not follow", {.survey_ms = 9000, .archiver_waiting = 43}, {0},
			"43 WAL segments wait to be archived"},
		{"one that fails", {.survey_ms = 9000, .archiver_failing = "0000000100000000000000A7"}, {0},
			"archive_command keeps failing on 0000000100000000000000A7"},
		{"never surveyed", {0}, {0},
			"the server's health cannot be measured: no fresh sample of its statistics"},
		{"surveyed long ago", {.survey_ms = -1}, {0},
			"the server's health cannot be measured: no fresh sample of its statistics"},
		{"not allowed to see", {.survey_ms = 9000, .unreadable = "pg_replication_slots: permission denied"},
			{0}, "the server's health cannot be read: pg_replication_slots: permission denied"},
		{"who waits for us is not seen", {.survey_ms = 9000, .blind = "the server has gone"}, {0},
			"nobody sees who waits for locks of the backfill: the server has gone"},
		{"the operator says hold", {.survey_ms = 9000, .veto = SIGNALS_HOLD, .veto_why = "month's end"}, {0},
			"throttle_query holds it: month's end"},
		{"and does not say why", {.survey_ms = 9000, .veto = SIGNALS_HOLD}, {0},
			"throttle_query holds it: it says true"},
		{"the operator says go", {.survey_ms = 9000, .veto = SIGNALS_GO, .veto_why = "quiet"}, {0}, NULL},
		{"autovacuum at work", {.survey_ms = 9000}, {.vacuum = SIGNALS_AUTOVACUUM}, NULL},
		{"autovacuum against wraparound", {.survey_ms = 9000}, {.vacuum = SIGNALS_WRAPAROUND},
			"an autovacuum of the table against wraparound of transaction ids, which must not be held up"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct gate gate = {0};
		struct signals signals = cases[i].signals;

		signals.pulse_ms = 10000;
		if (gate_may_go(&gate, &signals, &cases[i].table, 1000, 10000) != !cases[i].reason)
			fail_msg("%s: %s", cases[i].what, text_is(&gate.reason));
		if (strcmp(text_is(&gate.reason), cases[i].reason ? cases[i].reason : "") != 0)
			fail_msg("%s: %s", cases[i].what, text_is(&gate.reason));
		gate_free(&gate);
	}
}

static bool sample(struct gate *gate, int64_t lag_ms, int64_t at_ms)
{
	struct signals_replica replica = {.name = "s1", .lag_ms = lag_ms};
	struct signals signals = {.pulse_ms = at_ms,
		.survey_ms = at_ms,
		.archiver_waiting = -1,
		.replicas = &replica,
		.replicas_count = 1};

	return gate_may_go(gate, &signals, NULL, 1000, at_ms);
}

static void it_opens_again_after_two_fresh_samples_of_at_most_half(void **state)
{
	struct gate gate = {0};
	struct signals_replica replica = {.name = "s1", .lag_ms = 100};
	struct signals signals = {.pulse_ms = 1500,
		.survey_ms = 1500,
		.archiver_waiting = -1,
		.replicas = &replica,
		.replicas_count = 1};

	(void)state;
	assert_true(sample(&gate, 900, 1000));                        /* open: the whole limit */
	assert_false(sample(&gate, 1001, 1250));                      /* closed */
	assert_false(gate_may_go(&gate, &signals, NULL, 1000, 1500)); /* one good sample … */
	assert_false(
		gate_may_go(&gate, &signals, NULL, 1000, 1600)); /* … is one, however often it is looked at */
	assert_false(sample(&gate, 501, 1750));              /* above half: from the start again */
	assert_false(sample(&gate, 400, 2000));
	assert_true(gate.reason.length > 0);
	assert_true(sample(&gate, 400, 2250));
	assert_int_equal(gate.reason.length, 0);
	assert_true(sample(&gate, 900, 2500)); /* the whole limit again */
	gate_free(&gate);
}

/* Or it would never open for a replica that is always between half and the whole of it. */
static void what_something_else_has_closed_bears_the_whole_limit(void **state)
{
	struct gate gate = {0};

	(void)state;
	assert_false(sample(&gate, -1, 1000)); /* not known yet */
	assert_false(sample(&gate, 900, 1250));
	assert_true(sample(&gate, 900, 1500));
	assert_false(sample(&gate, -1, 1750));
	assert_false(sample(&gate, 1001, 2000)); /* now it has lagged */
	assert_false(sample(&gate, 900, 2250));
	assert_false(sample(&gate, 900, 2500));
	assert_false(sample(&gate, 400, 2750));
	assert_true(sample(&gate, 400, 3000));
	/* Nor does it stay shut for one that is always there. */
	assert_false(sample(&gate, 1001, 4000));
	for (int64_t at_ms = 4250; at_ms < 14250; at_ms += 250)
		assert_false(sample(&gate, 900, at_ms));
	assert_false(sample(&gate, 900, 14250)); /* a first good sample */
	assert_true(sample(&gate, 900, 14500));
	gate_free(&gate);
}

static void lag_that_swings_between_half_and_the_limit_does_not_move_it(void **state)
{
	struct gate gate = {0};
	int moves = 0;
	bool was_open = true;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		bool open = sample(&gate, i == 100 ? 1200 : any(501, 1000), 1000 + 250 * i);

		moves += open != was_open;
		was_open = open;
	}
	assert_int_equal(moves, 2); /* and ten seconds later back */
	assert_false(gate.closed);
	gate_free(&gate);
}

static void a_closed_gate_always_says_why(void **state)
{
	struct gate gate = {0};

	(void)state;
	for (int i = 1; i < ROUNDS; i++) {
		bool open = sample(&gate, any(-1, 1500), 1000 + 250 * i);

		assert_int_equal(open, !gate.closed);
		assert_int_equal(open, gate.reason.length == 0);
	}
	gate_free(&gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_closes_the_gate),
		cmocka_unit_test(what_else_closes_the_gate),
		cmocka_unit_test(it_opens_again_after_two_fresh_samples_of_at_most_half),
		cmocka_unit_test(what_something_else_has_closed_bears_the_whole_limit),
		cmocka_unit_test(lag_that_swings_between_half_and_the_limit_does_not_move_it),
		cmocka_unit_test(a_closed_gate_always_says_why),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
