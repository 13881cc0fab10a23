#include "daemon/worker.h"

#include "common/clock.h"
#include "common/memory.h"
#include "daemon/builder.h"
#include "daemon/catalog.h"
#include "daemon/change.h"
#include "daemon/enlist.h"
#include "daemon/filling.h"
#include "daemon/fitness.h"
#include "daemon/move.h"
#include "daemon/planner.h"
#include "daemon/progress.h"
#include "daemon/task.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_RETRY_MS 500
#define TICK_MS 1000
#define SETTLE_AGAIN_MS 10
/* A batch still in flight so long after a stop is cancelled; the stop as a whole has 2 s. */
#define CANCEL_AFTER_MS 1200

struct worker {
	const struct worker_context *context;
	worker_ended *ended;
	void *owner;
	struct task task;
	struct loop_timer *timer;
	void (*next)(struct worker *worker); /* what the timer goes on with */
	struct loop_timer *tick;
	struct planner *planner; /* at most one of the three works */
	struct builder *builder;
	struct filling *filling;
	struct move *move;     /* is not on record yet: nothing else starts */
	struct enlist *enlist; /* while the session is being put on record */
	bool enlisted;         /* the session, as it is connected now, is on record as ours */
	enum stage goal;       /* of this claim: done, cancelled or rolled_back; see job_goal() */
	struct fault doubt;    /* a name was not found: fails the job unless the catalogue tells another */
	enum stage_hold held_at;
	bool stopping;
	int64_t stopping_since_ms;
	bool cancelled;
	struct progress progress;
};

static void read_catalogue(struct worker *worker);
static void open_session(struct worker *worker);
static void enlist(struct worker *worker);
static void work(struct worker *worker);
static void take_back(struct worker *worker);
static void start_move(struct worker *worker, enum stage to, const struct fault *why);
static void put_down(struct worker *worker);
static void tick(void *owner);
static void report(struct worker *worker);

static void go_on(void *owner)
{
	struct worker *worker = owner;

	worker->next(worker);
}

static void after(struct worker *worker, int64_t delay_ms, void (*next)(struct worker *))
{
	worker->next = next;
	loop_timer_after(worker->timer, delay_ms);
}

struct worker *worker_new(const struct worker_context *context, const struct queue_entry *entry,
	int64_t epoch, worker_ended *ended, void *owner)
{
	struct worker *worker = memory_new(sizeof(*worker));

	*worker = (struct worker){.context = context, .ended = ended, .owner = owner};
	worker->task.loop = context->loop;
	worker->task.control = context->control;
	worker->task.monitor = context->monitor;
	worker->task.pace = context->pace;
	worker->task.database = context->database->name;
	worker->task.synchronous_commit = options_commit_name(context->options->defaults.synchronous_commit);
	worker->task.window_pages = context->window_pages;
	worker->task.relation.server_version = context->server_version;
	job_copy(&worker->task.job, &entry->job);
	worker->task.job.epoch = epoch;
	worker->goal = job_goal(&worker->task.job);
	progress_start(&worker->progress, entry->rows_estimate, entry->throttled_ms);
	worker->timer = loop_timer_new(context->loop, go_on, worker);
	worker->tick = loop_timer_new(context->loop, tick, worker);
	loop_timer_after(worker->tick, TICK_MS);
	after(worker, 0, read_catalogue);
	return worker;
}

static void end_parts(struct worker *worker)
{
	if (worker->filling)
		progress_throttle(&worker->progress, &worker->task, NULL, clock_ms());
	planner_free(worker->planner);
	builder_free(worker->builder);
	filling_free(worker->filling);
	enlist_free(worker->enlist);
	worker->planner = NULL;
	worker->builder = NULL;
	worker->filling = NULL;
	worker->enlist = NULL;
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	end_parts(worker);
	session_forget(worker->task.control, worker);
	session_free(worker->task.session);
	loop_timer_free(worker->timer);
	loop_timer_free(worker->tick);
	move_free(worker->move);
	progress_clear(&worker->progress);
	fault_clear(&worker->doubt);
	text_free(&worker->task.waiting_for);
	text_free(&worker->task.doing);
	relation_clear(&worker->task.relation);
	job_clear(&worker->task.job);
	free(worker);
}

static void fail(struct worker *worker, const struct fault *why)
{
	report(worker);
	end_parts(worker);
	start_move(worker, STAGE_FAILED, why);
}

