/*
 * filler_scene: a filler on the lead_scene's job, for the tests of it.
 */
#ifndef BACKFILLD_TESTS_UNIT_FILLER_SCENE_H
#define BACKFILLD_TESTS_UNIT_FILLER_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lead_scene.h"

#include "daemon/filler.h"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	struct filler_shared shared;
	struct filler *filler;
	int moved;
	int idle;
	size_t told; /* events, when it became idle last */
	int failed;
};

/* Setup and teardown of a test; a filler comes with stage_start(). */
int stage_set_up(void **state);
int stage_tear_down(void **state);
void stage_start(struct stage_set *set, int number);

/* For scene_run(). */
bool is_idle(struct scene *scene);
bool has_window(struct scene *scene);

#define CASE(name) cmocka_unit_test_setup_teardown(name, stage_set_up, stage_tear_down)

#endif
