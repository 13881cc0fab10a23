#include "daemon/survey.h"

#include "common/memory.h"
#include "common/quote.h"
#include "common/text.h"
#include "daemon/pressure.h"
#include "sql.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* pg_stat_bgwriter lost its checkpoints to pg_stat_checkpointer. */
#define CHECKPOINTER_SINCE 170000

const char *survey_part_name(enum survey_part part)
{
	static const char *const names[SURVEY_PARTS] = {
		[SURVEY_RIGHTS] = "statistics",
		[SURVEY_TRACKING] = "track_activities and track_counts",
		[SURVEY_SLOTS] = "pg_replication_slots",
		[SURVEY_ARCHIVER] = "pg_stat_archiver and pg_ls_archive_statusdir()",
		[SURVEY_CHECKPOINTS] = "checkpoints",
		[SURVEY_HORIZON] = "xmin horizon",
		[SURVEY_TRAFFIC] = "pg_stat_database",
		[SURVEY_VACUUMS] = "pg_stat_progress_vacuum",
		[SURVEY_TABLES] = "pg_stat_all_tables",
	};

	return names[part];
}

char *survey_missing_rights(const char *login)
{
	struct text text = {0};

	text_addf(&text, "login %s may not read all statistics: GRANT pg_monitor TO ", login);
	quote_name(&text, login);
	return text_take(&text);
}

char *survey_missing(enum survey_part part, const char *login)
{
	if (part == SURVEY_TRACKING)
		return memory_text(
			"track_activities and track_counts must be on, or nothing tells what the application "
			"does and who waits: ALTER SYSTEM SET … = on, SELECT pg_reload_conf()");
	return survey_missing_rights(login);
}

/* ---- tables ---- */

static struct survey_table *find_table(const struct survey *survey, uint32_t oid)
{
	for (size_t i = 0; i < survey->tables_count; i++) {
		if (survey->tables[i].oid == oid)
			return &survey->tables[i];
	}
	return NULL;
}

void survey_add_table(struct survey *survey, uint32_t oid)
{
	if (find_table(survey, oid))
		return;
	survey->tables = memory_resize(survey->tables, (survey->tables_count + 1) * sizeof(survey->tables[0]));
	survey->tables[survey->tables_count++] = (struct survey_table){.oid = oid};
}

void survey_drop_table(struct survey *survey, uint32_t oid)
{
	struct survey_table *table = find_table(survey, oid);

	if (table)
		*table = survey->tables[--survey->tables_count];
}

static bool is_one_of(uint32_t oid, const uint32_t *oids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (oids[i] == oid)
			return true;
	}
	return false;
}

bool survey_read_table(const struct survey *survey, uint32_t oid, const uint32_t *parts, size_t parts_count,
	struct signals_table *ret_table)
{
	const struct survey_table *table = find_table(survey, oid);

	if (!table || table->surveyed_ms == 0)
		return false;
	*ret_table = (struct signals_table){.surveyed_ms = table->surveyed_ms, .dead_rows = table->dead_rows};
	for (size_t i = 0; i < survey->vacuums_count; i++) {
		const struct survey_vacuum *vacuum = &survey->vacuums[i];

		if (ret_table->vacuum != SIGNALS_WRAPAROUND && is_one_of(vacuum->table_oid, parts, parts_count))
			ret_table->vacuum = vacuum->wraparound ? SIGNALS_WRAPAROUND : SIGNALS_AUTOVACUUM;
	}
	return true;
}

/* ---- asking ---- */

static void bind_tables(struct script *script, const struct survey *survey)
{
	struct text oids = {0};

	text_add(&oids, "{");
	for (size_t i = 0; i < survey->tables_count; i++)
		text_addf(&oids, "%s%" PRIu32, i ? "," : "", survey->tables[i].oid);
	text_add(&oids, "}");
	script_bind(script, text_is(&oids));
	text_free(&oids);
}

