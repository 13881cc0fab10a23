/*
 * impact: its phases by tables of surveys, and the whole law against applications that are slowed by a known
 * slope.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/impact.h"

#include <math.h>

#define START_MS 1000
#define ROUNDS 200

static uint64_t dice = 4711;

/* From `low` to `high`, both included. */
static int64_t any(int64_t low, int64_t high)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return low + (int64_t)((dice >> 33) % (uint64_t)(high - low + 1));
}

/* An application, our fill, and the server that counts both. A survey a second. */
struct scene {
	struct impact impact;
	int64_t now_ms;
	double transactions; /* of the application */
	double active_ms;
	struct impact_own own;
	int64_t looking; /* transactions of the daemon's own looking */
	int64_t busy_sessions;
	int64_t scope;
	bool unreadable;
	int most_percent;
	struct signals_traffic told; /* by the last survey */
};

static void scene_begin(struct scene *scene, int most_percent)
{
	/* the server was up for long */
	*scene = (struct scene){.now_ms = START_MS,
		.transactions = 5e6,
		.active_ms = 9e6,
		.looking = 100,
		.most_percent = most_percent};
	impact_start(&scene->impact, START_MS);
}

/* The counters of the database begin anew (pg_stat_reset(), a crash, another server). */
static void scene_reset(struct scene *scene)
{
	scene->transactions = -(double)scene->looking - (double)scene->own.transactions;
	scene->active_ms = 0.0;
}

/* Another backfilld is gone, and what was done in its database is counted, too. */
static void scene_widen(struct scene *scene)
{
	scene->transactions += 3e6;
	scene->active_ms += 5e7;
	scene->scope++;
}

static void scene_look(struct scene *scene)
{
	scene->told = (struct signals_traffic){
		.counted_ms = scene->unreadable ? 0 : scene->now_ms,
		.scope = scene->scope,
		.busy_sessions = scene->busy_sessions,
		.transactions = (int64_t)scene->transactions + scene->looking + scene->own.transactions,
		.ours = scene->looking,
		.active_ms = scene->active_ms,
	};

	impact_sample(&scene->impact, &scene->told, &scene->own, scene->most_percent, scene->now_ms);
}

/* Between two surveys other signals are sampled: the last one's counters are told again. */
static void scene_tell_again(struct scene *scene)
{
	scene->now_ms += 100;
	impact_sample(&scene->impact, &scene->told, &scene->own, scene->most_percent, scene->now_ms);
}

static void scene_look_soon(struct scene *scene)
{
	scene->now_ms += 100;
	scene_look(scene);
}

/* A second of an application with so many transactions, each of so many milliseconds; batches execute on
 * `batches` connections on average, unless they pause. */
static void scene_second(struct scene *scene, double per_s, double each_ms, double batches)
{
	scene->now_ms += 1000;
	scene->transactions += per_s;
	scene->active_ms += per_s * each_ms;
	scene->looking += 12;
	if (!impact_pauses(&scene->impact)) {
		scene->own.steered_ms += 1000.0 * batches;
		scene->own.transactions += (int64_t)(10 * batches);
		scene->active_ms += 0.05 * floor(10 * batches); /* their COMMITs, more or less */
	}
	scene_look(scene);
}

/* ---- phases ---- */

struct stretch {
	int seconds; /* so many alike; 0: the end */
	double per_s, each_ms, batches;
	enum { NOTHING, RESET, DISTURB, NOT_COUNTED, UNREADABLE, UNREADABLE_SOON, AT_WORK, SOON } also;
};

static void play(struct scene *scene, const struct stretch *stretch)
{
	for (; stretch->seconds > 0; stretch++) {
		if (stretch->also == RESET)
			scene_reset(scene);
		if (stretch->also == DISTURB)
			impact_disturb(&scene->impact, scene->now_ms);
		scene->busy_sessions = stretch->also == AT_WORK;
		scene->unreadable = stretch->also == UNREADABLE || stretch->also == UNREADABLE_SOON;
		for (int second = 0; second < stretch->seconds; second++) {
			if (stretch->also == NOT_COUNTED)
				scene->now_ms += 1000;
			else if (stretch->also == SOON || stretch->also == UNREADABLE_SOON)
				scene_look_soon(scene);
			else
				scene_second(scene, stretch->per_s, stretch->each_ms, stretch->batches);
		}
	}
}

