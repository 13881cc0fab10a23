#!/usr/bin/env bash
# Every kind of column, constraint and index: a row of the README's table each.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"
# shellcheck source=tests/server/matrix_lib.sh
. "$TOP/tests/server/matrix_lib.sh"

matrix_world
sql -U shop_owner main "
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE DOMAIN amount AS numeric(12,2);
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE SEQUENCE drawn;
	CREATE TABLE document (LIKE standard INCLUDING ALL, doc jsonb);
	INSERT INTO document SELECT s.*, CASE WHEN id % 10 > 0 THEN jsonb_build_object('name', name) END FROM standard s"

# Whether column v of the table is so; {t} as everywhere.
attribute() {
	echo "(SELECT $1 FROM pg_attribute a WHERE a.attrelid = '{t}'::regclass AND a.attname = 'v')"
}

# Whether the table has such a constraint that is valid: TYPE REGEX.
constraint() {
	echo "EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = '{t}'::regclass AND k.contype = '$1' AND k.convalidated AND pg_get_constraintdef(k.oid) ~ '$2')"
}

# Whether it has such an index that can be used: REGEX of its definition.
index() {
	echo "EXISTS (SELECT FROM pg_index x WHERE x.indrelid = '{t}'::regclass AND x.indisvalid AND pg_get_indexdef(x.indexrelid) ~ '$1')"
}

feature "constant default"
job column_type=text default_expr="'x'"
every "v = 'x'"
right "(SELECT rows_filled = 0 FROM backfill.job WHERE name = '{t}')"

feature "stable default: now()"
job column_type=timestamptz default_expr='now()'
every "v IS NOT NULL"

feature "volatile default: nextval(), for each row"
job column_type=bigint default_expr="nextval('drawn')"
every "v > 0"
right "(SELECT count(*) = count(DISTINCT v) FROM {t})"

feature "default for new rows, value for those that are there"
job column_type=text default_expr="'new'" value="'old ' || id"
every "v = CASE WHEN id < 1000000 THEN 'old ' || id ELSE 'new' END OR v = 'old ' || id"

feature "value from the row's own columns (sync = fill)"
job column_type=text value='upper(name)'
every "v = upper(name)"

feature "fill_where: some rows only"
job column_type=text value='upper(name)' fill_where='id % 2 = 0'
every "v IS NOT DISTINCT FROM CASE WHEN id % 2 = 0 THEN upper(name) END"

feature "sync = none: new rows are the application's"
job column_type=text value='upper(name)' sync=none
right "NOT EXISTS (SELECT FROM {t} WHERE id < 1000000 AND v IS DISTINCT FROM upper(name))"

feature "sync = derive: computed for ever, without a rewrite"
job column_type=int value='a * 2' sync=derive not_null=true
right "NOT EXISTS (SELECT FROM {t} WHERE v IS DISTINCT FROM a * 2)"
right "$(attribute attnotnull)"

feature "type with a modifier: numeric(10,2)"
job column_type='numeric(10,2)' value='id / 3.0'
every "v = (id / 3.0)::numeric(10,2)"
right "$(attribute "format_type(atttypid, atttypmod) = 'numeric(10,2)'")"

feature "array"
job column_type='text[]' value='ARRAY[name, NULL]'
every "v = ARRAY[name, NULL]"

feature "enum"
job column_type=mood value="CASE WHEN id % 2 = 0 THEN 'happy'::mood ELSE 'ok' END"
every "v = CASE WHEN id % 2 = 0 THEN 'happy'::mood ELSE 'ok' END"

feature "domain without a constraint"
job column_type=amount value='id / 3.0'
every "v = (id / 3.0)::amount"

feature "domain with a constraint: refused, with the way round"
job column_type=positive value=id
refused "[0-9A-Z]{5}" "HINT:.*(check_expr|CHECK)"

feature "collation"
job column_type=text collation='"C"' value='name'
every "v = name"
right "$(attribute "attcollation = '\"C\"'::regcollation")"

feature "identity: always"
job column_type=bigint identity=always
every "v > 0"
right "(SELECT count(*) = count(DISTINCT v) FROM {t})"
right "$(attribute "attidentity = 'a' AND attnotnull")"

feature "identity: by default"
job column_type=int identity='by default'
every "v > 0"
right "(SELECT count(*) = count(DISTINCT v) FROM {t})"
right "$(attribute "attidentity = 'd' AND attnotnull")"

feature "value from another table: a sub-select"
job column_type=text value='(SELECT o.region FROM org o WHERE o.id = org_id)'
every "v = 'region ' || org_id % 7"

