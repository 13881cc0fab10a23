#!/usr/bin/env bash
# What backfill.job refuses at INSERT: each case with its SQLSTATE, a piece of the message and a piece of the hint.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster
sql -U shop_owner main <<'SQL'
CREATE VIEW public.orders_view AS SELECT id FROM public.orders;
CREATE MATERIALIZED VIEW public.orders_kept AS SELECT id FROM public.orders;
CREATE SEQUENCE public.numbers;
CREATE TYPE public.pair AS (a int, b int);
CREATE TABLE public.docs (id int, doc jsonb);
CREATE TABLE public.typed OF public.pair;
CREATE TABLE public.tree (id int) PARTITION BY RANGE (id);
CREATE TABLE public.tree_1 PARTITION OF public.tree FOR VALUES FROM (0) TO (10);
CREATE TABLE public.parent (id int);
CREATE TABLE public.child () INHERITS (public.parent);
CREATE TABLE public."Mixed" (id int);
CREATE TABLE public.walled (id int);
ALTER TABLE public.walled FORCE ROW LEVEL SECURITY;
CREATE TABLE public."Odd Name" (id int, gen int GENERATED ALWAYS AS (id + 1) STORED, num int GENERATED ALWAYS AS IDENTITY,
	gone int, label text COLLATE "C");
ALTER TABLE public."Odd Name" DROP COLUMN gone;
CREATE DOMAIN public.plain AS text;
CREATE DOMAIN public.checked AS text CHECK (VALUE <> '');
CREATE DOMAIN public.stacked AS public.checked;
CREATE DOMAIN public.filled AS numeric(8,2) NOT NULL;
CREATE DOMAIN public.preset AS int DEFAULT 5;
SQL
sql main "CREATE TABLE public.foreign_goods (id int); ALTER TABLE public.foreign_goods OWNER TO alice;"
sql main "CREATE TYPE public.shell; CREATE FOREIGN DATA WRAPPER hollow; CREATE SERVER far FOREIGN DATA WRAPPER hollow;
	CREATE FOREIGN TABLE public.abroad (id int) SERVER far; ALTER FOREIGN TABLE public.abroad OWNER TO shop_owner;"

what="table_name, column_name, column_type"

# Which table
refused "no table" 23502 'names no table.*INSERT INTO' "column_name, column_type" "'v', 'text'"
refused "an unknown table" 42P01 'table nothing does not exist.*search_path: public, pg_temp.*Create the table' "$what" "'nothing', 'v', 'text'"
refused "an odd name, unquoted" 42602 'not the name of a table.*There is a table public\."Odd Name"' "$what" "'Odd Name', 'v', 'text'"
refused "a name with capitals, unquoted" 42P01 'table Mixed does not exist.*There is a table public\."Mixed"' "$what" "'Mixed', 'v', 'text'"
refused "not a name" 42602 'not the name of a table.*double quotes' "$what" "'a b; c', 'v', 'text'"
refused "too many dots" 42602 'not the name of a table' "$what" "'a.b.c.d', 'v', 'text'"
refused "another database" 42602 'not the name of a table.*cross-database' "$what" "'other.public.orders', 'v', 'text'"
refused "a view" 42809 'public.orders_view is a view.*Name the table' "$what" "'orders_view', 'v', 'text'"
refused "a materialized view" 42809 'is a materialized view.*make the materialized view anew' "$what" "'orders_kept', 'v', 'text'"
refused "a foreign table" 42809 'is a foreign table.*ALTER FOREIGN TABLE' "$what" "'abroad', 'v', 'text'"
refused "a sequence" 42809 'is a sequence.*Name a table' "$what" "'numbers', 'v', 'text'"
refused "an index" 42809 'is an index.*Name the table' "$what" "'orders_pkey', 'v', 'text'"
refused "a composite type" 42809 'is a composite type.*ALTER TYPE' "$what" "'pair', 'v', 'text'"
refused "a typed table" 42809 'is a typed table.*NOT OF' "$what" "'typed', 'v', 'text'"
refused "a system table" 42809 'pg_catalog.pg_class is a system table.*of your own' "$what" "'pg_class', 'v', 'text'"
refused "a table of ours" 42809 'a table of backfilld itself' "$what" "'backfill.job', 'v', 'text'"
refused "a partition" 42809 'is a partition.*partitioned table it belongs to' "$what" "'tree_1', 'v', 'text'"
expect_error "another owner's table" 42501 'shop_owner may not add a column to table public.foreign_goods.*GRANT alice TO shop_owner' -U shop_owner \
	"INSERT INTO backfill.job ($what) VALUES ('foreign_goods', 'v', 'text')"