static void what_phase_it_is_in(void **state)
{
	static const struct {
		const char *what;
		struct stretch stretches[6];
		enum impact_phase phase;
		double baseline_ms; /* 0: not known */
		bool limited;
	} cases[] = {
		{"nothing was seen yet: no full speed", {{0}}, IMPACT_UNKNOWN, 0, true},
		{"nobody was at work at the first look", {{1, 0, 0, 0, SOON}}, IMPACT_UNKNOWN, 0, true},
		{"nor at the second", {{2, 0, 0, 0, SOON}}, IMPACT_UNKNOWN, 0, false},
		{"somebody was", {{1, 100, 2, 0, AT_WORK}}, IMPACT_UNKNOWN, 0, true},
		{"who was once seen at work is there, whatever the next look says",
			{{1, 0, 0, 0, AT_WORK}, {4, 0, 0, 0, SOON}}, IMPACT_UNKNOWN, 0, true},
		{"but one who looks on and is met once is no application, say the counters",
			{{1, 1, 2, 0, AT_WORK}, {4, 1, 2, 0, NOTHING}}, IMPACT_QUIET, 0, false},
		{"but not at once", {{1, 1, 2, 0, AT_WORK}, {2, 1, 2, 0, NOTHING}}, IMPACT_QUIET, 0, true},
		{"who is met again and again may be one: slowly", {{5, 1, 2, 0, AT_WORK}}, IMPACT_QUIET, 0, true},
		{"what cannot be counted limits nothing", {{1, 0, 0, 0, UNREADABLE}}, IMPACT_UNKNOWN, 0, false},
		{"but not at once", {{5, 0, 0, 0, UNREADABLE_SOON}}, IMPACT_UNKNOWN, 0, true},
		{"nor is anything known after one look", {{1, 100, 2, 0, NOTHING}}, IMPACT_UNKNOWN, 0, true},
		{"nobody there", {{2, 0, 0, 0, NOTHING}}, IMPACT_QUIET, 0, false},
		{"too few transactions to measure", {{20, 39, 2, 0.5, NOTHING}}, IMPACT_QUIET, 0, false},
		{"too little of the server's time: somebody who looks on", {{20, 100, 0.09, 0.5, NOTHING}},
			IMPACT_QUIET, 0, false},
		{"an application: the fill pauses", {{2, 100, 2, 0, NOTHING}}, IMPACT_BASELINE, 0, false},
		{"until its own time is known", {{6, 100, 2, 0, NOTHING}}, IMPACT_RUNNING, 2, true},
		{"one that comes later is noticed",
			{{10, 0, 0, 1, NOTHING}, {5, 100, 2, 1, NOTHING}, {5, 100, 2, 0, NOTHING}}, IMPACT_RUNNING, 2,
			true},
		{"one that goes while the fill pauses: it does not pause for ever",
			{{2, 100, 2, 0, NOTHING}, {7, 0, 0, 0, NOTHING}}, IMPACT_QUIET, 0, false},
		{"one that is enough only beside the fill is paused for once",
			{{2, 100, 0.6, 1, NOTHING}, {7, 100, 0.3, 0, NOTHING}, {20, 100, 0.6, 1, NOTHING}}, IMPACT_QUIET,
			0, false},
		{"but one that has grown, again",
			{{2, 100, 0.6, 1, NOTHING}, {7, 100, 0.3, 0, NOTHING}, {7, 200, 0.6, 1, NOTHING},
				{7, 200, 0.6, 0, NOTHING}},
			IMPACT_RUNNING, 0.6, true},
		{"one that goes later may be back the next moment",
			{{6, 100, 2, 0, NOTHING}, {6, 0, 0, 0.5, NOTHING}}, IMPACT_QUIET, 2, true},
		{"one that stays away", {{6, 100, 2, 0, NOTHING}, {14, 0, 0, 0.5, NOTHING}}, IMPACT_QUIET, 2, false},
		{"a big one that comes back is believed at once", {{10, 0, 0, 1, NOTHING}, {2, 5000, 2, 1, NOTHING}},
			IMPACT_BASELINE, 0, false},
		{"surveys that do not come change nothing", {{6, 100, 2, 0, NOTHING}, {30, 0, 0, 0, NOT_COUNTED}},
			IMPACT_RUNNING, 2, true},
		{"a baseline is refreshed", {{6, 100, 2, 0, NOTHING}, {14, 100, 2, 0.1, NOTHING}}, IMPACT_BASELINE, 2,
			true},
		{"something else of ours while the fill pauses: its time is not the application's",
			{{3, 100, 2, 0, NOTHING}, {1, 100, 20, 0, DISTURB}, {5, 100, 2, 0, NOTHING}}, IMPACT_RUNNING, 2,
			true},
		{"statistics reset before anything is known",
			{{1, 100, 2, 0, NOTHING}, {1, 100, 2, 0, RESET}, {6, 100, 2, 0, NOTHING}}, IMPACT_RUNNING, 2,
			true},
		{"while the fill pauses: it learns all the same",
			{{4, 100, 2, 0, NOTHING}, {1, 100, 2, 0, RESET}, {3, 100, 2, 0, NOTHING}}, IMPACT_RUNNING, 2,
			true},
		{"while it runs: it is no other application",
			{{8, 100, 2, 0, NOTHING}, {1, 100, 2, 0.1, RESET}, {1, 100, 2, 0.1, NOTHING}}, IMPACT_RUNNING, 2,
			true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct scene scene;

		scene_begin(&scene, 10);
		play(&scene, cases[i].stretches);
		if (scene.impact.phase != cases[i].phase)
			fail_msg("%s: phase %d", cases[i].what, scene.impact.phase);
		if (fabs(scene.impact.baseline_ms - cases[i].baseline_ms) > 1e-6)
			fail_msg("%s: baseline %g ms", cases[i].what, scene.impact.baseline_ms);
		if (isinf(scene.impact.duty) == cases[i].limited)
			fail_msg("%s: duty %g", cases[i].what, scene.impact.duty);
		assert_int_equal(impact_pauses(&scene.impact), cases[i].phase == IMPACT_BASELINE);
		if (cases[i].phase == IMPACT_QUIET)
			assert_string_equal(impact_told(&scene.impact), "too little to measure");
		else if (cases[i].phase == IMPACT_UNKNOWN)
			assert_string_equal(impact_told(&scene.impact), "being measured");
	}
}

/* A job is planned, and its column added, before it fills. */
static void what_was_seen_just_before_the_fill_counts(void **state)
{
	static const struct {
		const char *what;
		struct {
			int64_t before_ms; /* 0: there was no more */
			int64_t busy_sessions;
		} looks[4];
		bool limited;
	} cases[] = {
		{"nobody looked", {{0, 0}}, true},
		{"one look says little", {{100, 0}}, true},
		{"two that found nobody", {{200, 0}, {100, 0}}, false},
		{"a second apart", {{1900, 0}, {900, 0}}, false},
		{"but too long ago", {{3200, 0}, {2200, 0}}, true},
		{"too far from one another", {{4000, 0}, {500, 0}}, true},
		{"somebody at last", {{300, 0}, {200, 0}, {100, 1}}, true},
		{"somebody before them", {{1000, 1}, {200, 0}, {100, 0}}, true},
		{"somebody long before them", {{2100, 1}, {1100, 0}, {100, 0}}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct impact impact = {0};
		const int64_t now_ms = 100000;

		for (size_t look = 0; look < COUNT_OF(cases[i].looks) && cases[i].looks[look].before_ms > 0; look++)
			impact_look(
				&impact, &(struct signals_traffic){.counted_ms = now_ms - cases[i].looks[look].before_ms,
							 .busy_sessions = cases[i].looks[look].busy_sessions});
		impact_start(&impact, now_ms);
		if (isinf(impact.duty) == cases[i].limited)
			fail_msg("%s: duty %g", cases[i].what, impact.duty);
	}
}

/* ---- what it measures ---- */

static void a_disturbed_window_tells_nothing(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, 10);
	play(&scene, (const struct stretch[]){{10, 100, 2, 0.1, NOTHING}, {0}});
	assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
	assert_true(fabs(scene.impact.percent) < 0.01);
	/* a VACUUM of ours executes for a second and a half */
	play(&scene, (const struct stretch[]){{2, 100, 9, 0.1, DISTURB}, {0}});
	assert_true(fabs(scene.impact.percent) < 0.01);
	/* the same undisturbed is the application's */
	play(&scene, (const struct stretch[]){{3, 100, 9, 0.1, NOTHING}, {0}});
	assert_true(scene.impact.percent > 50);
}

/* A VACUUM of ours ends between two surveys: the next one tells its time, and what is sampled before that the
 * counters of the time before. */
static void what_ended_between_two_surveys_tells_nothing(void **state)
{
	(void)state;
	for (int after_s = 0; after_s < 4; after_s++) {
		struct scene scene;

		scene_begin(&scene, 10);
		play(&scene, (const struct stretch[]){{7 + after_s, 100, 2, 0.1, NOTHING}, {0}});
		assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
		impact_disturb(&scene.impact, scene.now_ms);
		for (int pulse = 0; pulse < 5; pulse++)
			scene_tell_again(&scene);
		/* a survey that was sooner than its counters */
		scene_look_soon(&scene);
		scene.active_ms += 5000;
		play(&scene, (const struct stretch[]){{2, 100, 2, 0.1, NOTHING}, {0}});
		assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
		if (fabs(scene.impact.percent) > 0.5)
			fail_msg("%d s after: impact %g %%", after_s, scene.impact.percent);
		/* what is the application's is seen soon */
		play(&scene, (const struct stretch[]){{5, 100, 4, 0.1, NOTHING}, {0}});
		if (scene.impact.phase == IMPACT_RUNNING && scene.impact.percent < 20)
			fail_msg(
				"%d s after: impact %g %% of an application half as fast", after_s, scene.impact.percent);
	}
}

static void a_pause_that_is_disturbed_all_the_time_ends(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		struct scene scene;
		int seconds = 0;

		scene_begin(&scene, 10);
		play(&scene, (const struct stretch[]){{known ? 20 : 2, 100, 2, 0.1, NOTHING}, {0}});
		assert_int_equal(scene.impact.phase, IMPACT_BASELINE);
		for (; impact_pauses(&scene.impact) && seconds < 60; seconds++)
			play(&scene, (const struct stretch[]){{1, 100, 9, 0, DISTURB}, {0}});
		assert_in_range(seconds, 8, 12);
		assert_int_equal(scene.impact.phase, known ? IMPACT_RUNNING : IMPACT_QUIET);
	}
}

