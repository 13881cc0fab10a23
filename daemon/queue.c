#include "daemon/queue.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/text.h"
#include "sql.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static struct script *script_of(const char *sql)
{
	struct script *script = script_new();

	script_add(script, sql);
	return script;
}

static void ask(struct session *control, struct script *script, session_answer *answer, void *owner)
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
	ask(control, script_of(sql_hello), answer, owner);
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
	ask(control, script_of(sql_version), answer, owner);
}

int queue_read_version(const struct reply *reply)
{
	return reply_rows(reply, 0) > 0 ? (int)reply_int(reply, 0, 0, "version", 0) : 0;
}

void queue_seen(struct session *control, const char *holder)
{
	struct script *script = script_of(sql_seen);

	script_bind(script, holder);
	script_bind(script, BACKFILLD_VERSION);
	script_bind_int(script, getpid());
	ask(control, script, NULL, NULL);
}

void queue_gone(struct session *control, const char *holder, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_gone);

	script_bind(script, holder);
	ask(control, script, answer, owner);
}

void queue_look(struct session *control, const char *holder, const struct job_knobs *defaults,
	session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_look);

	script_bind(script, holder);
	script_bind_int(script, defaults->batch_ms);
	script_bind_int(script, defaults->workers);
	script_bind_int(script, defaults->max_lag_ms);
	script_bind_int(script, defaults->lock_timeout_ms);
	script_bind_int(script, defaults->ddl_lock_timeout_ms);
	script_bind_int(script, defaults->lag_target_ms);
	script_bind_int(script, defaults->max_wal_rate);
	script_bind_int(script, defaults->max_impact);
	ask(control, script, answer, owner);
}

static struct job_knobs read_knobs(const struct reply *reply, size_t row)
{
	return (struct job_knobs){
		.batch_ms = (int)reply_int(reply, 0, row, "batch_ms", 0),
		.workers = (int)reply_int(reply, 0, row, "workers", 0),
		.max_lag_ms = (int)reply_int(reply, 0, row, "max_lag_ms", 0),
		.lag_target_ms = (int)reply_int(reply, 0, row, "lag_target_ms", 0),
		.max_wal_rate = reply_int(reply, 0, row, "max_wal_rate", 0),
		.max_impact = (int)reply_int(reply, 0, row, "max_impact", 0),
		.lock_timeout_ms = (int)reply_int(reply, 0, row, "lock_timeout_ms", 0),
		.ddl_lock_timeout_ms = (int)reply_int(reply, 0, row, "ddl_lock_timeout_ms", 0),
	};
}

static unsigned read_holds(const struct reply *reply, size_t row)
{
	return (reply_bool(reply, 0, row, "hold_add") ? STAGE_HOLD_ADD : 0u) |
		   (reply_bool(reply, 0, row, "hold_fill") ? STAGE_HOLD_FILL : 0u) |
		   (reply_bool(reply, 0, row, "hold_seal") ? STAGE_HOLD_SEAL : 0u);
}

static void read_texts(const struct reply *reply, size_t row, struct job *job)
{
	job->search_path = memory_text(reply_text(reply, 0, row, "search_path"));
	job->column_name = memory_text(reply_text(reply, 0, row, "column_name"));
	job->column_type = memory_text(reply_text(reply, 0, row, "column_type"));
	job->collation = memory_text(reply_text(reply, 0, row, "collation"));
	job->identity = memory_text(reply_text(reply, 0, row, "identity"));
	job->default_expr = memory_text(reply_text(reply, 0, row, "default_expr"));
	job->value = memory_text(reply_text(reply, 0, row, "value"));
	job->field = memory_text(reply_text(reply, 0, row, "field"));
	job->fill_where = memory_text(reply_text(reply, 0, row, "fill_where"));
	job->exact_type = memory_text(reply_text(reply, 0, row, "exact_type"));
	job->check_expr = memory_text(reply_text(reply, 0, row, "check_expr"));
	job->foreign_key = memory_text(reply_text(reply, 0, row, "foreign_key"));
	job->index = memory_text(reply_text(reply, 0, row, "index"));
	job->index_where = memory_text(reply_text(reply, 0, row, "index_where"));
	job->index_name = memory_text(reply_text(reply, 0, row, "index_name"));
	job->unique_name = memory_text(reply_text(reply, 0, row, "unique_name"));
	job->check_name = memory_text(reply_text(reply, 0, row, "check_name"));
	job->foreign_key_name = memory_text(reply_text(reply, 0, row, "foreign_key_name"));
}

static void read_window(const struct reply *reply, size_t row, struct job *job)
{
	int64_t closes_in_ms = reply_int(reply, 0, row, "window_closes_in_ms", -1);

	job->outside_window = reply_bool(reply, 0, row, "outside_window");
	job->window_closes_ms = closes_in_ms < 0 ? 0 : clock_ms() + closes_in_ms;
	job->opens_at = memory_text(reply_text(reply, 0, row, "opens_at"));
}