static void add_part(
	struct script *script, const struct survey *survey, enum survey_part part, int server_version)
{
	switch (part) {
	case SURVEY_RIGHTS:
		script_add_prepared(script, sql_survey_rights);
		return;
	case SURVEY_TRACKING:
		script_add_prepared(script, sql_survey_tracking);
		return;
	case SURVEY_SLOTS:
		script_add_prepared(script, sql_survey_slots);
		return;
	case SURVEY_ARCHIVER:
		script_add_prepared(script, sql_survey_archiver);
		return;
	case SURVEY_CHECKPOINTS:
		script_add_prepared(
			script, server_version < CHECKPOINTER_SINCE ? sql_survey_checkpoints : sql_survey_checkpoints_17);
		return;
	case SURVEY_HORIZON:
		script_add_prepared(script, sql_survey_horizon);
		return;
	case SURVEY_TRAFFIC:
		script_add_prepared(script, sql_survey_traffic);
		return;
	case SURVEY_VACUUMS:
		script_add_prepared(script, sql_survey_vacuums);
		return;
	case SURVEY_TABLES:
		script_add_prepared(script, sql_survey_tables);
		bind_tables(script, survey);
		return;
	case SURVEY_PARTS:
		break;
	}
	assert(false); /* all parts stand above */
}

void survey_ask(struct session *session, const struct survey *survey, enum survey_part first,
	enum survey_part last, session_answer *answer, void *owner)
{
	struct script *script = script_new();

	for (enum survey_part part = first; part <= last; part++)
		add_part(script, survey, part, session_server_version(session));
	session_ask(session, script, PRESSURE_DEADLINE_MS, answer, owner);
}

/* ---- reading ---- */

static enum signals_wal_status wal_status_of(const char *name)
{
	if (strcmp(name, "extended") == 0)
		return SIGNALS_WAL_EXTENDED;
	if (strcmp(name, "unreserved") == 0)
		return SIGNALS_WAL_UNRESERVED;
	if (strcmp(name, "lost") == 0)
		return SIGNALS_WAL_LOST;
	return SIGNALS_WAL_RESERVED;
}

static bool was_lost(const struct survey *survey, const char *name)
{
	for (size_t i = 0; i < survey->slots_count; i++) {
		if (strcmp(survey->slots[i].name, name) == 0)
			return survey->slots[i].wal_status == SIGNALS_WAL_LOST;
	}
	return false;
}

/* What nobody can help any more must not stop the fill; but it is told. */
static char *find_newly_lost(const struct survey *survey, const struct reply *reply, size_t at)
{
	struct text names = {0};

	for (size_t row = 0; row < reply_rows(reply, at); row++) {
		const char *name = reply_text(reply, at, row, "slot_name");

		if (wal_status_of(reply_text(reply, at, row, "wal_status")) == SIGNALS_WAL_LOST &&
			!was_lost(survey, name))
			text_addf(&names, "%s%s", names.length > 0 ? ", " : "", name);
	}
	return names.length > 0 ? text_take(&names) : NULL;
}

static void forget_slots(struct survey *survey)
{
	for (size_t i = 0; i < survey->slots_count; i++)
		free((char *)survey->slots[i].name);
	free(survey->slots);
	survey->slots = NULL;
	survey->slots_count = 0;
}

static void read_slots(struct survey *survey, const struct reply *reply, size_t at)
{
	size_t rows = reply_rows(reply, at);

	free(survey->newly_lost);
	survey->newly_lost = find_newly_lost(survey, reply, at);
	forget_slots(survey);
	survey->slots = memory_new((rows + 1) * sizeof(survey->slots[0]));
	for (size_t row = 0; row < rows; row++) {
		survey->slots[survey->slots_count++] = (struct signals_slot){
			.name = memory_text(reply_text(reply, at, row, "slot_name")),
			.wal_status = wal_status_of(reply_text(reply, at, row, "wal_status")),
			.safe_bytes = reply_int(reply, at, row, "safe_bytes", -1),
			.retained_bytes = reply_int(reply, at, row, "retained_bytes", 0),
		};
	}
}

static void read_archiver(struct survey *survey, const struct reply *reply, size_t at)
{
	bool archives = reply_bool(reply, at, 0, "really");

	survey->archiver_waiting = archives ? reply_int(reply, at, 0, "waiting", 0) : -1;
	memory_set_text(&survey->archiver_failing, reply_text(reply, at, 0, "failing"));
}

static void read_horizon(struct survey *survey, const struct reply *reply, size_t at)
{
	bool held = reply_rows(reply, at) > 0;

	survey->horizon_xids = held ? reply_int(reply, at, 0, "xids", 0) : 0;
	survey->horizon_held_s = held ? reply_int(reply, at, 0, "held_s", -1) : -1;
	memory_set_text(&survey->horizon_who, held ? reply_text(reply, at, 0, "who") : NULL);
}

