#!/usr/bin/env bash
# Every shape of column that a job may ask for: what is refused at INSERT, with the way round, and how what is taken is spelt.
# Whether this version builds it is not the question here.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster
sql -U backfilld main "CREATE OR REPLACE FUNCTION backfill.job_not_built(job backfill.job) RETURNS TABLE (feature text, instead text)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT NULL::text, NULL::text WHERE false'"
sql -U shop_owner main "
	CREATE TABLE public.docs (id int PRIMARY KEY, doc jsonb, plain json);
	CREATE TABLE public.org (id int PRIMARY KEY, code text UNIQUE, name text, later int UNIQUE DEFERRABLE, part int);
	CREATE UNIQUE INDEX ON public.org (part) WHERE part > 0;
	CREATE TABLE public.pair (a int, b int, PRIMARY KEY (a, b));
	CREATE TABLE public.bare (a int);
	CREATE UNLOGGED TABLE public.fleeting (id int PRIMARY KEY);
	CREATE VIEW public.seen AS SELECT id FROM public.org;
	CREATE TABLE public.\"Odd Org\" (\"Id\" int PRIMARY KEY);
	CREATE DOMAIN public.letters AS text;
	CREATE TYPE public.mood AS ENUM ('a');
	CREATE TYPE public.pairing AS (a int, b int);"

# taken WHAT COLUMNS VALUES EXPECTED EXPRESSION: that job is taken, and its row says so.
taken() {
	expect_sql "$1" "$4" -U shop_owner "BEGIN; INSERT INTO backfill.job ($2) VALUES ($3) RETURNING $5; ROLLBACK"
}

# Foreign keys
key() { # WRITTEN EXPECTED
	taken "foreign_key $1" "table_name, column_name, column_type, foreign_key" "'orders', 'v', 'int', \$\$$1\$\$" "$2" foreign_key
}
no_key() { # WRITTEN SQLSTATE REGEX
	refused "foreign_key $1" "$2" "$3.*COLUMN NAME:  foreign_key" "table_name, column_name, column_type, foreign_key" "'orders', 'v', 'int', \$\$$1\$\$"
}
key "org" "public.org(id)"
key "references public.org" "public.org(id)"
key " org ( CODE ) " "public.org(code)"
key 'public . "org"("id")' "public.org(id)"
key '"Odd Org"' 'public."Odd Org"("Id")'
key "orders" "public.orders(id)"
key "org(id) on delete set null" "public.org(id) ON DELETE SET NULL"
key "org(id)
	ON DELETE   CASCADE ON UPDATE SET DEFAULT" "public.org(id) ON UPDATE SET DEFAULT ON DELETE CASCADE"
key "org MATCH FULL DEFERRABLE INITIALLY DEFERRED" "public.org(id) MATCH FULL DEFERRABLE INITIALLY DEFERRED"
key "org INITIALLY DEFERRED" "public.org(id) DEFERRABLE INITIALLY DEFERRED"
key "org(id) MATCH SIMPLE ON DELETE NO ACTION ON UPDATE NO ACTION NOT DEFERRABLE INITIALLY IMMEDIATE" "public.org(id)"
for written in "" " " "org(id, code)" "org(id" "org id" "org(id) ON DELETE" "org ON DELETE NOTHING" "org NOT VALID" "org ON DELETE CASCADE ON DELETE CASCADE" \
	"org NOT DEFERRABLE INITIALLY DEFERRED" "org ON DELETE SET NULL (v)" "org(id); DROP TABLE org" "org(id) -- c" "org(id)) CHECK (true" "a.b.c" "org MATCH PARTIAL"; do
	no_key "$written" 42601 'is not what follows REFERENCES.*each at most once.*public\.org\(id\) ON DELETE SET NULL'
