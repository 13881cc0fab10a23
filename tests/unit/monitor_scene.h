/*
 * monitor_scene: the scene of a monitor that watches, its server a stand-in.
 */
#ifndef BACKFILLD_TESTS_UNIT_MONITOR_SCENE_H
#define BACKFILLD_TESTS_UNIT_MONITOR_SCENE_H

#include "tests/unit/lead_scene.h"

struct stage_set {
	struct scene scene; /* first: the scene's callers know only this */
	size_t samples;     /* that are waited for */
};

/* Before and after each test; `*state` is the stage_set. */
int stage_set_up(void **state);
int stage_tear_down(void **state);

/* The configuration is another one: watched from the beginning. */
void stage_watch_anew(struct stage_set *set);

const struct signals *stage_signals(struct stage_set *set);

#endif