static void beside_a_vacuum_no_baseline_is_learnt(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, 10);
	play(&scene, (const struct stretch[]){{10, 100, 2, 0.1, NOTHING}, {0}});
	impact_accompany(&scene.impact, true);
	play(&scene, (const struct stretch[]){{30, 100, 2, 0.1, NOTHING}, {0}});
	assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
	impact_accompany(&scene.impact, false);
	play(&scene, (const struct stretch[]){{2, 100, 2, 0.1, NOTHING}, {0}});
	assert_int_equal(scene.impact.phase, IMPACT_BASELINE);
	/* one that begins in the pause */
	impact_accompany(&scene.impact, true);
	play(&scene, (const struct stretch[]){{6, 100, 3, 0, NOTHING}, {0}});
	impact_accompany(&scene.impact, false);
	impact_disturb(&scene.impact, scene.now_ms);
	play(&scene, (const struct stretch[]){{4, 100, 2, 0, NOTHING}, {0}});
	assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
	assert_true(fabs(scene.impact.baseline_ms - 2.0) < 1e-6);
}

static void after_counters_that_jump_it_goes_on_as_before(void **state)
{
	(void)state;
	for (int round = 0; round < 8; round++) {
		int after_s = round / 2;
		struct scene scene;
		double before;

		scene_begin(&scene, 10);
		for (int second = 0; second < 10 + after_s; second++)
			scene_second(&scene, 100, second > 5 ? 2.1 : 2.0, 0.1);
		assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
		before = scene.impact.duty;
		if (round % 2)
			scene_widen(&scene);
		else
			scene_reset(&scene);
		for (int second = 0; second < 4; second++) {
			scene_second(&scene, 100, 2.1, 0.1);
			assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
			assert_true(scene.impact.duty <= before * 4);
			if (!isnan(scene.impact.percent) && (scene.impact.percent < -1 || scene.impact.percent > 6))
				fail_msg("%d s after: impact %g %%", second, scene.impact.percent);
		}
	}
}

