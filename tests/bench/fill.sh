#!/usr/bin/env bash
# What filling costs: backfilld with one and with two workers against one UPDATE of the whole table, side by side.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/fill.sh [OPTION]…
		  --rows NUMBER     rows of the table (default 1000000)
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
for part in script terminal cluster daemon shop; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

ROWS=1000000
ROUNDS=3
declare -A RESULTS=() # "WAY MEASURE" to the numbers of all rounds, blanks between
MISSED=0

while (($# > 0)); do
	case $1 in
	--rows | --rounds)
		script_number "$@"
		if [[ $1 == --rows ]]; then ROWS=$2; else ROUNDS=$2; fi
		shift
		;;
	*) script_option "$1" ;;
	esac
	shift
done

script_guard

make_source() {
	sql -U shop_owner main <<-SQL
		CREATE UNLOGGED TABLE public.source AS
		SELECT g::bigint AS id, (g::bigint * 7919) % ($ROWS / 2 + 9) AS customer_id, pg_catalog.md5(g::text) AS email, (g % 97)::int AS status,
		       pg_catalog.now() - g * interval '1 second' AS created_at, pg_catalog.repeat('x', 20 + (g % 30)::int) AS note
		  FROM pg_catalog.generate_series(1, $ROWS) g;
	SQL
}

make_fresh() {
	sql -U shop_owner main <<-SQL
		DROP TABLE IF EXISTS public.bench;
		CREATE TABLE public.bench (id bigint PRIMARY KEY, customer_id bigint NOT NULL, email text NOT NULL, status int NOT NULL,
			created_at timestamptz NOT NULL, note text) WITH (autovacuum_enabled = off);
		INSERT INTO public.bench SELECT * FROM public.source ORDER BY id;
		CREATE INDEX ON public.bench (customer_id);
		CREATE INDEX ON public.bench (email);
		CREATE INDEX ON public.bench (created_at);
		VACUUM (ANALYZE, FREEZE) public.bench;
	SQL
	sql main "CHECKPOINT"
}

