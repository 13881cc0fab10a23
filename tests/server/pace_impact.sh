#!/usr/bin/env bash
# An application at work beside a job that looks at it: the job pauses to learn how fast the application is, takes no more of the
# time than that allows and says so, and lets go when it need not look any more. tests/bench/foreground.sh measures what is kept.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
daemon_option defaults.max_impact 2
sql -U shop_owner main "CREATE TABLE busy (id int PRIMARY KEY, name text, hits int NOT NULL DEFAULT 0);
	CREATE FUNCTION hard(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
		\$\$ BEGIN FOR i IN 1..50 LOOP t := md5(t); END LOOP; RETURN t; END \$\$; -- or it would be over before it is held back
	INSERT INTO busy (id, name) SELECT g, 'n' || g FROM generate_series(1, 200000) g; ANALYZE busy; GRANT SELECT, UPDATE ON busy TO shop_app"
daemon_start
traffic_start app 4 500 <<-'SQL'
	\set id random(1, 200000)
	UPDATE busy SET hits = hits + 1 WHERE id = :id;
	SELECT count(*) FROM busy WHERE id BETWEEN :id AND :id + 200;
SQL
enqueue careful table_name=busy column_name=v column_type=text value='hard(name)'
wait_until 20 "it pauses" "SELECT count(*) > 0 FROM backfill.event WHERE kind = 'throttle on' AND detail ~ '^a short pause, to learn'"
wait_until 60 "it is held back" "SELECT count(*) > 0 FROM backfill.event WHERE kind = 'throttle on' AND detail ~ 'slowed by more than max_impact'"
wait_until 20 "the row tells the impact, and what it may have" "SELECT forecast ? 'impact_percent' AND forecast->>'impact' = 'measured' AND (forecast->>'batches_at_once')::numeric < 1, forecast FROM backfill.job"
ok "beside an application it goes no faster than max_impact allows, and says what it measures"
steer careful "max_impact = 0"
wait_until 5 "the limit is gone" "SELECT coalesce(NOT forecast ? 'batches_at_once', stage <> 'filling'), forecast FROM backfill.job"
ok "with max_impact = 0 it does not look any more"
expect_equal "the application had no errors" "" "$(traffic_stop app)"
job_reaches careful "done" 120
expect_sql "every row has its value" 0 "SELECT count(*) FROM busy WHERE v IS DISTINCT FROM hard(name)"
daemon_stop