static void max_impact_0_looks_at_nothing(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, 0);
	play(&scene, (const struct stretch[]){{20, 1000, 2, 1, NOTHING}, {0}});
	assert_int_equal(scene.impact.phase, IMPACT_UNKNOWN);
	assert_true(isinf(scene.impact.duty) && isnan(scene.impact.percent));
	scene.most_percent = 10;
	play(&scene, (const struct stretch[]){{7, 1000, 2, 0, NOTHING}, {0}});
	assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
	assert_false(isinf(scene.impact.duty));
	scene.most_percent = 0;
	scene_look(&scene);
	assert_false(impact_pauses(&scene.impact));
	assert_true(isinf(scene.impact.duty) && isnan(scene.impact.percent));
}

struct application {
	double per_s, each_ms;
};

/* Batches run as much as they may, on up to `most` connections, and each slows the application by `slope`. */
static double mean_impact(
	struct scene *scene, const struct application *application, double slope, double most, int seconds)
{
	double sum = 0.0;
	int counted = 0;

	for (int second = 0; second < seconds; second++) {
		double batches = impact_pauses(&scene->impact) ? 0.0 : fmin(scene->impact.duty, most);

		scene_second(scene, application->per_s, application->each_ms * (1.0 + slope * batches), batches);
		if (second < seconds / 2)
			continue;
		sum += slope * batches;
		counted++;
	}
	return 100.0 * sum / counted;
}

