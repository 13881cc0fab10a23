#!/usr/bin/env bash
# What a value may be: every type and every kind of expression, with each row compared afterwards.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
replica_start standby1 main
sql -U shop_owner main "
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE TYPE place AS (street text, town text);
	CREATE DOMAIN money_amount AS numeric(12,2);
	CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE TABLE customer (id int PRIMARY KEY, town text);
	INSERT INTO customer SELECT g, 'town ' || g FROM generate_series(1, 50) g;
	CREATE TABLE t (id int PRIMARY KEY, a int, n numeric, name text, d date, customer_id int);
	INSERT INTO t SELECT g, nullif(g % 7, 0), g / 3.0, 'Name ' || g, date '2026-01-01' + g % 365, g % 60 FROM generate_series(1, 3000) g;
	ANALYZE t;
	CREATE SEQUENCE counted;
	CREATE SEQUENCE counted_default;
	DO \$\$ BEGIN
		FOR i IN 1 .. 26 LOOP
			EXECUTE format('CREATE TABLE t%s (LIKE t INCLUDING ALL)', i);
			EXECUTE format('INSERT INTO t%s SELECT * FROM t', i);
			EXECUTE format('ANALYZE t%s', i);
		END LOOP;
	END \$\$"
# Texts that depend on who asks: the worker, the application and this test each have settings of their own.
sql main "ALTER ROLE shop_app SET TimeZone = 'America/New_York'; ALTER ROLE shop_app SET DateStyle = 'German'; ALTER ROLE shop_app SET IntervalStyle = 'iso_8601';
	ALTER ROLE shop_app SET standard_conforming_strings = off; ALTER ROLE backfilld_shop SET standard_conforming_strings = off"
daemon_start

enqueue settings table_name=t26 column_name=v column_type=text sync=derive \
	value="concat(timestamptz '2026-07-01 00:30:00+00' + id * interval '0', (timestamptz '2026-07-01 00:30:00+00' + id * interval '0')::date, d, interval '1 day' * (id / id), 'x\y')"
enqueue nullable table_name=t1 column_name=v column_type=int value='a * 2'
enqueue random table_name=t2 column_name=v column_type='double precision' value='random()'
enqueue nextval table_name=t3 column_name=v column_type=bigint value="nextval('counted')" not_null=true
enqueue subquery table_name=t4 column_name=v column_type=text value='(SELECT c.town FROM customer c WHERE c.id = t4.customer_id)'
enqueue too_long table_name=t5 column_name=v column_type='varchar(8)' value='name'
enqueue rounded table_name=t6 column_name=v column_type='numeric(10,2)' value=n sync=derive
enqueue domain table_name=t7 column_name=v column_type=money_amount value=n
enqueue array table_name=t8 column_name=v column_type='text[]' value="ARRAY[name, NULL, 'x']"
enqueue enum table_name=t9 column_name=v column_type=mood value="CASE WHEN a > 3 THEN 'happy'::mood ELSE 'ok' END"
enqueue jsonb table_name=t10 column_name=v column_type=jsonb value="jsonb_build_object('id', id, 'name', name)" sync=derive
enqueue collated table_name=t11 column_name=v column_type=text collation=C value='upper(name)'
enqueue some table_name=t12 column_name=v column_type=text value='name' fill_where='id % 2 = 0'
enqueue constant table_name=t13 column_name=v column_type=text default_expr="'x'"
enqueue stable table_name=t14 column_name=v column_type=timestamptz default_expr='now()' not_null=true
enqueue volatile table_name=t15 column_name=v column_type=bigint default_expr="nextval('counted_default')" not_null=true
enqueue constant_and_value table_name=t16 column_name=v column_type=text default_expr="'new'" value="'old ' || id"
enqueue volatile_and_value table_name=t17 column_name=v column_type=double\ precision default_expr='random()' value='-id'
enqueue literal table_name=t18 column_name=v column_type=mood value="'sad'"
enqueue composite table_name=t19 column_name=v column_type=place value="ROW(name, CASE WHEN id % 2 = 0 THEN 'x' END)::place"
enqueue composite_derived table_name=t25 column_name=v column_type=place value="ROW(name, NULL)::place" sync=derive not_null=true
enqueue json table_name=t20 column_name=v column_type=json value="json_build_object('id', id)"
enqueue json_derived table_name=t21 column_name=v column_type=json value="json_build_object('id', id)" sync=derive
enqueue comment table_name=t22 column_name=v column_type=int value='id -- the key' fill_where='id > 0 -- all'
enqueue null_value table_name=t23 column_name=v column_type=int value='NULL'
enqueue null_default table_name=t24 column_name=v column_type=int default_expr='NULL'
jobs_settle 60