refused "FORCE ROW LEVEL SECURITY" 55000 'has FORCE ROW LEVEL SECURITY.*NO FORCE ROW LEVEL SECURITY' "$what" "'walled', 'v', 'text'"
expect_error "a temporary table" 42809 'is a temporary table.*ALTER TABLE in that session' -U shop_owner \
	"CREATE TEMP TABLE mine (id int); INSERT INTO backfill.job ($what) VALUES ('mine', 'v', 'text')"

# Which column
refused "no column" 23502 'names no column' "table_name, column_type" "'orders', 'text'"
refused "an empty column" 23502 'names no column' "$what" "'orders', '', 'text'"
refused "a name too long" 42622 'is too long.*64 bytes.*shorter' "$what" "'orders', repeat('x', 64), 'text'"
refused "a system column" 42701 'name of a system column.*another name' "$what" "'orders', 'ctid', 'text'"
refused "a quoted column" 42602 'stands in double quotes.*Write .Odd' "$what" "'orders', '\"Odd\"', 'text'"
refused "no type for a new column" 42703 'has no column v, and the job gives no type.*Give column_type' "table_name, column_name" "'orders', 'v'"
refused "a dropped column" 42703 'has no column gone' "table_name, column_name" "'\"Odd Name\"', 'gone'"
refused "a generated column" 42809 'is a generated column' "table_name, column_name" "'\"Odd Name\"', 'gen'"
refused "an identity column" 42809 'is an identity column' "table_name, column_name" "'\"Odd Name\"', 'num'"
refused "a column of another type" 42804 'of another type.*type text; the job asks for bigint.*column_type null' "$what" "'orders', 'email', 'bigint'"

# Which type
refused "an unknown type" 42704 'type shoe does not exist.*schema.type' "$what" "'orders', 'v', 'shoe'"
refused "serial" 42704 'serial is no type of its own.*default_expr' "$what" "'orders', 'v', 'bigserial'"
refused "garbage for a type" 42601 'is not a type.*Write just the type' "$what" "'orders', 'v', 'int not null'"
refused "a second statement" 42601 'is not a type' "$what" "'orders', 'v', 'int); DROP TABLE orders; --'"
refused "a comment" 42601 'is not just a type' "$what" "'orders', 'v', 'int -- c'"
refused "another comment" 42601 'is not just a type' "$what" "'orders', 'v', 'int /* c */'"
refused "an impossible modifier" 22023 'is not a type.*precision' "$what" "'orders', 'v', 'numeric(100000)'"
refused "a pseudo-type" 42P16 'cannot have type anyelement.*pseudo-type' "$what" "'orders', 'v', 'anyelement'"
refused "a shell type" 42704 'type.*shell' "$what" "'orders', 'v', 'shell'"
refused "a domain with a CHECK" 0A000 'domain checked.*CHECK.*base type text' "$what" "'orders', 'v', 'checked'"
refused "a domain on such a domain" 0A000 'domain stacked.*checked has CHECK.*base type text' "$what" "'orders', 'v', 'stacked'"
refused "a domain that is NOT NULL" 0A000 'domain filled.*NOT NULL.*base type numeric\(8,2\)' "$what" "'orders', 'v', 'filled'"
refused "a domain with a default" 0A000 'domain preset.*DEFAULT.*base type integer' "$what" "'orders', 'v', 'preset'"
refused "an unknown collation" 42704 'collation xx_YY does not exist.*pg_collation' "$what, \"collation\"" "'orders', 'v', 'text', 'xx_YY'"
refused "a collation for a number" 42804 'type integer has no collation.*null' "$what, \"collation\"" "'orders', 'v', 'int', 'C'"
refused "another collation" 42P21 'another collation.*pg_catalog."C"; the job asks for pg_catalog."POSIX"' \
	"$what, \"collation\"" "'\"Odd Name\"', 'label', 'text', 'POSIX'"

expect_error "a temporary type" 42P16 'temporary type.*schema that stays' -U shop_owner \
	"CREATE TEMP TABLE passing (id int); INSERT INTO backfill.job ($what) VALUES ('orders', 'v', 'passing')"

