/*
 * foreman: what it makes of `workers`, and of fillings that more fillers help or do not. Time runs fast
 * (fast_clock).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "common/clock.h"
#include "daemon/foreman.h"

#include <string.h>

#define LOOK_MS 2000
#define EVENT ASK_EVENT
#define EVENT_KIND 2
#define EVENT_DETAIL 4

/* ---- a filling ---- */

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct foreman *foreman;
	double each;      /* pages a second of one filler */
	int useful;       /* fillers; more add nothing */
	double throttled; /* share of the time */
	double beside;    /* connections that other jobs keep busy */
	double pages;
	double throttled_ms;
	int64_t looked_ms;
	int looks;
	int wants;
	int most; /* fillers, ever */
};

static void look(void *owner, struct foreman_look *ret_look)
{
	struct stage_set *set = owner;
	int fillers = foreman_fillers(set->foreman);
	int64_t now_ms = clock_ms();
	double seconds = set->looks++ > 0 ? (double)(now_ms - set->looked_ms) / 1000.0 : 0.0;

	set->looked_ms = now_ms;
	set->pages += set->each * seconds * (fillers < set->useful ? fillers : set->useful);
	set->throttled_ms += set->throttled * seconds * 1000.0;
	*ret_look = (struct foreman_look){fillers, set->beside, set->pages, (int64_t)set->throttled_ms};
}

static void wants(void *owner)
{
	struct stage_set *set = owner;
	int fillers = foreman_fillers(set->foreman);

	set->wants++;
	set->most = fillers > set->most ? fillers : set->most;
}

static const struct foreman_events events = {.look = look, .wants = wants};

static void begin(struct stage_set *set, int workers)
{
	*set = (struct stage_set){.each = 1000, .useful = 1};
	scene_begin(&set->scene);
	set->scene.task.job.knobs.workers = workers;
	set->foreman = foreman_new(&set->scene.task, &events, set);
}

static void end(struct stage_set *set)
{
	foreman_free(set->foreman);
	scene_end(&set->scene);
}

static void run_looks(struct stage_set *set, int looks)
{
	int until = set->looks + looks;

	while (set->looks < until)
		scene_run_ms(&set->scene, LOOK_MS / 4);
}

/* ---- cases ---- */

static void how_many_fillers_there_are(void **state)
{
	static const struct {
		const char *what;
		int workers;
		int useful;
		double throttled;
		double beside;
		int looks;
		int least, most; /* fillers at the end */
		bool told;       /* in the job's history */
	} cases[] = {
		{"as many as were asked for", 3, 8, 0, 0, 12, 3, 3, false},
		{"one at first", 0, 8, 0, 0, 2, 1, 1, false},
		{"more while more help", 0, 4, 0, 0, 14, 2, 4, true},
		{"none more, where other jobs' fillers have the cores", 0, 4, 0, 5.5, 14, 1, 1, false},
		{"one, where the pace holds it back", 0, 4, 0.6, 0, 14, 1, 1, false},
		{"one, where a second is of no use", 0, 1, 0, 0, 16, 1, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct stage_set set;
		int fillers;

		begin(&set, cases[i].workers);
		set.useful = cases[i].useful;
		set.throttled = cases[i].throttled;
		set.beside = cases[i].beside;
		foreman_begin(set.foreman);
		run_looks(&set, cases[i].looks);
		fillers = foreman_fillers(set.foreman);
		if (fillers < cases[i].least || fillers > cases[i].most)
			fail_msg("%s: %d fillers", cases[i].what, fillers);
		if ((fake_asked(EVENT) > 0) != cases[i].told || (set.wants > 0) != cases[i].told)
			fail_msg("%s: told %zu times, wanted %d times", cases[i].what, fake_asked(EVENT), set.wants);
		end(&set);
	}
}

static void a_change_is_told_with_its_reason(void **state)
{
	struct stage_set set;

	(void)state;
	begin(&set, 0);
	set.useful = 8;
	foreman_begin(set.foreman);
	while (set.wants == 0 && set.looks < 30)
		scene_run_ms(&set.scene, LOOK_MS / 4);
	assert_int_equal(set.wants, 1);
	assert_int_equal(foreman_fillers(set.foreman), 2);
	scene_run_ms(&set.scene, LOOK_MS / 4);
	assert_string_equal(fake_bound(EVENT, EVENT_KIND), "workers");
	assert_memory_equal(fake_bound(EVENT, EVENT_DETAIL), "2 fillers: ", strlen("2 fillers: "));
	end(&set);
}

static void a_knob_is_followed_at_once_and_the_crew_forgets(void **state)
{
	struct stage_set set;

	(void)state;
	begin(&set, 0);
	set.useful = 8;
	foreman_begin(set.foreman);
	while (foreman_fillers(set.foreman) < 2 && set.looks < 30)
		scene_run_ms(&set.scene, LOOK_MS / 4);
	assert_int_equal(foreman_fillers(set.foreman), 2);
	set.scene.task.job.knobs.workers = 5;
	assert_int_equal(foreman_fillers(set.foreman), 5);
	set.scene.task.job.knobs.workers = 0;
	assert_int_equal(foreman_fillers(set.foreman), 1);
	end(&set);
}

static void nobody_is_looked_at_before_a_walk_begins(void **state)
{
	struct stage_set set;

	(void)state;
	begin(&set, 0);
	scene_run_ms(&set.scene, 2 * LOOK_MS);
	assert_int_equal(set.looks, 0);
	assert_int_equal(foreman_fillers(set.foreman), 1);
	foreman_begin(set.foreman);
	run_looks(&set, 2); /* for ever, if nobody looked */
	end(&set);
	foreman_free(NULL);
}

/* Its pages start from 0 again: as a rate that would be less than nothing, and end the try under way. */
static void a_new_walk_is_no_loss(void **state)
{
	struct stage_set set;

	(void)state;
	begin(&set, 0);
	set.useful = 8;
	foreman_begin(set.foreman);
	while (foreman_fillers(set.foreman) < 2 && set.looks < 30)
		scene_run_ms(&set.scene, LOOK_MS / 4);
	assert_int_equal(foreman_fillers(set.foreman), 2);
	for (int walk = 0; walk < 5; walk++) {
		foreman_begin(set.foreman);
		set.pages = 0;
		run_looks(&set, 3);
		assert_true(foreman_fillers(set.foreman) >= 2);
	}
	end(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_many_fillers_there_are),
		cmocka_unit_test(a_change_is_told_with_its_reason),
		cmocka_unit_test(a_knob_is_followed_at_once_and_the_crew_forgets),
		cmocka_unit_test(nobody_is_looked_at_before_a_walk_begins),
		cmocka_unit_test(a_new_walk_is_no_loss),
	};

	return cmocka_run_group_tests_name("foreman", tests, NULL, NULL);
}