done
no_key nowhere 42P01 'table nowhere does not exist.*search_path'
no_key seen 42809 'public\.seen is not an ordinary table'
no_key fleeting 42P16 'public\.fleeting is an unlogged table'
no_key bare 42704 'table public\.bare has no primary key'
no_key pair 42704 'has a primary key of 2 columns'
no_key "org(nope)" 42703 'table public\.org has no column nope'
no_key "org(name)" 42830 'column name of table public\.org is not unique by itself.*CREATE UNIQUE INDEX CONCURRENTLY ON public\.org \(name\)'
no_key "org(later)" 42830 'not unique by itself.*not deferrable'
no_key "org(part)" 42830 'not unique by itself'
no_key "pair(a)" 42830 'not unique by itself'
no_key alice.items 42501 'role shop_owner may not refer to table alice\.items.*GRANT USAGE ON SCHEMA'
sql main "GRANT USAGE ON SCHEMA alice TO shop_owner"
no_key alice.items 42501 'role shop_owner may not refer to column id of table alice\.items.*GRANT REFERENCES \(id\) ON alice\.items TO shop_owner'
sql -U alice main "GRANT REFERENCES (id) ON alice.items TO shop_owner"
key alice.items "alice.items(id)"
expect_sql "what is stored is what the server says of the constraint" t -U shop_owner "
	BEGIN; SET search_path = pg_catalog;
	CREATE TABLE public.refers (v int REFERENCES public.\"Odd Org\" MATCH FULL ON DELETE SET NULL ON UPDATE RESTRICT DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO backfill.job (table_name, column_name, column_type, foreign_key)
	VALUES ('public.orders', 'v', 'int', 'public.\"Odd Org\"(\"Id\") initially deferred on delete set null match full on update restrict')
	RETURNING (SELECT pg_get_constraintdef(oid) = 'FOREIGN KEY (v) REFERENCES ' || foreign_key FROM pg_constraint WHERE conrelid = 'public.refers'::regclass);
	ROLLBACK"

# Indexes
index() { # TYPE WRITTEN EXPECTED
	taken "index $2 of $1" "table_name, column_name, column_type, index" "'orders', 'v', '$1', \$\$$2\$\$" "$3" index
}
no_index() { # TYPE WRITTEN SQLSTATE REGEX
	refused "index $2 of $1" "$3" "$4.*COLUMN NAME:  index" "table_name, column_name, column_type, index" "'orders', 'v', '$1', \$\$$2\$\$"
}
index int none none
index int btree btree
index int " BTREE " btree
index text hash hash
index "varchar(10)" btree btree
index letters btree btree
index mood btree btree
index "int[]" btree btree
index "int[]" gin gin
index int4range gist gist
index int4multirange gist gist
index jsonb gin gin
index int brin brin
index box spgist spgist
index pairing btree btree
index json advise advise
index jsonb "gin(v jsonb_path_ops)" "gin (v jsonb_path_ops)"
index text "btree ( lower(v) text_pattern_ops DESC, id )" "btree (lower(v) text_pattern_ops DESC, id)"
index text "btree ((v || '()('), \"a)b\")" "btree ((v || '()('), \"a)b\")"
index text "btree (\"it's)\", \"a'b\")" "btree (\"it's)\", \"a'b\")"
no_index int none2 42704 'no kind of index of this server.*brin, btree, gin, gist, hash, spgist'
no_index int heap 42704 'no kind of index'
no_index int "" 42704 'no kind of index'
no_index int "btree," 42704 'no kind of index'
no_index int "btree (v) WHERE v > 0" 42704 'no kind of index'
no_index int "none (v)" 42704 'no kind of index'
no_index int gin 42704 'gin index cannot be built of type integer just so.*no default operator class.*gin \(v \.\.\._ops\)'
no_index text gist 42704 'gist index cannot be built of type text'
no_index json btree 42704 'btree index cannot be built of type json'
no_index point btree 42704 'btree index cannot be built of type point'
for written in "btree ()" "btree (v) (w)" "btree (v))" "btree ((v)" "btree (v); DROP TABLE x; (v)" "btree (v -- c)" "btree (v /* c */)" "btree (E'\\'' || v)" \
	"btree ('v)" "btree (\$a\$)\$a\$)" "btree (v) INCLUDE (id)" "btree (\"'\") TABLESPACE x WHERE (\"'\")" \
	"btree ('\"') TABLESPACE x WHERE ('\"')"; do
	no_index int "$written" 42601 'is not just what is to be indexed'
done
taken "a predicate" "table_name, column_name, column_type, index, index_where" "'orders', 'v', 'int', 'btree', 'v > 0'" "btree|v > 0" "index, index_where"
refused "a predicate of no index" 22023 "index_where needs an index.*COLUMN NAME:  index_where" "table_name, column_name, column_type, index_where" "'orders', 'v', 'int', 'v > 0'"
refused "a predicate of advice" 22023 "index_where needs an index" "table_name, column_name, column_type, index, index_where" "'orders', 'v', 'int', 'advise', 'v > 0'"
refused "an empty predicate" 22023 "index_where is empty" "table_name, column_name, column_type, index, index_where" "'orders', 'v', 'int', 'btree', ' '"

# Unique, check
taken "unique and derived" "table_name, column_name, column_type, is_unique, sync, value" "'orders', 'v', 'text', true, 'derive', 'email'" "t|derive" "is_unique, sync"
refused "unique without an order" 42704 "column v of table public\.orders cannot be unique.*type json have no order.*COLUMN NAME:  is_unique" \
	"table_name, column_name, column_type, is_unique" "'orders', 'v', 'json', true"
sql -U shop_owner main "CREATE TABLE public.cut (id int, v int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
	CREATE TABLE public.cut1 PARTITION OF public.cut FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (id);
	CREATE TABLE public.whole (id int, v int) PARTITION BY HASH (v); CREATE TABLE public.whole1 PARTITION OF public.whole FOR VALUES WITH (MODULUS 1, REMAINDER 0);
	CREATE TABLE public.odd (v int) PARTITION BY HASH ((v + 1))"
unique_of() { # TABLE: what the check says, whatever the others say
	echo "SELECT backfill.job_check_unique(jsonb_populate_record(NULL::backfill.job, jsonb_build_object('table_name', '$1', 'table_oid', 'public.$1'::regclass::oid::text,
		'column_name', 'v', 'type_oid', 'int'::regtype::oid::text, 'is_unique', true)))"
}
expect_error "a partitioned table" 0A000 "column v of table cut cannot be unique by itself.*public\.cut is partitioned by RANGE \(day\).*together with the key.*COLUMN NAME:  is_unique" -U shop_owner "$(unique_of cut)"
expect_error "one that is itself cut by an expression" 0A000 "partitioned by HASH" -U shop_owner "$(unique_of odd)"
expect_sql "one whose key it is" "" -U shop_owner "$(unique_of whole)"
expect_error "one below" 0A000 "public\.cut1 is partitioned by HASH \(id\)" -U shop_owner "$(unique_of cut1)"
refused "an empty check" 22023 "check_expr is empty.*total >= 0" "table_name, column_name, column_type, check_expr" "'orders', 'v', 'int', ' '"