# Options
refused "derive without a value" 22023 'sync = derive needs a value.*Give value' "$what, sync" "'orders', 'v', 'text', 'derive'"
refused "fill without a value" 22023 'sync = fill needs a value or a default_expr' "$what, sync" "'orders', 'v', 'text', 'fill'"
refused "fill_where without a value" 22023 'fill_where needs a value' "$what, fill_where" "'orders', 'v', 'text', 'id > 1'"
refused "an unknown sync" 22023 'not a way to keep up.*Leave it out' "$what, sync" "'orders', 'v', 'text', 'often'"
refused "an empty value" 22023 'value is empty' "$what, value" "'orders', 'v', 'text', ' '"
refused "an empty default" 22023 'default_expr is empty' "$what, default_expr" "'orders', 'v', 'text', ''"
refused "an empty condition" 22023 'fill_where is empty' "$what, value, fill_where" "'orders', 'v', 'text', '1', ''"
refused "an empty name" 22023 'name is empty' "$what, name" "'orders', 'v', 'text', ''"
refused "an unknown wish" 22023 'not something a job can do.*run, pause' "$what, wanted" "'orders', 'v', 'text', 'fly'"
refused "a new job to cancel" 22023 'cannot start with wanted' "$what, wanted" "'orders', 'v', 'text', 'cancel'"
refused "an unknown hold" 22023 'hold_before.*add, fill and seal.*fill,seal' "$what, hold_before" "'orders', 'v', 'text', '{done}'"
refused "a null hold" 22023 'hold_before' "$what, hold_before" "'orders', 'v', 'text', '{NULL}'"
while read -r knob value; do
	refused "$knob = $value" 22023 "$knob = $value is out of range.*follow the daemon's config" "$what, $knob" "'orders', 'v', 'text', $value"
done <<'KNOBS'
workers -1
workers 33
batch_ms 0
batch_ms 10001
max_lag_ms 99
lag_target_ms 99
max_impact -1
max_impact 1001
max_wal_rate -1
max_wal_rate 1000000000001
lock_timeout_ms 901
ddl_lock_timeout_ms 0
KNOBS

# The ranges are those of the config
knobs=0
while read -r knob low high; do
	knobs=$((knobs + 1))
	expect_sql "$knob goes from $low to $high as in backfilld.yaml" "$((low - 1)) $((high + 1))" "SELECT string_agg(v::text, ' ' ORDER BY v)
		FROM unnest('{$((low - 1)),$low,$high,$((high + 1))}'::bigint[]) v
		WHERE EXISTS (SELECT FROM backfill.job_bad_knob(jsonb_populate_record(NULL::backfill.job, jsonb_build_object('$knob', v))))"
