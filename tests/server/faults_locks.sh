#!/usr/bin/env bash
# Locks of others: rows locked for long, a table lock when ADD COLUMN comes, the horizon, the control table's rows; and
# sessions that end while the table is waited for. The application never waits for long for us.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

# A reader, and how long each read took by the server's clock, its lock included, in milliseconds.
reader_start() {
	become_server "$PSQL" -X -Atq -d "$(conninfo main shop_app)" >"$WORK/reader.out" 2>&1 <<-SQL &
		SELECT round(1000 * extract(epoch FROM clock_timestamp() - statement_timestamp())) FROM (SELECT count(*) FROM $1 WHERE id = 1) AS read \\watch 0.01
	SQL
	echo $! >"$WORK/pids/reader"
	disown $!
}

# Prints how long the slowest took, or that one failed.
reader_stop() {
	kill "$(cat "$WORK/pids/reader")" 2>/dev/null || true
	rm -f "$WORK/pids/reader"
	grep -vE '^[0-9]*$' "$WORK/reader.out" || sort -n "$WORK/reader.out" | tail -n 1
}

slow_fill main
daemon_install
daemon_option defaults.ddl_lock_timeout_ms 200
daemon_option defaults.batch_ms 20
daemon_start

# A queued job whose row a user has locked does not keep those behind it.
sql -U shop_owner main "CREATE TABLE first (id int); CREATE TABLE second (id int)"
session_open user main -U shop_owner
daemon_signal STOP
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('first', 'first', 'c', 'int'), ('second', 'second', 'c', 'int')"
session_do user "BEGIN; UPDATE backfill.job SET note = 'x' WHERE name = 'first'" >/dev/null
daemon_signal CONT
job_reaches second "done" 10
ok "a job behind one whose row is locked is done"
session_do user "COMMIT" >/dev/null
job_reaches first "done" 10

# The application's reads go on while ADD COLUMN waits for a transaction.
numbers_table 8000
session_do user "BEGIN; SELECT count(*) FROM numbers" >/dev/null
gauge_start
reader_start numbers
numbers_job numbers
job_says numbers "a transaction \(pid $(session_pid user), psql, idle in transaction\) has held AccessShareLock on public.numbers for [0-9]+ s: SELECT count" 10
ok "waiting_for names who holds the table, and for how long"
sleep 2 # what readers feel in 2 s of waiting
slowest=$(reader_stop)
gauge_stop
check "no reader waits longer than ddl_lock_timeout_ms meanwhile (the slowest took $slowest ms, up to $STALLED_MS of them the machine's)" \
	test "$slowest" -lt $((500 + STALLED_MS))
expect_sql "nothing was added under it" 0 "SELECT count(*) FROM pg_attribute WHERE attrelid = 'numbers'::regclass AND attname = 'number'"
session_do user "COMMIT" >/dev/null

# A short transaction that our look could not see: the lock is asked for and given up.
job_reaches numbers filling 10

# Rows locked for long: the batches go round them.
session_do user "BEGIN; SELECT count(*) FROM (SELECT FROM numbers WHERE id BETWEEN 5000 AND 5100 FOR UPDATE) AS x" >/dev/null
job_says numbers "pid $(session_pid user), psql, idle in transaction|rows that other transactions have locked" 30
expect_sql "all rows but the locked ones are filled" 101 "SELECT count(*) FROM numbers WHERE number IS NULL"
ok "waiting_for says that rows are locked"
session_do user "COMMIT" >/dev/null
job_reaches numbers "done" 30
numbers_right "after rows were locked"

# waits_for_table NAME LOCK_TIMEOUT_MS: a job whose trigger for UPDATE meets a transaction of ours, after its fill.
waits_for_table() {
	sql -U shop_owner main "CREATE TABLE $1 (id int PRIMARY KEY, body text); INSERT INTO $1 SELECT g, 'x' FROM generate_series(1, 20000) g; ANALYZE $1"
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, ddl_lock_timeout_ms, hold_before)
		VALUES ('$1', '$1', 'c', 'text', 'body', $2, '{fill}')"
	wait_until 10 "held before the fill" "SELECT held_at = 'fill' FROM backfill.job WHERE name = '$1'"
	session_do user "BEGIN; UPDATE $1 SET body = 'x' WHERE id = 1" >/dev/null
	sql -U shop_owner main "SELECT backfill.proceed(id) FROM backfill.job WHERE name = '$1'" >/dev/null
}

ends_right() {
	session_do user "COMMIT" >/dev/null
	job_reaches "$1" "done" 15
	expect_sql "$2: every row has its value" 0 "SELECT count(*) FROM $1 WHERE c IS DISTINCT FROM body"
}

# The sessions end while the table's lock is waited for, between the fill and its first sweep.
waits_for_table looked 200
job_says looked "pid $(session_pid user), psql, idle in transaction\\) has held RowExclusiveLock on public.looked" 20
for pid in $(backends '^backfilld job'); do
	sql main "SELECT pg_terminate_backend($pid, 5000)" >/dev/null
done
wait_until 10 "the sessions are back" "SELECT count(*) >= 2 FROM pg_stat_activity WHERE application_name ~ '^backfilld job' AND state = 'idle'"
sleep 1 # a filler that came back must not start anything anew
expect_sql "the trigger is intended once" 1 \
	"SELECT count(*) FROM backfill.event WHERE kind = 'intent' AND detail LIKE 'let a trigger fill%' AND job_id = (SELECT id FROM backfill.job WHERE name = 'looked')"
ends_right looked "sessions ended while the holder was waited for"

# The worker's session ends while it is in the queue for the table, between the fill and its first sweep.
waits_for_table queue 5000
wait_until 20 "the trigger waits for the table" \
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name ~ '^backfilld job \d+$' AND wait_event_type = 'Lock'"
sql main "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name ~ '^backfilld job \d+$'" >/dev/null
ends_right queue "the session ended while it was in the queue for the lock"
daemon_stop
