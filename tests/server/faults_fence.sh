#!/usr/bin/env bash
# What a daemon may still do to a job that another one has taken over, before it has heard of it: nothing.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"

# as_daemon FILE VALUES: one of the daemon's statements as its control login would run it.
as_daemon() {
	sql -U backfilld main "PREPARE it AS $(<"$TOP/daemon/sql/$1.sql");
		EXECUTE it ($2)"
}

cluster_start main
daemon_install
sql -U shop_owner main "CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10)"
sql -U shop_owner main "INSERT INTO backfill.job (table_name, column_name, column_type, value) VALUES ('t', 'c', 'int', 'id')"
relation=$(sql main "SELECT 't'::regclass::oid::int")

expect_equal "the first daemon claims it" 1 "$(as_daemon claim "1, 'first', 60000")"
as_daemon walk_start "1, $relation, 0, 100, 1, '{}', '{}'" >/dev/null
as_daemon walk_window "1, 1, 0, 10, 4, 'backfilld_shop'" >/dev/null
sql main "INSERT INTO backfill.event (job_id, at, kind, detail) SELECT id, updated_at - interval '3 s', 'throttle on', 'max_wal_rate' FROM backfill.job"
sql main "UPDATE backfill.claim SET lease_until = now() - interval '1 s'"
expect_equal "the second daemon takes over" 2 "$(as_daemon claim "1, 'second', 60000")"
expect_sql "the throttle that the first one cannot end any more is over, since it was last heard of" \
	"throttle on|max_wal_rate|;throttle off|max_wal_rate|3000;claim|claimed by second under epoch 2|" \
	"SELECT string_agg(concat_ws('|', kind, detail, coalesce(duration_ms::text, '')), ';' ORDER BY id) FROM (SELECT * FROM backfill.event ORDER BY id DESC LIMIT 3) AS last"
sql main "UPDATE backfill.claim SET lease_until = now() - interval '1 s'"
expect_equal "a third one takes over" 3 "$(as_daemon claim "1, 'third', 60000")"
expect_sql "what has ended is not ended again" 1 "SELECT count(*) FROM backfill.event WHERE kind = 'throttle off'"
session_open successor main -U backfilld_shop
check "its session is enlisted" test "$(as_daemon enlist "1, 3, 0, $(session_pid successor)")" = backfilld_shop
expect_equal "it goes on with the first one's window" "$relation|0|10|4|0|0||f" "$(as_daemon walk_window "1, 3, 0, 10, 4, 'backfilld_shop'")"

state="SELECT (SELECT (epoch, window_from, window_to) FROM backfill.bookmark), (SELECT (sweep, frontier) FROM backfill.walk),
	(SELECT (pid, epoch) FROM backfill.backend)"
before=$(sql main "$state")
session_open former main -U backfilld_shop
as_daemon reap "1, 1, 0" >/dev/null
expect_sql "the former daemon does not end its successor's sessions" 1 \
	"SELECT count(*) FROM pg_stat_activity WHERE pid = $(session_pid successor)"
expect_equal "it cannot enlist a session" "" "$(as_daemon enlist "1, 1, 0, $(session_pid former)")"
check "it gets no window, and learns why" grep -q 'holds no bookmark of filler 0 of backfill job 1 under epoch 1' <(as_daemon walk_window "1, 1, 0, 10, 4, 'backfilld_shop'" 2>&1)
as_daemon walk_start "1, $relation, 1, 100, 1, '{}', '{}'" >/dev/null
as_daemon release "1, 1, NULL, 0" >/dev/null
as_daemon report "1, 1, 'it', 1, 1, 1, 1, 1, 1, 1, '{}', 1, 1, NULL" >/dev/null
expect_equal "it cannot move the job" "" "$(as_daemon move "1, 1, 'done', NULL, NULL, NULL, NULL, NULL, NULL, false, 0")"
as_daemon gone "'first'" >/dev/null
expect_equal "bookmark, walk and sessions are as they were" "$before" "$(sql main "$state")"
expect_sql "the job is the successor's" "third|3|queued" \
	"SELECT c.holder, c.epoch, j.stage FROM backfill.claim c JOIN backfill.job j ON j.id = c.job_id"
