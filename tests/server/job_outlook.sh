#!/usr/bin/env bash
# What planning finds of others that may get into a job's way: old transactions, an autovacuum that does not give way, too few
# connections.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world max_connections=30 max_prepared_transactions=1 autovacuum_naptime=1s
sql -U shop_owner main "CREATE TABLE t (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off); INSERT INTO t SELECT g, 'n' || g FROM generate_series(1, 100000) g"
daemon_start
session_open report main -U shop_app
session_do report "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1" >/dev/null
sql main "BEGIN; CREATE TABLE half (); PREPARE TRANSACTION 'Two phases'"

enqueue early table_name=t column_name=w column_type=int hold_before='{add}'
says early '^held before add'
expect_sql "those that have just begun are no news" "" "SELECT note FROM backfill.plan_step WHERE step = 0 AND note ~ 'is open since'"

sql main "
	ALTER TABLE t SET (autovacuum_freeze_max_age = 100000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
	CREATE TEMPORARY TABLE x (i int);
	DO \$\$ BEGIN
		FOR i IN 1..101000 LOOP
			BEGIN INSERT INTO x VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END;
		END LOOP; END \$\$"
wait_until 20 "the transactions are old enough to be told" "SELECT min(xact_start) < clock_timestamp() - interval '11 s' FROM pg_stat_activity WHERE pid = $(session_pid report)"
wait_until 30 "an autovacuum against wraparound works on the table" "SELECT count(*) > 0 FROM pg_stat_activity a JOIN pg_stat_progress_vacuum v ON v.pid = a.pid
	WHERE v.relid = 't'::regclass AND a.query ~ 'wraparound'"
enqueue late table_name=t column_name=v column_type=text value='upper(name)' workers=28 hold_before='{add}'
says late '^held before add'
found=$(sql main "SELECT note FROM backfill.plan_step WHERE step = 0 AND job_id = $(job_id late)")
expect_match "a transaction that has been open for long" "a transaction of shop_app .pid $(session_pid report), [^)]*. is open since [0-9:]+" "$found"
expect_match "a prepared transaction, with the way to end it" 'prepared transaction "Two phases" is open since [0-9:]+.*COMMIT PREPARED' "$found"
expect_match "an autovacuum that does not give way" 'an autovacuum against wraparound works on it .pid [0-9]+.' "$found"
expect_match "too few connections" 'only [0-9]+ connections are free, and the job takes up to 31: raise max_connections, or lower workers' "$found"
sql main "ROLLBACK PREPARED 'Two phases'"
daemon_stop
