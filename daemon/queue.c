#include "daemon/queue_inside.h"

#include "common/memory.h"
#include "sql.h"

#include <stdlib.h>
#include <unistd.h>

struct script *queue_script(const char *sql)
{
	struct script *script = script_new();

	script_add_prepared(script, sql);
	return script;
}

void queue_ask(struct session *control, struct script *script, session_answer *answer, void *owner)
{
	session_ask(control, script, QUEUE_DEADLINE_MS, answer, owner);
}

static void bind_or_null(struct script *script, int64_t number)
{
	if (number < 0)
		script_bind(script, NULL);
	else
		script_bind_int(script, number);
}

void queue_hello(struct session *control, session_answer *answer, void *owner)
{
	queue_ask(control, queue_script(sql_hello), answer, owner);
}

void queue_read_hello(const struct reply *reply, struct queue_database *ret_database)
{
	*ret_database = (struct queue_database){
		.server_version = (char *)reply_text(reply, 0, 0, "server_version"),
		.in_recovery = reply_bool(reply, 0, 0, "in_recovery"),
		.installed = reply_bool(reply, 0, 0, "installed"),
		.monitors = reply_bool(reply, 0, 0, "monitors"),
		.signals = reply_bool(reply, 0, 0, "signals"),
		.owns = reply_bool(reply, 0, 0, "owns"),
		.backend_pid = (int)reply_int(reply, 0, 0, "backend_pid", 0),
		.shared_buffers = reply_int(reply, 0, 0, "shared_buffers", 0),
		.block_size = (int)reply_int(reply, 0, 0, "block_size", 8192),
	};
}

void queue_version(struct session *control, session_answer *answer, void *owner)
{
	queue_ask(control, queue_script(sql_version), answer, owner);
}

int queue_read_version(const struct reply *reply)
{
	return reply_rows(reply, 0) > 0 ? (int)reply_int(reply, 0, 0, "version", 0) : 0;
}

void queue_seen(struct session *control, const char *holder)
{
	struct script *script = queue_script(sql_seen);

	script_bind(script, holder);
	script_bind(script, BACKFILLD_VERSION);
	script_bind_int(script, getpid());
	queue_ask(control, script, NULL, NULL);
}

void queue_gone(struct session *control, const char *holder, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_gone);

	script_bind(script, holder);
	queue_ask(control, script, answer, owner);
}

void queue_find_reborn(struct session *control)
{
	queue_ask(control, queue_script(sql_reborn), NULL, NULL);
}

void queue_read_evidence(struct session *control)
{
	queue_ask(control, queue_script(sql_evidence), NULL, NULL);
}

void queue_explain_waiting(struct session *control, bool no_place_free)
{
	struct script *script = queue_script(sql_waiting);

	script_bind_bool(script, no_place_free);
	queue_ask(control, script, NULL, NULL);
}

void queue_claim(
	struct session *control, int64_t job_id, const char *holder, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_claim);

	script_bind_int(script, job_id);
	script_bind(script, holder);
	script_bind_int(script, QUEUE_LEASE_MS);
	queue_ask(control, script, answer, owner);
}

int64_t queue_read_claim(const struct reply *reply)
{
	if (reply_fault(reply) || reply_rows(reply, 0) == 0)
		return 0;
	return reply_int(reply, 0, 0, "epoch", 0);
}

void queue_renew(struct session *control, const char *holder, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_renew);

	script_bind(script, holder);
	script_bind_int(script, QUEUE_LEASE_MS);
	queue_ask(control, script, answer, owner);
}

void queue_release(struct session *control, int64_t job_id, int64_t epoch, const char *held_at,
	int column_number, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_release);

	script_bind_int(script, job_id);
	script_bind_int(script, epoch);
	script_bind(script, held_at);
	script_bind_int(script, column_number);
	queue_ask(control, script, answer, owner);
}

/* Where `run` goes on; NULL: nowhere. Every step of adding is passed over where it is done already. */
static const char *resume_stage(const struct job *job, const struct queue_move *move)
{
	if (move->to == STAGE_FAILED)
		return stage_name(move->goal == STAGE_ROLLED_BACK ? STAGE_ROLLING_BACK : job->stage);
	if (move->to == STAGE_CANCELLED)
		return stage_name(job->stage > STAGE_ADDING ? STAGE_ADDING : job->stage);
	return NULL;
}

