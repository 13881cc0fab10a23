#!/usr/bin/env bash
# Everything that a DBA would stop a backfill for: each signal closes the gate, is named, and lets the fill go on when it is
# over; one that cannot be read does the same and is said once.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"
# shellcheck source=tests/server/pace_lib.sh
. "$(dirname "$0")/pace_lib.sh"

slow_fill main archive_mode=on archive_command=true max_slot_wal_keep_size=32MB max_prepared_transactions=2 autovacuum_naptime=1s
daemon_install
slow_numbers
throttle "RETURN QUERY SELECT false, ''::text;"
daemon_option database.throttle_query '"SELECT * FROM public.throttle()"'
daemon_start
numbers_job numbers
wait_until 20 "some rows are filled" "SELECT sum(rows_filled) > 0 FROM backfill.bookmark"

# What impact.h builds on. A row takes a millisecond at least; whoever looks on, a part of that.
counted="(SELECT pg_stat_get_db_active_time(oid) FROM pg_database WHERE datname = 'shop')"
IFS='|' read -r rows before < <(sql main "SELECT sum(rows_filled), $counted FROM backfill.bookmark")
wait_until 20 "1000 more are" "SELECT sum(rows_filled) >= $rows + 1000 FROM backfill.bookmark"
IFS='|' read -r filled counted < <(sql main "SELECT sum(rows_filled) - $rows, round($counted - $before) FROM backfill.bookmark")
check "the server does not count batches among the time that sessions are active ($counted ms, $filled rows)" test $((10 * counted)) -lt $((6 * filled))

# An autovacuum that is slow enough to be met, from the next row on.
autovacuum="FROM pg_stat_progress_vacuum p JOIN pg_stat_activity a USING (pid) WHERE p.relid = 'public.numbers'::regclass AND a.backend_type = 'autovacuum worker'"
full=$(sql main "SELECT count(*) FROM touched WHERE at BETWEEN now() - interval '1.1 s' AND now() - interval '0.1 s'")
sql main "ALTER TABLE public.numbers SET (autovacuum_enabled = on, autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,
	autovacuum_analyze_threshold = 1000000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
wait_until 20 "an autovacuum is at the table" "SELECT count(*) = 1 $autovacuum"
# A survey, once a second, meets it.
wait_until 10 "it has been there for a while" "SELECT clock_timestamp() - min(a.xact_start) > interval '3 s' $autovacuum"
# What a batch takes varies: as long as the autovacuum is there, there is another stretch to look at.
for _ in 1 2 3; do
	part=$(sql main "SELECT round(100 * count(*) / 1.5 / $full) FROM touched WHERE at BETWEEN now() - interval '1.6 s' AND now() - interval '0.1 s'")
	if ((part >= 30 && part <= 70)) || [[ $(sql main "SELECT count(*) $autovacuum") != 1 ]]; then
		break
	fi
	note "$part % of $full rows a second"
	doze 1.6
done
check "beside an autovacuum of the table the fill goes at half speed ($part % of $full rows a second)" test "$part" -ge 30 -a "$part" -le 70
sql main "SELECT pg_terminate_backend(pid, 5000) $autovacuum; ALTER TABLE public.numbers SET (autovacuum_enabled = off)" >/dev/null

throttle "RETURN QUERY SELECT true, 'the books are being closed'::text;"
waits "the operator's query holds the fill and says why" "throttle_query holds it: the books are being closed"
expect_equal "which is no fault of the query" 0 "$(said 'signal lost' throttle_query)"
throttle "RAISE 'out of order';"
waits "a query that fails holds it" "throttle_query holds it: it failed: out of order"
throttle "PERFORM pg_sleep(20);"
waits "one that takes too long holds it" "throttle_query holds it: it was cancelled: it may take 2 s" 8
throttle "INSERT INTO public.touched VALUES (0); RETURN QUERY SELECT false, ''::text;"
waits "it cannot write" "throttle_query holds it: it failed: cannot execute INSERT in a read-only transaction"
expect_equal "all that was said once" 1 "$(said 'signal lost' throttle_query)"
throttle "RETURN QUERY SELECT false, ''::text;"
moves_on "the fill goes on when it says so"
expect_equal "the end was said" 1 "$(said 'signal back' throttle_query)"

sql main "REVOKE pg_monitor FROM backfilld"
waits "without pg_monitor nothing is filled" "login backfilld may not read all statistics: GRANT pg_monitor TO .backfilld."
sleep 1.5 # another survey, which could say it again
expect_equal "it is said once" 1 "$(said 'signal lost' pg_monitor)"
expect_equal "in the log too" 1 "$(grep -c 'error: .*GRANT pg_monitor' "$(daemon_log)")"
sql main "GRANT pg_monitor TO backfilld"
moves_on "with it the fill goes on"
sql main "REVOKE SELECT ON pg_catalog.pg_replication_slots FROM PUBLIC"
waits "a part that cannot be read is named" "pg_replication_slots cannot be read: permission denied"
sql main "GRANT SELECT ON pg_catalog.pg_replication_slots TO PUBLIC"
moves_on "it is read again"

for name in track_activities track_counts; do
	setting main $name off
	waits "without $name nobody knows what the application does" "track_activities and track_counts must be on"
	setting main $name on
	moves_on "the fill goes on with $name"
done
sql main "SELECT pg_create_physical_replication_slot('left_behind', true)" >/dev/null
for _ in 1 2 3 4; do
	sql main "SELECT pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()" >/dev/null
done
waits "a slot about to be lost stops the fill" "replication slot left_behind is about to be lost"
sql main "CHECKPOINT"
moves_on "one that is lost does not"
wait_until 5 "it is told once" "SELECT count(*) = 1, count(*) FROM backfill.event WHERE kind = 'slot' AND detail ~ 'left_behind has lost WAL'"
sql main "SELECT pg_drop_replication_slot('left_behind')"

setting main archive_command false
sql main "SELECT pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()" >/dev/null
waits "a failing archive_command stops the fill" "archive_command keeps failing on 0000" 10
setting main archive_command true
sql main "SELECT pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()" >/dev/null
moves_on "it goes on when it archives again"

session_open reader main
session_do reader "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1" >/dev/null
holder_is "a session that holds the horizon is named" "^session $(session_pid reader) .psql, idle in transaction for [0-9]+ s.\$"
session_close reader
sql main "BEGIN; CREATE TABLE public.half (); PREPARE TRANSACTION 'two phases'"
holder_is "a prepared transaction is" "^prepared transaction two phases .for [0-9]+ s.\$"
sql main "ROLLBACK PREPARED 'two phases'"

sql main "ALTER TABLE public.numbers SET (autovacuum_freeze_max_age = 100000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
sql main "CREATE TEMPORARY TABLE x (i int); DO \$\$ BEGIN
	FOR i IN 1..101000 LOOP
		BEGIN INSERT INTO x VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END;
	END LOOP; END \$\$"
waits "an autovacuum against wraparound is let through" "an autovacuum of the table against wraparound" 15
daemon_stop