done < <(awk '/^defaults:/ { inside = 1 } /^[^ #]/ && !/^defaults:/ { inside = 0 }
	inside && / Range: [0-9]+ to [0-9]+/ { low = $3; high = $5 }
	inside && /^  #?[a-z_]+:/ { name = $1; gsub(/[#:]/, "", name); if (high != "") print name, low, high; high = "" }' "$TOP/conf/backfilld.yaml")
expect_sql "every knob of a job has one" "$knobs" "SELECT count(*) FROM pg_attribute WHERE attrelid = 'backfill.job'::regclass
	AND (attname ~ '_ms\$' AND attname NOT IN ('lag_ms', 'throttled_ms') OR attname IN ('workers', 'max_impact', 'max_wal_rate'))"

# Not built yet: named, never silently ignored; a column's default never refuses
while IFS='|' read -r column value job; do
	refused "$column, yet" 0A000 "cannot do $column yet.*asks for $column" "$what, $column" "${job:-'orders', 'v', 'text'}, $value"
	default=$(sql main "SELECT coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL') FROM pg_attribute a
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = 'backfill.job'::regclass AND a.attname = '$column'")
	expect_sql "$column = its default is fine" ok -U shop_owner "BEGIN;
		INSERT INTO backfill.job ($what, $column) VALUES ('orders', 'v', 'text', $default) RETURNING 'ok'; ROLLBACK"
done <<'UNBUILT'
index|'advise'
rehearse|true
hold_on_plan_regression|true
UNBUILT
expect_sql "false, empty and null ask for nothing" ok -U shop_owner "BEGIN;
	INSERT INTO backfill.job ($what, rehearse, depends_on, is_unique, hold_before, priority, wanted, sync)
	VALUES ('orders', 'v', 'text', false, '{}', NULL, NULL, NULL, NULL, NULL) RETURNING 'ok'; ROLLBACK"
expect_error "watched queries, yet" 0A000 'cannot watch the plans' -U shop_owner "INSERT INTO backfill.watched_query (query) VALUES ('SELECT 1')"

# When: a part of the day, with its zone
while IFS='|' read -r written regex; do
	refused "daily_window '$written'" 22023 "$regex" "$what, daily_window" "'orders', 'v', 'text', '$written'"
done <<'WINDOWS'
|is not a part of the day.*22:00-05:30 Europe/Berlin
night|is not a part of the day
22:00|is not a part of the day
22-05|is not a part of the day
24:00-05:30|is not a part of the day
22:00-25:00|is not a part of the day
22:60-23:00|is not a part of the day
22:00-05:30:00|is not a part of the day
22:00-05:30Europe/Berlin|is not a part of the day
22:00-22:00|opens and closes at the same time.*null
0:00-24:00|opens and closes at the same time
22:00-05:30 Mars/Base|knows no time zone Mars/Base.*pg_timezone_names.*22:00-05:30 Europe/Berlin
22:00-05:30 Berlin|knows no time zone Berlin.*Europe/Berlin
22:00-05:30 new york|knows no time zone new york.*America/New_York
22:00-05:30 +02|knows no time zone .02
22:00-05:30 CEST|knows no time zone CEST.*summer time
WINDOWS
expect_error "a session's zone without a name" 22023 'knows no time zone <\+02>-02.*that of the session counts' -U shop_owner \
	"SET TIME ZONE 2; INSERT INTO backfill.job ($what, daily_window) VALUES ('orders', 'v', 'text', '22:00-05:30')"
while IFS='|' read -r written stored; do
	expect_sql "daily_window '$written' is spelt out" "$stored" -U shop_owner "SET TimeZone = 'Asia/Tokyo'; BEGIN;
		INSERT INTO backfill.job ($what, daily_window) VALUES ('orders', 'v', 'text', '$written') RETURNING daily_window; ROLLBACK"
done <<'WINDOWS'
22:00-05:30 Europe/Berlin|22:00-05:30 Europe/Berlin
7:00 - 24:00  utc |07:00-00:00 UTC
9:05-17:00|09:05-17:00 Asia/Tokyo
WINDOWS

# ... by the clock on the wall; Berlin puts it forward on 2026-03-29 at 01:00 UTC and back on 2026-10-25 at 01:00 UTC
while IFS='|' read -r window instant is_open closes_in opens_at; do
	expect_sql "$window at $instant" "$is_open|$closes_in|$opens_at" -U shop_owner \
		"SELECT is_open, closes_in, opens_at FROM backfill.daily_window_at('$window', '$instant')"
done <<'WINDOWS'
22:00-05:30 Europe/Berlin|2026-11-22 20:59:59+00|f||2026-11-22 22:00 Europe/Berlin
22:00-05:30 Europe/Berlin|2026-11-22 21:00:00+00|t|07:30:00|2026-11-23 22:00 Europe/Berlin
22:00-05:30 Europe/Berlin|2026-11-22 23:30:00+00|t|05:00:00|2026-11-23 22:00 Europe/Berlin
22:00-05:30 Europe/Berlin|2026-11-23 04:29:59.75+00|t|00:00:00.25|2026-11-23 22:00 Europe/Berlin
22:00-05:30 Europe/Berlin|2026-11-23 04:30:00+00|f||2026-11-23 22:00 Europe/Berlin
22:00-05:30 Europe/Berlin|2026-07-01 20:00:00+00|t|07:30:00|2026-07-02 22:00 Europe/Berlin
09:00-17:00 UTC|2026-11-22 08:59:59+00|f||2026-11-22 09:00 UTC
09:00-17:00 UTC|2026-11-22 09:00:00+00|t|08:00:00|2026-11-23 09:00 UTC
09:00-17:00 UTC|2026-11-22 17:00:00+00|f||2026-11-23 09:00 UTC
18:00-00:00 UTC|2026-11-22 23:59:00+00|t|00:01:00|2026-11-23 18:00 UTC
18:00-00:00 UTC|2026-11-23 00:00:00+00|f||2026-11-23 18:00 UTC
00:00-06:00 UTC|2026-12-31 23:59:59+00|f||2027-01-01 00:00 UTC
01:00-02:30 Europe/Berlin|2026-03-29 00:59:59+00|t|00:30:01|2026-03-30 01:00 Europe/Berlin
01:00-02:30 Europe/Berlin|2026-03-29 01:00:00+00|f||2026-03-30 01:00 Europe/Berlin
02:30-04:00 Europe/Berlin|2026-03-29 00:59:59+00|f||2026-03-29 02:30 Europe/Berlin
02:30-04:00 Europe/Berlin|2026-03-29 01:00:00+00|t|01:00:00|2026-03-30 02:30 Europe/Berlin
22:00-02:30 Europe/Berlin|2026-10-25 00:29:59+00|t|00:00:01|2026-10-25 22:00 Europe/Berlin
22:00-02:30 Europe/Berlin|2026-10-25 00:30:00+00|f||2026-10-25 22:00 Europe/Berlin
22:00-02:30 Europe/Berlin|2026-10-25 01:00:00+00|t|00:30:00|2026-10-25 22:00 Europe/Berlin
22:00-05:30 Gone/Away|2026-11-22 20:59:59+00|f||never: this server knows no time zone Gone/Away
WINDOWS

# ... and how long work takes that may go on in it only
while IFS='|' read -r window work ends; do
	expect_sql "$work of work, $window" "$ends" -U shop_owner "SET TimeZone = 'UTC'; SELECT backfill.daily_window_after(nullif('$window', ''), '2026-11-22 12:00+00', '$work')"
done <<'WORK'
|5 h|2026-11-22 17:00:00+00
10:00-14:00 UTC|2 h|2026-11-22 14:00:00+00
10:00-14:00 UTC|2 h 1 s|2026-11-23 10:00:01+00
10:00-14:00 UTC|6 h|2026-11-23 14:00:00+00
10:00-14:00 UTC|7 h|2026-11-24 11:00:00+00
22:00-05:30 UTC|1 s|2026-11-22 22:00:01+00
22:00-05:30 UTC|7 h 30 min|2026-11-23 05:30:00+00
22:00-05:30 UTC|8 h|2026-11-23 22:30:00+00
22:00-05:30 Europe/Berlin|8 h|2026-11-23 21:30:00+00
22:00-05:30 Gone/Away|8 h|
WORK

# What is fine
for type in 'numeric(10,2)' 'text[]' 'timestamp(3) with time zone' 'plain' 'public.pair' '"char"' 'interval day to second'; do
	expect_sql "type $type" "$type" -U shop_owner "BEGIN;
		INSERT INTO backfill.job ($what) VALUES ('orders', 'v', '$type') RETURNING column_type; ROLLBACK"
done
expect_sql "the table is found and written out" 'public."Odd Name"|public, pg_temp|t' -U shop_owner "BEGIN;
	INSERT INTO backfill.job ($what) VALUES ('\"Odd Name\"', 'v', 'text')
	RETURNING table_name, search_path, table_oid = 'public.\"Odd Name\"'::regclass; ROLLBACK"
expect_sql "an existing column is adopted" t -U shop_owner "BEGIN;
	INSERT INTO backfill.job (table_name, column_name, value) VALUES ('orders', 'total', '1') RETURNING adopted; ROLLBACK"
expect_sql "a collation is found and written out" 'pg_catalog."C"' -U shop_owner "BEGIN;
	INSERT INTO backfill.job ($what, \"collation\") VALUES ('orders', 'v', 'text', 'C') RETURNING \"collation\"; ROLLBACK"

# One live job a column
enqueue shop_owner first orders v text >/dev/null
refused "a second live job for a column" 23505 'column v of table public.orders has a live job already.*job [0-9]+ "first", in stage queued.*cancel' \
	"$what" "'public.orders', 'v', 'text'"
expect_sql "another column of the table is fine" ok -U shop_owner "BEGIN; INSERT INTO backfill.job ($what) VALUES ('orders', 'w', 'text') RETURNING 'ok'; ROLLBACK"
sql main "UPDATE backfill.job SET stage = 'done', finished_at = now()"
expect_sql "and so is the column once that job is done" ok -U shop_owner "BEGIN; INSERT INTO backfill.job ($what) VALUES ('orders', 'v', 'text') RETURNING 'ok'; ROLLBACK"
