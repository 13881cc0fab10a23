/*
 * crew: its rules one by one, as tables of steps; then the whole law against servers whose throughput curve
 * is known: where it settles, and how often it changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/crew.h"

#include <string.h>

#define STEP_MS 2000

static uint64_t dice;

/* Evenly from -1 to 1. */
static double any(void)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(dice >> 33) / (double)(UINT64_C(1) << 30) - 1.0;
}

/* ---- the rules ---- */

struct feed {
	int steps; /* so many alike; 0: the end */
	double rate, throttled, busy_others;
	int absent; /* fillers without a window */
};

struct course_case {
	const char *what;
	int cores;
	struct feed feeds[6];
	int fillers;     /* at the end */
	const char *why; /* the last change's; NULL: there was none */
};

static int run_case(const struct course_case *course, const char **ret_why)
{
	struct crew crew = {0};
	int64_t now_ms = 1000;
	int fillers = 0;

	*ret_why = NULL;
	for (const struct feed *feed = course->feeds; feed->steps > 0; feed++) {
		for (int i = 0; i < feed->steps; i++, now_ms += STEP_MS) {
			const char *why = NULL;
			struct crew_step step = {now_ms, fillers - feed->absent, feed->rate, feed->throttled,
				feed->busy_others, course->cores};

			fillers = crew_size(&crew, &step, &why);
			if (why)
				*ret_why = why;
		}
	}
	return fillers;
}

#define MORE "one filler more: the server has a core to spare"
#define NO_GAIN "one filler fewer: it did not make the fill a tenth faster"
#define HELD "one filler fewer: the others can do what the pace allows"
#define BUSY "fewer fillers: other sessions keep the server's cores busy"

