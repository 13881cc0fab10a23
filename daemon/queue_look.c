#include "daemon/queue_inside.h"

#include "common/clock.h"
#include "common/memory.h"
#include "sql.h"

void queue_look(struct session *control, const char *holder, const struct job_knobs *defaults,
	session_answer *answer, void *owner)
{
	struct script *script = queue_script(sql_look);

	script_bind(script, holder);
	script_bind_int(script, defaults->batch_ms);
	script_bind_int(script, defaults->workers);
	script_bind_int(script, defaults->max_lag_ms);
	script_bind_int(script, defaults->lock_timeout_ms);
	script_bind_int(script, defaults->ddl_lock_timeout_ms);
	script_bind_int(script, defaults->lag_target_ms);
	script_bind_int(script, defaults->max_wal_rate);
	script_bind_int(script, defaults->max_impact);
	queue_ask(control, script, answer, owner);
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