# Identity
for type in smallint int bigint; do
	taken "identity of $type, which is NOT NULL" "table_name, column_name, column_type, identity" "'orders', 'v', '$type', 'by default'" "t" not_null
done
no_identity() { # WHAT SQLSTATE REGEX [COLUMNS VALUES]
	refused "identity: $1" "$2" "$3" "table_name, column_name, column_type, identity${4:+, $4}" "'orders', 'v', 'int', 'always'${5:+, $5}"
}
refused "identity: a word" 22023 "identity = 'sometimes' is no kind of identity column.*always or by default" "table_name, column_name, column_type, identity" "'orders', 'v', 'int', 'sometimes'"
refused "identity: of text" 22023 "identity column cannot have type text.*smallint, int or bigint" "table_name, column_name, column_type, identity" "'orders', 'v', 'text', 'always'"
refused "identity: a column that exists" 42701 "has a column id already.*COLUMN NAME:  identity" "table_name, column_name, column_type, identity" "'orders', 'id', 'int', 'always'"
no_identity "with a default" 22023 'identity goes without default_expr' default_expr "'1'"
no_identity "with a value" 22023 'identity goes without value' value "'1'"
no_identity "with fill_where" 22023 'fill_where' fill_where "'id > 1'"
no_identity "with a sync" 22023 'sync' sync "'fill'"
refused "identity: with a field" 42701 "has a column doc already" "table_name, column_name, field, value, identity" "'docs', 'doc', '{a}', '1', 'always'"

