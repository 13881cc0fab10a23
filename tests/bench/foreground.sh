#!/usr/bin/env bash
# What the application notices of a fill: its latencies alone, beside backfilld, and beside key ranges that nothing slows down.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/foreground.sh [OPTION]…
		  --rows NUMBER      rows of the table (default 1000000)
		  --seconds NUMBER   how long each is measured (default 60); the promise about the mean takes 300
		  --rate NUMBER      transactions a second (default: half of what the machine can do, measured first)
		  --workers NUMBER   of the job (default 1)
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says. The application is pgbench on the table that is filled:
		4 clients, a fixed rate, an update and a select by key a transaction; its latencies count from when a transaction was
		due. Alone is half before and half after the fill. When a job is done before the time is up, another column is asked
		for. Key ranges of 10,000 rows start from a fresh table and end with it. A wait for us is a lock wait that the server's
		own log says was for a session of the fill. Status 1 when a requirement is missed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
for part in bench traffic; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

ROWS=1000000
DURATION=60
RATE=""
WORKERS=1
MAX_IMPACT=10 # the default of max_impact
bench_options "rows=ROWS seconds=DURATION rate=RATE workers=WORKERS" "$@"
script_guard

SETTLE=$((DURATION >= 60 ? 30 : DURATION / 2))
declare -A FROM=() TO=() TITLES=([alone]="nothing" [fill]="backfilld, $WORKERS worker(s)" [keys]="key ranges of 10,000")

log_lines() {
	wc -l <"$(cluster_log main)"
}

# begin WAY: everything between this and `end WAY` is measured.
begin() {
	traffic_start "$1" "$RATE"
	sleep 1 # it connects and prepares
	record "$1" first_line "$(($(log_lines) + 1))"
	FROM[$1]=$EPOCHREALTIME
}

end() {
	TO[$1]=$EPOCHREALTIME
	traffic_stop "$1"
	record "$1" last_line "$(log_lines)"
}

run_alone() {
	begin "$1"
	sleep $((DURATION / 2))
	end "$1"
}

run_fill() {
	begin fill
	bench_fill_for "$DURATION" workers "$WORKERS"
	end fill
	record fill rows "$(bench_rows_filled)"
	bench_fill_end
	record fill jobs "$BENCH_FILLS"
}

run_keys() {
	local pid
	sql -U shop_owner main "ALTER TABLE public.bench ADD COLUMN v text"
	begin keys
	PGOPTIONS="-c synchronous_commit=off" psql_at main -U shop_owner -c "CALL public.fill_keys(10000)" >"$WORK/keys.out" 2>&1 &
	pid=$!
	wait_gone "$pid" "$DURATION" || true
	end keys
	sql main "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE query LIKE 'CALL public.fill_keys%'" >/dev/null
	wait "$pid" || true
	record keys rows "$(sql main "SELECT count(v) FROM public.bench")"
}

# latencies WAY [SKIP [WHAT]]: of all its transactions after the first SKIP seconds.
latencies() {
	local part
	for part in "${!FROM[@]}"; do
		if [[ $part == "$1" || $part == "$1"[12] ]]; then
			traffic_latencies "$part" "$(calculate "${FROM[$part]} + ${2:-0}" %.6f)" "${TO[$part]}" "${3:-ms}"
		fi
	done | percentiles
}

# What the measurements come to: of each way count, mean, p50, p99, p999, max, executing, late_mean; of the halves alone, p99.
evaluate() {
	local way numbers measure measures=(count mean p50 p99 p999 max)
	for way in alone fill keys; do
		read -ra numbers < <(latencies "$way")
		for measure in "${!measures[@]}"; do
			record "$way" "${measures[measure]}" "${numbers[measure]}"
		done
		read -r _ numbers _ < <(latencies "$way" 0 executing)
		record "$way" executing "$numbers"
	done
	for way in alone1 alone2; do
		read -ra numbers < <(latencies "$way")
		record "$way" p99 "${numbers[3]}"
	done
	read -r _ numbers _ < <(latencies fill "$SETTLE")
	record fill late_mean "$numbers"
	for way in fill keys; do
		read -ra numbers < <(traffic_waits "$(last "$way" first_line)" "$(last "$way" last_line)" | cut -d ' ' -f 1 | percentiles)
		record "$way" waits "${numbers[0]}"
		record "$way" longest "${numbers[5]/-/0}"
	done
}

table_row() {
	local way=$1 waits=- speed=-
	if [[ $way != alone ]]; then
		waits="$(last "$way" waits), longest $(calculate "$(last "$way" longest)" %.0f) ms"
		speed=$(calculate "$(last "$way" rows) / (${TO[$way]} - ${FROM[$way]})" %.0f)
	fi
	printf '| %s | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.1f | %s | %s |\n' "${TITLES[$way]}" "$(last "$way" count)" "$(last "$way" mean)" \
		"$(last "$way" executing)" "$(last "$way" p50)" "$(last "$way" p99)" "$(last "$way" p999)" "$(last "$way" max)" "$waits" "$speed"
}

# over MEASURE: by how many per cent it is more beside the fill than alone.
over() {
	calculate "100 * ($(last fill "$1") / $(last alone "${2:-$1}") - 1)" %.1f
}

report() {
	heading "$(thousands "$ROWS") rows, three secondary indexes, $RATE transactions/s$CAPACITY; milliseconds"
	echo
	echo "| beside it | transactions | mean | executing | p50 | p99 | p99.9 | max | lock waits for the fill over 20 ms | rows filled/s |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	table_row alone
	table_row fill
	table_row keys
	echo
	echo "Alone the p99 was $(calculate "$(last alone1 p99)" %.2f) before and $(calculate "$(last alone2 p99)" %.2f) after: that is how much it tells here."
	echo "Measured for $(calculate "${TO[fill]} - ${FROM[fill]}" %.0f) s of $(last fill jobs) job(s), $(calculate "${TO[keys]} - ${FROM[keys]}" %.0f) s of key ranges."
	bench_machine
	echo
	require "p99 over that of the application alone, %" "$(over p99)" at-most 10
	require "mean over that of the application alone, after the first $SETTLE s, %" "$(over late_mean mean)" at-most $((MAX_IMPACT + 5))
	require "longest wait for the fill, ms" "$(calculate "$(last fill longest)" %.0f)" at-most 200
}

bench_server "$ROWS"
bench_keys
traffic_waits_logged
bench_fresh 3
CAPACITY=""
if [[ -z $RATE ]]; then
	step "what the machine can do"
	RATE=$(traffic_capacity $((DURATION < 20 ? DURATION / 2 : 10)))
	CAPACITY=" of $RATE that the machine can do"
	RATE=$((RATE / 2))
	step_done "$RATE transactions/s are half of what the machine can do"
	bench_fresh 3
fi
daemon_start
step "the application alone"
run_alone alone1
step_done
step "beside backfilld"
run_fill
step_done
step "the application alone, again"
run_alone alone2
step_done
bench_fresh 3
step "beside key ranges"
run_keys
step_done
evaluate
report
bench_end
