#!/usr/bin/env bash
# Batches that sleep in between (daemon/breath.h), beside an application that leaves them little: of every kind of job each row gets
# its value once, what was slept is told as throttled, and pages are still read by their ctid alone.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

ROWS=50000 # more than are filled before the application is noticed
ALONE=600000 # the same, of a job that has the machine to itself: it begins at full speed, since nobody was there when the others ended

# The server's own log tells the plans, as EXPLAIN shows them, of what took longer than a nap.
job_world session_preload_libraries=auto_explain auto_explain.log_min_duration=5ms
daemon_option defaults.max_impact 30
daemon_option jobs_at_once 6
sql -U shop_owner main "CREATE TABLE busy (id int PRIMARY KEY, hits int NOT NULL DEFAULT 0);
	INSERT INTO busy SELECT g FROM generate_series(1, 100000) g; ANALYZE busy; GRANT SELECT, UPDATE ON busy TO shop_app"
for name in plain derived field volatile chosen sleepless; do
	rows=$([[ $name == sleepless ]] && echo $ALONE || echo $ROWS)
	sql -U shop_owner main "CREATE TABLE $name (id int PRIMARY KEY, name text NOT NULL, doc jsonb NOT NULL DEFAULT '{}');
		INSERT INTO $name (id, name) SELECT g, 'n' || g FROM generate_series(1, $rows) g; ANALYZE $name"
done
sql -U shop_owner main "CREATE TABLE tree (id int, name text NOT NULL) PARTITION BY HASH (id);
	CREATE TABLE tree_0 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE tree_1 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	INSERT INTO tree SELECT g, 'n' || g FROM generate_series(1, $ROWS) g -- never analyzed"

at_work() {
	sql -U shop_owner main "UPDATE busy SET hits = 0 WHERE hits > 0"
	traffic_start app 8 2000 <<-'SQL'
		\set id random(1, 100000)
		UPDATE busy SET hits = hits + 1 WHERE id = :id;
		SELECT count(*) FROM busy WHERE id BETWEEN :id AND :id + 200;
	SQL
	wait_until 20 "the application is at work" "SELECT sum(hits) > 1000 FROM busy"
}

# beside MS JOB…: for more than so long they are held back beside the application, which then leaves them the rest: how fast they are beside it depends on the
# machine.
beside() {
	local ms=$1 names
	shift
	printf -v names "'%s', " "$@"
	wait_until 90 "they are held back: $*" "
		SELECT sum(throttled_ms) > $ms, string_agg(concat_ws(' ', name, stage, rows_filled, throttled_ms, waiting_for), '; ')
		  FROM backfill.job WHERE name IN ($names'')"
	ok "they are held back: $*"
	expect_equal "... the application had no errors" "" "$(traffic_stop app)"
	jobs_settle 60
	expect_done "$@"
}

at_work
daemon_start
enqueue plain table_name=plain column_name=v column_type=text value='upper(name)'
enqueue derived table_name=derived column_name=v column_type=text value='upper(name)' sync=derive
enqueue field table_name=field column_name=doc field='{v}' value='upper(name)'
enqueue volatile table_name=volatile column_name=v column_type=uuid value='gen_random_uuid()'
enqueue chosen table_name=chosen column_name=v column_type=text value='upper(name)' fill_where='id % 2 = 0'
enqueue tree table_name=tree column_name=v column_type=text value='upper(name)'
wait_until 20 "a batch sleeps" "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'backfilld_shop' AND wait_event = 'PgSleep'"
ok "batches sleep beside an application"
beside 500 plain derived field volatile chosen tree
# Where nobody may sleep, they do not.
sql main "REVOKE EXECUTE ON FUNCTION pg_sleep(double precision) FROM PUBLIC"
at_work
enqueue sleepless table_name=sleepless column_name=v column_type=text value='upper(name)'
beside 0 sleepless
expect_sql "without naps" 0 "SELECT count(*) FROM sleepless WHERE v IS DISTINCT FROM upper(name)"
expect_sql "plain" 0 "SELECT count(*) FROM plain WHERE v IS DISTINCT FROM upper(name)"
expect_sql "derived" 0 "SELECT count(*) FROM derived WHERE v IS DISTINCT FROM upper(name)"
expect_sql "a field" 0 "SELECT count(*) FROM field WHERE doc ->> 'v' IS DISTINCT FROM upper(name)"
expect_sql "volatile: each its own" $ROWS "SELECT count(DISTINCT v) FROM volatile"
expect_sql "some rows only" 0 "SELECT count(*) FROM chosen WHERE v IS DISTINCT FROM CASE WHEN id % 2 = 0 THEN upper(name) END"
expect_sql "a tree" 0 "SELECT count(*) FROM tree WHERE v IS DISTINCT FROM upper(name)"
expect_sql "each row was counted once" "" "SELECT string_agg(format('%s: %s', name, rows_filled), ', ') FROM backfill.job
	WHERE rows_filled <> CASE name WHEN 'chosen' THEN $ROWS / 2 WHEN 'sleepless' THEN $ALONE ELSE $ROWS END"
expect_equal "pages are read by ctid alone" "Tid Range Scan" "$(grep -A6 'Update on ' "$(cluster_log main)" |
	grep -oE '[A-Z][A-Za-z ]* Scan on (plain|derived|field|volatile|chosen|tree_[01])' | sed 's/ on .*//' | sort -u)"
daemon_stop
