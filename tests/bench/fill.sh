#!/usr/bin/env bash
# What filling costs: backfilld with one and with two workers against one UPDATE of the whole table, side by side.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/fill.sh [OPTION]…
		  --rows NUMBER     rows of the table (default 3000000)
		  --rounds NUMBER   how often each way is taken, in turns (default 3)
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says. Every run gets a fresh copy of the table: three
		secondary indexes, vacuumed, frozen, in cache, autovacuum off, after a checkpoint; the server syncs as PostgreSQL
		does by default. Seconds are those of the UPDATE, and of the fill from its first batch to the end of its last sweep;
		"whole job" is from the INSERT until the job says done. Every row is looked at afterwards. Status 1 when a
		requirement is missed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/bench.sh
. "$TOP/tests/lib/bench.sh"

ROWS=3000000
ROUNDS=3
bench_options "rows=ROWS rounds=ROUNDS" "$@"
script_guard

run_update() {
	local before after begun ended
	sql -U shop_owner main "ALTER TABLE public.bench ADD COLUMN v text"
	read -ra before < <(bench_sizes)
	begun=$EPOCHREALTIME
	sql -U shop_owner main "UPDATE public.bench SET v = upper(email)"
	ended=$EPOCHREALTIME
	read -ra after < <(bench_sizes)
	record update seconds "$(calculate "$ended - $begun")"
	record update whole "$(calculate "$ended - $begun")"
	record_sizes update "${before[@]}" "${after[@]}"
}

run() {
	local way=$1 round=$2
	step "round $round: $way"
	bench_fresh 3
	case $way in
	update) run_update ;;
	one) bench_fill one 1 ;;
	two) bench_fill two 2 ;;
	esac
	bench_verify "$way"
	step_done "round $round: $(printf '%-7s %6.1f s, %5.0f MB of WAL' "$way" "$(last "$way" seconds)" "$(last "$way" wal)")"
}

table_row() {
	local way=$1 title=$2 rss=- cpu=-
	if [[ $way != update ]]; then
		rss=$(printf '%.1f' "$(median "$way" rss)")
		cpu=$(printf '%.1f' "$(median "$way" cpu)")
	fi
	printf '| %s | %.1f | %.1f | %s | %.0f | %s | %.0f → %.0f | %.0f → %.0f (+%s %%) | %s | %s |\n' "$title" \
		"$(median "$way" seconds)" "$(median "$way" whole)" "$(speed "$way")" "$(median "$way" wal)" "$(wal_part "$way")" \
		"$(median "$way" table_before)" "$(median "$way" table_after)" \
		"$(median "$way" indexes_before)" "$(median "$way" indexes_after)" "$(growth "$way")" "$rss" "$cpu"
}

speed() {
	calculate "$(median update seconds) / $(median "$1" seconds)" %.2f
}

wal_part() {
	calculate "$(median "$1" wal) / $(median update wal)" %.2f
}

growth() {
	calculate "100 * ($(median "$1" indexes_after) / $(median "$1" indexes_before) - 1)" %.1f
}

report() {
	heading "$(thousands "$ROWS") rows, three secondary indexes; medians of $ROUNDS rounds, MB are 10^6 bytes (RSS: 2^20)"
	echo
	echo "| how | seconds | whole job | times as fast | WAL MB | of its WAL | table MB | indexes MB | peak RSS MB | CPU, % of the server's |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	table_row update "one UPDATE"
	table_row one "backfilld, 1 worker"
	table_row two "backfilld, 2 workers"
	echo
	bench_machine
	echo
	require "times as fast as one UPDATE, 1 worker" "$(speed one)" at-least 1.8
	require "times as fast as one UPDATE, 2 workers" "$(speed two)" at-least 3
	require "part of its WAL, 1 worker" "$(wal_part one)" at-most 0.6
	require "part of its WAL, 2 workers" "$(wal_part two)" at-most 0.6
	require "growth of the indexes in %, 1 worker" "$(growth one)" at-most 1
	require "growth of the indexes in %, 2 workers" "$(growth two)" at-most 1
	require "peak RSS of the daemon in MB, 1 worker" "$(printf '%.1f' "$(median one rss)")" at-most 16
	require "peak RSS of the daemon in MB, 2 workers" "$(printf '%.1f' "$(median two rss)")" at-most 16
	require "CPU of the daemon in % of the server's, 1 worker" "$(printf '%.1f' "$(median one cpu)")" at-most 3
	require "CPU of the daemon in % of the server's, 2 workers" "$(printf '%.1f' "$(median two cpu)")" at-most 3
}

bench_server "$ROWS"
for ((round = 1; round <= ROUNDS; round++)); do
	for way in update one two; do
		run "$way" "$round"
	done
done
report
bench_end
