#!/usr/bin/env bash
# What a slow replica suffers from a fill, and what it lets through: true lag, the gate's reaction, the headroom that is used.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/replica.sh [OPTION]…
		  --rows NUMBER      rows of the table (default 1000000)
		  --seconds NUMBER   how long each is measured (default 30)
		  --rate NUMBER      the application's transactions a second (default 200)
		  --replay NUMBER    per cent of a processor that the limited replica may replay with (default 15)
		  --workers NUMBER   of the job (default 1)
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says; helpers are in build/tests/bench, or the folder BENCH_BIN.
		A standby is disturbed in three ways, each with the application (pgbench, an update and a select by key a transaction)
		alone and with the fill:
		  stalls    its startup process is stopped for 3 s, again and again
		  delays    recovery_min_apply_delay is set to 3 s and taken back, again and again
		  limited   its startup process is stopped whenever it has used more than a part of a processor's time
		Lag is measured without the daemon: where WAL was on the primary and is on the standby, 40 times a second. The limited
		replica gets a whole job, also from a backfilld that does not look at it: from the first batch until it has replayed
		that, it is busy all the time, and the same job beside the same application cannot be there any sooner.
		Jobs have max_impact = 0: only the replica holds them back. Status 1 when a requirement is missed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
for part in bench traffic; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

ROWS=1000000
DURATION=30
RATE=200
REPLAY=15
WORKERS=1
bench_options "rows=ROWS seconds=DURATION rate=RATE replay=REPLAY workers=WORKERS" "$@"
script_guard

MAX_LAG_MS=1000 # the default of max_lag_ms
LEAST_BEHIND=8000000 # bytes, of a replica that is limited, after a fill that does not look at it
STARTUP=""
LIMITER=""
declare -A TITLES=([alone]="the application alone" [fill]="and backfilld" [unwatched]="and backfilld, not looking at it")

# The standby's process that replays.
startup_pid() {
	local pid
	for pid in $(cluster_pids standby1); do
		if tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q startup; then
			echo "$pid"
			return
		fi
	done
	give_up "the standby has a startup process"
}

disturb() {
	while true; do
		case $1 in
		stalls)
			sleep 3
			kill -STOP "$STARTUP"
			sleep 3
			kill -CONT "$STARTUP"
			;;
		delays)
			sleep 2
			delay_set 3s
			sleep 4
			delay_set 0
			;;
		esac
	done
}

delay_set() {
	sql standby1 "ALTER SYSTEM SET recovery_min_apply_delay = '$1'"
	sql standby1 "SELECT pg_catalog.pg_reload_conf()" >/dev/null
}

disturb_start() {
	if [[ $1 == limited ]]; then
		become_server "$LIMITER" "$STARTUP" "$REPLAY" &
	else
		disturb "$1" &
	fi
	echo $! >"$WORK/pids/disturb"
	disown $!
}

disturb_stop() {
	background_stop disturb
	kill -CONT "$STARTUP"
	delay_set 0
}

background_stop() {
	local pid
	pid=$(cat "$WORK/pids/$1")
	kill "$pid" 2>/dev/null || true
	wait_gone "$pid" 10 || true
	rm -f "$WORK/pids/$1"
}

# sample CLUSTER FILE COLUMNS: `TIME COLUMNS…`, 40 times a second.
sample() {
	(exec "$PSQL" -X -Atq -F ' ' -d "$(conninfo "$1")" >"$2" 2>&1) <<-SQL &
		SELECT extract(epoch FROM pg_catalog.clock_timestamp()), $3 \watch 0.025
	SQL
	echo $! >"$WORK/pids/sample.$1"
	disown $!
}

sample_start() {
	sample main "$1.written" "pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), '0/0'),
		(SELECT coalesce(sum(rows_filled), 0) FROM backfill.bookmark)"
	sample standby1 "$1.replayed" "pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')"
}

sample_stop() {
	background_stop sample.main
	background_stop sample.standby1
}

# lags FILE: `TIME LAG_MS` at each look at the standby: the age of the newest place in the WAL that it has replayed.
lags() {
	awk '
		NF < 2 { next }
		FNR == NR { at[++count] = $1; written[count] = $2; next }
		{
			while (newest < count && at[newest + 1] <= $1) newest++
			while (replayed < newest && written[replayed + 1] <= $2) replayed++
			if (replayed > 0) printf "%.3f %.1f\n", $1, replayed == newest ? 0 : 1000 * ($1 - at[replayed])
		}' "$1.written" "$1.replayed"
}

# reactions FILE: each time the lag was above max_lag_ms: milliseconds until the last batch committed that did so meanwhile.
reactions() {
	awk -v limit="$MAX_LAG_MS" '
		FNR == NR { if ($2 > limit && !above) from[++count] = $1; above = $2 > limit; if (above) to[count] = $1; next }
		NF == 3 { for (i = 1; i <= count; i++) if ($3 > rows && $1 > from[i] && $1 <= to[i]) last[i] = $1; rows = $3 }
		END { for (i = 1; i <= count; i++) print last[i] ? 1000 * (last[i] - from[i]) : 0 }' <(lags "$1") "$1.written"
}

# replay_rate FILE: bytes a second that were replayed.
replay_rate() {
	awk 'NF == 2 { if (!begun) { begun = $1; from = $2 } ended = $1; to = $2 }
		END { printf "%.0f", (ended > begun) ? (to - from) / (ended - begun) : 0 }' "$1.replayed"
}

