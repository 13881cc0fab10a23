#!/usr/bin/env bash
# SIGTERM and SIGINT from every stage: status 0 within 2 s, the claim given back, the job resumable.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

# ends SIGNAL: $TOOK is the milliseconds, $HARD is 1 where it did not wait for what was in flight any longer.
ends() {
	local begun before
	before=$(hard_stops)
	gauge_start
	begun=${EPOCHREALTIME/./}
	daemon_signal "$1"
	daemon_await_end daemon 10
	TOOK=$(((${EPOCHREALTIME/./} - begun) / 1000))
	gauge_stop
	HARD=$(($(hard_stops) - before))
}

hard_stops() {
	grep -c 'stopping without waiting longer' "$(daemon_log)" || true
}

no_session_is_left() {
	wait_until 5 "$1: no session of it is left" "SELECT count(*) = 0, string_agg(query, ';') FROM pg_stat_activity WHERE application_name ~ '^backfilld'"
}

# stops WHAT SIGNAL COMMAND…: once the command says that it is there. It has 1.9 s: where the machine took a good part of them, once more.
stops() {
	local try
	for try in first second; do
		[[ -f $WORK/pids/daemon ]] || daemon_start
		"${@:3}"
		ends "$2"
		if [[ $try == second ]] || ((HARD == 0 || STALLED_MS <= 400)); then
			break
		fi
		note "$1: the machine stood still for $STALLED_MS ms of $TOOK"
		no_session_is_left "$1"
		sql main "DELETE FROM backfill.daemon_seen"
		lease_lapses
	done
	expect_equal "$1: $2 ends the daemon with status 0" 0 "$DAEMON_STATUS"
	check "$1: within 2 s (it took $TOOK ms, up to $STALLED_MS of them for the machine)" test $((TOOK - STALLED_MS)) -lt 2100
	expect_equal "$1: what is in flight has ended by then" 0 "$HARD"
}

# stops_well WHAT SIGNAL STAGE COMMAND…
stops_well() {
	stops "$1" "$2" "${@:4}"
	expect_sql "$1: the job is at its stage, and nobody's" "$3||0" \
		"SELECT j.stage, j.holder, (SELECT count(*) FROM backfill.claim) FROM backfill.job j WHERE j.stage <> 'done' ORDER BY j.id LIMIT 1"
	expect_sql "$1: the daemon has signed off" 0 "SELECT count(*) FROM backfill.daemon_seen"
	no_session_is_left "$1"
}

cluster_start main
daemon_install
daemon_option defaults.ddl_lock_timeout_ms 3000
sql -U shop_owner main "CREATE TABLE slow (id int PRIMARY KEY, body text);
	INSERT INTO slow SELECT g, 'x' FROM generate_series(1, 20000) g; ANALYZE slow;
	CREATE FUNCTION dawdle(v text) RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.05); RETURN v; END \$\$;
	CREATE FUNCTION crawl(v text) RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(60); RETURN v; END \$\$;"

daemon_start
ends TERM
check "without a job it ends at once ($TOOK ms)" test $((TOOK - STALLED_MS)) -lt 1000 -a "$DAEMON_STATUS" = 0

# While ADD COLUMN waits: seen in good time, and in the queue for the lock.
session_open user main -U shop_owner
session_do user "BEGIN; SELECT count(*) FROM slow" >/dev/null
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, ddl_lock_timeout_ms)
	VALUES ('slow', 'slow', 'c', 'text', 'dawdle(body)', 10000)"
stops_well "while ADD COLUMN is in the queue for its lock" TERM adding wait_until 10 "ADD COLUMN waits for its lock" \
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name ~ '^backfilld job' AND wait_event_type = 'Lock'"
sql main "UPDATE backfill.job SET ddl_lock_timeout_ms = 100"
stops_well "while a lock's holder is waited for" INT adding \
	job_says slow "pid $(session_pid user), psql, .* old|pid $(session_pid user), psql, idle in transaction.* has held AccessShareLock on public.slow for" 10
session_do user "COMMIT" >/dev/null

filling="EXISTS (SELECT FROM pg_stat_activity WHERE application_name ~ 'filler 0' AND query ~ 'WITH filled' AND state = 'active')"
stops_well "while a batch of many slow rows runs" TERM filling wait_until 10 "slow batches run" "SELECT stage = 'filling' AND $filling FROM backfill.job"
sql -U shop_owner main "CREATE OR REPLACE FUNCTION dawdle(v text) RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(60); RETURN v; END \$\$"
stops_well "while one row takes a minute" INT filling wait_until 10 "a batch hangs" "$filling"
sql -U shop_owner main "CREATE OR REPLACE FUNCTION dawdle(v text) RETURNS text LANGUAGE sql AS \$\$ SELECT v \$\$"

session_open looker main
daemon_start
job_reaches slow "done" 30
expect_sql "stopped five times, every row has its value" 0 "SELECT count(*) FROM slow WHERE c IS DISTINCT FROM body"

# VALIDATE that takes long: a CHECK cannot be slow by itself, so the table is locked against it.
sql -U shop_owner main "CREATE TABLE wide (id int PRIMARY KEY, body text); INSERT INTO wide SELECT g, 'x' FROM generate_series(1, 1000) g; ANALYZE wide"
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, not_null, hold_before)
	VALUES ('wide', 'wide', 'c', 'text', 'body', true, '{seal}')"
wait_until 20 "held before sealing" "SELECT held_at = 'seal', stage, waiting_for FROM backfill.job WHERE name = 'wide'"
session_do user "BEGIN; UPDATE wide SET body = 'y' WHERE id = 1" >/dev/null
sql -U shop_owner main "SELECT backfill.proceed(id) FROM backfill.job WHERE name = 'wide'" >/dev/null
stops_well "while sealing waits for a transaction" TERM sealing \
	job_says wide "pid $(session_pid user), psql, idle in transaction.* has held RowExclusiveLock on public.wide for .*: UPDATE wide" 10
session_do user "ROLLBACK" >/dev/null

# The user who has the job's row locked keeps neither the daemon nor the claim.
sql -U shop_owner main "CREATE TABLE long (id int PRIMARY KEY, body text); INSERT INTO long SELECT g, 'x' FROM generate_series(1, 5000) g; ANALYZE long;
	CREATE FUNCTION amble(v text) RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.001); RETURN v; END \$\$;
	UPDATE backfill.job SET wanted = 'pause' WHERE name = 'wide';
	INSERT INTO backfill.job (name, table_name, column_name, column_type, value) VALUES ('long', 'long', 'c', 'text', 'amble(body)')"
mine() {
	wait_until 10 "the fill is under way" "SELECT stage = 'filling' FROM backfill.job WHERE name = 'long'"
	session_do looker "ROLLBACK; BEGIN; UPDATE backfill.job SET note = 'mine' WHERE name = 'long'" >/dev/null
}
stops "with the row of the running job locked" TERM mine
expect_sql "and gives the claim back" 0 "SELECT count(*) FROM backfill.claim"
session_do looker "COMMIT" >/dev/null
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'run'"

session_do looker "BEGIN; UPDATE backfill.job SET note = 'mine' WHERE name = 'wide'" >/dev/null
stops "with the row of a claimable job locked" TERM true
session_do looker "COMMIT" >/dev/null
daemon_start
job_reaches wide "done" 20
expect_sql "the column is NOT NULL" t "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attname = 'c'"
daemon_stop
