#include "daemon/catalog.h"

#include "common/memory.h"
#include "common/quote.h"
#include "common/text.h"
#include "daemon/authority.h"
#include "daemon/trigger.h"
#include "sql.h"

#include <inttypes.h>
#include <stdlib.h>

#define DEADLINE_MS 10000
/* Looking for a NULL may read the whole table. */
#define SCAN_DEADLINE_MS (INT64_C(6) * 3600 * 1000)

/* Binds the name that `text` holds and empties it. */
static void bind_name(struct script *script, struct text *text)
{
	script_bind(script, text_is(text));
	text_clear(text);
}

/* `name`: empty, and so it is again. */
static void ask_members(struct script *script, const struct job *job, struct text *name)
{
	script_add_prepared(script, sql_members);
	script_bind_int(script, job->table_oid);
	script_bind(script, job->column_name);
	trigger_add_name(name, job->id, TRIGGER_INSERT);
	bind_name(script, name);
	trigger_add_name(name, job->id, TRIGGER_UPDATE);
	bind_name(script, name);
	trigger_add_marker(name, job);
	bind_name(script, name);
	script_bind(script, job->index_name);
	script_bind(script, job->unique_name);
	script_bind(script, job->check_name);
	script_bind(script, job->foreign_key_name);
	script_bind_int(script, job->id);
}

void catalog_ask(struct session *control, const struct job *job, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	struct text name = {0};

	script_add_prepared(script, sql_relation);
	script_bind_int(script, job->table_oid);
	script_bind(script, job->column_name);
	trigger_add_name(&name, job->id, TRIGGER_INSERT);
	bind_name(script, &name);
	trigger_add_name(&name, job->id, TRIGGER_UPDATE);
	bind_name(script, &name);
	trigger_add_function_name(&name, job);
	bind_name(script, &name);
	text_addf(&name, "backfill_%" PRId64 "_not_null", job->id);
	bind_name(script, &name);
	trigger_add_marker(&name, job);
	bind_name(script, &name);
	script_bind_int(script, job->id);
	script_bind_int(script, job->column_number);
	trigger_add_counter_name(&name, job->id, TRIGGER_HELPED);
	bind_name(script, &name);
	trigger_add_counter_name(&name, job->id, TRIGGER_HELPED_AT);
	bind_name(script, &name);
	ask_members(script, job, &name);
	text_free(&name);
	session_ask(control, script, DEADLINE_MS, answer, owner);
}

static char *text_of(const struct reply *reply, const char *column)
{
	return memory_text(reply_text(reply, 0, 0, column));
}

static void read_table(const struct reply *reply, struct relation *relation)
{
	relation->table_name = text_of(reply, "table_name");
	relation->schema_name = text_of(reply, "schema_name");
	relation->owner = text_of(reply, "owner");
	relation->kind = reply_text(reply, 0, 0, "relkind")[0];
	relation->partitioned = relation->kind == 'p';
	relation->has_children = reply_bool(reply, 0, 0, "has_children");
	relation->requester_may = reply_bool(reply, 0, 0, "requester_may");
	relation->may_sleep = reply_bool(reply, 0, 0, "may_sleep");
	relation->forced_row_security = reply_bool(reply, 0, 0, "relforcerowsecurity");
	relation->update_triggers = text_of(reply, "update_triggers");
	relation->update_rules = text_of(reply, "update_rules");
	relation->publication = text_of(reply, "publication");
	relation->key_columns = text_of(reply, "key_columns");
	relation->stored_generated = text_of(reply, "stored_generated");
	relation->pages = reply_int(reply, 0, 0, "pages", 0);
	relation->rows = reply_real(reply, 0, 0, "reltuples", -1);
	relation->secondary_indexes = (int)reply_int(reply, 0, 0, "secondary_indexes", 0);
}

