#!/usr/bin/env bash
# Every kind of table: a row of the README's table each.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"
# shellcheck source=tests/server/matrix_lib.sh
. "$TOP/tests/server/matrix_lib.sh"

matrix_world wal_level=logical
columns="id int NOT NULL, a int NOT NULL, name text, org_id int, at timestamptz NOT NULL DEFAULT clock_timestamp()"
rows="INSERT INTO {t} SELECT * FROM standard"
ranges="CREATE TABLE {t} ($columns) PARTITION BY RANGE (id);
	CREATE TABLE {t}a PARTITION OF {t} FOR VALUES FROM (0) TO (700);
	CREATE TABLE {t}b PARTITION OF {t} FOR VALUES FROM (700) TO (1400);
	CREATE TABLE {t}c PARTITION OF {t} DEFAULT; $rows"

# True of each part of the tree: CONDITION over pg_class c.
parts() {
	echo "NOT EXISTS (SELECT FROM pg_partition_tree('{t}') p JOIN pg_class c ON c.oid = p.relid WHERE ($1) IS NOT TRUE)"
}

feature "partitioned by range"
table "$ranges"
job column_type=text value='upper(name)' default_expr="'new'" not_null=true
every "v IN (upper(name), 'new')"
right "$(parts "(SELECT attnotnull FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'v')")"

feature "partitioned by list"
table "CREATE TABLE {t} ($columns) PARTITION BY LIST (org_id);
	CREATE TABLE {t}a PARTITION OF {t} FOR VALUES IN (1, 2, 3);
	CREATE TABLE {t}b PARTITION OF {t} DEFAULT; $rows"
job column_type=text value='upper(name)'
every "v = upper(name)"

feature "partitioned by hash, two workers"
table "CREATE TABLE {t} ($columns) PARTITION BY HASH (id);
	CREATE TABLE {t}a PARTITION OF {t} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE {t}b PARTITION OF {t} FOR VALUES WITH (MODULUS 2, REMAINDER 1); $rows"
job column_type=text value='upper(name)' workers=2
every "v = upper(name)"

feature "partitions of partitions"
table "CREATE TABLE {t} ($columns) PARTITION BY RANGE (id);
	CREATE TABLE {t}a PARTITION OF {t} FOR VALUES FROM (0) TO (700);
	CREATE TABLE {t}b PARTITION OF {t} DEFAULT PARTITION BY LIST (org_id);
	CREATE TABLE {t}c PARTITION OF {t}b FOR VALUES IN (1, 2, 3);
	CREATE TABLE {t}d PARTITION OF {t}b DEFAULT; $rows"
job column_type=text value='upper(name)' not_null=true index=btree
every "v = upper(name)"
right "$(parts "EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisvalid)")"

feature "partitioned: CHECK and foreign key"
table "$ranges"
job column_type=int value=org_id check_expr='v >= 0' foreign_key='org(id) ON DELETE CASCADE'
every "v = org_id"
right "$(parts "(SELECT count(*) = 2 FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f') AND k.convalidated)")"
right "matrix.error('INSERT INTO {t} (id, a, v) VALUES (-1, 0, 1000)') = '23503'"

feature "partitioned: UNIQUE"
table "CREATE TABLE {t} ($columns, v int) PARTITION BY RANGE (v);
	CREATE TABLE {t}a PARTITION OF {t} FOR VALUES FROM (0) TO (700);
	CREATE TABLE {t}b PARTITION OF {t} DEFAULT; INSERT INTO {t} SELECT s.*, id FROM standard s"
job value=id is_unique=true
right "$(parts "EXISTS (SELECT FROM pg_constraint k JOIN pg_index x ON x.indexrelid = k.conindid WHERE k.conrelid = c.oid AND k.contype = 'u' AND x.indisvalid)")"

feature "partitioned: index"
table "$ranges"
job column_type=text value=name index=btree index_where='v IS NOT NULL'
every "v = name"
right "$(parts "EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisvalid AND pg_get_indexdef(x.indexrelid) ~ 'WHERE')")"

