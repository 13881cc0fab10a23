#!/usr/bin/env bash
# What a network between daemon and server costs: the fill through a proxy that holds everything for half a round trip.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/distance.sh [OPTION]…
		  --rows NUMBER      rows of the table (default 1000000)
		  --rounds NUMBER    how often each distance is taken, in turns (default 3)
		  --workers NUMBER   of the job (default 1)
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says; the proxy is in build/tests/bench, or the folder BENCH_BIN.
		Every run gets a fresh copy of the table with three secondary indexes: vacuumed, frozen, in cache, autovacuum off, after a
		checkpoint. All sessions of the daemon go through the proxy, but for "local", which is a UNIX socket. Status 1 when a
		requirement is missed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/bench.sh
. "$TOP/tests/lib/bench.sh"

ROWS=1000000
ROUNDS=3
WORKERS=1
bench_options "rows=ROWS rounds=ROUNDS workers=WORKERS" "$@"
script_guard

DISTANCES=(local 0 5 20)
declare -A TITLES=([local]="local, UNIX socket" [0]="proxy, 0 ms" [5]="proxy, 5 ms" [20]="proxy, 20 ms")

# proxy_start ROUND_TRIP_MS: on $PORT
proxy_start() {
	local binary
	binary=$(bench_program delay_proxy)
	PORT=$(free_port)
	become_server setsid "$binary" "$PORT" "$WORK/main/.s.PGSQL.5432" "$1" </dev/null >"$WORK/proxy.out" 2>&1 &
	echo $! >"$WORK/pids/proxy"
	disown $!
	wait_for 10 "the proxy listens" grep -qx ready "$WORK/proxy.out"
}

proxy_stop() {
	local pid
	pid=$(cat "$WORK/pids/proxy")
	kill "$pid"
	wait_gone "$pid" 5
	rm "$WORK/pids/proxy"
}

# What a statement takes from there, in milliseconds: the proxy is looked at, too.
round_trip() {
	local begun ended
	coproc THERE { "$PSQL" -X -Atq -d "host=127.0.0.1 port=$PORT user=postgres dbname=shop" 2>&1; }
	local pid=$THERE_PID
	for _ in 1 2 3 4 5; do
		begun=${EPOCHREALTIME/./}
		echo "SELECT 1;" >&"${THERE[1]}"
		read -r _ <&"${THERE[0]}"
		ended=${EPOCHREALTIME/./}
	done
	echo '\q' >&"${THERE[1]}"
	wait "$pid" || true
	calculate "($ended - $begun) / 1000" %.1f
}

# far_config: the daemon's config with the proxy in place of the socket.
far_config() {
	local near far=$WORK/far.yaml
	near=$(daemon_config)
	sed "s|host=$WORK/main port=5432|host=127.0.0.1 port=$PORT|" "$near" | as_server tee "$far" >/dev/null
	echo "$far"
}

run() {
	local distance=$1 what seen=0
	what="round $2: ${TITLES[$1]}"
	step "$what"
	bench_fresh 3
	DAEMON_CONFIG=""
	if [[ $distance != local ]]; then
		proxy_start "$distance"
		seen=$(round_trip)
		# shellcheck disable=SC2034 # daemon_start looks at it
		DAEMON_CONFIG=$(far_config)
	fi
	record "$distance" round_trip "$seen"
	bench_fill "$distance" "$WORKERS"
	if [[ $distance != local ]]; then
		proxy_stop
	fi
	bench_verify "$distance"
	step_done "$what$(printf ' %6.1f s' "$(last "$distance" seconds)")"
}

speed() {
	calculate "100 * $(median local seconds) / $(median "$1" seconds)" %.1f
}

report() {
	local distance
	heading "$(thousands "$ROWS") rows, three secondary indexes, $WORKERS worker(s); medians of $ROUNDS rounds"
	echo
	echo "| from the server | a statement there and back, ms | seconds | rows/s | % of local speed | whole job |"
	echo "| --- | --- | --- | --- | --- | --- |"
	for distance in "${DISTANCES[@]}"; do
		printf '| %s | %.1f | %.2f | %.0f | %.1f | %.1f |\n' "${TITLES[$distance]}" "$(median "$distance" round_trip)" "$(median "$distance" seconds)" \
			"$(calculate "$ROWS / $(median "$distance" seconds)")" "$(speed "$distance")" "$(median "$distance" whole)"
	done
	echo
	bench_machine
	echo
	require "% of local speed, 5 ms" "$(speed 5)" at-least 90
	require "% of local speed, 20 ms" "$(speed 20)" at-least 90
}

bench_server "$ROWS"
for ((round = 1; round <= ROUNDS; round++)); do
	for distance in "${DISTANCES[@]}"; do
		run "$distance" "$round"
	done
done
report
bench_end
