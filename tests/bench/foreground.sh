#!/usr/bin/env bash
# What the application notices of a fill: its latencies alone, beside backfilld, and beside key ranges that nothing slows down.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/foreground.sh [OPTION]…
		  --rows NUMBER      rows of the table (default 1000000)
		  --seconds NUMBER   how long the fill is measured, at least 20 (default 60); the promise about the mean takes 300
		  --rate NUMBER      transactions a second (default: half of what the machine can do, measured first)
		  --workers NUMBER   of the job (default 1)
		  --clients NUMBER   of the application (default 16; with 4 each is at work for two thirds of the time, and the p99 is
		                     mostly the wait for a free one)
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says. The application is pgbench on the table that is filled:
		a fixed rate, an update and a select by key a transaction; its latencies count from when a transaction was
		due. It is alone for 20 s, the fill runs for 30 s, and so on: the job is paused meanwhile. When a job is
		done before the time is up, another column is asked for. Key ranges of 10,000 rows start from a fresh table and end
		with it. A wait for us is a lock wait that the server's own log says was for a session of the fill.

		What is promised of p99 and mean is judged by the medians of stretches of 2 s in which the hypervisor took no more than
		1 % of the processors' time; those are counted, alone and beside the fill. Status 1 when a requirement is missed, or
		too few are left to tell.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
for part in bench traffic machine; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

ROWS=1000000
DURATION=60
RATE=""
WORKERS=1
TRAFFIC_CLIENTS=16
MAX_IMPACT=10 # the default of max_impact
bench_options "rows=ROWS seconds=DURATION rate=RATE workers=WORKERS clients=TRAFFIC_CLIENTS" "$@"
script_guard

if ((DURATION < 20)); then
	DURATION=20
fi
ROUNDS=$((DURATION < 60 ? 2 : DURATION / 30))
ALONE=$((2 * DURATION / ROUNDS / 3)) # seconds
STRETCH=2                            # seconds
# shellcheck disable=SC2034 # looks cost the application as well
BENCH_LOOK_S=1
SETTLE=$((DURATION >= 60 ? 30 : DURATION / 2))
TAKEN_MOST=1                         # per cent of the processors' time, of a stretch that counts
STRETCHES_LEAST=5                    # of each way, or nothing can be said
PIECES=()                            # "WAY TRAFFIC FROM TO" of each, seconds since 1970
declare -A TITLES=([alone]="nothing" [fill]="backfilld, $WORKERS worker(s)" [keys]="key ranges of 10,000")

log_lines() {
	wc -l <"$(cluster_log main)"
}

# begin TRAFFIC: until `end TRAFFIC` the application is at work.
begin() {
	traffic_start "$1" "$RATE"
	sleep 1 # it connects and prepares
	record "$1" first_line "$(($(log_lines) + 1))"
}

end() {
	traffic_stop "$1"
	record "$1" last_line "$(log_lines)"
}

# piece WAY TRAFFIC COMMAND…: measured while the command runs.
piece() {
	local way=$1 traffic=$2 from=$EPOCHREALTIME
	shift 2
	"$@"
	PIECES+=("$way $traffic $from $EPOCHREALTIME")
}

run_alone() {
	piece alone fill sleep $ALONE
}

run_fill() {
	local round
	begin fill
	for ((round = 0; round < ROUNDS; round++)); do
		run_alone
		piece fill fill bench_fill_for $((DURATION / ROUNDS)) workers "$WORKERS"
		bench_fill_pause
	done
	run_alone
	end fill
	record fill rows "$(bench_rows_filled)"
	bench_fill_end
	record fill jobs "$BENCH_FILLS"
}

fill_keys() {
	local pid
	PGOPTIONS="-c synchronous_commit=off" psql_at main -U shop_owner -c "CALL public.fill_keys(10000)" >"$WORK/keys.out" 2>&1 &
	pid=$!
	wait_gone "$pid" "$DURATION" || true
	sql main "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE query LIKE 'CALL public.fill_keys%'" >/dev/null
	wait "$pid" || true
}

run_keys() {
	sql -U shop_owner main "ALTER TABLE public.bench ADD COLUMN v text"
	begin keys
	piece keys keys fill_keys
	end keys
	record keys rows "$(sql main "SELECT count(v) FROM public.bench")"
}

# seconds WAY: measured, in all.
seconds() {
	printf '%s\n' "${PIECES[@]}" | awk -v way="$1" '$1 == way { sum += $4 - $3 } END { print sum + 0 }'
}

# latencies WAY [WHAT]: of all its transactions.
latencies() {
	local traffic from to _
	while read -r _ traffic from to; do
		traffic_latencies "$traffic" "$from" "$to" "${2:-ms}"
	done < <(printf '%s\n' "${PIECES[@]}" | grep "^$1 ")
}