static void an_application_is_slowed_by_no_more_than_was_allowed(void **state)
{
	static const double slopes[] = {0.0, 0.02, 0.1, 0.5};
	static const int allowed[] = {1, 5, 10, 50};

	(void)state;
	for (size_t s = 0; s < COUNT_OF(slopes); s++) {
		for (size_t a = 0; a < COUNT_OF(allowed); a++) {
			struct scene scene;
			double impact, possible = 100.0 * slopes[s] * 4;

			scene_begin(&scene, allowed[a]);
			impact = mean_impact(&scene, &(struct application){200, 5.0}, slopes[s], 4, 300);
			/* the least duty is 0.02 */
			if (impact > allowed[a] && impact > 100.0 * slopes[s] * 0.02)
				fail_msg("slope %g: %g %% where %d were allowed", slopes[s], impact, allowed[a]);
			/* of so little as 1 % it cannot learn much: a remembered half minute holds less than a second of
			 * batches */
			if (allowed[a] > 1 && impact < 0.4 * fmin(allowed[a], possible))
				fail_msg("slope %g: only %g %% of %d", slopes[s], impact, allowed[a]);
		}
	}
}

static void one_that_does_little_is_promised_what_a_fifth_of_the_time_would_be(void **state)
{
	static const struct {
		struct application application;
		int most_percent;
		double allowed; /* per cent */
	} cases[] = {
		{{200, 5.0}, 10, 10},
		{{100, 2.0}, 10, 10},
		{{200, 1.0}, 10, 10},
		{{100, 1.0}, 10, 20},
		{{100, 1.0}, 5, 10},
		{{80, 0.625}, 10, 40},
		{{80, 0.625}, 2, 8},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct scene scene;
		double impact;

		scene_begin(&scene, cases[i].most_percent);
		impact = mean_impact(&scene, &cases[i].application, 0.5, 4, 300);
		if (impact > cases[i].allowed || impact < 0.5 * cases[i].allowed)
			fail_msg("case %zu: %g %% where %g were allowed", i, impact, cases[i].allowed);
	}
}

/* Two of its sessions execute at a time: what they take longer others wait for as well. */
static void a_fifth_of_what_is_allowed_is_aimed_at_beside_two_sessions(void **state)
{
	struct scene scene;
	double impact;

	(void)state;
	scene_begin(&scene, 10);
	impact = mean_impact(&scene, &(struct application){400, 5.0}, 0.8, 4, 300);
	if (impact < 1.6 || impact > 2.4)
		fail_msg("%g %%", impact);
}

/* Nobody waits for processors that are idle. */
static void more_is_aimed_at_where_batches_prove_to_slow_it_little(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, 10);
	mean_impact(&scene, &(struct application){400, 5.0}, 0.1, 4, 300);
	assert_true(mean_impact(&scene, &(struct application){400, 5.0}, 0.1, 4, 300) > 5.0);
}

/* An application that becomes slower by itself, again and again, right after a baseline: what does not fall
 * with the duty is not the batches' doing for long. */
static void what_does_not_fall_with_the_duty_is_looked_at_again(void **state)
{
	struct scene scene;
	double each_ms = 2.0, executed = 0.0;
	int baselines = 0;

	(void)state;
	scene_begin(&scene, 10);
	for (int second = 0; second < 300; second++) {
		double batches = impact_pauses(&scene.impact) ? 0.0 : fmin(scene.impact.duty, 1.0);

		if (scene.impact.baselines >= 5 && scene.impact.baselines == baselines + 1)
			each_ms = each_ms < 2.3 ? 2.6 : 2.0;
		baselines = scene.impact.baselines;
		scene_second(&scene, 400, each_ms * (1.0 + 0.1 * batches), batches);
		executed += second >= 100 ? batches : 0.0;
	}
	/* 31 s; an application that goes up and down by a third tells little of what batches do to it, and then
	 * they may do no more than is harmless to most. */
	if (executed < 25.0)
		fail_msg("batches executed for %g s of 200", executed);
}