feature "partition attached while the job runs"
unwritten
table "$ranges; ALTER TABLE {t} DETACH PARTITION {t}b"
job column_type=text value='upper(name)' not_null=true hold_before='{seal}'
phase "ALTER TABLE {t}b ADD COLUMN v text; ALTER TABLE {t} ATTACH PARTITION {t}b FOR VALUES FROM (700) TO (1400)"
phase "SELECT backfill.proceed({id})"
every "v = upper(name)"
right "(SELECT count(*) = 1500 FROM {t})"
right "$(parts "(SELECT attnotnull FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'v')")"

feature "partition detached while the job runs"
unwritten
table "$ranges"
job column_type=text value='upper(name)' not_null=true hold_before='{fill}'
phase "ALTER TABLE {t} DETACH PARTITION {t}b; SELECT backfill.proceed({id})"
every "v = upper(name)"
right "(SELECT count(*) = 800 FROM {t})"

feature "partitioned: identity (before 17 refused, with the way round)"
table "$ranges"
job column_type=bigint identity=always
if ((MATRIX_VERSION >= 17)); then
	every "v > 0"
	right "(SELECT count(*) = count(DISTINCT v) FROM {t})"
else
	ends failed 'until PostgreSQL 17.*nextval'
fi

feature "inheritance"
table "CREATE TABLE {t} ($columns); CREATE TABLE {t}a (more text) INHERITS ({t}); $rows WHERE id <= 700; INSERT INTO {t}a SELECT * FROM standard WHERE id > 700"
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"
right "(SELECT count(*) = 2 FROM pg_attribute WHERE attrelid IN ('{t}'::regclass, '{t}a'::regclass) AND attname = 'v' AND attnotnull)"
right "(SELECT count(*) = 800 FROM ONLY {t}a)"

feature "no key"
table "CREATE TABLE {t} ($columns); $rows"
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"

feature "composite key"
table "CREATE TABLE {t} ($columns, PRIMARY KEY (a, id)); $rows"
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"

feature "generated columns"
table "CREATE TABLE {t} ($columns, loud text GENERATED ALWAYS AS (upper(name)) STORED); $rows"
job column_type=text value='lower(name)'
every "v = lower(name) AND loud = upper(name)"

feature "own triggers"
table "CREATE TABLE {t} ($columns, touched int NOT NULL DEFAULT 0); $rows; UPDATE {t} SET touched = 0;
	CREATE FUNCTION {t}_touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END';
	CREATE TRIGGER touch BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_touch()"
unwritten
job column_type=text value='upper(name)'
every "v = upper(name) AND touched = 1"
right "EXISTS (SELECT FROM backfill.plan_step p WHERE p.job_id = {id} AND p.note ~ 'touch')"

feature "own triggers, not fired: skip_triggers (14: for superusers)"
table "CREATE TABLE {t} ($columns, touched int NOT NULL DEFAULT 0); $rows; UPDATE {t} SET touched = 0;
	CREATE FUNCTION {t}_touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END';
	CREATE TRIGGER touch BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_touch()"
unwritten
prepare "DO \$do\$ BEGIN
		IF current_setting('server_version_num')::int >= 150000 THEN EXECUTE 'GRANT SET ON PARAMETER session_replication_role TO shop_owner, backfilld_shop'; END IF;
	END \$do\$"
job column_type=text value='upper(name)' skip_triggers=true
if ((MATRIX_VERSION >= 15)); then
	every "v = upper(name) AND touched = 0"
else
	ends failed 'only a superuser may do without'
fi

feature "publication, with a replica identity"
prepare "CREATE PUBLICATION {t} FOR TABLE {t}"
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"

feature "publication, without one: refused, with the remedy"
table "CREATE TABLE {t} ($columns); $rows"
unwritten
prepare "CREATE PUBLICATION {t} FOR TABLE {t}"
job column_type=text value='upper(name)'
ends failed 'publication.*REPLICA IDENTITY'
right "NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = '{t}'::regclass AND attname = 'v')"