# measure SCENARIO WITH
measure() {
	local name="$1 $2" file=$WORK/$1.$2 numbers
	step "$1, ${TITLES[$2]}"
	replica_caught_up standby1 main
	traffic_start "$1.$2" "$RATE"
	disturb_start "$1"
	sleep 1 # until the application is at work
	sample_start "$file"
	case $2-$1 in
	alone-*) sleep "$DURATION" ;;
	*-limited) whole_job "$2" ;;
	*)
		bench_fill_for "$DURATION" workers "$WORKERS" max_impact 0
		record "$name" speed "$(calculate "$(bench_rows_filled) / $DURATION")"
		;;
	esac
	sample_stop
	if [[ $2 != alone ]]; then
		bench_fill_end
	fi
	disturb_stop
	traffic_stop "$1.$2"
	read -ra numbers < <(lags "$file" | cut -d ' ' -f 2 | percentiles)
	record "$name" p50 "${numbers[2]}"
	record "$name" p99 "${numbers[3]}"
	record "$name" max "${numbers[5]}"
	record "$name" replayed "$(replay_rate "$file")"
	read -ra numbers < <(reactions "$file" | percentiles)
	record "$name" crossings "${numbers[0]}"
	record "$name" reaction "${numbers[5]/-/0}"
	step_done
}

# whole_job WITH: one fill, until the limited replica has replayed all of it.
whole_job() {
	local until behind begun before after
	read -ra before < <(bench_sizes)
	bench_fill_for 1 workers "$WORKERS" max_impact 0
	bench_await "fill-$BENCH_JOBS"
	read -ra after < <(bench_sizes)
	record_sizes "limited $1" "${before[@]}" "${after[@]}"
	IFS='|' read -r until behind < <(sql main "SELECT pg_catalog.pg_current_wal_flush_lsn(),
		pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), replay_lsn) FROM pg_catalog.pg_stat_replication")
	if [[ $1 == unwatched ]] && ((behind < LEAST_BEHIND)); then
		give_up "the replica is limited: it is only $behind bytes behind a fill that does not look at it" "lower --replay, or take more --rows"
	fi
	wait_until -n standby1 600 "the limited replica works off what it is behind" \
		"SELECT pg_catalog.pg_last_wal_replay_lsn() >= '$until'"
	begun=$(sql main "SELECT extract(epoch FROM min(at)) FROM backfill.event WHERE name = 'fill-$BENCH_JOBS' AND stage = 'filling'")
	record "limited $1" seconds "$(calculate "$EPOCHREALTIME - $begun" %.3f)"
	record "limited $1" speed "$(calculate "$ROWS / ($EPOCHREALTIME - $begun)" %.3f)"
}

scenario() {
	bench_fresh 3
	measure "$1" alone
	if [[ $1 == limited ]]; then
		# Each from the same start: images of pages that the application has written alone would not be written again.
		daemon_option database.replicas '[]'
		bench_fresh 3
		daemon_start
		measure limited unwatched
		daemon_option database.replicas all
		bench_fresh 3
	fi
	daemon_start
	measure "$1" fill
}

table_row() {
	local name="$1 $2" reaction=- speed=-
	if [[ $2 != alone ]]; then
		reaction=$(calculate "$(last "$name" reaction)" %.0f)
		speed=$(calculate "$(last "$name" speed)" %.0f)
	fi
	printf '| %s | %s | %.2f | %.2f | %.2f | %d | %s | %.1f | %s |\n' "$1" "${TITLES[$2]}" "$(calculate "$(last "$name" p50) / 1000")" \
		"$(calculate "$(last "$name" p99) / 1000")" "$(calculate "$(last "$name" max) / 1000")" "$(last "$name" crossings)" "$reaction" \
		"$(calculate "$(last "$name" replayed) / 1e6")" "$speed"
}

# The same rows and, beside them, the same application: what the replica had left over for the fill is used as its time tells.
headroom_used() {
	calculate "100 * $(last "limited unwatched" seconds) / $(last "limited fill" seconds)" %.0f
}

report() {
	local scenario
	heading "$(thousands "$ROWS") rows, three secondary indexes, $RATE transactions/s, $DURATION s each; max_lag_ms $MAX_LAG_MS"
	echo
	echo "| replica | | lag p50 s | p99 | max | times above max_lag | last batch after that, ms at most | replayed MB/s | rows filled/s |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	for scenario in stalls delays limited; do
		table_row "$scenario" alone
		if [[ $scenario == limited ]]; then
			table_row limited unwatched
		fi
		table_row "$scenario" fill
	done
	echo
	echo "The limited replica had replayed the whole fill after $(calculate "$(last "limited unwatched" seconds)" %.1f) s when nobody looked at it, after" \
		"$(calculate "$(last "limited fill" seconds)" %.1f) s when backfilld did."
	bench_machine
	echo
	for scenario in stalls delays limited; do
		require "lag p99 over that of the application alone in ms, $scenario" \
			"$(calculate "$(last "$scenario fill" p99) - $(last "$scenario alone" p99)" %.0f)" at-most 500
		require "last batch after the lag had crossed max_lag in ms, $scenario" \
			"$(calculate "$(last "$scenario fill" reaction)" %.0f)" at-most 250
	done
	require "% of the limited replica's headroom used" "$(headroom_used)" at-least 90
	require "growth of the indexes in %, limited" \
		"$(calculate "100 * ($(last "limited fill" indexes_after) / $(last "limited fill" indexes_before) - 1)" %.1f)" at-most 1
}

bench_server "$ROWS"
LIMITER=$(bench_program limit_cpu)
step "a standby"
# Far behind it would cancel those who measure it, at once.
replica_start standby1 main standby1 max_standby_streaming_delay=-1
STARTUP=$(startup_pid)
step_done
for name in stalls delays limited; do
	scenario "$name"
done
report
bench_end
