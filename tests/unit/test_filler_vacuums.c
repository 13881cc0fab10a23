/*
 * filler: which autovacuums its job makes room for: those of tables that its fillers are in.
 */
#include "tests/unit/filler_scene.h"

#include <string.h>

#define MORE_THAN_CAN_BE_DONE 100000000

/* One window of so many pages, in partition 4243. */
static void start(struct stage_set *set, int64_t pages)
{
	scene_window_in(
		fake_once(ASK_WINDOW), &(struct window_bookmark){0, pages, 1, 0, 0}, "4243", "public.part_1");
	stage_start(set, 0);
}

#define AGAINST_WRAPAROUND                                                                                   \
	"an autovacuum of the table against wraparound of transaction ids, which must not be held up"

static bool makes_room(struct scene *scene)
{
	return strcmp(text_is(&scene->task.waiting_for), AGAINST_WRAPAROUND) == 0;
}

static bool goes_on(struct scene *scene)
{
	return strcmp(text_is(&scene->task.waiting_for), "") == 0;
}

/* As surveys say from now on: an autovacuum against wraparound is at work on this table. */
static void wraparound_at(struct stage_set *set, const char *oid)
{
	struct fake_rule *rule = fake_on(ASK_SURVEY);

	scene_survey(rule);
	fake_statement(rule, "to prevent wraparound");
	fake_columns(rule, "table_oid", "wraparound", NULL);
	fake_row(rule, oid, "t");
	fake_statement(rule, "pg_stat_get_dead_tuples");
	fake_columns(rule, "table_oid", "dead_rows", NULL);
	fake_row(rule, "4242", "0");
	monitor_watch_table(set->scene.task.monitor, 4242);
	scene_run_ms(&set->scene, 300);
}

static void an_autovacuum_of_another_partition_stops_nothing(void **state)
{
	struct stage_set *set = *state;

	wraparound_at(set, "4999");
	start(set, 100000);
	scene_run(&set->scene, is_idle);
	assert_true(fake_asked(ASK_BATCH) > 0);
	assert_int_equal(set->shared.tables[0], 0); /* it is in none any more */
}

static void one_of_its_own_does_until_it_is_over(void **state)
{
	struct stage_set *set = *state;

	wraparound_at(set, "4243");
	start(set, MORE_THAN_CAN_BE_DONE);
	/* The pace is told with the question for a batch, and judges with the next sample. */
	scene_run(&set->scene, makes_room);
	assert_int_equal(set->shared.tables[0], 4243);
	wraparound_at(set, "4999");
	scene_run(&set->scene, goes_on);
}

/* Each filler tells for all of them, or what one closes another would open. */
static void so_does_one_where_another_filler_is(void **state)
{
	struct stage_set *set = *state;
	size_t asked;

	wraparound_at(set, "4244");
	set->shared.workers = 2;
	set->shared.tables[1] = 4244;
	start(set, MORE_THAN_CAN_BE_DONE);
	scene_run(&set->scene, makes_room);
	asked = fake_asked(ASK_BATCH);
	scene_run_ms(&set->scene, 400);
	assert_int_equal(fake_asked(ASK_BATCH), asked);
	set->shared.tables[1] = 0; /* that one is through with its window */
	scene_run(&set->scene, goes_on);
	assert_true(fake_asked(ASK_BATCH) > asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_autovacuum_of_another_partition_stops_nothing),
		CASE(one_of_its_own_does_until_it_is_over),
		CASE(so_does_one_where_another_filler_is),
	};

	return cmocka_run_group_tests_name("filler_vacuums", tests, NULL, NULL);
}