feature "row security"
table "CREATE TABLE {t} ($columns); $rows; ALTER TABLE {t} ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON {t} USING (id < 10)"
unwritten
job column_type=text value='upper(name)'
every "v = upper(name)"

feature "row security, forced: refused"
table "CREATE TABLE {t} ($columns); $rows; ALTER TABLE {t} ENABLE ROW LEVEL SECURITY; ALTER TABLE {t} FORCE ROW LEVEL SECURITY"
unwritten
job column_type=text value='upper(name)'
refused "55000" "FORCE ROW LEVEL SECURITY"

feature "toasted rows"
table "CREATE TABLE {t} ($columns, doc text); ALTER TABLE {t} ALTER doc SET STORAGE EXTERNAL;
	INSERT INTO {t} SELECT s.*, repeat(md5(id::text), 200) FROM standard s"
job column_type=text value='upper(name)'
every "v = upper(name) AND (id >= 1000000 OR doc = repeat(md5(id::text), 200))"

feature "fillfactor"
table "CREATE TABLE {t} ($columns) WITH (fillfactor = 60); $rows"
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"

feature "unlogged"
table "CREATE UNLOGGED TABLE {t} ($columns, PRIMARY KEY (id)); $rows"
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"

feature "view: refused"
table "CREATE VIEW {t} AS SELECT * FROM standard"
unwritten
job column_type=text
refused "[0-9A-Z]{5}" "view"

feature "materialized view: refused"
table "CREATE MATERIALIZED VIEW {t} AS SELECT * FROM standard"
unwritten
job column_type=text
refused "[0-9A-Z]{5}" "materialized view"

feature "foreign table: refused"
table "SELECT 1"
prepare "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
	CREATE FOREIGN TABLE {t} (id int) SERVER nowhere; ALTER FOREIGN TABLE {t} OWNER TO shop_owner"
unwritten
job column_type=text
refused "[0-9A-Z]{5}" "foreign table"

feature "temporary table: refused"
table "SELECT 1"
unwritten
jobless
right "matrix.error('CREATE TEMPORARY TABLE {t} (id int); INSERT INTO backfill.job (table_name, column_name, column_type) VALUES (''{t}'', ''v'', ''text'')') IS NOT NULL"

feature "system table: refused"
table "SELECT 1"
unwritten
jobless
right "matrix.error('INSERT INTO backfill.job (table_name, column_name, column_type) VALUES (''pg_catalog.pg_class'', ''v'', ''text'')') IS NOT NULL"

feature "table renamed while the job runs"
unwritten
job column_type=text value='upper(name)' not_null=true hold_before='{seal}'
phase "ALTER TABLE {t} RENAME TO {t}_new; SELECT backfill.proceed({id})"
right "NOT EXISTS (SELECT FROM {t}_new WHERE v IS DISTINCT FROM upper(name))"
right "(SELECT attnotnull FROM pg_attribute WHERE attrelid = '{t}_new'::regclass AND attname = 'v')"

feature "table renamed while the job is queued"
unwritten
job column_type=text value='upper(name)' not_null=true wanted=pause
phase "ALTER TABLE {t} RENAME TO {t}_new; UPDATE backfill.job SET wanted = 'run' WHERE name = '{t}'"
right "NOT EXISTS (SELECT FROM {t}_new WHERE v IS DISTINCT FROM upper(name))"

feature "small table: done in a moment, in short transactions"
table "CREATE TABLE {t} (LIKE standard INCLUDING ALL); $rows WHERE id <= 900"
unwritten
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"
right "(SELECT finished_at - started_at < '10 s' FROM backfill.job WHERE name = '{t}')" # half a second where nothing else runs
right "(SELECT count(*) < 12 AND max(duration_ms) < 1000 FROM backfill.event WHERE name = '{t}' AND kind = 'statement')"

matrix_run