static void read_column(const struct reply *reply, struct relation *relation)
{
	relation->column_exists = reply_bool(reply, 0, 0, "column_exists");
	relation->column_number = (int)reply_int(reply, 0, 0, "column_number", 0);
	relation->column_now = text_of(reply, "column_now");
	relation->column_indexed = reply_bool(reply, 0, 0, "column_indexed");
	relation->column_generated = reply_bool(reply, 0, 0, "column_generated");
	relation->column_users = text_of(reply, "column_users");
	relation->column_type = text_of(reply, "column_type");
	relation->column_default = text_of(reply, "column_default");
	relation->column_not_null = reply_bool(reply, 0, 0, "column_not_null");
	relation->not_null_unvalidated = text_of(reply, "not_null_unvalidated");
	relation->insert_trigger_exists = reply_bool(reply, 0, 0, "insert_trigger_exists");
	relation->update_trigger_exists = reply_bool(reply, 0, 0, "update_trigger_exists");
	relation->function_name = text_of(reply, "function_name");
	relation->counters = text_of(reply, "counters");
	relation->control_login = text_of(reply, "control_login");
	relation->has_strays = reply_bool(reply, 0, 0, "has_strays");
	relation->check_exists = reply_bool(reply, 0, 0, "check_exists");
	relation->check_valid = reply_bool(reply, 0, 0, "check_valid");
}

#define MEMBERS_AT 1

static char *member_text(const struct reply *reply, size_t row, const char *column)
{
	return memory_text(reply_text(reply, MEMBERS_AT, row, column));
}

static void read_objects(const struct reply *reply, size_t row, struct member *member)
{
	member->index = (struct member_index){
		.name = member_text(reply, row, "index_name"),
		.exists = reply_bool(reply, MEMBERS_AT, row, "index_exists"),
		.valid = reply_bool(reply, MEMBERS_AT, row, "index_valid"),
		.attached = reply_bool(reply, MEMBERS_AT, row, "index_attached"),
	};
	member->unique = (struct member_index){
		.name = member_text(reply, row, "unique_name"),
		.exists = reply_bool(reply, MEMBERS_AT, row, "unique_exists"),
		.valid = reply_bool(reply, MEMBERS_AT, row, "unique_valid"),
		.is_constraint = reply_bool(reply, MEMBERS_AT, row, "unique_constrained"),
		.attached = reply_bool(reply, MEMBERS_AT, row, "unique_attached"),
	};
	member->check = (struct member_constraint){
		.exists = reply_bool(reply, MEMBERS_AT, row, "check_exists"),
		.valid = reply_bool(reply, MEMBERS_AT, row, "check_valid"),
	};
	member->foreign_key = (struct member_constraint){
		.exists = reply_bool(reply, MEMBERS_AT, row, "foreign_key_exists"),
		.valid = reply_bool(reply, MEMBERS_AT, row, "foreign_key_valid"),
	};
}

static void read_member(const struct reply *reply, size_t row, struct member *member)
{
	*member = (struct member){
		.oid = (uint32_t)reply_int(reply, MEMBERS_AT, row, "oid", 0),
		.parent_oid = (uint32_t)reply_int(reply, MEMBERS_AT, row, "parent_oid", 0),
		.name = member_text(reply, row, "name"),
		.schema_name = member_text(reply, row, "schema_name"),
		.bare_name = member_text(reply, row, "bare_name"),
		.owner = member_text(reply, row, "owner"),
		.kind = reply_text(reply, MEMBERS_AT, row, "relkind")[0],
		.temporary = reply_bool(reply, MEMBERS_AT, row, "temporary"),
		.is_partition = reply_bool(reply, MEMBERS_AT, row, "is_partition"),
		.key_columns = member_text(reply, row, "key_columns"),
		.pages = reply_int(reply, MEMBERS_AT, row, "pages", 0),
		.rows = reply_real(reply, MEMBERS_AT, row, "reltuples", -1),
		.joined = reply_bool(reply, MEMBERS_AT, row, "joined"),
		.column_exists = reply_bool(reply, MEMBERS_AT, row, "column_exists"),
		.column_not_null = reply_bool(reply, MEMBERS_AT, row, "column_not_null"),
		.insert_trigger_exists = reply_bool(reply, MEMBERS_AT, row, "insert_trigger_exists"),
		.update_trigger_exists = reply_bool(reply, MEMBERS_AT, row, "update_trigger_exists"),
	};
	read_objects(reply, row, member);
}

