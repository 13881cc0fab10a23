#include "daemon/worker_inside.h"

#include "common/memory.h"
#include "daemon/catalog.h"
#include "daemon/fitness.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void enlist(struct worker *worker);

/* Of the control session. True: the fault was dealt with. */
static bool control_failed(struct worker *worker, const struct fault *why, void (*again)(struct worker *))
{
	if (!why)
		return false;
	if (task_may_retry(why))
		worker_after(worker, CONTROL_RETRY_MS, again);
	else
		worker_fail(worker, why);
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

void worker_look_again(struct worker *worker, const struct fault *why)
{
	const struct job *job = &worker->task.job;

	fault_copy(&worker->doubt, why);
	if (!why->hint || strcmp(why->sqlstate, "42703") != 0)
		fault_set_hint(&worker->doubt,
			"The job's table is called %s now, and its column %s. An expression that names them otherwise, "
			"or what is not there, fails: name it so again and set wanted = 'run', or set wanted = "
			"'roll_back' and ask anew.",
			job->table_name, job->column_name);
	worker_read_catalogue(worker);
}

static void got_catalogue(void *owner, const struct reply *reply)
{
	struct worker *worker = owner;
	struct task *task = &worker->task;
	struct fault why = {0};

	if (control_failed(worker, reply_fault(reply), worker_read_catalogue))
		return;
	catalog_read(reply, worker->context->server_version, &task->relation);
	if (worker->goal != STAGE_DONE && !task->relation.exists) {
		worker_take_back(worker);
		return;
	}
	if (!fitness_of_table(&task->job, &task->relation, &why) ||
		!fitness_of_column(&task->job, &task->relation, &why)) {
		worker_fail(worker, &why);
		fault_clear(&why);
		return;
	}
	if (!follow_name(worker) && worker->doubt.kind != FAULT_NONE) {
		worker_fail(worker, &worker->doubt);
		return;
	}
	fault_clear(&worker->doubt);
	if (worker->goal != STAGE_DONE)
		worker_take_back(worker);
	else if (task->session)
		worker_work(worker);
	else
		worker_open_session(worker);
}

void worker_read_catalogue(struct worker *worker)
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

void worker_open_session(struct worker *worker)
{
	struct task *task = &worker->task;

	task->conninfo = options_login_conninfo(worker->context->database, task->relation.owner);
	task->session = task_connect(task, NULL, &session_events, worker);
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
		worker_fail(worker, &told);
	else if (!worker->filling)
		worker_work(worker);
	fault_clear(&told);
}

static void enlist(struct worker *worker)
{
	worker->enlist = enlist_new(&worker->task, worker->task.session, ENLIST_BUILDER, enlisted, worker);
}

bool worker_is_enlisted(struct worker *worker)
{
	if (!worker->enlisted && session_is_open(worker->task.session) && !worker->enlist)
		enlist(worker);
	return worker->enlisted; /* opened() enlists a session that is not open yet */
}