void queue_read_look(const struct reply *reply, size_t row, struct queue_entry *entry)
{
	struct job *job = &entry->job;

	queue_entry_clear(entry);
	read_texts(reply, row, job);
	job->id = reply_int(reply, 0, row, "id", 0);
	job->epoch = reply_int(reply, 0, row, "epoch", 0);
	job_name_table(job, reply_text(reply, 0, row, "table_name"));
	if (!stage_parse(reply_text(reply, 0, row, "stage"), &job->stage))
		job->stage = STAGE_QUEUED;
	job->wanted = job_wanted_parse(reply_text(reply, 0, row, "wanted"));
	job->table_oid = (uint32_t)reply_int(reply, 0, row, "table_oid", 0);
	job->sync = job_sync_parse(reply_text(reply, 0, row, "sync"), job->value != NULL);
	job->not_null = reply_bool(reply, 0, row, "not_null");
	job->adopted = reply_bool(reply, 0, row, "adopted");
	job->had_not_null = reply_bool(reply, 0, row, "had_not_null");
	job->had_default = reply_bool(reply, 0, row, "had_default");
	job->column_number = (int)reply_int(reply, 0, row, "column_number", 0);
	job->added = reply_bool(reply, 0, row, "added");
	job->rows_filled = reply_int(reply, 0, row, "rows_filled", 0);
	job->fast_default = reply_bool(reply, 0, row, "fast_default");
	job->skip_triggers = reply_bool(reply, 0, row, "skip_triggers");
	job->is_unique = reply_bool(reply, 0, row, "is_unique");
	job->volatile_value = reply_bool(reply, 0, row, "volatile_value");
	job->holds = read_holds(reply, row);
	job->knobs = read_knobs(reply, row);
	job->priority = (int)reply_int(reply, 0, row, "priority", 0);
	job_settle(job);
	read_window(reply, row, job);
	entry->mine = reply_bool(reply, 0, row, "mine");
	entry->elsewhere = reply_bool(reply, 0, row, "elsewhere");
	entry->rows_estimate = reply_int(reply, 0, row, "rows_estimate", -1);
	entry->throttled_ms = reply_int(reply, 0, row, "throttled_ms", 0);
}

void queue_entry_clear(struct queue_entry *entry)
{
	job_clear(&entry->job);
	*entry = (struct queue_entry){0};
}

void queue_find_reborn(struct session *control)
{
	ask(control, script_of(sql_reborn), NULL, NULL);
}

void queue_read_evidence(struct session *control)
{
	ask(control, script_of(sql_evidence), NULL, NULL);
}

void queue_explain_waiting(struct session *control, bool no_place_free)
{
	struct script *script = script_of(sql_waiting);

	script_bind_bool(script, no_place_free);
	ask(control, script, NULL, NULL);
}

void queue_claim(
	struct session *control, int64_t job_id, const char *holder, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_claim);

	script_bind_int(script, job_id);
	script_bind(script, holder);
	script_bind_int(script, QUEUE_LEASE_MS);
	ask(control, script, answer, owner);
}

int64_t queue_read_claim(const struct reply *reply)
{
	if (reply_fault(reply) || reply_rows(reply, 0) == 0)
		return 0;
	return reply_int(reply, 0, 0, "epoch", 0);
}

void queue_renew(struct session *control, const char *holder, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_renew);

	script_bind(script, holder);
	script_bind_int(script, QUEUE_LEASE_MS);
	ask(control, script, answer, owner);
}

void queue_release(struct session *control, int64_t job_id, int64_t epoch, const char *held_at,
	int column_number, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_release);

	script_bind_int(script, job_id);
	script_bind_int(script, epoch);
	script_bind(script, held_at);
	script_bind_int(script, column_number);
	ask(control, script, answer, owner);
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

void queue_move(struct session *control, const struct job *job, const struct queue_move *move,
	session_answer *answer, void *owner)
{
	const struct fault *why = move->why;
	struct script *script = script_of(sql_move);
	char *error = NULL;

	if (why)
		error = why->detail ? memory_textf("%s (%s)", why->message, why->detail) : memory_text(why->message);
	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, stage_name(move->to));
	script_bind(script, stage_move_reason(job->stage, move->to));
	script_bind(script, error);
	script_bind(script, why && why->sqlstate[0] ? why->sqlstate : NULL);
	script_bind(script, why ? why->hint : NULL);
	script_bind(script, resume_stage(job, move));
	script_bind(script, move->kept);
	script_bind_bool(script, move->goal != STAGE_DONE);
	script_bind_int(script, move->column_number);
	free(error);
	ask(control, script, answer, owner);
}

void queue_rename(struct session *control, const struct job *job, const char *table_name)
{
	struct script *script = script_of(sql_rename);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind(script, job->table_name);
	script_bind(script, table_name);
	ask(control, script, NULL, NULL);
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
	struct script *script = script_of(sql_event);

	script_bind_int(script, job->id);
	script_bind(script, event->kind);
	script_bind(script, stage_name(job->stage));
	script_bind(script, event->detail);
	script_bind(script, event->statement);
	bind_or_null(script, event->lock_wait_ms);
	bind_or_null(script, event->duration_ms);
	bind_or_null(script, event->rows);
	script_bind_int(script, job->epoch);
	ask(control, script, answer, owner);
}

