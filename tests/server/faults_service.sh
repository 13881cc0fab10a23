#!/usr/bin/env bash
# What the service manager is told; SIGHUP with a good and a bad file; a database that cannot be reached beside one
# that can.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

# config_with POLL_MS MORE: two databases, one of them on a server that is not there.
config_with() {
	as_server tee "$WORK/service.yaml" >/dev/null <<-YAML
		databases:
		  - name: gone
		    conninfo: "host=$WORK/nowhere dbname=shop user=backfilld"
		  - name: shop
		    conninfo: "$(conninfo main backfilld)"
		    logins:
		      - roles: [shop_owner]
		        conninfo: "$(conninfo main backfilld_shop)"
		defaults: {batch_ms: 20}
		http: "off"
		poll_ms: $1
		$2
	YAML
}

# said_since LINE REGEX: what it told since then.
said_since() {
	daemon_said | tail -n +"$(($1 + 1))" | grep -Eq "$2"
}

slow_fill main
daemon_install
numbers_table 12000
config_with 200 ""
# shellcheck disable=SC2034 # daemon_start reads it
DAEMON_CONFIG=$WORK/service.yaml
export WATCHDOG_USEC=1000000
daemon_start
unset WATCHDOG_USEC
numbers_job numbers
wait_for 10 "STATUS tells of progress" said_since 0 '^STATUS=.*job 1 public.numbers.number filling [0-9]+ %'
ok "STATUS tells of progress"
wait_for 5 "STATUS tells of the database that is gone" said_since 0 '^STATUS=gone: .*(No such file|nowhere)'
ok "STATUS tells of the database that is gone, which disturbs nobody"
wait_for 5 "the watchdog is fed" bash -c "(( \$(grep -c WATCHDOG=1 '$WORK/daemon.said') >= 4 ))"
ok "the watchdog is fed"
expect_equal "the first that was told is READY" "READY=1" "$(daemon_said | head -n 1)"
filled_beyond 500

at=$(daemon_said | wc -l)
config_with soon ""
daemon_signal HUP
wait_for 5 "a bad file is told" grep -q 'config was not taken.*service.yaml:11:10' "$(daemon_log daemon)"
wait_for 5 "READY again" said_since "$at" '^READY=1'
expect_match "a bad file: RELOADING, its time, READY" 'RELOADING=1
MONOTONIC_USEC=[0-9]+
(STATUS=[^
]*
|WATCHDOG=1
)*READY=1' "$(daemon_said | tail -n +$((at + 1)))"
expect_sql "a bad file: the job is held as before" 1 "SELECT epoch FROM backfill.claim"

at=$(daemon_said | wc -l)
config_with 100 "jobs_at_once: 1"
daemon_signal HUP
wait_for 10 "the new file takes effect" grep -q 'took effect' "$(daemon_log daemon)"
wait_for 5 "READY again" said_since "$at" '^READY=1'
before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
filled_beyond "$before"
ok "a good file: the job goes on"
for _ in 1 2 3 4 5 6 7 8; do
	daemon_signal HUP
	sleep 0.0$((RANDOM % 10))
done
before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
filled_beyond "$before"
ok "eight reloads in a row: the job goes on"

at=$(daemon_said | wc -l)
gauge_start
daemon_signal HUP
daemon_stop
gauge_stop
check "stopped in the middle of a reload it does not wait for its hard stop ($DAEMON_STOP_MS ms, up to $STALLED_MS of them the machine's)" \
	test $((DAEMON_STOP_MS - STALLED_MS)) -lt 1600
wait_for 3 "STOPPING was told" said_since "$at" '^STOPPING=1'
expect_sql "the claim is given back" 0 "SELECT count(*) FROM backfill.claim"
daemon_start
job_reaches numbers "done" 40
numbers_right "after reloads"
daemon_stop
