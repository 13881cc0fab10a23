#include "daemon/batch.h"

#include "common/quote.h"
#include "common/text.h"
#include "daemon/authority.h"
#include "daemon/pending.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Beyond the statement's own timeout only a dead server stays silent. */
#define DEADLINE_BEYOND_MS 10000

enum {
	BEFORE_AT = AUTHORITY_STATEMENTS,
	FILL_AT,
	AFTER_AT,
};

/* $1: the table. Statistics of the transactions before are still in there: the difference is ours. */
#define SQL_MEASURE                                                                                          \
	"SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000 AS ms,"                       \
	" pg_catalog.pg_stat_get_xact_tuples_updated($1) AS updated,"                                            \
	" pg_catalog.pg_stat_get_xact_tuples_hot_updated($1) AS hot,"

/*
 * The server tells the WAL of this statement alone, whoever else writes meanwhile. Without timing it costs
 * nothing that could be measured (README, "How it keeps its pace").
 */
#define SQL_EXPLAIN "EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF, BUFFERS OFF, SUMMARY OFF, FORMAT JSON) "
#define WAL_BYTES "\"WAL Bytes\": "
#define WAL_RECORDS "\"WAL Records\": "

static const char *const sql_before =
	SQL_MEASURE " pg_catalog.current_setting('track_counts') = 'on' AS counted,"
				" pg_catalog.set_config('backfill.updated',"
				" pg_catalog.pg_stat_get_xact_tuples_updated($1)::text, true),"
				" pg_catalog.set_config('" PENDING_NAPPED "', '0', true)";

/* The pace tells the application's time from ours by the database's statistics: they must not come late. */
static const char *const sql_hand_in = "SELECT pg_catalog.pg_stat_force_next_flush()";
#define HAND_IN_SINCE 150000

#define SQL_AFTER                                                                                            \
	SQL_MEASURE                                                                                              \
	" pg_catalog.current_setting('" PENDING_NAPPED "') AS napped_ms,"                                        \
	" backfill.move_bookmark($2, $3, CASE"                                                                   \
	" WHEN ($7::text IS NULL OR pg_catalog.to_regclass($7)::pg_catalog.oid = $1)"                            \
	" AND ($9::text IS NULL OR pg_catalog.current_setting('backfill.batch', true) = $9)"                     \
	" THEN $4::bigint ELSE -1 END, $5, $6, "

/* Last, since the one before is looked for above; it is as good as the transaction is. And then all is done
 * but for the COMMIT. */
#define SQL_NUMBER                                                                                           \
	", pg_catalog.set_config('backfill.batch', $8, false),"                                                  \
	" pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.now()) * 1000 AS active_ms"

static const char *const sql_after =
	SQL_AFTER "pg_catalog.pg_stat_get_xact_tuples_updated($1)"
			  " - pg_catalog.current_setting('backfill.updated')::bigint) AS rows" SQL_NUMBER;

static const char *const sql_after_counting =
	SQL_AFTER "pg_catalog.current_setting('backfill.rows')::bigint) AS rows" SQL_NUMBER;

/*
 * The server's statistics count the rows for nothing; RETURNING takes 8 % of the fill (README, "How it
 * fills"). They say nothing of rows whose value came out, or was made by a trigger, NULL.
 */
static bool must_count(const struct batch_order *order)
{
	return !order->server_counts || order->job->volatile_value || order->relation->update_triggers;
}

/* In the expressions the job's table is meant, whichever of its tree the rows are in. */
static void add_table(struct text *sql, const struct batch_order *order)
{
	char *bare;

	if (!order->leaf) {
		text_addf(sql, "ONLY %s", order->job->table_name);
		return;
	}
	bare = job_bare_table(order->job);
	text_addf(sql, "ONLY %s AS ", order->leaf);
	quote_name(sql, bare);
	free(bare);
}

/* Another table may have taken a leaf's name by now. */
static void add_where(struct text *sql, const struct batch_order *order)
{
	text_add(sql, " WHERE ");
	if (order->leaf)
		text_addf(sql, "tableoid = %" PRIu32 " AND ", order->oid);
}

/* The array keeps this a scan by ctid; joined to the sub-select it would read the whole table. */
static void add_skip_locked(struct text *sql, const struct batch_order *order)
{
	text_add(sql, "ctid = ANY (ARRAY(SELECT ctid FROM ");
	add_table(sql, order);
	add_where(sql, order);
	pending_add_batch(sql, order->job, order->stretch, &order->breath);
	text_add(sql, " FOR NO KEY UPDATE SKIP LOCKED))");
}

/*
 * To be parsed takes an eighth of a short batch's time. A tree may have more tables than a session should
 * keep statements for; and who skips locked rows will not do so for long.
 */
static bool is_kept(const struct batch_order *order)
{
	return !order->leaf && !order->skip_locked;
}

static void add_fill(struct text *sql, const struct batch_order *order)
{
	const struct job *job = order->job;

	text_add(sql, "UPDATE ");
	add_table(sql, order);
	text_add(sql, " SET ");
	quote_name(sql, job->column_name);
	text_add(sql, " = ");
	pending_add_value(sql, job);
	add_where(sql, order);
	if (order->skip_locked)
		add_skip_locked(sql, order);
	else
		pending_add_batch(sql, job, order->stretch, &order->breath);
}

