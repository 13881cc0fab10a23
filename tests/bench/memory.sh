#!/usr/bin/env bash
# What the daemon itself takes: memory and processor time, for tables of growing size.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/memory.sh [OPTION]…
		  --rows NUMBER      rows of the largest table (default 1000000); the others have a tenth and a hundredth
		  --workers NUMBER   of each job (default 2)
		  --full             10,000,000 rows
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says. A new daemon for each table, which has three secondary
		indexes and gets a column filled with upper(email). Memory is the process's peak (VmHWM), read after the job; processor
		time is the daemon's of the whole job against that of all the server's processes. Status 1 when a requirement is missed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/bench.sh
. "$TOP/tests/lib/bench.sh"

ROWS=1000000
WORKERS=2
bench_options "rows=ROWS workers=WORKERS full" "$@"
script_guard

SIZES=($((ROWS / 100)) $((ROWS / 10)) "$ROWS")

report() {
	local size
	heading "three secondary indexes, $WORKERS workers; MB of RSS are 2^20 bytes"
	echo
	echo "| rows | seconds | peak RSS MB | CPU of the daemon, % of the server's |"
	echo "| --- | --- | --- | --- |"
	for size in "${SIZES[@]}"; do
		printf '| %s | %.1f | %.2f | %.2f |\n' "$(thousands "$size")" "$(last "$size" seconds)" "$(last "$size" rss)" "$(last "$size" cpu)"
	done
	echo
	bench_machine
	echo
	for size in "${SIZES[@]}"; do
		require "peak RSS in MB, $(thousands "$size") rows" "$(calculate "$(last "$size" rss)" %.2f)" at-most 16
	done
	require "growth of the peak RSS in MB from the smallest table to the largest" \
		"$(calculate "$(last "${SIZES[2]}" rss) - $(last "${SIZES[0]}" rss)" %.2f)" at-most 0.5
	require "CPU in % of the server's, $(thousands "${SIZES[2]}") rows" "$(calculate "$(last "${SIZES[2]}" cpu)" %.2f)" at-most 3
}

bench_server "$ROWS"
for size in "${SIZES[@]}"; do
	step "$(thousands "$size") rows"
	bench_fresh 3 "$size"
	bench_fill "$size" "$WORKERS"
	bench_verify "$size rows" "$size"
	step_done "$(printf '%s rows: %.1f s, %.1f MB' "$(thousands "$size")" "$(last "$size" seconds)" "$(last "$size" rss)")"
done
report
bench_end