static void the_rules(void **state)
{
	static const struct course_case cases[] = {
		{"the first step: one", 8, {{1, 100, 0, 0, 0}}, 1, NULL},
		{"one is added when a rate is known", 8, {{7, 100, 0, 0, 0}}, 2, MORE},
		{"not before", 8, {{6, 100, 0, 0, 0}}, 1, NULL},
		{"a server of one core has room for one", 1, {{60, 100, 0, 0, 0}}, 1, NULL},
		{"two cores, one busy with others: no second one", 2, {{60, 100, 0, 1, 0}}, 1, NULL},
		{"one that was met once does not keep a core for ever", 2,
			{{1, 100, 0, 0, 0}, {1, 100, 0, 1, 0}, {6, 100, 0, 0, 0}}, 2, MORE},
		{"nor one that is met now and then, but for a while", 2,
			{{1, 100, 0, 0, 0}, {5, 100, 0, 0, 0}, {1, 100, 0, 1, 0}, {3, 100, 0, 0, 0}}, 1, NULL},
		{"while the pace holds back none is added", 8, {{60, 100, 0.2, 0, 0}}, 1, NULL},
		{"a clear gain is kept after three steps, and two more make a base for the next", 8,
			{{7, 100, 0, 0, 0}, {5, 200, 0, 0, 0}, {1, 200, 0, 0, 0}}, 3, MORE},
		{"no gain: it is taken away after five", 8, {{7, 100, 0, 0, 0}, {6, 100, 0, 0, 0}}, 1, NO_GAIN},
		{"a loss the same", 8, {{7, 100, 0, 0, 0}, {6, 60, 0, 0, 0}}, 1, NO_GAIN},
		{"less than a tenth is no gain", 8, {{7, 100, 0, 0, 0}, {17, 108, 0, 0, 0}}, 1, NO_GAIN},
		{"a tenth and more is, after sixteen steps", 8, {{7, 100, 0, 0, 0}, {18, 112, 0, 0, 0}}, 3, MORE},
		{"after a failed try 30 s without another", 8,
			{{7, 100, 0, 0, 0}, {6, 100, 0, 0, 0}, {14, 100, 0, 0, 0}}, 1, NO_GAIN},
		{"then another", 8, {{7, 100, 0, 0, 0}, {6, 100, 0, 0, 0}, {15, 100, 0, 0, 0}}, 2, MORE},
		{"held back for half of one step: nothing yet", 8,
			{{7, 100, 0, 0, 0}, {4, 200, 0, 0, 0}, {1, 100, 0.9, 0, 0}}, 2, MORE},
		{"of two: one fewer", 8, {{7, 100, 0, 0, 0}, {4, 200, 0, 0, 0}, {2, 100, 0.9, 0, 0}}, 1, HELD},
		{"held back a little: none is taken away", 8,
			{{7, 100, 0, 0, 0}, {4, 200, 0, 0, 0}, {60, 100, 0.4, 0, 0}}, 2, MORE},
		{"held back for good: one is left", 8, {{7, 100, 0, 0, 0}, {5, 200, 0, 0, 0}, {60, 0, 1, 0, 0}}, 1,
			HELD},
		{"a single look that finds others changes nothing", 2,
			{{7, 100, 0, 0, 0}, {4, 200, 0, 0, 0}, {1, 200, 0, 1.5, 0}}, 2, MORE},
		{"others that stay take their cores", 2, {{7, 100, 0, 0, 0}, {4, 200, 0, 0, 0}, {4, 150, 0, 1.5, 0}},
			1, BUSY},
		{"however busy it is, one is left", 2, {{7, 100, 0, 0, 0}, {60, 10, 0, 40, 0}}, 1, BUSY},
		{"a filler that never comes to work is no evidence, and its try ends", 8,
			{{7, 100, 0, 0, 0}, {30, 200, 0, 0, 1}}, 2, MORE},
		{"at the end of its time", 8, {{7, 100, 0, 0, 0}, {31, 200, 0, 0, 1}}, 1, NO_GAIN},
		{"others who come during a try make it worthless", 8, {{7, 100, 0, 0, 0}, {2, 300, 0, 3, 0}}, 1,
			NO_GAIN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *why;
		int fillers = run_case(&cases[i], &why);

		if (fillers != cases[i].fillers || (why != NULL) != (cases[i].why != NULL) ||
			(why && strcmp(why, cases[i].why) != 0))
			fail_msg("%s: %d, %s", cases[i].what, fillers, why ? why : "no change");
	}
}

/* ---- against a server ---- */

struct server {
	const char *what;
	int cores;
	bool cores_unknown;
	double useful;      /* fillers up to here make it faster */
	double slope;       /* each beyond: so much of a filler's rate, may be negative */
	double scatter;     /* of the rates: a Gaussian's standard deviation */
	double allowed;     /* by the pace, in fillers' rates; 0: all */
	double busy_others; /* while the foreground is there */
	double flicker;     /* others' looks scatter by so much */
	int period;         /* steps that the foreground is there, then as many that it is not; 0: always there */
	int steps;
	/* what is asked of it */
	double mean_low, mean_high; /* mean number of fillers in the second half */
	int changes_most;           /* in the second half */
};

struct seen {
	double mean;
	int changes;
};

/* The sum of twelve even ones is close enough to a Gaussian; each has a variance of a third. */
static double scatter(void)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += any();
	return sum / 2;
}

static double speed(const struct server *server, double fillers, double others)
{
	double room = server->cores - others;
	double speed =
		fillers <= server->useful ? fillers : server->useful + (fillers - server->useful) * server->slope;

	/* more processes than cores share them */
	if (fillers > room)
		speed *= fillers > 0 && room > 0.5 ? room / fillers : 0.5 / fillers;
	return speed > 0.05 ? speed : 0.05;
}

static struct seen watch(const struct server *server, uint64_t seed)
{
	struct crew crew = {0};
	struct seen seen = {0};
	int fillers = 0;

	dice = seed;
	for (int i = 0; i < server->steps; i++) {
		bool there = server->period == 0 || (i / server->period) % 2 == 0;
		double others = there ? server->busy_others : 0;
		double rate = speed(server, fillers, others) * (1 + server->scatter * scatter());
		double looked = others + server->flicker * any();
		const char *why;
		struct crew_step step = {
			.now_ms = 1000 + (int64_t)i * STEP_MS,
			.fillers = fillers,
			.rate = 1000 * rate,
			.busy_others = looked > 0 ? looked : 0,
			.cores = server->cores_unknown ? 0 : server->cores,
		};
		int wanted;

		if (server->allowed > 0 && rate > server->allowed) {
			step.throttled = 1 - server->allowed / rate;
			step.rate = 1000 * server->allowed;
		}
		wanted = crew_size(&crew, &step, &why);
		assert_in_range(wanted, 1, CREW_MOST);
		if (i > 0)
			assert_true((wanted != fillers) == (why != NULL));
		if (i >= server->steps / 2) {
			seen.mean += (double)wanted / (server->steps - server->steps / 2);
			seen.changes += wanted != fillers;
		}
		fillers = wanted;
	}
	return seen;
}

