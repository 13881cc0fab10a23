#!/usr/bin/env bash
# Replicas: one that stops replaying stops the fill, one that vanishes too, for a while; a failover in mid-fill.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

filled() {
	sql "$CLUSTER" "SELECT sum(rows_filled) FROM backfill.bookmark"
}

moves_on() {
	local before
	before=$(filled)
	wait_until -n "$CLUSTER" 20 "$1" "SELECT sum(rows_filled) > $before, (SELECT waiting_for FROM backfill.job) FROM backfill.bookmark"
	ok "$1"
}

# Nothing is filled between two looks, a second apart.
stands() {
	local before
	before=$(filled)
	sleep 1 # that nothing happens can only be seen by looking again
	expect_equal "$1" "$before" "$(filled)"
}

slow_fill main
replica_start standby1 main
daemon_install
numbers_table 12000
sql -U shop_owner main "ALTER TABLE public.touched ADD at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()"
as_server tee "$WORK/two.yaml" >/dev/null <<-YAML
	databases:
	  - name: shop
	    conninfo: "host=$WORK/main,$WORK/standby1 dbname=shop user=backfilld target_session_attrs=read-write"
	    logins:
	      - roles: [shop_owner]
	        conninfo: "host=$WORK/main,$WORK/standby1 dbname=shop user=backfilld_shop target_session_attrs=read-write"
	    replica_grace_s: 3
	defaults: {batch_ms: 20, max_lag_ms: 500}
	http: "off"
	poll_ms: 200
YAML
# shellcheck disable=SC2034 # daemon_start reads it
DAEMON_CONFIG=$WORK/two.yaml
daemon_start
numbers_job numbers
wait_until 20 "some rows are filled" "SELECT sum(rows_filled) > 500 FROM backfill.bookmark"

sql standby1 "SELECT pg_wal_replay_pause()"
job_says numbers "replica standby1 is .* behind" 10
ok "waiting_for names the replica that stopped replaying"
stands "nothing is filled while it does not replay"
wait_until 10 "an event tells of the throttle" "SELECT count(*) = 1 FROM backfill.event WHERE kind = 'throttle on' AND detail ~ 'standby1 is .* behind'"
sql standby1 "SELECT pg_wal_replay_resume()"
moves_on "the fill goes on when it replays again"
wait_until 5 "an event tells of the end" "SELECT count(*) = 1 FROM backfill.event WHERE kind = 'throttle off' AND detail ~ 'standby1 is .* behind' AND duration_ms > 500"
expect_sql "throttled time is summed up" t "SELECT throttled_ms BETWEEN 500 AND 20000 FROM backfill.job"

# From when it is noticed to when it is let go, by the server's clock; 0.3 s are for a batch that was on its way, and for the events.
gauge_start
cluster_stop standby1 immediate
vanished="(SELECT min(at) FROM backfill.event WHERE kind = 'throttle on' AND detail ~ 'replica standby1 vanished')"
let_go="(SELECT min(at) FROM backfill.event WHERE kind = 'replica' AND detail ~ 'standby1 has been gone for 3 s .* no longer waited for')"
wait_until 20 "an event tells that it vanished, and one that it is let go" "$vanished IS NOT NULL AND $let_go IS NOT NULL, $vanished"
moves_on "after replica_grace_s the fill goes on without it"
gauge_stop
batch="interval '300 ms' + $STALLED_MS * interval '1 ms'"
expect_sql "nothing is filled while a replica has vanished, for more than a second" "0|t" "SELECT count(*) FILTER (WHERE at BETWEEN $vanished + $batch AND $let_go - interval '300 ms'),
	$let_go - $vanished > interval '1.6 s' - $STALLED_MS * interval '1 ms' FROM touched"
wait_for 10 "the log says so" grep -q "replica standby1 has been gone for 3 s" "$(daemon_log daemon)"
cluster_resume standby1
wait_until 20 "the replica is back" "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"
replica_caught_up standby1 main
moves_on "the fill goes on with it"

cluster_kill main
CLUSTER=standby1
cluster_promote standby1
moves_on "the fill goes on on the promoted replica"
job_reaches numbers "done" 30
expect_sql "every row has its value" 0 "SELECT count(*) FROM numbers WHERE number IS NULL"
expect_sql "no row was filled twice" 0 "SELECT count(*) FROM (SELECT id FROM touched GROUP BY id HAVING count(*) > 1) AS twice"
expect_sql "rows_filled tells how many were" t "SELECT rows_filled = (SELECT count(*) FROM touched) FROM backfill.job"
daemon_stop