expect_done nullable random nextval subquery rounded domain array enum jsonb collated some constant stable volatile \
	constant_and_value volatile_and_value literal composite composite_derived json comment null_value settings
rows_off() { # WHAT TABLE WRONG: no row is wrong
	expect_sql "$1" 0 "SELECT count(*) FROM $2 WHERE $3"
}
rows_off "rows whose value is NULL stay NULL, the others have it" t1 "v IS DISTINCT FROM a * 2"
expect_sql "only rows that got a value are counted" "2572" "SELECT rows_filled FROM backfill.job WHERE name = 'nullable'"
expect_sql "random() is evaluated for each row" "3000|t" "SELECT count(DISTINCT v), bool_and(v BETWEEN 0 AND 1) FROM t2"
expect_sql "nextval() is evaluated once a row: each has a number of its own, and no number is lost" "3000|1|3000|3000" \
	"SELECT count(DISTINCT v), min(v), max(v), (SELECT last_value FROM counted) FROM t3"
rows_off "a sub-query reads another table" t4 "v IS DISTINCT FROM (SELECT c.town FROM customer c WHERE c.id = customer_id)"
expect_failed "a value too long for its column is an error that names the row" too_long filling 'key \(id\)=\([0-9]+\): value too long.*22001'
expect_sql "rows before it are filled" t "SELECT count(*) > 0 AND bool_and(v = name) FROM t5 WHERE v IS NOT NULL"
rows_off "derived numbers are rounded as the column stores them" t6 "v IS DISTINCT FROM n::numeric(10,2)"
sql -U shop_app main "UPDATE t6 SET n = 1.005 WHERE id = 5; INSERT INTO t6 (id, n) VALUES (-1, 2.345)"
expect_sql "... and so does the trigger that stays" "1.01|2.35" "SELECT (SELECT v FROM t6 WHERE id = 5), (SELECT v FROM t6 WHERE id = -1)"
rows_off "domain" t7 "v IS DISTINCT FROM n::numeric(12,2)"
rows_off "array" t8 "v IS DISTINCT FROM ARRAY[name, NULL, 'x']"
rows_off "enum" t9 "v IS DISTINCT FROM CASE WHEN a > 3 THEN 'happy'::mood ELSE 'ok' END"
rows_off "jsonb" t10 "v IS DISTINCT FROM jsonb_build_object('id', id, 'name', name)"
rows_off "text with a collation" t11 "v IS DISTINCT FROM upper(name)"
expect_sql "the column has the collation" '"C"' "SELECT attcollation::regcollation FROM pg_attribute WHERE attrelid = 't11'::regclass AND attname = 'v'"
rows_off "fill_where leaves the others alone" t12 "v IS DISTINCT FROM CASE WHEN id % 2 = 0 THEN name END"
rows_off "constant default" t13 "v IS DISTINCT FROM 'x'"
expect_sql "a constant default needs no fill" "0|0" "SELECT (SELECT rows_filled FROM backfill.job WHERE name = 'constant'),
	(SELECT count(*) FROM backfill.event WHERE name = 'constant' AND stage = 'filling')"
expect_sql "nor does a stable one: one moment for all rows" "1|0" "SELECT count(DISTINCT v), count(*) FILTER (WHERE v IS NULL) FROM t14"
expect_sql "a volatile default is evaluated once a row" "3000|3000|3000" \
	"SELECT count(DISTINCT v), max(v), (SELECT last_value FROM counted_default) FROM t15"
rows_off "constant default, another value for the rows that were there" t16 "v IS DISTINCT FROM 'old ' || id"
rows_off "volatile default, another value for the rows that were there" t17 "v IS DISTINCT FROM -id"
sql -U shop_app main "INSERT INTO t13 (id) VALUES (-1); INSERT INTO t15 (id) VALUES (-1); INSERT INTO t16 (id) VALUES (-1); INSERT INTO t17 (id) VALUES (-1)"
expect_sql "new rows get the default" "x|3001|new|t" "SELECT t13.v, t15.v, t16.v, t17.v >= 0 FROM t13, t15, t16, t17
	WHERE t13.id = -1 AND t15.id = -1 AND t16.id = -1 AND t17.id = -1"