/* An hour each (1800 steps), a hundred times; the fillers are the mean of all, the changes the most of any.
 */
static void where_it_settles(void **state)
{
	static const struct server servers[] = {
		{"2 idle cores", .cores = 2, .useful = 99, .scatter = 0.1, .steps = 1800, .mean_low = 2,
			.mean_high = 2},
		{"8 idle cores, all of use", .cores = 8, .useful = 99, .scatter = 0.05, .steps = 1800, .mean_low = 7,
			.mean_high = 8, .changes_most = 10},
		{"64 cores: never more than a crew may have", .cores = 64, .useful = 99, .steps = 1800, .mean_low = 9,
			.mean_high = 32, .changes_most = 20},
		{"cores not known", .cores = 16, .cores_unknown = true, .useful = 99, .steps = 1800, .mean_low = 8,
			.mean_high = 8},
		{"a second one does not help", .cores = 8, .useful = 1, .scatter = 0.1, .steps = 1800, .mean_low = 1,
			.mean_high = 1.25, .changes_most = 10},
		{"none helps, and each makes it slower", .cores = 8, .useful = 1, .slope = -0.3, .scatter = 0.1,
			.steps = 1800, .mean_low = 1, .mean_high = 1.1, .changes_most = 10},
		{"the disk has enough of three", .cores = 8, .useful = 3, .scatter = 0.1, .steps = 1800,
			.mean_low = 3, .mean_high = 3.5, .changes_most = 10},
		{"beyond two it is slower", .cores = 8, .useful = 2, .slope = -0.2, .scatter = 0.1, .steps = 1800,
			.mean_low = 2, .mean_high = 2.2, .changes_most = 10},
		{"half of the cores are others'", .cores = 8, .useful = 99, .scatter = 0.05, .busy_others = 4,
			.flicker = 1, .steps = 1800, .mean_low = 3, .mean_high = 4.2, .changes_most = 40},
		{"others need all of them", .cores = 4, .useful = 99, .scatter = 0.1, .busy_others = 5, .flicker = 2,
			.steps = 1800, .mean_low = 1, .mean_high = 1},
		{"others come and go every minute", .cores = 4, .useful = 99, .scatter = 0.05, .busy_others = 3,
			.period = 30, .steps = 1800, .mean_low = 1, .mean_high = 2.6, .changes_most = 120},
		{"others come and go every ten minutes", .cores = 4, .useful = 99, .scatter = 0.05, .busy_others = 3,
			.period = 300, .steps = 1800, .mean_low = 1.5, .mean_high = 2.8, .changes_most = 30},
		{"the pace allows what one can do", .cores = 8, .useful = 99, .scatter = 0.05, .allowed = 0.8,
			.steps = 1800, .mean_low = 1, .mean_high = 1.05, .changes_most = 10},
		{"the pace allows half of what the cores can do", .cores = 8, .useful = 99, .scatter = 0.05,
			.allowed = 4, .steps = 1800, .mean_low = 3.5, .mean_high = 5.5, .changes_most = 20},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(servers); i++) {
		struct seen mean = {0};

		for (uint64_t seed = 1; seed <= 100; seed++) {
			struct seen seen = watch(&servers[i], seed);

			mean.mean += seen.mean / 100;
			mean.changes = seen.changes > mean.changes ? seen.changes : mean.changes;
		}
		if (mean.mean < servers[i].mean_low - 1e-9 || mean.mean > servers[i].mean_high + 1e-9 ||
			mean.changes > servers[i].changes_most)
			fail_msg("%s: %.2f fillers, %d changes", servers[i].what, mean.mean, mean.changes);
	}
}

/* How long until all eight cores are used. */
static void it_climbs_in_four_minutes(void **state)
{
	struct server server = {.cores = 8, .useful = 99};

	(void)state;
	server.steps = 240; /* half of them are left out */
	assert_true(watch(&server, 1).mean > 7.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules),
		cmocka_unit_test(where_it_settles),
		cmocka_unit_test(it_climbs_in_four_minutes),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