/* Through a tunnel a server on another machine looks near too: it is here when its process is. */
static bool is_here(const char *way, int64_t server_pid)
{
	if (strcmp(way, "socket") == 0)
		return true;
	return strcmp(way, "loopback") == 0 && server_pid > 0 &&
		   (kill((pid_t)server_pid, 0) == 0 || errno == EPERM);
}

static void read_traffic(struct survey *survey, const struct reply *reply, size_t at, int64_t now_ms)
{
	survey->traffic = (struct signals_traffic){
		.counted_ms = now_ms,
		.connection = survey->connection,
		.scope = reply_int(reply, at, 0, "scope", 0),
		.transactions = reply_int(reply, at, 0, "transactions", 0),
		.active_ms = reply_real(reply, at, 0, "active_ms", 0),
		.busy_sessions = reply_int(reply, at, 0, "busy_sessions", 0),
	};
	survey->cores = is_here(reply_text(reply, at, 0, "way"), reply_int(reply, at, 0, "server_pid", 0))
						? (int)sysconf(_SC_NPROCESSORS_ONLN)
						: 0;
}

static void read_vacuums(struct survey *survey, const struct reply *reply, size_t at)
{
	size_t rows = reply_rows(reply, at);

	survey->vacuums = memory_resize(survey->vacuums, (rows + 1) * sizeof(survey->vacuums[0]));
	survey->vacuums_count = rows;
	for (size_t row = 0; row < rows; row++)
		survey->vacuums[row] = (struct survey_vacuum){
			.table_oid = (uint32_t)reply_int(reply, at, row, "table_oid", 0),
			.wraparound = reply_bool(reply, at, row, "wraparound"),
		};
}

static void read_tables(struct survey *survey, const struct reply *reply, size_t at, int64_t now_ms)
{
	for (size_t row = 0; row < reply_rows(reply, at); row++) {
		struct survey_table *table = find_table(survey, (uint32_t)reply_int(reply, at, row, "table_oid", 0));

		if (!table)
			continue; /* nobody asks any more */
		table->surveyed_ms = now_ms;
		table->dead_rows = reply_int(reply, at, row, "dead_rows", 0);
	}
}

bool survey_read(
	struct survey *survey, enum survey_part part, const struct reply *reply, size_t statement, int64_t now_ms)
{
	switch (part) {
	case SURVEY_RIGHTS:
		return reply_bool(reply, statement, 0, "sees");
	case SURVEY_TRACKING:
		return reply_bool(reply, statement, 0, "tracks");
	case SURVEY_SLOTS:
		read_slots(survey, reply, statement);
		return true;
	case SURVEY_ARCHIVER:
		read_archiver(survey, reply, statement);
		return true;
	case SURVEY_CHECKPOINTS:
		survey->checkpoints_asked = reply_int(reply, statement, 0, "asked", 0);
		return true;
	case SURVEY_HORIZON:
		read_horizon(survey, reply, statement);
		return true;
	case SURVEY_TRAFFIC:
		read_traffic(survey, reply, statement, now_ms);
		return true;
	case SURVEY_VACUUMS:
		read_vacuums(survey, reply, statement);
		return true;
	case SURVEY_TABLES:
		read_tables(survey, reply, statement, now_ms);
		return true;
	case SURVEY_PARTS:
		break;
	}
	assert(false); /* all parts stand above */
	return false;
}

void survey_tell(const struct survey *survey, struct signals *signals)
{
	signals->slots = survey->slots;
	signals->slots_count = survey->slots_count;
	signals->archiver_waiting = survey->archiver_waiting;
	signals->archiver_failing = survey->archiver_failing;
	signals->checkpoints_asked = survey->checkpoints_asked;
	signals->horizon.xids = survey->horizon_xids;
	signals->horizon.held_s = survey->horizon_held_s;
	signals->horizon.who = survey->horizon_who;
	signals->traffic = survey->traffic;
	signals->cores = survey->cores;
}

void survey_free(struct survey *survey)
{
	forget_slots(survey);
	free(survey->newly_lost);
	free(survey->archiver_failing);
	free(survey->horizon_who);
	free(survey->vacuums);
	free(survey->tables);
	*survey = (struct survey){0};
}