rows_off "an untyped literal becomes what the column is" t18 "v IS DISTINCT FROM 'sad'"
rows_off "a composite value with a NULL in it is a value" t19 "v IS NOT DISTINCT FROM NULL OR (v).street IS DISTINCT FROM name"
rows_off "... also where it is derived" t25 "v IS DISTINCT FROM ROW(name, NULL)::place"
sql -U shop_app main "INSERT INTO t25 (id, name) VALUES (-1, 'Ann')"
expect_sql "... and by its trigger" "(Ann,)" "SELECT v FROM t25 WHERE id = -1"
rows_off "a type without equality" t20 "v->>'id' IS DISTINCT FROM id::text"
expect_failed "a type without equality cannot be derived, which planning says" json_derived planning 'json.*derive|derive.*json'
expect_sql "... and touches nothing" 0 "SELECT count(*) FROM pg_attribute WHERE attrelid = 't21'::regclass AND attname = 'v'"
rows_off "an expression may end in a comment" t22 "v IS DISTINCT FROM id"
settings="SELECT count(DISTINCT v) FROM t26 WHERE id IN (500, -500)"
sql -U shop_app main "INSERT INTO t26 (id, d) SELECT -500, d FROM t26 WHERE id = 500; UPDATE t26 SET n = 0 WHERE id = 600"
expect_sql "the trigger computes as the fill did, whatever the writer's settings" "1|3001" "SELECT ($settings), (SELECT count(*) FROM t26 WHERE v LIKE '2026-07-01 00:30:00+002026-07-012026-%1 dayx\\\\y')"
expect_sql "a value that is NULL for all rows ends too" "0|0" "SELECT count(v), (SELECT rows_filled FROM backfill.job WHERE name = 'null_value') FROM t23"
expect_failed "a default that is NULL is none, which planning says" null_default planning 'default_expr is NULL'
for table in t1 t3 t4 t13 t15 t19; do
	expect_clean "nothing of ours is left on $table" $table
done
expect_sql "the derive trigger stays, with its function" "2" "
	SELECT count(*) FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid WHERE tgrelid = 't6'::regclass AND p.proname LIKE 'backfill\_derive\_%'"

# Mended, it goes on from where it was.
sql -U shop_app main "UPDATE t5 SET name = 'N' || id"
again too_long
jobs_settle 20
expect_done too_long
rows_off "after mending every row has a value" t5 "v IS NULL OR length(v) > 8"

# Two jobs at once that could deadlock, or count twice, with two workers each.
sql -U shop_owner main "
	CREATE TABLE big (id int PRIMARY KEY, name text); INSERT INTO big SELECT g, 'n' || g FROM generate_series(1, 40000) g; ANALYZE big;
	CREATE SEQUENCE big_counted; ALTER TABLE big SET (autovacuum_enabled = off)"
enqueue big table_name=big column_name=v column_type=bigint value="nextval('big_counted')" workers=2 batch_ms=5
jobs_settle 40
expect_done big
expect_sql "two workers evaluate a volatile value once a row" "40000|40000|40000" "SELECT count(DISTINCT v), max(v), (SELECT last_value FROM big_counted) FROM big"

# Statistics that count nothing are not believed.
sql main "ALTER ROLE backfilld_shop SET track_counts = off"
enqueue uncounted table_name=big column_name=w column_type=text value='upper(name)' workers=2 batch_ms=5
jobs_settle 40
expect_done uncounted
expect_sql "without the server's statistics rows are counted too" "40000|40000" \
	"SELECT count(w), (SELECT rows_filled FROM backfill.job WHERE name = 'uncounted') FROM big"
sql main "ALTER ROLE backfilld_shop RESET track_counts"

replica_caught_up standby1 main
for table in t1 t6 t8 t10 t19; do
	hash="SELECT md5(string_agg(x::text, ',' ORDER BY id)) FROM $table x"
	expect_sql "$table on the replica is the same" "$(sql main "$hash")" -n standby1 "$hash"
done
daemon_stop