static void bind_real_or_null(struct script *script, double number)
{
	char *text = number < 0.0 ? NULL : memory_textf("%.3f", number);

	script_bind(script, text);
	free(text);
}

void queue_tell_progress(struct session *control, const struct job *job, const struct queue_report *report)
{
	struct script *script = script_of(sql_report);

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
	ask(control, script, NULL, NULL);
}

void queue_reap(
	struct session *control, const struct job *job, int filler, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_reap);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	ask(control, script, answer, owner);
}

int64_t queue_read_reap(const struct reply *reply, int *ret_pid)
{
	*ret_pid = (int)reply_int(reply, 0, 0, "pid", 0);
	return reply_int(reply, 0, 0, "left_over", 0);
}

void queue_enlist(
	struct session *control, const struct job *job, int filler, int pid, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_enlist);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	script_bind_int(script, pid);
	ask(control, script, answer, owner);
}

bool queue_read_enlist(const struct reply *reply)
{
	return reply_rows(reply, 0) == 1;
}

void queue_cancel_batches(struct session *control, const struct job *job)
{
	struct script *script = script_of(sql_cancel_batches);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	ask(control, script, NULL, NULL);
}

/* Of what `elements` holds, which is released. */
static void bind_array(struct script *script, struct text *elements)
{
	char *array = memory_textf("{%s}", text_is(elements));

	script_bind(script, array);
	free(array);
	text_free(elements);
}

/* As two arrays, in the order of the walk; of a table that stands alone there is nothing to tell. */
static void bind_leaves(struct script *script, const struct relation *relation)
{
	struct text oids = {0};
	struct text pages = {0};
	size_t members = relation->members_count > 1 ? relation->members_count : 0;

	for (size_t i = 0; i < members; i++) {
		const struct member *member = &relation->members[i];

		if (!member_has_rows(member))
			continue;
		text_addf(&oids, "%s%" PRIu32, oids.length > 0 ? "," : "", member->oid);
		text_addf(&pages, "%s%" PRId64, pages.length > 0 ? "," : "", member->pages);
	}
	bind_array(script, &oids);
	bind_array(script, &pages);
}

/* What the walk goes over: the sum of what bind_leaves() tells, where it tells any. */
static int64_t pages_of(const struct relation *relation)
{
	int64_t pages = 0;

	if (relation->members_count <= 1)
		return relation->pages;
	for (size_t i = 0; i < relation->members_count; i++)
		if (member_has_rows(&relation->members[i]))
			pages += relation->members[i].pages;
	return pages;
}

void queue_start_walk(struct session *control, const struct job *job, const struct relation *relation,
	int sweep, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_walk_start);

	script_bind_int(script, job->id);
	script_bind_int(script, job->table_oid);
	script_bind_int(script, sweep);
	script_bind_int(script, pages_of(relation));
	script_bind_int(script, job->epoch);
	bind_leaves(script, relation);
	ask(control, script, answer, owner);
}

bool queue_read_walk(const struct reply *reply, struct queue_walk *ret_walk)
{
	if (reply_rows(reply, 0) == 0)
		return false;
	*ret_walk = (struct queue_walk){
		.sweep = (int)reply_int(reply, 0, 0, "sweep", 0),
		.pages = reply_int(reply, 0, 0, "pages", 0),
		.pages_done = reply_int(reply, 0, 0, "done", 0),
		.fresh = reply_bool(reply, 0, 0, "fresh"),
	};
	return true;
}

void queue_ask_window(struct session *control, const struct job *job, int filler, int64_t pages, int passes,
	const char *login, session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_walk_window);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	script_bind_int(script, pages);
	script_bind_int(script, passes);
	script_bind(script, login);
	ask(control, script, answer, owner);
}

bool queue_read_window(const struct reply *reply, struct queue_window *ret_window)
{
	if (reply_rows(reply, 0) == 0)
		return false;
	ret_window->oid = (uint32_t)reply_int(reply, 0, 0, "relation", 0);
	ret_window->leaf = reply_text(reply, 0, 0, "leaf");
	ret_window->gone = reply_bool(reply, 0, 0, "gone");
	ret_window->bookmark = (struct window_bookmark){
		.from_page = reply_int(reply, 0, 0, "window_from", 0),
		.end_page = reply_int(reply, 0, 0, "window_to", 0),
		.passes = (int)reply_int(reply, 0, 0, "passes", 1),
		.pass = (int)reply_int(reply, 0, 0, "pass", 0),
		.page = reply_int(reply, 0, 0, "page", 0),
	};
	return true;
}

void queue_leave(struct session *control, const struct job *job, int filler, uint32_t oid,
	session_answer *answer, void *owner)
{
	struct script *script = script_of(sql_walk_leave);

	script_bind_int(script, job->id);
	script_bind_int(script, job->epoch);
	script_bind_int(script, filler);
	script_bind_int(script, oid);
	ask(control, script, answer, owner);
}

bool queue_read_told(const struct reply *reply)
{
	return reply_affected(reply, 0) == 1;
}