static const char *move_reason(const struct job *job, const struct queue_move *move)
{
	if (move->to == STAGE_ADDING && move->goal == STAGE_CANCELLED)
		return "to be cancelled: what it needs to go on is taken away";
	return stage_move_reason(job->stage, move->to);
}

void queue_move(struct session *control, const struct job *job, const struct queue_move *move,
	session_answer *answer, void *owner)
{
	const struct fault *why = move->why;
	struct script *script = queue_script(sql_move);
	char *error = NULL;

	if (why)
		error = why->detail ? memory_textf("%s (%s)", why->message, why->detail) : memory_text(why->message);
	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, stage_name(move->to));
	script_bind(script, move_reason(job, move));
	script_bind(script, error);
	script_bind(script, why && why->sqlstate[0] ? why->sqlstate : NULL);
	script_bind(script, why ? why->hint : NULL);
	script_bind(script, resume_stage(job, move));
	script_bind(script, move->kept);
	script_bind_bool(script, move->goal != STAGE_DONE);
	script_bind_int(script, move->column_number);
	free(error);
	queue_ask(control, script, answer, owner);
}

void queue_rename(struct session *control, const struct job *job, const char *table_name)
{
	struct script *script = queue_script(sql_rename);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, job->table_name);
	script_bind(script, table_name);
	queue_ask(control, script, NULL, NULL);
}

bool queue_read_move(const struct reply *reply, bool *ret_overtaken)
{
	if (reply_rows(reply, 0) == 0)
		return false;
	*ret_overtaken = reply_bool(reply, 0, 0, "overtaken");
	return true;
}

void queue_tell(struct session *control, const struct job *job, const struct queue_event *event,
	session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_event);

	script_bind_int(script, job->id);
	script_bind(script, event->kind);
	script_bind(script, stage_name(job->stage));
	script_bind(script, event->detail);
	script_bind(script, event->statement);
	bind_or_null(script, event->lock_wait_ms);
	bind_or_null(script, event->duration_ms);
	bind_or_null(script, event->rows);
	script_bind_int(script, job->epoch);
	queue_ask(control, script, answer, owner);
}

bool queue_read_told(const struct reply *reply)
{
	return reply_affected(reply, 0) == 1;
}

static void bind_real_or_null(struct script *script, double number)
{
	char *text = number < 0.0 ? NULL : memory_textf("%.3f", number);

	script_bind(script, text);
	free(text);
}

void queue_tell_progress(struct session *control, const struct job *job, const struct queue_report *report)
{
	struct script *script = queue_script(sql_report);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, report->waiting_for);
	bind_or_null(script, report->rows_estimate);
	script_bind_int(script, report->blocks_done);
	script_bind_int(script, report->blocks_total);
	bind_real_or_null(script, report->rows_per_s);
	bind_real_or_null(script, report->seconds_left);
	bind_or_null(script, report->lag_ms);
	script_bind_int(script, report->throttled_ms);
	script_bind(script, report->forecast);
	bind_real_or_null(script, report->earliest_s);
	bind_real_or_null(script, report->latest_s);
	script_bind(script, report->doing);
	queue_ask(control, script, NULL, NULL);
}

void queue_reap(
	struct session *control, const struct job *job, int filler, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_reap);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	queue_ask(control, script, answer, owner);
}

int64_t queue_read_reap(const struct reply *reply, int *ret_pid)
{
	*ret_pid = (int)reply_int(reply, 0, 0, "pid", 0);
	return reply_int(reply, 0, 0, "left_over", 0);
}

void queue_enlist(
	struct session *control, const struct job *job, int filler, int pid, session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_enlist);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	script_bind_int(script, pid);
	queue_ask(control, script, answer, owner);
}

bool queue_read_enlist(const struct reply *reply)
{
	return reply_rows(reply, 0) == 1;
}

static void cancel(struct session *control, const struct job *job, const char *filler)
{
	struct script *script = queue_script(sql_cancel_batches);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, filler);
	queue_ask(control, script, NULL, NULL);
}

void queue_cancel_batches(struct session *control, const struct job *job)
{
	cancel(control, job, NULL);
}

void queue_cancel_vacuum(struct session *control, const struct job *job)
{
	cancel(control, job, "-1");
}
