/*
 * lead_scene: a job on public.users with stand-in sessions, for the tests of the leads.
 *
 * The server it plays is content: sessions are enlisted, replicas there are none, the table has 4 pages,
 * windows are asked for and there is none. A test tells what is different before it lets the loop run.
 */
#ifndef BACKFILLD_TESTS_UNIT_LEAD_SCENE_H
#define BACKFILLD_TESTS_UNIT_LEAD_SCENE_H

#include "tests/unit/fake_session.h"

#include "daemon/filler.h"
#include "daemon/task.h"
#include "daemon/window.h"

/* What the statements of each errand are known by. */
#define ASK_CATALOGUE "relforcerowsecurity"
#define ASK_MEMBERS "is_partition"
#define ASK_REAP "pg_terminate_backend"
#define ASK_ENLIST "INSERT INTO backfill.backend"
#define ASK_EVENT "INSERT INTO backfill.event (job_id, name, kind, stage, detail, statement"
#define ASK_WALK "INSERT INTO backfill.walk"
#define ASK_WINDOW "INSERT INTO backfill.bookmark"
#define ASK_HOLDERS "pg_prepared_xacts"
#define ASK_PULSE "pg_stat_get_wal_senders"
#define ASK_SURVEY "has_function_privilege"
#define ASK_BATCH "backfill.move_bookmark($2"

struct scene {
	struct loop *loop;
	struct loop_timer *look;
	struct loop_timer *limit;
	struct task task;
	struct options_database database;
	bool (*until)(struct scene *scene);
	bool ended; /* told by scene_done() */
	int endings;
	struct fault why;
};

/* The stage is `filling`, sync none, one worker. Monitor and sessions are up. */
void scene_begin(struct scene *scene);
void scene_end(struct scene *scene);

/* What a filler, one of one, shares with its job, which has joined the pace: the caller's to leave. */
void scene_share(struct scene *scene, struct filler_shared *ret_shared);

/* A task_done that fills `ended` and `why`; its owner is the scene. */
void scene_done(void *owner, const struct fault *why);

/* Lets the loop run until `until` is true of the scene; fails the test after a minute. */
void scene_run(struct scene *scene, bool (*until)(struct scene *scene));
void scene_run_ms(struct scene *scene, int64_t ms);
void scene_run_to_end(struct scene *scene);

/* What the catalogue says; NULL members are false, or NULL texts. */
struct scene_catalogue {
	const char *column_exists;
	const char *column_default;
	const char *insert_trigger;
	const char *update_trigger;
	const char *column_not_null;
	const char *check_exists;
	const char *check_valid;
};
void scene_catalogue(struct fake_rule *rule, const struct scene_catalogue *says);

/* A walk, a window, a batch that filled `rows`, as the server answers. */
void scene_walk(struct fake_rule *rule, const char *sweep, const char *pages, const char *fresh);
void scene_window(struct fake_rule *rule, const struct window_bookmark *bookmark);
/* The same in another table of the tree; NULL: in one that is gone. */
void scene_window_in(
	struct fake_rule *rule, const struct window_bookmark *bookmark, const char *oid, const char *leaf);
void scene_batch(struct fake_rule *rule, const char *rows);

/* The columns of a pulse; what a content server answers to a survey. */
void scene_pulse(struct fake_rule *rule);
void scene_survey(struct fake_rule *rule);

/* The words of the last batch's stretch: "'(0,0)' AND ctid < '(4,0)'". */
#define STRETCH(from, end) "ctid >= '(" from ")'::pg_catalog.tid AND ctid < '(" end ")'::pg_catalog.tid"

#endif
