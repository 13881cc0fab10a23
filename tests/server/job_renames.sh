#!/usr/bin/env bash
# Names and oids that change under a job: the table is renamed, moved to another schema, or another one takes its place; the
# column is renamed; the whole database comes out of a dump.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
daemon_option jobs_at_once 16
sql main "CREATE SCHEMA archive AUTHORIZATION shop_owner"
sql -U shop_owner main "
	CREATE FUNCTION public.slowly(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(0.004); RETURN upper(\$1); END'"
table() { # NAME [ROWS]
	sql -U shop_owner main "CREATE TABLE $1 (id int PRIMARY KEY, name text); INSERT INTO $1 SELECT g, 'n' || g FROM generate_series(1, ${2:-1000}) g; ANALYZE $1"
}
filling() { # JOB
	wait_until 20 "job $1 fills" "SELECT sum(rows_filled) > 0, sum(rows_filled) FROM backfill.bookmark WHERE job_id = $(job_id "$1")"
}
owner() {
	sql -U shop_owner main "$1"
}
filled() { # WHAT TABLE [COLUMN]
	expect_sql "$1" 0 "SELECT count(*) FROM $2 WHERE ${3:-v} IS DISTINCT FROM upper(name)"
}
daemon_start

note "the table is renamed"
for name in queued fill moved swapped sealed named; do table "$name"; done
enqueue queued table_name=queued column_name=v column_type=text value='upper(name)' not_before='2100-01-01 00:00+00'
owner "ALTER TABLE queued RENAME TO queued_on"
steer queued "not_before = NULL"
job_reaches queued "done" 20
filled "while the job was queued: it is followed" queued_on
expect_sql "... the row says so" "public.queued_on" "SELECT table_name FROM backfill.job WHERE name = 'queued'"
expect_sql "... and the history" "table public.queued is called public.queued_on now" "SELECT detail FROM backfill.event WHERE name = 'queued' AND kind = 'renamed'"

enqueue fill table_name=fill column_name=v column_type=text value='slowly(name)' not_null=true batch_ms=20
enqueue moved table_name=moved column_name=v column_type=text value='slowly(name)' not_null=true batch_ms=20
filling fill
owner "ALTER TABLE fill RENAME TO \"Fill on\""
filling moved
owner "ALTER TABLE moved SET SCHEMA archive"
job_reaches fill "done" 30
job_reaches moved "done" 30
filled "in the middle of the fill" '"Fill on"'
filled "moved to another schema in the middle of the fill" archive.moved
expect_clean "... nothing of ours is left" '"Fill on"'
expect_clean "... nor there" archive.moved

enqueue sealed table_name=sealed column_name=v column_type=text value='upper(name)' not_null=true hold_before='{seal}'
says sealed '^held before seal'
session_open writer main -U shop_owner
session_do writer "BEGIN; LOCK TABLE sealed IN ACCESS SHARE MODE" >/dev/null
proceed sealed >/dev/null
says sealed '^a transaction .* has held'
session_do writer "ALTER TABLE sealed RENAME TO sealed_on; CREATE TABLE sealed (id int, name text, v text); COMMIT" >/dev/null
session_close writer
job_reaches sealed "done" 20
expect_sql "another table in its place is left alone" "f|t" "SELECT (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'sealed'::regclass AND attname = 'v'),
	(SELECT attnotnull FROM pg_attribute WHERE attrelid = 'sealed_on'::regclass AND attname = 'v')"
expect_clean "... and of ours nothing is left" sealed_on

table replaced
enqueue replaced table_name=replaced column_name=v column_type=text value='slowly(name)' batch_ms=20
filling replaced
owner "BEGIN; ALTER TABLE replaced RENAME TO replaced_on;
	CREATE TABLE replaced (id int PRIMARY KEY, name text, v text); INSERT INTO replaced SELECT g, 'n' || g FROM generate_series(1, 1000) g; COMMIT"
job_reaches replaced "done" 60
filled "another table takes the name in the middle of the fill: the job's own is filled" replaced_on
expect_sql "... and the other left alone" 0 "SELECT count(v) FROM replaced"

enqueue named table_name=named column_name=v column_type=text value='upper(named.name)' hold_before='{fill}'
says named '^held before fill'
owner "ALTER TABLE named RENAME TO named_on"
proceed named >/dev/null
job_ends named failed 20
expect_failed "an expression that names the table as it was called: a clear error" named filling 'missing FROM-clause entry for table "named"\|42P01\|.*is called public.named_on now'
owner "ALTER TABLE named_on RENAME TO named"
again named
job_reaches named "done" 20
filled "named so again it goes on" named

note "a partition is renamed while its index is built"
owner "CREATE TABLE leaves (id int, name text) PARTITION BY RANGE (id);
	CREATE TABLE leaves_1 PARTITION OF leaves FOR VALUES FROM (0) TO (1000);
	CREATE TABLE leaves_2 PARTITION OF leaves FOR VALUES FROM (1000) TO (2000);
	INSERT INTO leaves SELECT g, 'n' || g FROM generate_series(0, 1999) g"
session_open old main -U shop_app
session_do old "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1" >/dev/null
enqueue leaves table_name=leaves column_name=v column_type=text value='upper(name)' index=btree
says leaves '^to build the index'
session_open renamer main -U shop_owner
session_do renamer "ALTER TABLE leaves_1 RENAME TO leaves_one" >/dev/null
session_close renamer
session_do old "COMMIT" >/dev/null
session_close old
job_reaches leaves "done" 30
expect_sql "it has one index, like the others, and none is left invalid" "2|t|2" "
	SELECT count(*), bool_and(i.indisvalid), count(DISTINCT i.indrelid) FROM pg_inherits h JOIN pg_index i ON i.indrelid = h.inhrelid WHERE h.inhparent = 'leaves'::regclass"
filled "... and every row its value" leaves

note "the column is renamed"
table writes
enqueue writes table_name=writes column_name=v column_type=text value='upper(name)' hold_before='{seal}'
says writes '^held before seal'
owner "ALTER TABLE writes RENAME v TO w"
sql -U shop_app main "INSERT INTO writes (id, name) VALUES (-1, 'new'); UPDATE writes SET name = 'newer' WHERE id = 2"
ok "under a trigger that looks for the old name the application's writes go on"
owner "ALTER TABLE writes RENAME w TO v"
proceed writes >/dev/null
job_reaches writes "done" 20
for name in colfill colheld colback coldone; do table "$name"; done
enqueue colfill table_name=colfill column_name=v column_type=text value='slowly(name)' not_null=true batch_ms=20
filling colfill
owner "ALTER TABLE colfill RENAME COLUMN v TO w"
job_ends colfill failed 20
expect_failed "in the middle of the fill: a clear error" colfill filling 'column v of table public.colfill is called w now\|42703\|ALTER TABLE public.colfill RENAME COLUMN w TO'
owner "ALTER TABLE colfill RENAME COLUMN w TO v"
again colfill
job_reaches colfill "done" 30
filled "named so again it goes on" colfill
enqueue colheld table_name=colheld column_name=v column_type=text value='upper(name)' hold_before='{fill}'
says colheld '^held before fill'
owner "ALTER TABLE colheld RENAME COLUMN v TO w"
proceed colheld >/dev/null
job_ends colheld failed 20
expect_failed "at a hold: a clear error" colheld adding 'column v of table public.colheld is called w now'
expect_sql "... no second column is added" 0 "SELECT count(*) FROM pg_attribute WHERE attrelid = 'colheld'::regclass AND attname = 'v'"
steer colheld "wanted = 'cancel'"
job_ends colheld cancelled 20
ok "... and it can be cancelled"
enqueue coldone table_name=coldone column_name=v column_type=text value='upper(name)'
job_ends coldone "done" 20
owner "ALTER TABLE coldone RENAME COLUMN v TO w"
steer coldone "wanted = 'roll_back'"
job_ends coldone failed 20
expect_failed "rolling back does not leave it behind without a word" coldone rolling_back 'column v of table public.coldone is called w now.*rolling back goes on'
owner "ALTER TABLE coldone RENAME COLUMN w TO v"
again coldone
job_ends coldone rolled_back 20
expect_equal "named so again it is taken back" "$(shape colback)" "$(shape coldone | sed 's/coldone/colback/g')"

pg_dump=$(postgres_program pg_dump)
if (($("$pg_dump" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/') < $(sql main "SELECT current_setting('server_version_num')::int / 10000"))); then
	skip_one "the database comes out of a dump" "this pg_dump is older than the server"
	daemon_stop
	exit 0
fi
note "the database comes out of a dump"
table dumped_held
table dumped_fill 3000
table dumped_queued
table dumped_lost
enqueue dumped_held table_name=dumped_held column_name=v column_type=text value='upper(name)' not_null=true hold_before='{seal}'
enqueue dumped_queued table_name=dumped_queued column_name=v column_type=text value='upper(name)' not_before='2100-01-01 00:00+00'
enqueue dumped_lost table_name=dumped_lost column_name=v column_type=text value='upper(name)' not_before='2100-01-01 00:00+00'
enqueue dumped_fill table_name=dumped_fill column_name=v column_type=text value='slowly(name)' not_null=true batch_ms=20
says dumped_held '^held before seal'
filling dumped_fill
daemon_kill
owner "DELETE FROM dumped_fill WHERE id % 3 = 0" # what comes out of the dump lies elsewhere
as_server "$pg_dump" -h "$WORK/main" -d shop -T dumped_lost -f "$WORK/main/dump.sql"
sql -d postgres main "DROP DATABASE shop WITH (FORCE)"
sql -d postgres main "CREATE DATABASE shop"
psql_at main -q -f "$WORK/main/dump.sql" >/dev/null
daemon_start
job_reaches dumped_fill "done" 40
filled "a job in the middle of its fill goes on" dumped_fill
expect_clean "... and nothing of ours is left" dumped_fill
proceed dumped_held >/dev/null
steer dumped_queued "not_before = NULL"
steer dumped_lost "not_before = NULL"
job_reaches dumped_held "done" 20
job_reaches dumped_queued "done" 20
filled "so does one that was held" dumped_held
filled "... and one that was queued" dumped_queued
job_ends dumped_lost failed 20
expect_sql "one whose table did not come along fails" "table public.dumped_lost is gone" "SELECT error FROM backfill.job WHERE name = 'dumped_lost'"
expect_sql "the history says it" "dumped_fill|restored from a dump: table public.dumped_fill is found by its name again, and a walk over it starts anew
dumped_lost|restored from a dump, and there is no table public.dumped_lost here" \
	"SELECT name, detail FROM backfill.event WHERE kind = 'restored' AND name IN ('dumped_fill', 'dumped_lost') ORDER BY name"
daemon_stop