# Clock ticks that a process has used; with "all", also those of its children that have ended.
process_ticks() {
	local line user system ended_user ended_system
	read -r line 2>/dev/null <"/proc/$1/stat" || return 0
	read -r _ _ _ _ _ _ _ _ _ _ _ user system ended_user ended_system _ <<<"${line##*) }"
	echo $((user + system + (${#2} ? ended_user + ended_system : 0)))
}

server_ticks() {
	local pid sum=0
	for pid in $(cluster_pids main); do
		sum=$((sum + $(process_ticks "$pid" all || echo 0) + 0))
	done
	echo "$sum"
}

# "BYTES_OF_WAL TABLE INDEXES", the last two in bytes.
sizes() {
	sql main "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0'),
		pg_catalog.pg_table_size('public.bench'), pg_catalog.pg_indexes_size('public.bench')" | tr '|' ' '
}

# record WAY MEASURE NUMBER
record() {
	RESULTS["$1 $2"]="${RESULTS["$1 $2"]:-} $3"
}

median() {
	# shellcheck disable=SC2086 # numbers
	printf '%s\n' ${RESULTS["$1 $2"]:-} | sort -n | awk '{ v[NR] = $1 } END { printf "%.4f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# calculate EXPRESSION [FORMAT]
calculate() {
	awk "BEGIN { printf \"${2:-%.4f}\", $1 }"
}

verify() {
	local rows right
	IFS='|' read -r rows right < <(sql main "SELECT count(*), count(*) FILTER (WHERE v = pg_catalog.upper(email)) FROM public.bench")
	if [[ $rows != "$ROWS" || $right != "$ROWS" ]]; then
		give_up "$1: $right of $rows rows have their value, expected $ROWS"
	fi
}

run_update() {
	local before after begun ended
	sql -U shop_owner main "ALTER TABLE public.bench ADD COLUMN v text"
	read -ra before < <(sizes)
	begun=$EPOCHREALTIME
	sql -U shop_owner main "UPDATE public.bench SET v = upper(email)"
	ended=$EPOCHREALTIME
	read -ra after < <(sizes)
	record update seconds "$(calculate "$ended - $begun")"
	record update whole "$(calculate "$ended - $begun")"
	record_sizes update "${before[@]}" "${after[@]}"
}

record_sizes() {
	record "$1" wal "$(calculate "($5 - $2) / 1e6")"
	record "$1" table_before "$(calculate "$3 / 1e6")"
	record "$1" table_after "$(calculate "$6 / 1e6")"
	record "$1" indexes_before "$(calculate "$4 / 1e6")"
	record "$1" indexes_after "$(calculate "$7 / 1e6")"
}

# Waits through one connection that stays open: making a new one for each look would cost the server more than the daemon does.
await_job() {
	local stage="" looker
	coproc LOOK { psql_at main -Atq 2>&1; }
	looker=$LOOK_PID
	until [[ $stage =~ ^(done|failed)$ ]]; do
		echo "SELECT stage FROM backfill.job WHERE name = '$1';" >&"${LOOK[1]}"
		read -r stage <&"${LOOK[0]}"
		sleep 0.1
	done
	echo '\q' >&"${LOOK[1]}"
	wait "$looker" || true
	if [[ $stage == failed ]]; then
		give_up "the job failed" "$(sql main "SELECT error, error_hint FROM backfill.job WHERE name = '$1'")"
	fi
}

# run_job WAY WORKERS ROUND
run_job() {
	local way=$1 name="$1-$3" before after ticks_before ticks_after fill whole pid
	daemon_start
	pid=$(daemon_pid)
	read -ra before < <(sizes)
	ticks_before=$(server_ticks)
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, workers)
		VALUES ('$name', 'public.bench', 'v', 'text', 'upper(email)', $2)"
	await_job "$name"
	ticks_after=$(server_ticks)
	read -ra after < <(sizes)
	record "$way" rss "$(awk '/^VmHWM/ { print $2 / 1024 }' "/proc/$pid/status")"
	record "$way" cpu "$(calculate "100 * $(process_ticks "$pid" "") / ($ticks_after - $ticks_before)")"
	daemon_stop
	IFS='|' read -r fill whole < <(sql main "
		SELECT extract(epoch FROM min(e.at) FILTER (WHERE e.stage IN ('indexing', 'sealing', 'analyzing', 'done'))
		                        - min(e.at) FILTER (WHERE e.stage = 'filling')),
		       (SELECT extract(epoch FROM j.finished_at - j.requested_at) FROM backfill.job j WHERE j.name = '$name')
		  FROM backfill.event e WHERE e.name = '$name'")
	record "$way" seconds "$fill"
	record "$way" whole "$whole"
	record_sizes "$way" "${before[@]}" "${after[@]}"
}

run() {
	local way=$1 round=$2
	step "round $round: $way"
	make_fresh
	case $way in
	update) run_update ;;
	one) run_job one 1 "$round" ;;
	two) run_job two 2 "$round" ;;
	esac
	verify "$way"
	step_done "round $round: $(printf '%-7s %6.1f s, %5.0f MB of WAL' "$way" "${RESULTS["$way seconds"]##* }" "${RESULTS["$way wal"]##* }")"
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

# require WHAT NUMBER at-least|at-most LIMIT
require() {
	local verdict
	verdict=$(awk -v number="$2" -v how="$3" -v limit="$4" \
		'BEGIN { print (how == "at-least" ? number + 0 >= limit + 0 : number + 0 <= limit + 0) ? "ok" : "missed" }')
	if [[ $verdict == missed ]]; then
		MISSED=$((MISSED + 1))
	fi
	printf '%-6s %s: %s (%s %s)\n' "$verdict" "$1" "$2" "${3/-/ }" "$4"
}

report() {
	local processor memory
	processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
	heading "$(thousands "$ROWS") rows, three secondary indexes; medians of $ROUNDS rounds, MB are 10^6 bytes (RSS: 2^20)"
	echo
	echo "| how | seconds | whole job | times as fast | WAL MB | of its WAL | table MB | indexes MB | peak RSS MB | CPU, % of the server's |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	table_row update "one UPDATE"
	table_row one "backfilld, 1 worker"
	table_row two "backfilld, 2 workers"
	echo
	echo "PostgreSQL $(sql main "SHOW server_version"), $("$(daemon_binary)" --version | head -n 1), $(uname -sr), ${processor:-unknown processor}, $(nproc) cores, $memory GB"
	echo
	require "times as fast as one UPDATE, 1 worker" "$(speed one)" at-least 1.8
	require "times as fast as one UPDATE, 2 workers" "$(speed two)" at-least 3
	require "part of its WAL, 1 worker" "$(wal_part one)" at-most 0.62
	require "part of its WAL, 2 workers" "$(wal_part two)" at-most 0.62
	require "growth of the indexes in %, 1 worker" "$(growth one)" at-most 3
	require "growth of the indexes in %, 2 workers" "$(growth two)" at-most 3
	require "peak RSS of the daemon in MB, 1 worker" "$(printf '%.1f' "$(median one rss)")" at-most 16
	require "peak RSS of the daemon in MB, 2 workers" "$(printf '%.1f' "$(median two rss)")" at-most 16
	require "CPU of the daemon in % of the server's, 1 worker" "$(printf '%.1f' "$(median one cpu)")" at-most 3
	require "CPU of the daemon in % of the server's, 2 workers" "$(printf '%.1f' "$(median two cpu)")" at-most 3
}

step "starting a server and making the source"
work_begin
cluster_start main fsync=on shared_buffers=1GB max_wal_size=16GB min_wal_size=2GB checkpoint_timeout=1h maintenance_work_mem=256MB
wal_files_ready main 2000
make_source
daemon_option log_level info
daemon_option poll_ms 1000
daemon_install
step_done
for ((round = 1; round <= ROUNDS; round++)); do
	for way in update one two; do
		run "$way" "$round"
	done
done
report
# shellcheck disable=SC2034 # script_end looks at it
SCRIPT_EXPLAINED=yes
((MISSED == 0))