feature "field of a jsonb document"
table "CREATE TABLE {t} (LIKE document INCLUDING ALL); INSERT INTO {t} SELECT * FROM document"
job column_name=doc field='{size,first}' value='to_jsonb(id)'
every "doc IS NOT DISTINCT FROM CASE WHEN id < 1000000 AND id % 10 > 0 THEN jsonb_build_object('name', name, 'size', jsonb_build_object('first', id)) END"

feature "field that must be there"
table "CREATE TABLE {t} (LIKE document INCLUDING ALL); INSERT INTO {t} SELECT * FROM document"
job column_name=doc field='{size}' value='to_jsonb(id)' not_null=true
every "doc IS NULL OR doc->'size' = to_jsonb(id)"
right "matrix.error('INSERT INTO {t} (id, a, doc) VALUES (-1, 1, ''{}'')') = '23514'"

feature "column that is there already"
table "CREATE TABLE {t} (LIKE standard INCLUDING ALL, v text); INSERT INTO {t} SELECT s.*, CASE WHEN id % 2 = 0 THEN 'old' END FROM standard s"
job value='upper(name)' default_expr="'new'" not_null=true
every "v = CASE WHEN id >= 1000000 THEN 'new' WHEN id % 2 = 0 THEN 'old' ELSE upper(name) END OR v = upper(name)"
right "$(attribute "attnotnull AND atthasdef")"

feature "NOT NULL"
job column_type=text value='upper(name)' not_null=true
every "v = upper(name)"
right "$(attribute attnotnull)"

feature "NOT NULL with rows that stay NULL: fails and names the first"
job column_type=text value='CASE WHEN id <> 700 THEN name END' not_null=true
ends failed 'id\).*700.*23502'
right "NOT $(attribute attnotnull)"

feature "CHECK"
job column_type=int value=a check_expr='v >= 0'
every "v IS NOT NULL"
right "$(constraint c 'v >= 0')"

feature "CHECK that a row breaks: fails and says which"
job column_type=int value=id check_expr='v < 1400'
ends failed '23514'
right "NOT $(constraint c 'v < 1400')"

feature "foreign key"
job column_type=int value=org_id foreign_key='org(id)'
every "v = org_id"
right "$(constraint f 'REFERENCES org\(id\)')"

feature "foreign key with actions"
job column_type=int value=org_id foreign_key='public.org (id) ON UPDATE CASCADE ON DELETE SET NULL'
every "v = org_id"
right "$(constraint f 'REFERENCES org\(id\) ON UPDATE CASCADE ON DELETE SET NULL')"

feature "foreign key, deferrable"
job column_type=int value=org_id foreign_key='org DEFERRABLE INITIALLY DEFERRED' not_null=true
every "v = org_id"
right "$(constraint f 'REFERENCES org\(id\) DEFERRABLE INITIALLY DEFERRED')"

feature "UNIQUE"
job column_type=text value='name' is_unique=true
every "v = name"
right "$(constraint u 'UNIQUE \(v\)')"

feature "UNIQUE with duplicates: fails and names them"
job column_type=text value="'v' || id % 1000" is_unique=true
ends failed "v[0-9]+.*23505"
right "NOT $(constraint u 'v')"
right "NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = '{t}'::regclass AND NOT x.indisvalid)"

feature "index: btree"
job column_type=text value='name' index=btree
every "v = name"
right "$(index 'btree \(v\)$')"

feature "index: hash"
job column_type=text value='name' index=hash
right "$(index 'hash \(v\)$')"

feature "index: gin"
job column_type='text[]' value='ARRAY[name]' index=gin
right "$(index 'gin \(v\)$')"

feature "index: gist"
job column_type=point value='point(id, a)' index=gist
right "$(index 'gist \(v\)$')"

feature "index: brin"
job column_type=int value=id index=brin
right "$(index 'brin \(v\)$')"

feature "index over some rows: index_where"
job column_type=int value=id index=btree index_where='v > 10'
right "$(index 'btree \(v\) WHERE \(v > 10\)$')"

feature "index with an operator class"
job column_type=text value=name index='btree (v text_pattern_ops)'
right "$(index 'btree \(v text_pattern_ops\)$')"

feature "index over an expression"
job column_type=text value=name index='btree (lower(v))'
right "$(index 'btree \(lower\(v\)\)$')"

feature "index asked for once the job is done"
job column_type=text value=name
phase "UPDATE backfill.job SET index = 'btree' WHERE name = '{t}'"
right "$(index 'btree \(v\)$')"

matrix_run