# stretch WAY TRAFFIC FROM TO: records how much was taken of the machine; where it was left alone, p99 and mean.
stretch() {
	local way=$1 mean p99 _
	record "$way" taken "$(machine_taken "$3" "$4")"
	if (($(calculate "$(last "$way" taken) > $TAKEN_MOST" %d))); then
		return
	fi
	read -r _ mean _ p99 _ < <(traffic_latencies "$2" "$3" "$4" | percentiles)
	if [[ $p99 == - ]]; then # none ended in all that time
		p99=$((STRETCH * 1000)) mean=$((STRETCH * 1000))
	fi
	record "$way" stretch_p99 "$p99"
	record "$way" stretch_mean "$mean"
}

# stretches WAY: all whole ones. Means count after the first SETTLE seconds of the fill.
stretches() {
	local way traffic from to at passed=0
	while read -r way traffic from to; do
		for ((at = 0; at + STRETCH <= $(calculate "$to - $from" %d); at += STRETCH)); do
			stretch "$way" "$traffic" "$(calculate "$from + $at" %.6f)" "$(calculate "$from + $at + $STRETCH" %.6f)"
			passed=$((passed + STRETCH))
			if [[ $way == fill ]] && ((passed <= SETTLE)); then
				RESULTS["fill stretch_mean"]=""
			fi
		done
	done < <(printf '%s\n' "${PIECES[@]}" | grep "^$1 ")
}

# counted WAY MEASURE: how many numbers there are.
counted() {
	wc -w <<<"${RESULTS["$1 $2"]:-}"
}

# What the measurements come to: of each way count, mean, p50, p99, p999, max, executing, and of its stretches.
evaluate() {
	local way numbers measure measures=(count mean p50 p99 p999 max)
	for way in alone fill keys; do
		read -ra numbers < <(latencies "$way" | percentiles)
		for measure in "${!measures[@]}"; do
			record "$way" "${measures[measure]}" "${numbers[measure]}"
		done
		read -r _ numbers _ < <(latencies "$way" executing | percentiles)
		record "$way" executing "$numbers"
		stretches "$way"
	done
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
		speed=$(calculate "$(last "$way" rows) / $(seconds "$way")" %.0f)
	fi
	printf '| %s | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.1f | %s | %s |\n' "${TITLES[$way]}" "$(last "$way" count)" "$(last "$way" mean)" \
		"$(last "$way" executing)" "$(last "$way" p50)" "$(median "$way" stretch_p99)" "$(last "$way" p99)" "$(last "$way" p999)" "$(last "$way" max)" \
		"$waits" "$speed"
}

# over ALONE FILL: by how many per cent the second is more.
over() {
	calculate "$1 > 0 ? 100 * ($2 / $1 - 1) : 1e6" %.1f
}

# left_alone WAY: how many of its stretches were.
left_alone() {
	echo "$(counted "$1" stretch_p99) of $(counted "$1" taken)"
}

report() {
	heading "$(thousands "$ROWS") rows, three secondary indexes, $TRAFFIC_CLIENTS clients, $RATE transactions/s$CAPACITY; milliseconds"
	echo
	echo "| beside it | transactions | mean | executing | p50 | p99 of $STRETCH s | p99 | p99.9 | max | lock waits for the fill over 20 ms | rows filled/s |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	table_row alone
	table_row fill
	table_row keys
	echo
	echo "Measured for $(calculate "$(seconds alone)" %.0f) s alone and $(calculate "$(seconds fill)" %.0f) s of $(last fill jobs) job(s) in turns, $(calculate "$(seconds keys)" %.0f) s of key ranges."
	echo "The p99 of $STRETCH s is the median of the stretches that the hypervisor left alone: $(left_alone alone) alone, $(left_alone fill) beside the fill, $(left_alone keys) beside key ranges."
	echo "The median of their means: $(calculate "$(median alone stretch_mean)" %.2f) alone, $(calculate "$(median fill stretch_mean)" %.2f) beside the fill after its first $SETTLE s."
	bench_machine
	echo
	require "stretches that tell, alone" "$(counted alone stretch_p99)" at-least "$STRETCHES_LEAST"
	require "stretches that tell, beside the fill after the first $SETTLE s" "$(counted fill stretch_mean)" at-least "$STRETCHES_LEAST"
	require "p99 of $STRETCH s over that of the application alone, %" "$(over "$(median alone stretch_p99)" "$(median fill stretch_p99)")" at-most 10
	require "mean over that of the application alone, after the first $SETTLE s, %" \
		"$(over "$(median alone stretch_mean)" "$(median fill stretch_mean)")" at-most $((MAX_IMPACT + 5))
	require "longest wait for the fill, ms" "$(calculate "$(last fill longest)" %.0f)" at-most 200
}

bench_server "$ROWS"
bench_keys
traffic_waits_logged
machine_watch
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
step "the application alone and beside backfilld, in turns"
run_fill
step_done
bench_fresh 3
step "beside key ranges"
run_keys
step_done
evaluate
report
bench_end
