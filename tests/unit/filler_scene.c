#include "tests/unit/filler_scene.h"

static void moved(void *owner, struct member *table)
{
	assert_int_equal(table->oid, 4242); /* the relation knows no other */
	((struct stage_set *)owner)->moved++;
}

static void idle(void *owner)
{
	struct stage_set *set = owner;

	set->idle++;
	set->told = fake_asked(ASK_EVENT);
}

static void failed(void *owner, const struct fault *why)
{
	struct stage_set *set = owner;

	set->failed++;
	fault_copy(&set->scene.why, why);
}

static void held(void *owner, const char *reason_or_null)
{
	(void)owner;
	(void)reason_or_null;
}

static const struct filler_events events = {.moved = moved, .idle = idle, .held = held, .failed = failed};

bool is_idle(struct scene *scene)
{
	return ((struct stage_set *)scene)->idle > 0;
}

bool has_window(struct scene *scene)
{
	(void)scene;
	return fake_asked(ASK_WINDOW) > 0;
}

int stage_set_up(void **state)
{
	static struct stage_set set;

	set = (struct stage_set){0};
	scene_begin(&set.scene);
	scene_share(&set.scene, &set.shared);
	*state = &set;
	return 0;
}

int stage_tear_down(void **state)
{
	struct stage_set *set = *state;

	filler_free(set->filler);
	pace_leave(set->shared.share);
	scene_end(&set->scene);
	return 0;
}

void stage_start(struct stage_set *set, int number)
{
	set->filler = filler_new(&set->shared, number, &events, set);
}
