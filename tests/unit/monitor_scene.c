#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/monitor_scene.h"

int stage_set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){0};
	scene_begin(&set.scene);
	*state = &set;
	return 0;
}

int stage_tear_down(void **state)
{
	struct stage_set *set = *state;

	scene_end(&set->scene);
	return 0;
}

void stage_watch_anew(struct stage_set *set)
{
	struct scene *scene = &set->scene;

	monitor_free(scene->task.monitor);
	scene->task.monitor = monitor_new(scene->loop, &scene->database, NULL, NULL);
	monitor_watch(scene->task.monitor, true);
}

const struct signals *stage_signals(struct stage_set *set)
{
	return monitor_signals(set->scene.task.monitor);
}
