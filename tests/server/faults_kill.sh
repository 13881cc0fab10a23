#!/usr/bin/env bash
# kill -9 of the daemon and of the server in mid-fill: nothing is lost, nothing filled twice, nothing walked again.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

# Windows of the fill itself that reached into each other.
walked_again="SELECT count(*) FROM (
	SELECT e.id, m[1]::int AS first, m[2]::int AS last
	  FROM backfill.event e, pg_catalog.regexp_matches(e.detail, 'pages (\d+) to (\d+)') m
	 WHERE e.kind = 'window' AND e.id < coalesce((SELECT min(s.id) FROM backfill.event s WHERE s.kind = 'sweep'), 1000000)) AS w
	JOIN (
	SELECT e.id, m[1]::int AS first, m[2]::int AS last
	  FROM backfill.event e, pg_catalog.regexp_matches(e.detail, 'pages (\d+) to (\d+)') m
	 WHERE e.kind = 'window' AND e.id < coalesce((SELECT min(s.id) FROM backfill.event s WHERE s.kind = 'sweep'), 1000000)) AS x
	ON w.id < x.id AND w.first <= x.last AND x.first <= w.last"

slow_fill main
daemon_install
numbers_table 40000
daemon_option defaults.batch_ms 20
daemon_start
numbers_job numbers "workers, not_null" "2, true"

for rows in 2000 9000 16000 23000; do
	filled_beyond "$rows"
	daemon_kill
	before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
	frontier=$(sql main "SELECT frontier FROM backfill.walk")
	lease_lapses
	daemon_start
	wait_until 20 "the job is claimed again" "SELECT holder = (SELECT holder FROM backfill.daemon_seen ORDER BY since DESC LIMIT 1) FROM backfill.job"
	expect_sql "killed at $before rows: the walk goes on where it stood" t "SELECT frontier >= $frontier FROM backfill.walk"
	expect_sql "killed at $before rows: what was filled stays counted" t "SELECT sum(rows_filled) >= $before FROM backfill.bookmark"
done

filled_beyond 28000
cluster_kill main
cluster_resume main
ok "the server is killed in mid-fill and comes back"
expect_sql "rows and bookmark agree after the server's recovery" t \
	"SELECT (SELECT sum(rows_filled) FROM backfill.bookmark) = (SELECT count(*) FROM touched)"
job_reaches numbers "done" 40
numbers_right "after five kills"
expect_sql "windows that were done are not walked again" 0 "$walked_again"
expect_sql "each life of the daemon has its epoch" 5 "SELECT epoch FROM backfill.job"
daemon_stop
