#!/usr/bin/env bash
# What a table may be: keys, names, storage, triggers, indexes, publications; each row compared afterwards.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world wal_level=logical
replica_start standby1 main
sql -U shop_owner main <<'SQL'
	CREATE TABLE no_key (id int, name text);
	INSERT INTO no_key SELECT g % 100, 'n' || g FROM generate_series(1, 3000) g;
	CREATE TABLE composite_key (a int, b text, name text, PRIMARY KEY (b, a));
	INSERT INTO composite_key SELECT g % 50, 'b' || g / 50, 'n' || g FROM generate_series(1, 3000) g;

	CREATE SCHEMA "Odd. ""Schema"" (1";
	CREATE TABLE "Odd. ""Schema"" (1"."Täble.with ""all"" 'of' it [*" ("select" int PRIMARY KEY, "E-Mail (old" text, "ünï" text);
	INSERT INTO "Odd. ""Schema"" (1"."Täble.with ""all"" 'of' it [*" SELECT g, 'e' || g, 'u' FROM generate_series(1, 500) g;

	CREATE TABLE wide (id int PRIMARY KEY, doc text, small text);
	ALTER TABLE wide ALTER doc SET STORAGE EXTERNAL;
	INSERT INTO wide SELECT g, repeat(md5(g::text), 400), 's' || g FROM generate_series(1, 300) g;
	CREATE TABLE medium (id int PRIMARY KEY, doc text);
	INSERT INTO medium SELECT g, repeat(md5(g::text), 55) FROM generate_series(1, 1500) g;

	CREATE TABLE empty (id int PRIMARY KEY, name text);
	CREATE TABLE never_analyzed (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off);
	CREATE TABLE one_row (id int PRIMARY KEY, name text);
	INSERT INTO one_row VALUES (1, 'only');
	CREATE TABLE half_full (id int PRIMARY KEY, name text) WITH (fillfactor = 50);
	INSERT INTO half_full SELECT g, 'n' || g FROM generate_series(1, 5000) g;
	CREATE TABLE many_dead (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off);
	INSERT INTO many_dead SELECT g, 'n' || g FROM generate_series(1, 6000) g;
	UPDATE many_dead SET name = name || '!' WHERE id % 2 = 0;
	DELETE FROM many_dead WHERE id % 3 = 0;
	CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, name text);
	INSERT INTO unlogged SELECT g, 'n' || g FROM generate_series(1, 1000) g;

	CREATE TABLE audit (id int, was text, became text);
	CREATE TABLE audited (id int PRIMARY KEY, name text, changed_at timestamptz);
	INSERT INTO audited SELECT g, 'n' || g FROM generate_series(1, 1000) g;
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed_at := now(); RETURN NEW; END';
	CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.audit VALUES (NEW.id, OLD.name, NEW.name); RETURN NULL; END';
	CREATE TRIGGER touch BEFORE UPDATE ON audited FOR EACH ROW EXECUTE FUNCTION touch();
	CREATE TRIGGER "Note it" AFTER UPDATE ON audited FOR EACH ROW EXECUTE FUNCTION note_change();
	CREATE TABLE generated (id int PRIMARY KEY, name text, loud text GENERATED ALWAYS AS (upper(name)) STORED);
	INSERT INTO generated SELECT g, 'n' || g FROM generate_series(1, 1000) g;

	CREATE TABLE published (id int, name text);
	INSERT INTO published SELECT g, 'n' || g FROM generate_series(1, 100) g;
	CREATE TABLE published_well (id int PRIMARY KEY, name text);
	INSERT INTO published_well SELECT g, 'n' || g FROM generate_series(1, 100) g;
	CREATE TABLE published_full (id int, name text);
	ALTER TABLE published_full REPLICA IDENTITY FULL;
	INSERT INTO published_full SELECT g, 'n' || g FROM generate_series(1, 100) g;

	CREATE TABLE indexed (id int PRIMARY KEY, name text, v text, n int);
	INSERT INTO indexed SELECT g, 'n' || g, NULL, g FROM generate_series(1, 6000) g;
	CREATE INDEX ON indexed (v);
	CREATE TABLE indexed_oddly (id int PRIMARY KEY, name text, v text, n int);
	INSERT INTO indexed_oddly SELECT g, 'n' || g, NULL, g FROM generate_series(1, 6000) g;
	CREATE INDEX ON indexed_oddly (n) WHERE v IS NULL;
	CREATE INDEX ON indexed_oddly (lower(name));
	CREATE INDEX ON indexed_oddly ((upper(v)));
	CREATE UNIQUE INDEX ON indexed_oddly (name) INCLUDE (v);

	CREATE TABLE checked (id int PRIMARY KEY, name text, CHECK (length(name) < 100));
	INSERT INTO checked SELECT g, 'n' || g FROM generate_series(1, 1000) g;
	CREATE TABLE referencing (id int PRIMARY KEY, checked_id int REFERENCES checked ON UPDATE CASCADE);
	INSERT INTO referencing SELECT g, g FROM generate_series(1, 1000) g;
	CREATE TABLE protected (id int PRIMARY KEY, name text);
	INSERT INTO protected SELECT g, 'n' || g FROM generate_series(1, 1000) g;
	ALTER TABLE protected ENABLE ROW LEVEL SECURITY;
	CREATE POLICY few ON protected USING (id < 10);