# Fields
taken "a field" "table_name, column_name, field, value, not_null" "'docs', 'doc', '{address,zip}', 'to_jsonb(1)', true" "{address,zip}|t|t" "field, not_null, adopted"
no_field() { # WHAT SQLSTATE REGEX COLUMNS VALUES
	refused "field: $1" "$2" "$3" "table_name, column_name, $4" "'docs', $5"
}
no_field "of json" 42804 'column plain of table public\.docs is not jsonb.*type json' "field, value" "'plain', '{a}', '1'"
no_field "of a column that is not there" 42703 'table public\.docs has no column nope.*Name a jsonb column' "field, value" "'nope', '{a}', '1'"
no_field "of a column to be added" 42703 'has no column nope' "column_type, field, value" "'nope', 'jsonb', '{a}', '1'"
no_field "no path" 22023 "is not a path.*\{address,zip\}" "field, value" "'doc', '{}', '1'"
no_field "a path with nothing in it" 22023 "is not a path" "field, value" "'doc', '{a,NULL}', '1'"
no_field "a path of paths" 22023 "is not a path" "field, value" "'doc', '{{a,b},{c,d}}', '1'"
no_field "no value" 22023 'field needs a value' "field" "'doc', '{a}'"
no_field "a default" 22023 'field goes without default_expr' "field, value, default_expr" "'doc', '{a}', '1', '1'"
no_field "unique" 22023 'field goes without is_unique.*#>>' "field, value, is_unique" "'doc', '{a}', '1', true"
no_field "a foreign key" 22023 'field goes without foreign_key' "field, value, foreign_key" "'doc', '{a}', '1', 'org'"
no_field "derived" 22023 'field goes without sync = derive' "field, value, sync" "'doc', '{a}', '1', 'derive'"

# Quiet
taken "seal_after_quiet" "table_name, column_name, column_type, value, hold_before, seal_after_quiet" "'orders', 'v', 'int', '1', '{seal}', '6 hours'" "06:00:00" seal_after_quiet
no_quiet() { # WHAT REGEX COLUMNS VALUES
	refused "seal_after_quiet: $1" 22023 "$2.*COLUMN NAME:  seal_after_quiet" "table_name, column_name, column_type, seal_after_quiet, $3" "'orders', 'v', 'int', $4"
}
no_quiet "no time" 'is no time to wait for.*6 hours' "value, hold_before" "'0', '1', '{seal}'"
no_quiet "less than no time" 'is no time to wait for' "value, hold_before" "'-1 hour', '1', '{seal}'"
no_quiet "no hold" 'needs hold_before = \{seal\}' "value, hold_before" "'1 hour', '1', '{add,fill}'"
no_quiet "no trigger" 'goes without sync = none.*proceed' "default_expr, hold_before" "'1 hour', '1', '{seal}'"
no_quiet "a trigger that stays" 'goes without sync = derive' "value, sync, hold_before" "'1 hour', '1', 'derive', '{seal}'"
quiet=$(enqueue shop_owner quiet orders q text "value, hold_before" "'email', '{seal}'")
expect_sql "it may be given later" "01:00:00" -U shop_owner "UPDATE backfill.job SET seal_after_quiet = '1 hour' WHERE id = $quiet RETURNING seal_after_quiet"
expect_error "and is looked at then, too" 22023 'is no time to wait for' -U shop_owner "UPDATE backfill.job SET seal_after_quiet = '0' WHERE id = $quiet"
expect_sql "taking the hold away is fine" "{}" -U shop_owner "UPDATE backfill.job SET hold_before = '{}' WHERE id = $quiet RETURNING hold_before"

# Dependencies
depend() { # NAME COLUMN DEPENDS_ON
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, depends_on) VALUES ('$1', 'orders', '$2', 'int', '$3')"
}
no_depend() { # WHAT SQLSTATE REGEX NAME DEPENDS_ON
	refused "depends_on: $1" "$2" "$3.*COLUMN NAME:  depends_on" "name, table_name, column_name, column_type, depends_on" "'$4', 'orders', 'v', 'int', '$5'"
}
depend one d1 "{two,nobody}"
depend two d2 "{three,one-more}"
no_depend "nothing" 22023 'names no job in one place' x '{NULL}'
no_depend "a blank" 22023 'names no job in one place' x '{""}'
no_depend "itself" 22023 "job 'x' depends on itself" x '{y,x}'
no_depend "a circle of two" 42P17 "job 'nobody' would wait for itself.*nobody -> one -> nobody.*Leave 'one' out" nobody '{one}'
no_depend "a circle of three" 42P17 "three -> one -> two -> three" three '{zero,one}'
no_depend "the shortest circle is told" 42P17 "three -> two -> three" three '{one,two}'
for name in first second; do
	session_open "$name" main -U shop_owner