void catalog_read(const struct reply *reply, int server_version, struct relation *relation)
{
	bool analyzed = relation->analyzed;

	relation_clear(relation);
	relation->analyzed = analyzed;
	relation->server_version = server_version;
	relation->exists = reply_rows(reply, 0) == 1 && reply_rows(reply, MEMBERS_AT) > 0;
	if (!relation->exists)
		return;
	read_table(reply, relation);
	read_column(reply, relation);
	for (size_t i = 0; i < reply_rows(reply, MEMBERS_AT); i++)
		read_member(reply, i, relation_add_member(relation));
}

struct row_place {
	const char *from;        /* the table as in FROM */
	const char *where;       /* a condition */
	const char *key_columns; /* NULL: no key */
	bool of_tree;            /* the row's own table is told, too */
};

/* A row told by its place and its key, never by its other contents. */
static void ask_row(struct session *session, const struct job *job, const struct relation *relation,
	const struct row_place *place, int64_t deadline_ms, session_answer *answer, void *owner)
{
	struct script *script = script_new();
	const char *keys = place->key_columns;

	authority_begin(script, &(struct authority){
								.owner = relation->owner,
								.search_path = job->search_path,
								.lock_timeout_ms = job->knobs.lock_timeout_ms,
							});
	script_addf(script, "SELECT ctid%s AS place, %s%s%s AS key FROM %s WHERE %s LIMIT 1",
		place->of_tree ? " || ' of ' || tableoid::pg_catalog.regclass" : "", keys ? "ROW(" : "NULL",
		keys ? keys : "", keys ? ")::text" : "::text", place->from, place->where);
	script_add(script, "SELECT $1::text AS columns");
	script_bind(script, keys);
	script_add(script, "COMMIT");
	session_ask(session, script, deadline_ms, answer, owner);
}

void catalog_ask_row(struct session *session, const struct job *job, const struct relation *relation,
	const struct member *leaf, int64_t page, int item, session_answer *answer, void *owner)
{
	char *from = memory_textf("ONLY %s", leaf ? leaf->name : job->table_name);
	char *where = memory_textf("ctid = '(%" PRId64 ",%d)'", page, item);

	ask_row(session, job, relation,
		&(struct row_place){.from = from,
			.where = where,
			.key_columns = leaf ? leaf->key_columns : relation->key_columns,
			.of_tree = leaf != NULL},
		DEADLINE_MS, answer, owner);
	free(from);
	free(where);
}

/* The first row for which the condition holds, in whichever table of the tree; may read all of it. */
static void ask_row_where(struct session *session, const struct job *job, const struct relation *relation,
	const char *where, session_answer *answer, void *owner)
{
	bool tree = relation->members_count > 1;
	char *from = memory_textf("%s%s", tree ? "" : "ONLY ", job->table_name);

	ask_row(session, job, relation,
		&(struct row_place){
			.from = from, .where = where, .key_columns = relation->key_columns, .of_tree = tree},
		SCAN_DEADLINE_MS, answer, owner);
	free(from);
}

void catalog_ask_null_row(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner)
{
	struct text where = {0};

	quote_name(&where, job->column_name);
	text_add(&where, " IS NOT DISTINCT FROM NULL");
	ask_row_where(session, job, relation, text_is(&where), answer, owner);
	text_free(&where);
}

void catalog_ask_wrong_row(struct session *session, const struct job *job, const struct relation *relation,
	session_answer *answer, void *owner)
{
	struct text where = {0};

	text_addf(&where, "(%s\n) IS FALSE", job->check_expr);
	ask_row_where(session, job, relation, text_is(&where), answer, owner);
	text_free(&where);
}

char *catalog_read_row(const struct reply *reply)
{
	const char *columns;
	struct text row = {0};

	if (reply_fault(reply) || reply_rows(reply, AUTHORITY_STATEMENTS) == 0)
		return NULL;
	columns = reply_text(reply, AUTHORITY_STATEMENTS + 1, 0, "columns");
	text_addf(&row, "row ctid %s", reply_text(reply, AUTHORITY_STATEMENTS, 0, "place"));
	if (columns)
		text_addf(&row, ", key (%s)=%s", columns, reply_text(reply, AUTHORITY_STATEMENTS, 0, "key"));
	return text_take(&row);
}