/* Of the control session. True: the fault was dealt with. */
static bool control_failed(struct worker *worker, const struct fault *why, void (*again)(struct worker *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		after(worker, CONTROL_RETRY_MS, again);
	else
		fail(worker, why);
	return true;
}

/* True: the table has another name than the job thought. */
static bool follow_name(struct worker *worker)
{
	struct task *task = &worker->task;

	if (strcmp(task->job.table_name, task->relation.table_name) == 0)
		return false;
	queue_rename(task->control, &task->job, task->relation.table_name);
	job_name_table(&task->job, task->relation.table_name);
	return true;
}

/* The table may have been renamed, or moved to another schema: the catalogue knows. */
static bool is_doubtful(const struct fault *why)
{
	static const char *const names_not_found[] = {"42P01", "3F000", "42703"};

	for (size_t i = 0; i < COUNT_OF(names_not_found); i++) {
		if (strcmp(why->sqlstate, names_not_found[i]) == 0)
			return true;
	}
	return false;
}

static void look_again(struct worker *worker, const struct fault *why)
{
	const struct job *job = &worker->task.job;

	fault_copy(&worker->doubt, why);
	if (!why->hint || strcmp(why->sqlstate, "42703") != 0)
		fault_set_hint(&worker->doubt,
			"The job's table is called %s now, and its column %s. An expression that names them otherwise, "
			"or what is not there, fails: name it so again and set wanted = 'run', or set wanted = "
			"'roll_back' and ask anew.",
			job->table_name, job->column_name);
	read_catalogue(worker);
}

static void got_catalogue(void *owner, const struct reply *reply)
{
	struct worker *worker = owner;
	struct task *task = &worker->task;
	struct fault why = {0};

	if (control_failed(worker, reply_fault(reply), read_catalogue))
		return;
	catalog_read(reply, worker->context->server_version, &task->relation);
	if (worker->goal != STAGE_DONE && !task->relation.exists) {
		take_back(worker);
		return;
	}
	if (!fitness_of_table(&task->job, &task->relation, &why) ||
		!fitness_of_column(&task->job, &task->relation, &why)) {
		fail(worker, &why);
		fault_clear(&why);
		return;
	}
	if (!follow_name(worker) && worker->doubt.kind != FAULT_NONE) {
		fail(worker, &worker->doubt);
		return;
	}
	fault_clear(&worker->doubt);
	if (worker->goal != STAGE_DONE)
		take_back(worker);
	else if (task->session)
		work(worker);
	else
		open_session(worker);
}

static void read_catalogue(struct worker *worker)
{
	catalog_ask(worker->task.control, &worker->task.job, got_catalogue, worker);
}

/* What was under way on the session is unknown now; the catalogue knows, so the stage starts anew. */
static void opened(void *owner)
{
	struct worker *worker = owner;

	planner_free(worker->planner);
	builder_free(worker->builder);
	worker->planner = NULL;
	worker->builder = NULL;
	worker->enlisted = false;
	if (!worker->stopping && !worker->move)
		enlist(worker);
}

static void lost(void *owner, const struct fault *why)
{
	struct worker *worker = owner;
	struct log_about about = task_about(&worker->task);
	char *sentence = memory_textf("no connection for the worker login: %s", why->message);

	worker->enlisted = false;
	enlist_free(worker->enlist);
	worker->enlist = NULL;
	log_debug(&about, "%s", sentence);
	task_wait_for(&worker->task, sentence);
	free(sentence);
}

static const struct session_events session_events = {.opened = opened, .lost = lost};

static struct script *greeting(void)
{
	struct script *script = script_new();

	script_add(script, "SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false)");
	return script;
}

static void open_session(struct worker *worker)
{
	struct task *task = &worker->task;
	char *name = memory_textf("backfilld job %" PRId64, task->job.id);

	task->conninfo = options_login_conninfo(worker->context->database, task->relation.owner);
	task->session = session_new(task->loop, task->conninfo, name, greeting(), &session_events, worker);
	free(name);
}

static void enlisted(void *owner, const struct fault *why)
{
	struct worker *worker = owner;
	struct fault told = {0};

	if (why)
		fault_copy(&told, why);
	enlist_free(worker->enlist);
	worker->enlist = NULL;
	worker->enlisted = !why;
	if (why)
		fail(worker, &told);
	else if (!worker->filling)
		work(worker);
	fault_clear(&told);
}

static void enlist(struct worker *worker)
{
	worker->enlist = enlist_new(&worker->task, worker->task.session, ENLIST_BUILDER, enlisted, worker);
}

/* The next stage, or the hold before it. */
static void leave_stage(struct worker *worker)
{
	struct job *job = &worker->task.job;
	unsigned stages = job_stages(job);
	enum stage to;

	/* Of a job that was cancelled at its very end: the server has numbered all rows. */
	if (worker->task.relation.column_generated)
		stages &= ~STAGE_BIT(STAGE_FILLING);
	to = stage_next(job->stage, stages);

	if (job->holds & stage_hold_before(to)) {
		worker->held_at = stage_hold_before(to);
		worker_stop(worker);
		return;
	}
	start_move(worker, to, NULL);
}

static void filling_held(void *owner, const char *reason_or_null)
{
	struct worker *worker = owner;

	progress_throttle(&worker->progress, &worker->task, reason_or_null, clock_ms());
}

static void part_ended(void *owner, const struct fault *why)
{
	struct worker *worker = owner;
	struct fault copy = {0};

	if (why)
		fault_copy(&copy, why);
	report(worker);
	end_parts(worker);
	if (copy.kind == FAULT_FENCED)
		worker_abandon(worker);
	else if (why && is_doubtful(&copy) && !worker->stopping)
		look_again(worker, &copy);
	else if (why)
		fail(worker, &copy);
	else if (worker->goal != STAGE_DONE)
		take_back(worker);
	else
		leave_stage(worker);
	fault_clear(&copy);
}

/* What to take away to get to the goal, as change_next() knows it. */
static enum stage way_back(const struct worker *worker)
{
	return worker->goal == STAGE_CANCELLED ? STAGE_CANCELLED : STAGE_ROLLING_BACK;
}

static bool something_is_left(const struct worker *worker)
{
	struct change_step step;

	if (!change_next(&worker->task.job, &worker->task.relation, way_back(worker), &step))
		return false;
	change_step_clear(&step);
	return true;
}

/* False: goes on with work() once it is. */
static bool is_enlisted(struct worker *worker)
{
	if (!worker->enlisted && session_is_open(worker->task.session) && !worker->enlist)
		enlist(worker);
	return worker->enlisted; /* opened() enlists a session that is not open yet */
}

/* Cancels, or rolls back. Where nothing is left that takes no session: the table may be gone, or the worker
 * login may not log in. */
static void take_back(struct worker *worker)
{
	struct task *task = &worker->task;

	if (worker->goal == STAGE_ROLLED_BACK && task->job.stage != STAGE_ROLLING_BACK)
		start_move(worker, STAGE_ROLLING_BACK, NULL);
	else if (!something_is_left(worker))
		start_move(worker, worker->goal, NULL);
	else if (!task->session)
		open_session(worker);
	else if (is_enlisted(worker))
		worker->builder = builder_new(task, way_back(worker), part_ended, worker);
}

static const struct filling_events filling_events = {.done = part_ended, .held = filling_held};

static void work(struct worker *worker)
{
	struct task *task = &worker->task;

	if (worker->stopping)
		return;
	if (worker->goal != STAGE_DONE) {
		take_back(worker);
		return;
	}
	if (!is_enlisted(worker))
		return;
	switch (task->job.stage) {
	case STAGE_PLANNING:
		worker->planner = planner_new(task, part_ended, worker);
		return;
	case STAGE_ADDING:
	case STAGE_INDEXING:
	case STAGE_SEALING:
	case STAGE_ANALYZING:
		worker->builder = builder_new(task, task->job.stage, part_ended, worker);
		return;
	case STAGE_FILLING:
		worker->filling = filling_new(task, &filling_events, worker);
		return;
	case STAGE_QUEUED:
		leave_stage(worker);
		return;
	case STAGE_DONE:
	case STAGE_FAILED:
	case STAGE_CANCELLED:
	case STAGE_ROLLING_BACK:
	case STAGE_ROLLED_BACK:
		worker_stop(worker);
		return;
	}
}

static bool has_ended(enum stage stage)
{
	return stage == STAGE_DONE || stage == STAGE_FAILED || stage == STAGE_CANCELLED ||
		   stage == STAGE_ROLLED_BACK;
}

static void moved(void *owner, const struct fault *why)
{
	struct worker *worker = owner;
	struct log_about about = task_about(&worker->task);
	enum stage to = move_to(worker->move);

	if (why && why->kind != FAULT_FENCED)
		log_error(&about, "the control tables do not take that job %" PRId64 " is %s: %s",
			worker->task.job.id, stage_name(to), why->message);
	move_free(worker->move);
	worker->move = NULL;
	if (why) {
		worker_abandon(worker);
		return;
	}
	report(worker);
	if (worker->task.job.stage != to || has_ended(to))
		worker_stop(worker);
	else
		work(worker);
}

static void start_move(struct worker *worker, enum stage to, const struct fault *why)
{
	struct task *task = &worker->task;
	struct text kept = {0};

	if (task->relation.column_number > 0)
		task->job.column_number = task->relation.column_number;
	if (to == STAGE_CANCELLED || to == STAGE_ROLLED_BACK)
		change_kept(&task->job, &task->relation, to, &kept);
	worker->move = move_new(task,
		&(struct queue_move){
			.to = to,
			.why = why,
			.kept = kept.length > 0 ? text_is(&kept) : NULL,
			.goal = worker->goal,
			.column_number = task->relation.column_number,
		},
		moved, worker);
	text_free(&kept);
}

/* The way out: parts at rest, then the claim is given back. */
static bool parts_at_rest(const struct worker *worker)
{
	if (worker->filling && !filling_at_rest(worker->filling))
		return false;
	return !worker->builder || builder_at_rest(worker->builder);
}

static void settle(struct worker *worker)
{
	if (parts_at_rest(worker)) {
		put_down(worker);
		return;
	}
	if (!worker->cancelled && clock_ms() - worker->stopping_since_ms > CANCEL_AFTER_MS) {
		worker->cancelled = true;
		queue_cancel_batches(worker->task.control, &worker->task.job);
	}
	after(worker, SETTLE_AGAIN_MS, settle);
}

void worker_stop(struct worker *worker)
{
	if (worker->stopping)
		return;
	worker->stopping = true;
	worker->stopping_since_ms = clock_ms();
	if (worker->builder)
		builder_stop(worker->builder);
	if (worker->filling)
		filling_stop(worker->filling);
	session_forget(worker->task.control, worker);
	after(worker, 0, settle);
}

/* Also when the stop came while that was being put on record. */
static bool has_failed(const struct worker *worker)
{
	return worker->task.job.stage == STAGE_FAILED || (worker->move && move_to(worker->move) == STAGE_FAILED);
}

static void released(void *owner, const struct reply *reply)
{
	struct worker *worker = owner;

	if (reply_fault(reply) && task_may_retry(reply_fault(reply)))
		after(worker, CONTROL_RETRY_MS, put_down);
	else
		worker->ended(worker->owner, worker, has_failed(worker));
}

static void put_down(struct worker *worker)
{
	struct task *task = &worker->task;

	report(worker);
	end_parts(worker);
	session_free(task->session);
	task->session = NULL;
	queue_release(task->control, task->job.id, task->job.epoch,
		worker->held_at != STAGE_HOLD_NONE ? stage_hold_name(worker->held_at) : NULL,
		task->relation.column_number, released, worker);
}

static void tell_ended(struct worker *worker)
{
	worker->ended(worker->owner, worker, false);
}

void worker_abandon(struct worker *worker)
{
	struct log_about about = task_about(&worker->task);

	log_warning(
		&about, "job %" PRId64 " is no longer held by this daemon; putting it down", worker->task.job.id);
	worker->stopping = true;
	session_forget(worker->task.control, worker);
	end_parts(worker);
	session_free(worker->task.session);
	worker->task.session = NULL;
	loop_timer_stop(worker->tick);
	after(worker, 0, tell_ended);
}

void worker_update(struct worker *worker, const struct queue_entry *entry)
{
	struct job *job = &worker->task.job;

	job_follow(job, &entry->job);
	if (job->wanted == JOB_PAUSE || job_goal(job) != worker->goal)
		worker_stop(worker);
	else if (worker->filling)
		filling_update(worker->filling);
}

int64_t worker_job_id(const struct worker *worker)
{
	return worker->task.job.id;
}

static void report(struct worker *worker)
{
	struct filling_progress filled;

	if (worker->filling)
		filling_read_progress(worker->filling, &filled);
	progress_tell(&worker->progress, &worker->task, worker->filling ? &filled : NULL, clock_ms());
}

static void tick(void *owner)
{
	struct worker *worker = owner;

	loop_timer_after(worker->tick, TICK_MS);
	if (!worker->stopping && session_open_questions(worker->task.control) < 32)
		report(worker);
}

void worker_describe(const struct worker *worker, struct text *line)
{
	struct filling_progress filled;

	if (worker->filling)
		filling_read_progress(worker->filling, &filled);
	progress_describe(&worker->task.job, worker->filling ? &filled : NULL, line);
}
