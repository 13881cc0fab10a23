#!/usr/bin/env bash
# An autovacuum of a partition slows or stops a fill that is at work there, and none that is elsewhere in the tree.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"
# shellcheck source=tests/server/pace_lib.sh
. "$(dirname "$0")/pace_lib.sh"

# at PARTITION: the FROM of its autovacuum.
at() {
	echo "FROM pg_stat_progress_vacuum p JOIN pg_stat_activity a ON a.pid = p.pid WHERE p.relid = '$1'::regclass AND a.backend_type = 'autovacuum worker'"
}

# autovacuumed PARTITION SETTINGS REGEX: one whose query says so comes, slow enough to be met, and has been there for surveys to meet it.
autovacuumed() {
	sql main "ALTER TABLE $1 SET (autovacuum_analyze_threshold = 1000000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, $2)"
	wait_until 20 "an autovacuum is at $1 for a while" "SELECT min(clock_timestamp() - a.xact_start) > interval '3 s', max(a.query) $(at "$1") AND a.query ~ '$3'"
}

# let_be PARTITION: no autovacuum is there, or comes. The change is first in line before the last one ends, or the next would be.
let_be() {
	local change
	sql main "ALTER TABLE $1 SET (autovacuum_enabled = off, autovacuum_freeze_max_age = 200000000)" &
	change=$!
	wait_until 20 "no autovacuum is at $1 any more" "SELECT count(pg_terminate_backend(p.pid)) = 0
		AND (SELECT reloptions @> '{autovacuum_freeze_max_age=200000000}' FROM pg_class WHERE oid = '$1'::regclass) $(at "$1")"
	wait "$change"
}

# throttled WHAT LEAST MOST: so many ms pass within a report or two, and three seconds.
throttled() {
	local before grown
	before=$(sql main "SELECT throttled_ms FROM backfill.job")
	sleep 3
	grown=$(sql main "SELECT throttled_ms - $before FROM backfill.job")
	check "$1 ($grown ms of three seconds held back)" test "$grown" -ge "$2" -a "$grown" -le "$3"
}

slow_fill main autovacuum_naptime=1s
daemon_install
sql -U shop_owner main "CREATE TABLE public.numbers (id int, body text NOT NULL) PARTITION BY RANGE (id);
	CREATE TABLE public.half_1 PARTITION OF public.numbers FOR VALUES FROM (1) TO (100001) WITH (autovacuum_enabled = off);
	CREATE TABLE public.half_2 PARTITION OF public.numbers FOR VALUES FROM (100001) TO (200001) WITH (autovacuum_enabled = off);
	INSERT INTO public.numbers SELECT g, repeat('x', 100) FROM generate_series(1, 200000) g;
	CREATE FUNCTION public.draw() RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_catalog.pg_sleep(0.003); RETURN 1; END \$\$;
	UPDATE public.numbers SET body = body WHERE id % 100 = 0"
daemon_option defaults.batch_ms 20
daemon_start
numbers_job numbers max_impact 0
wait_until 20 "some rows are filled" "SELECT sum(rows_filled) > 0 FROM backfill.bookmark"
here=$(sql main "SELECT relation::regclass FROM backfill.bookmark")
elsewhere=$(sql main "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'public.numbers'::regclass AND inhrelid <> '$here'::regclass")

always="autovacuum_enabled = on, autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0"
autovacuumed "$elsewhere" "$always" VACUUM
throttled "an autovacuum of another partition slows nothing" 0 700
let_be "$elsewhere"
autovacuumed "$here" "$always" VACUUM
throttled "one of the partition that is filled does" 800 3000
let_be "$here"

sql main "CREATE TEMPORARY TABLE x (i int); DO \$\$ BEGIN
	FOR i IN 1..101000 LOOP
		BEGIN INSERT INTO x VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END;
	END LOOP; END \$\$"
autovacuumed "$elsewhere" "autovacuum_freeze_max_age = 100000" wraparound
moves_on "one against wraparound lets a fill elsewhere go on"
let_be "$elsewhere"
sql main "ALTER TABLE $here SET (autovacuum_freeze_max_age = 100000)"
waits "where it fills it is let through" "an autovacuum of the table against wraparound" 15
let_be "$here"
moves_on "and then it goes on"
expect_sql "all that was in one partition" "$here" "SELECT relation::regclass FROM backfill.bookmark"
daemon_stop