done
session_do first "BEGIN; INSERT INTO backfill.job (name, table_name, column_name, column_type, depends_on) VALUES ('chicken', 'orders', 'd7', 'int', '{egg}')" >/dev/null
session_send second "INSERT INTO backfill.job (name, table_name, column_name, column_type, depends_on) VALUES ('egg', 'orders', 'd8', 'int', '{chicken}')"
session_waits second
session_do first "COMMIT" >/dev/null
expect_match "depends_on: a circle of two that are inserted at once" 'egg -> chicken -> egg' "$(session_answer second)"
taken "no circle, but two ways" "name, table_name, column_name, column_type, depends_on" "'other', 'orders', 'v', 'int', '{one,two}'" "{one,two}" depends_on
sql -U backfilld main "UPDATE backfill.job SET stage = 'done' WHERE name = 'two'"
taken "what is done keeps nobody waiting" "name, table_name, column_name, column_type, depends_on" "'three', 'orders', 'v', 'int', '{two}'" "{two}" depends_on

# An index for a job that is done
sql -U backfilld main "UPDATE backfill.job SET stage = 'done', finished_at = now() WHERE id = $quiet"
expect_error "of a kind that there is not" 42704 'no kind of index' -U shop_owner "UPDATE backfill.job SET index = 'tree' WHERE id = $quiet"
expect_error "not without a method" 22023 'index_where needs an index' -U shop_owner "UPDATE backfill.job SET index_where = 'q > ''''' WHERE id = $quiet"
expect_sql "advice changes no stage" "advise|done" -U shop_owner "UPDATE backfill.job SET index = 'advise' WHERE id = $quiet RETURNING index, stage"
sql -U shop_owner main "CREATE INDEX orders_q_idx ON public.orders (id)"
expect_sql "a method sends it to indexing" "btree|q <> ''|indexing|run||orders_q_idx1" -U shop_owner \
	"UPDATE backfill.job SET index = 'BTREE', index_where = 'q <> ''''' WHERE id = $quiet RETURNING index, index_where, stage, wanted, finished_at, object_names->>'index'"
expect_error "which it has to finish first" 55000 "index of job $quiet cannot be changed now.*stage indexing.*wait_for" -U shop_owner "UPDATE backfill.job SET index = 'hash' WHERE id = $quiet"
sql -U backfilld main "UPDATE backfill.job SET stage = 'done', finished_at = now() WHERE id = $quiet"
expect_error "one that is built stays" 55000 "has built its btree index.*DROP INDEX CONCURRENTLY" -U shop_owner "UPDATE backfill.job SET index = 'none', index_where = NULL WHERE id = $quiet"

# By hand, where no daemon makes it yet: the sketch
sql -U shop_owner main "INSERT INTO public.docs VALUES (1, '{}'), (2, NULL), (3, '{\"a\": {\"b\": 0}}'), (4, '{\"a\": {\"c\": 5}}'), (5, '{\"x\": 1}')"
by_hand() { # NAME COLUMNS VALUES: runs the sketch of that job
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, $2) VALUES ('$1', 'docs', $3)"
	psql_at main -U shop_owner -Atq -c "SELECT backfill.as_sql(id) FROM backfill.job WHERE name = '$1'" >"$WORK/$1.sql"
	expect_exit "the sketch of $1 runs by hand" 0 '' psql_at main -U shop_owner -q -f "$WORK/$1.sql"
}
by_hand numbered "column_name, column_type, identity" "'n', 'int', 'always'"
by_hand optional "column_name, column_type, identity, is_unique" "'Odd \"%s', 'bigint', 'by default', true"
sql -U shop_owner main "INSERT INTO public.docs (id) VALUES (6)"
expect_sql "identity columns, which number on" "6|6|6|6|ad" "SELECT count(DISTINCT n), count(DISTINCT \"Odd \"\"%s\"), count(*), max(n),
	(SELECT string_agg(attidentity::text, '' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'public.docs'::regclass AND attidentity <> '' AND attnotnull) FROM public.docs"
expect_sql "without the sequence of the fill" 0 "SELECT count(*) FROM pg_class WHERE relname LIKE 'numbers\_%'"
by_hand field "column_name, field, value, fill_where" "'doc', '{a,b}', 'to_jsonb(id * 10)', 'id <> 5'"
expect_sql "a field where it was missing, and nothing else" '1|{"a": {"b": 10}}
2|
3|{"a": {"b": 0}}
4|{"a": {"b": 40, "c": 5}}
5|{"x": 1}
6|' "SELECT id, doc FROM public.docs ORDER BY id"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel' WHERE name = 'field'"
by_hand needed "column_name, field, value, not_null" "'doc', '{a,\"b c\"}', 'to_jsonb(id)', true"
expect_error "one that has to be there" 23514 'docs_doc_check' -U shop_owner "INSERT INTO public.docs (id, doc) VALUES (7, '{\"a\": {\"b\": 1}}')"
