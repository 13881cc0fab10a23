#include "daemon/task.h"

#include "common/clock.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool task_may_retry(const struct fault *why)
{
	return why->kind == FAULT_BUSY || why->kind == FAULT_LINK || why->kind == FAULT_SCARCE;
}

void task_wish(const struct task *task, int fillers, int64_t now_ms, struct pace_wish *ret_wish)
{
	const struct job *job = &task->job;
	const char *opens_at = job->opens_at ? job->opens_at : "its next opening";

	*ret_wish = (struct pace_wish){
		.priority = job->priority,
		.fillers = fillers,
		.max_lag_ms = job->knobs.max_lag_ms,
		.lag_target_ms = job->knobs.lag_target_ms,
		.max_impact = job->knobs.max_impact,
		.max_wal_rate = job->knobs.max_wal_rate,
		.opens_at = job_in_window(job, now_ms) ? NULL : opens_at,
	};
}

void task_wait_for(struct task *task, const char *sentence_or_null)
{
	const char *sentence = sentence_or_null ? sentence_or_null : "";

	if (strcmp(text_is(&task->waiting_for), sentence) == 0)
		return;
	text_clear(&task->waiting_for);
	text_add(&task->waiting_for, sentence);
}

struct session *task_connect(
	const struct task *task, const char *as, const struct session_events *events, void *owner)
{
	char *name = memory_textf("backfilld job %" PRId64 "%s%s", task->job.id, as ? " " : "", as ? as : "");
	struct script *greeting = script_new();
	struct session *session;

	script_add(greeting, "SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false)");
	/* What the role or the database has by default is not meant for work that takes its time. Batches and
	 * ALTERs have limits of their own. (transaction_timeout: from 17 on.) */
	script_add(greeting, "SELECT pg_catalog.set_config(s.name, '0', false) FROM pg_catalog.pg_settings AS s"
						 " WHERE s.name IN ('statement_timeout', 'transaction_timeout')");
	session = session_new(task->loop, task->conninfo, name, greeting, events, owner);
	free(name);
	presence_enter(task->presence, session);
	return session;
}

void task_disconnect(const struct task *task, struct session *session)
{
	if (!session)
		return;
	presence_leave(task->presence, session, clock_ms());
	session_free(session);
}

struct log_about task_about(const struct task *task)
{
	return (struct log_about){
		.database = task->database,
		.job = task->job.id,
		.table = task->job.table_name,
		.stage = stage_name(task->job.stage),
	};
}
