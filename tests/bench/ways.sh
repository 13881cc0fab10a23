#!/usr/bin/env bash
# Filling against the other ways of doing it: one UPDATE, key ranges, and the rewrite that takes the table away meanwhile.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/ways.sh [OPTION]…
		  --rows NUMBER     rows of the table (default 1000000)
		  --rounds NUMBER   how often each way is taken, in turns (default 3)
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says. Every run gets a fresh copy of the table, once with three
		secondary indexes and once with the primary key only: vacuumed, frozen, in cache, autovacuum off, after a checkpoint.
		Key ranges are driven by a procedure in the server that commits each, with synchronous_commit = off as backfilld does.
		The rewrite is ALTER TABLE … ADD COLUMN … DEFAULT with a volatile function that is cheap and of the same width; nobody
		can read the table meanwhile. The bound is what no UPDATE can beat: half of each page is free, so that every row stays in
		its page and no index is touched, and two connections take half of the table each. Seconds of backfilld are from its first
		batch to the end of its last sweep. Status 1 when a requirement is missed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/bench.sh
. "$TOP/tests/lib/bench.sh"

ROWS=1000000
ROUNDS=3
bench_options "rows=ROWS rounds=ROUNDS" "$@"
script_guard

WAYS=(update keys1000 keys10000 rewrite bound one two)
declare -A TITLES=(
	[update]="one UPDATE" [keys1000]="key ranges of 1,000" [keys10000]="key ranges of 10,000"
	[rewrite]="*rewrite, the table locked*" [bound]="*two UPDATEs, all rows in place*" [one]="backfilld, 1 worker" [two]="backfilld, 2 workers"
)

# timed WAY SYNCHRONOUS_COMMIT STATEMENT…: the statements at the same time, each through a connection of its own.
timed() {
	local name=$1 options="-c client_min_messages=warning -c synchronous_commit=$2" before after begun ended statement connection connections=()
	shift 2
	read -ra before < <(bench_sizes)
	begun=$EPOCHREALTIME
	for statement in "$@"; do
		PGOPTIONS=$options psql_at main -U shop_owner -Atqc "$statement" &
		connections+=($!)
	done
	for connection in "${connections[@]}"; do
		wait "$connection"
	done
	ended=$EPOCHREALTIME
	read -ra after < <(bench_sizes)
	record "$name" seconds "$(calculate "$ended - $begun")"
	record_sizes "$name" "${before[@]}" "${after[@]}"
}

# run INDEXES WAY ROUND
run() {
	local indexes=$1 way=$2 name="$1 $2" what="round $3, $1 indexes: $2" add="ALTER TABLE public.bench ADD COLUMN v text"
	step "$what"
	bench_fresh "$indexes"
	if [[ $way != rewrite && $way != one && $way != two ]]; then
		sql -U shop_owner main "$add"
	fi
	case $way in
	update) timed "$name" on "UPDATE public.bench SET v = upper(email)" ;;
	keys1000) keys "$name" 1000 ;;
	keys10000) keys "$name" 10000 ;;
	rewrite) timed "$name" on "$add DEFAULT pg_catalog.repeat('v', 32 + (0 * pg_catalog.random())::int)" ;;
	bound) bound "$name" ;;
	one) bench_fill "$name" 1 ;;
	two) bench_fill "$name" 2 ;;
	esac
	if [[ $way != rewrite ]]; then
		bench_verify "$way"
	fi
	step_done "$what$(printf ' %6.1f s, %5.0f MB of WAL' "$(last "$name" seconds)" "$(last "$name" wal)")"
}

keys() {
	timed "$1" off "CALL public.fill_keys($2)"
}

bound() {
	local half
	sql -U shop_owner main <<-SQL
		ALTER TABLE public.bench SET (fillfactor = 45);
		VACUUM FULL public.bench;
		VACUUM (ANALYZE, FREEZE) public.bench;
	SQL
	sql main "CHECKPOINT"
	half="'($(sql main "SELECT pg_relation_size('public.bench') / current_setting('block_size')::bigint / 2"),0)'::tid"
	timed "$1" off "UPDATE public.bench SET v = upper(email) WHERE ctid < $half" "UPDATE public.bench SET v = upper(email) WHERE ctid >= $half"
	record "$1" in_place "$(sql main "SELECT 100.0 * n_tup_hot_upd / n_tup_upd FROM pg_stat_user_tables WHERE relname = 'bench'")"
}

times_as_fast() {
	calculate "$(median "$2" seconds) / $(median "$1" seconds)" %.2f
}

wal_part() {
	calculate "$(median "$1" wal) / $(median "$2" wal)" %.2f
}

growth() {
	calculate "100 * ($(median "$1" indexes_after) / $(median "$1" indexes_before) - 1)" %.1f
}

# report INDEXES TITLE
report() {
	local way name update="$1 update" rewrite="$1 rewrite"
	heading "$(thousands "$ROWS") rows, $2; medians of $ROUNDS rounds, MB are 10^6 bytes"
	echo
	echo "| how | seconds | times as fast as one UPDATE | as the rewrite | WAL MB | of one UPDATE's | table MB | indexes MB |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
	for way in "${WAYS[@]}"; do
		name="$1 $way"
		printf '| %s | %.1f | %s | %s | %.0f | %s | %.0f → %.0f | %.0f → %.0f (%+.1f %%) |\n' "${TITLES[$way]}" \
			"$(median "$name" seconds)" "$(times_as_fast "$name" "$update")" "$(times_as_fast "$name" "$rewrite")" \
			"$(median "$name" wal)" "$(wal_part "$name" "$update")" "$(median "$name" table_before)" "$(median "$name" table_after)" \
			"$(median "$name" indexes_before)" "$(median "$name" indexes_after)" "$(growth "$name")"
	done
}

bench_server "$ROWS"
bench_keys
for ((round = 1; round <= ROUNDS; round++)); do
	for indexes in 3 0; do
		for way in "${WAYS[@]}"; do
			run "$indexes" "$way" "$round"
		done
	done
done
report 3 "three secondary indexes"
report 0 "primary key only"
echo
bench_machine
echo
require "times as fast as the rewrite, 2 workers, three indexes" "$(times_as_fast "3 two" "3 rewrite")" at-least 1
require "times as fast as the rewrite, 2 workers, primary key only" "$(times_as_fast "0 two" "0 rewrite")" at-least 1
require "times as fast as one UPDATE, 2 workers, three indexes" "$(times_as_fast "3 two" "3 update")" at-least 3
for indexes in 3 0; do
	require "rows that stayed in their page, in %, of the bound, $((indexes + 1)) indexes" "$(median "$indexes bound" in_place)" at-least 99
done
for way in one two; do
	require "part of one UPDATE's WAL, ${TITLES[$way]}, three indexes" "$(wal_part "3 $way" "3 update")" at-most 0.6
	for indexes in 3 0; do
		require "growth of the indexes in %, ${TITLES[$way]}, $((indexes + 1)) indexes" "$(growth "$indexes $way")" at-most 1
	done
done
bench_end