SQL
sql main "CREATE PUBLICATION news FOR TABLE published, published_well, published_full"
sql -U shop_owner main "ANALYZE no_key, composite_key, wide, medium, one_row, half_full, many_dead, indexed, indexed_oddly, checked"
daemon_start
odd='"Odd. ""Schema"" (1"."Täble.with ""all"" '"'of'"' it [*"'
enqueue no_key table_name=no_key column_name=v column_type=text value='upper(name)' workers=2
enqueue composite_key table_name=composite_key column_name=v column_type=text value='upper(name)' not_null=true
enqueue odd table_name="$odd" column_name='New "cölumn" (a.b' column_type=text value='upper("E-Mail (old")' not_null=true
enqueue keyword table_name="$odd" column_name='user' column_type=int value='"select" * 2' sync=derive
enqueue star table_name="$odd" column_name='*' column_type=text value='"ünï"' fill_where='"select" % 2 = 0'
enqueue wide table_name=wide column_name=v column_type=text value="reverse(doc)"
enqueue medium table_name=medium column_name=v column_type=text value="doc || md5(doc)" sync=derive
enqueue empty table_name=empty column_name=v column_type=text value='upper(name)' not_null=true
enqueue never_analyzed table_name=never_analyzed column_name=v column_type=int value=id not_null=true default_expr=0
enqueue one_row table_name=one_row column_name=v column_type=text value='upper(name)' not_null=true
enqueue half_full table_name=half_full column_name=v column_type=text value='upper(name)'
enqueue many_dead table_name=many_dead column_name=v column_type=text value='upper(name)'
enqueue unlogged table_name=unlogged column_name=v column_type=text value='upper(name)'
enqueue audited table_name=audited column_name=v column_type=text value='upper(name)'
enqueue generated_fill table_name=generated column_name=v column_type=text value='lower(loud)'
enqueue generated_none table_name=generated column_name=w column_type=text value='lower(loud)' sync=none
enqueue published table_name=published column_name=v column_type=text value='upper(name)'
enqueue published_well table_name=published_well column_name=v column_type=text value='upper(name)'
enqueue published_full table_name=published_full column_name=v column_type=text value='upper(name)'
enqueue indexed table_name=indexed column_name=v value='upper(name)'
enqueue indexed_oddly table_name=indexed_oddly column_name=v column_type=text value='upper(name)' workers=2
enqueue checked table_name=checked column_name=v column_type=text value='upper(name)' not_null=true
enqueue protected table_name=protected column_name=v column_type=text value='upper(name)'
jobs_settle 60

expect_done no_key composite_key odd keyword star wide medium empty never_analyzed one_row half_full many_dead unlogged audited \
	generated_none published_well published_full indexed indexed_oddly checked protected