/* What was learnt beside the one before tells nothing of it, nor is learnt from it. */
static void another_application_is_judged_anew(void **state)
{
	static const struct {
		struct application before, after;
		double slope_before, slope_after;
		double least; /* per cent */
	} cases[] = {
		{{400, 5.0}, {400, 12.0}, 0.05, 0.8, 1.8},
		{{400, 12.0}, {400, 4.0}, 2.0, 0.4, 1.05}, /* 0.9 if what was learnt were kept */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct scene scene;
		double impact;

		scene_begin(&scene, 10);
		mean_impact(&scene, &cases[i].before, cases[i].slope_before, 1, 600);
		impact = mean_impact(&scene, &cases[i].after, cases[i].slope_after, 1, 160);
		if (impact < cases[i].least || impact > 6.0)
			fail_msg("case %zu: %g %%", i, impact);
	}
}

/* Beside nobody it was not limited, and what was seen of the application is forgotten; not what it may have.
 */
static void who_comes_back_is_met_with_what_is_aimed_at(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, 1);
	mean_impact(&scene, &(struct application){400, 5.0}, 0.8, 1, 60);
	mean_impact(&scene, &(struct application){0, 0.0}, 0.0, 1, 60);
	assert_true(isinf(scene.impact.duty));
	for (int second = 0; second < 30 && scene.impact.phase != IMPACT_RUNNING; second++)
		scene_second(&scene, 400, 5.0, impact_pauses(&scene.impact) ? 0.0 : fmin(scene.impact.duty, 1.0));
	assert_int_equal(scene.impact.phase, IMPACT_RUNNING);
	if (scene.impact.duty > 0.04)
		fail_msg("duty %g", scene.impact.duty);
}

/* Whatever a server counts: a number, or none, and a limit that lets somebody go. */
static void whatever_it_is_told_it_talks_sense(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct scene scene;

		scene_begin(&scene, (int)any(0, 100));
		for (int second = 0; second < 100; second++) {
			int64_t what = any(0, 19);

			if (what == 0)
				scene_reset(&scene);
			if (what == 1)
				impact_disturb(&scene.impact, scene.now_ms);
			if (what == 2)
				scene.most_percent = (int)any(0, 100);
			if (what == 3) /* told too late */
				scene.active_ms -= (double)any(0, 2000);
			scene_second(&scene, (double)(what < 10 ? any(0, 100) : any(0, 20000)), (double)any(0, 50) / 10.0,
				(double)any(0, 40) / 10.0);
			if (isnan(scene.impact.duty) || scene.impact.duty < 0.02)
				fail_msg("duty %g", scene.impact.duty);
			if (isinf(scene.impact.percent) || scene.impact.baseline_ms < 0.0 ||
				isnan(scene.impact.baseline_ms))
				fail_msg("impact %g %%, baseline %g ms", scene.impact.percent, scene.impact.baseline_ms);
			if (scene.now_ms - scene.impact.phase_since_ms > 60000 && impact_pauses(&scene.impact))
				fail_msg("it pauses for ever");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_phase_it_is_in),
		cmocka_unit_test(what_was_seen_just_before_the_fill_counts),
		cmocka_unit_test(a_disturbed_window_tells_nothing),
		cmocka_unit_test(what_ended_between_two_surveys_tells_nothing),
		cmocka_unit_test(a_pause_that_is_disturbed_all_the_time_ends),
		cmocka_unit_test(beside_a_vacuum_no_baseline_is_learnt),
		cmocka_unit_test(after_counters_that_jump_it_goes_on_as_before),
		cmocka_unit_test(max_impact_0_looks_at_nothing),
		cmocka_unit_test(an_application_is_slowed_by_no_more_than_was_allowed),
		cmocka_unit_test(one_that_does_little_is_promised_what_a_fifth_of_the_time_would_be),
		cmocka_unit_test(a_fifth_of_what_is_allowed_is_aimed_at_beside_two_sessions),
		cmocka_unit_test(more_is_aimed_at_where_batches_prove_to_slow_it_little),
		cmocka_unit_test(what_does_not_fall_with_the_duty_is_looked_at_again),
		cmocka_unit_test(another_application_is_judged_anew),
		cmocka_unit_test(who_comes_back_is_met_with_what_is_aimed_at),
		cmocka_unit_test(whatever_it_is_told_it_talks_sense),
	};

	return cmocka_run_group_tests_name("impact", tests, NULL, NULL);
}