static void add_counting_fill(struct text *sql, const struct batch_order *order)
{
	const struct job *job = order->job;

	text_add(sql, "WITH filled AS (");
	add_fill(sql, order);
	text_add(sql, " RETURNING ");
	if (job->sync == JOB_SYNC_DERIVE)
		text_add(sql, "true");
	else
		pending_add_filled(sql, job, "");
	text_add(sql,
		" AS has_value) SELECT pg_catalog.set_config('backfill.rows', pg_catalog.count(*)::text, true)"
		" FROM filled WHERE has_value");
}

static void add_statement(struct script *script, const struct batch_order *order)
{
	struct text sql = {0};

	text_add(&sql, SQL_EXPLAIN);
	if (must_count(order))
		add_counting_fill(&sql, order);
	else
		add_fill(&sql, order);
	if (is_kept(order))
		script_add_prepared(script, text_is(&sql));
	else
		script_add(script, text_is(&sql));
	pending_bind_batch(script, order->stretch, &order->breath);
	text_free(&sql);
}

static void add_before(struct script *script, const struct batch_order *order)
{
	script_add_prepared(script, sql_before);
	script_bind_int(script, order->oid);
}

static void add_after(struct script *script, const struct batch_order *order)
{
	script_add_prepared(script, must_count(order) ? sql_after_counting : sql_after);
	script_bind_int(script, order->oid);
	script_bind_int(script, order->job->id);
	script_bind_int(script, order->filler);
	script_bind_int(script, order->job->epoch);
	script_bind_int(script, order->stretch->then.pass);
	script_bind_int(script, order->stretch->then.page);
	/* The fill holds its lock: whichever table has the name now, it was that one. */
	script_bind(script, order->leaf ? NULL : order->job->table_name);
	script_bind_int(script, order->number);
	if (order->follows)
		script_bind_int(script, order->number - 1);
	else
		script_bind(script, NULL);
}

bool batch_hands_in(int server_version)
{
	return server_version >= HAND_IN_SINCE;
}

void batch_add_hand_in(struct script *script, int server_version)
{
	if (batch_hands_in(server_version))
		script_add_prepared(script, sql_hand_in);
}

void batch_add(struct script *script, const struct batch_order *order)
{
	authority_begin(script, &(struct authority){
								.owner = order->relation->owner,
								.search_path = order->job->search_path,
								.synchronous_commit = order->synchronous_commit,
								.skip_triggers = order->job->skip_triggers,
								.lock_timeout_ms = order->job->knobs.lock_timeout_ms,
								.statement_timeout_ms = order->statement_timeout_ms,
							});
	add_before(script, order);
	add_statement(script, order);
	add_after(script, order);
	batch_add_hand_in(script, order->relation->server_version);
	script_add_prepared(script, "COMMIT");
}

int batch_statements(const struct batch_order *order)
{
	return AFTER_AT + 1 + batch_hands_in(order->relation->server_version) + 1;
}

int64_t batch_deadline_ms(const struct batch_order *order)
{
	return order->statement_timeout_ms + DEADLINE_BEYOND_MS;
}

static int64_t difference(const struct reply *reply, size_t first, const char *column)
{
	return reply_int(reply, first + AFTER_AT, 0, column, 0) -
		   reply_int(reply, first + BEFORE_AT, 0, column, 0);
}

/* Of the plan's topmost node: it stands for the whole statement, and first. */
static int64_t of_plan(const struct reply *reply, size_t first, const char *what)
{
	const char *plan = reply_text(reply, first + FILL_AT, 0, "QUERY PLAN");
	const char *at = plan ? strstr(plan, what) : NULL;

	return at ? strtoll(at + strlen(what), NULL, 10) : 0;
}

/* A user's code may set what it is read from to anything. */
static double napped(const struct reply *reply, size_t after, double active_ms)
{
	double ms = reply_real(reply, after, 0, "napped_ms", 0);

	return ms >= 0.0 && ms <= active_ms ? ms : 0.0;
}

void batch_read(const struct reply *reply, size_t first, struct batch_outcome *ret_outcome)
{
	size_t before = first + BEFORE_AT;
	size_t after = first + AFTER_AT;
	double active_ms = reply_real(reply, after, 0, "active_ms", 0);
	double napped_ms = napped(reply, after, active_ms);

	*ret_outcome = (struct batch_outcome){
		.rows = reply_int(reply, after, 0, "rows", 0),
		.updated = difference(reply, first, "updated"),
		.hot = difference(reply, first, "hot"),
		.wal_bytes = of_plan(reply, first, WAL_BYTES),
		.wal_records = of_plan(reply, first, WAL_RECORDS),
		.counted = reply_bool(reply, before, 0, "counted"),
		.took = {.ms =
					 reply_real(reply, after, 0, "ms", 0) - reply_real(reply, before, 0, "ms", 0) - napped_ms,
			.active_ms = active_ms - napped_ms,
			.napped_ms = napped_ms},
	};
}