for table in no_key composite_key empty one_row half_full many_dead unlogged audited published_well published_full indexed indexed_oddly checked protected; do
	expect_sql "each row of $table has its value" 0 "SELECT count(*) FROM $table WHERE v IS DISTINCT FROM upper(name)"
	expect_clean "nothing of ours is left on $table" "$table"
done
expect_sql "odd names: each row has its values" 0 "SELECT count(*) FROM $odd
	WHERE \"New \"\"cölumn\"\" (a.b\" IS DISTINCT FROM upper(\"E-Mail (old\") OR \"user\" IS DISTINCT FROM \"select\" * 2
	   OR \"*\" IS DISTINCT FROM CASE WHEN \"select\" % 2 = 0 THEN \"ünï\" END"
sql main "INSERT INTO $odd (\"select\", \"New \"\"cölumn\"\" (a.b\") VALUES (-1, 'x')"
expect_sql "... and the trigger that stays knows them" "-2" "SELECT \"user\" FROM $odd WHERE \"select\" = -1"
expect_sql "wide rows: each has its value" 0 "SELECT count(*) FROM wide WHERE v IS DISTINCT FROM reverse(doc) OR doc IS DISTINCT FROM repeat(md5(id::text), 400)"
expect_sql "rows of a page's size: each has its value" 0 "SELECT count(*) FROM medium WHERE v IS DISTINCT FROM doc || md5(doc) OR doc IS DISTINCT FROM repeat(md5(id::text), 55)"
expect_sql "no row was lost or doubled" "3000|3000|500|300|1500|5000|4000|6000|6000" "
	SELECT (SELECT count(*) FROM no_key), (SELECT count(*) FROM composite_key), (SELECT count(*) - 1 FROM $odd), (SELECT count(*) FROM wide),
	       (SELECT count(*) FROM medium), (SELECT count(*) FROM half_full), (SELECT count(*) FROM many_dead), (SELECT count(*) FROM indexed),
	       (SELECT count(*) FROM indexed_oddly)"
expect_sql "an empty table gets its column, NOT NULL, too" "t|t" "
	SELECT (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'empty'::regclass AND attname = 'v'),
	       (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'never_analyzed'::regclass AND attname = 'v')"
expect_sql "planning names the table's own triggers" t "SELECT bool_or(note ~ 'trigger \"Note it\", touch') FROM backfill.plan_step WHERE job_id = $(job_id audited)"
expect_sql "... which fire once for each row" "1000|1000|0" \
	"SELECT count(*), count(DISTINCT id), (SELECT count(*) FROM audited WHERE changed_at IS NULL) FROM audit"
expect_failed "a trigger's value cannot read a generated column" generated_fill planning 'stored generated column.*generation expression'
expect_sql "... and nothing was touched" 0 "SELECT count(*) FROM pg_attribute WHERE attrelid = 'generated'::regclass AND attname = 'v'"
expect_sql "with sync = none it can" 0 "SELECT count(*) FROM generated WHERE w IS DISTINCT FROM name"
expect_failed "updates that a publication would make fail are refused beforehand" published planning 'publication news.*REPLICA IDENTITY'
sql -U shop_owner main "ALTER TABLE published REPLICA IDENTITY FULL"
again published
jobs_settle 20
expect_done published
expect_sql "an index on the column makes it one pass" t "SELECT bool_and(detail ~ 'in 1 passes') FROM backfill.event WHERE name IN ('indexed', 'indexed_oddly') AND kind = 'window'"

sql main "CREATE PUBLICATION everything FOR ALL TABLES; CREATE UNLOGGED TABLE unlogged2 (id int); ALTER TABLE unlogged2 OWNER TO shop_owner; INSERT INTO unlogged2 VALUES (1)"
enqueue unlogged2 table_name=unlogged2 column_name=v column_type=int value=id
jobs_settle 20
expect_done unlogged2

replica_caught_up standby1 main
for table in no_key composite_key "$odd" wide medium indexed_oddly; do
	hash="SELECT count(*), md5(string_agg(md5(x::text), ',' ORDER BY md5(x::text))) FROM $table x"
	expect_sql "$table on the replica is the same" "$(sql main "$hash")" -n standby1 "$hash"
done
daemon_stop
