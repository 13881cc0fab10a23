#!/usr/bin/env bash
# What the passes are worth on tables of other shapes: backfilld as it is against the same backfilld held to one pass.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/shapes.sh [OPTION]…
		  --shapes "SHAPE…"   only these (default: all of them, as listed below)
		  --megabytes NUMBER  size of the table before (default 100: three windows)
		  --rounds NUMBER     how often each way is taken, in turns (default 3)
		  --workers NUMBER    connections that fill (default 1)
		  --also NAME=BINARY  one more build to compare; may be given more than once
		  --windows           shows the history of each window
		  --help
		Shapes: rows of 30, 120 or 800 bytes, each without (plain) and with three secondary indexes (indexed); pages filled to
		70 % (loose); every second row deleted and vacuumed away (holes); a snapshot that stays open (pinned); the column there
		beforehand, with an index on it (covered).
		  $SHAPES

		The binary is build/daemon/backfilld, or what BACKFILLD says; the one held to one pass is built from this checkout into
		build-single (BACKFILLD_SINGLE names another). Every run gets a fresh copy of the table: vacuumed, in cache, autovacuum
		off, after a checkpoint. Seconds are those of the fill, its sweep included; CPU is what all of the server's processes
		used from the INSERT of the job until it says done: on a busy machine it is the steadier of the two. Every row is looked
		at afterwards. Status 1 when the passes cost more than 3 % over one pass by both.
	TEXT
}

SHAPES="30-plain 30-indexed 120-plain 120-indexed 800-plain 800-indexed 120-loose 120-holes 30-holes 120-pinned 30-pinned 120-covered"
TOP=$(cd "$(dirname "$0")/../.." && pwd)
for part in script terminal cluster daemon shop build; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

MEGABYTES=100
ROUNDS=3
WORKERS=1
SHOW_WINDOWS=""
ROWS=0
WAYS=(passes single)
declare -A BINARIES=()
declare -A RESULTS=() # "SHAPE WAY MEASURE" to the numbers of all rounds, blanks between
MISSED=0

while (($# > 0)); do
	case $1 in
	--megabytes | --rounds | --workers)
		script_number "$@"
		case $1 in
		--megabytes) MEGABYTES=$2 ;;
		--rounds) ROUNDS=$2 ;;
		--workers) WORKERS=$2 ;;
		esac
		shift
		;;
	--shapes)
		SHAPES=${2:-}
		shift
		;;
	--also)
		WAYS+=("${2%%=*}")
		BINARIES[${2%%=*}]=${2#*=}
		shift
		;;
	--windows) SHOW_WINDOWS=yes ;;
	*) script_option "$1" ;;
	esac
	shift
done

script_guard

have_binaries() {
	local folder
	BINARIES[passes]=${BACKFILLD:-$TOP/build/daemon/backfilld}
	BINARIES[single]=${BACKFILLD_SINGLE:-}
	if [[ -z ${BINARIES[single]} ]]; then
		folder=$(build_folder build-single)
		quietly "the daemon that takes one pass can be built" build_make "$folder" -Dtests=false -Dc_args=-DWINDOW_PASSES_MOST=1
		BINARIES[single]=$folder/daemon/backfilld
	fi
}

# daemon_binary takes what is there.
use_binary() {
	as_server mkdir -p "$WORK/bin"
	install -m 755 "${BINARIES[$1]}" "$WORK/bin/backfilld"
}

# The columns beside the key, as a list of definitions and as expressions over g.
make_source() {
	local bytes=$1 note
	case $bytes in
	30) note="''" ;;
	120) note="pg_catalog.repeat('x', 20 + (g % 30)::int)" ;;
	800) note="pg_catalog.repeat('x', 650 + (g % 60)::int)" ;;
	esac
	# a row's header and line pointer take 28 bytes, alignment some
	ROWS=$((MEGABYTES * 1000000 / (bytes == 30 ? 64 : bytes == 120 ? 134 : 830)))
	sql -U shop_owner main <<-SQL
		DROP TABLE IF EXISTS public.source;
		CREATE UNLOGGED TABLE public.source AS
		SELECT g::bigint AS id, ((g::bigint * 7919) % ($ROWS / 2 + 9))::bigint AS customer_id,
		       $( ((bytes == 30)) && echo "pg_catalog.left(pg_catalog.md5(g::text), 12)" || echo "pg_catalog.md5(g::text)") AS email,
		       pg_catalog.now() - g * interval '1 second' AS created_at, $note AS note
		  FROM pg_catalog.generate_series(1, $ROWS) g;
	SQL
}

make_fresh() {
	local kind=$1 options=autovacuum_enabled=off indexes="" holes="" column=""
	case $kind in
	indexed | holes | pinned) indexes=yes ;;
	loose) indexes=yes options+=", fillfactor=70" ;;
	covered) column="ALTER TABLE public.bench ADD COLUMN v text; CREATE INDEX ON public.bench (v);" ;;
	esac
	if [[ $kind == holes ]]; then
		holes="DELETE FROM public.bench WHERE id % 2 = 0;"
	fi
	sql -U shop_owner main <<-SQL
		DROP TABLE IF EXISTS public.bench;
		CREATE TABLE public.bench (LIKE public.source) WITH ($options);
		INSERT INTO public.bench SELECT * FROM public.source ORDER BY id;
		ALTER TABLE public.bench ADD PRIMARY KEY (id);
		${indexes:+CREATE INDEX ON public.bench (customer_id);}
		${indexes:+CREATE INDEX ON public.bench (email);}
		${indexes:+CREATE INDEX ON public.bench (created_at);}
		$holes
		VACUUM (ANALYZE, FREEZE) public.bench;
		$column
	SQL
	sql main "CHECKPOINT"
}

# Clock ticks that a process has used, and its children that have ended.
process_ticks() {
	local line user system ended_user ended_system
	read -r line 2>/dev/null <"/proc/$1/stat" || return 0
	read -r _ _ _ _ _ _ _ _ _ _ _ user system ended_user ended_system _ <<<"${line##*) }"
	echo $((user + system + ended_user + ended_system))
}

server_ticks() {
	local pid sum=0
	for pid in $(cluster_pids main); do
		sum=$((sum + $(process_ticks "$pid" || echo 0) + 0))
	done
	echo "$sum"
}

# "BYTES_OF_WAL TABLE INDEXES", the last two in bytes.
sizes() {
	sql main "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0'),
		pg_catalog.pg_table_size('public.bench'), pg_catalog.pg_indexes_size('public.bench')" | tr '|' ' '
}

# record SHAPE WAY MEASURE NUMBER
record() {
	RESULTS["$1 $2 $3"]="${RESULTS["$1 $2 $3"]:-} $4"
}

# Of all rounds the least: what a busy machine adds is never less than nothing.
least() {
	# shellcheck disable=SC2086 # numbers
	printf '%s\n' ${RESULTS["$1 $2 $3"]:-} | sort -g | head -n 1
}

# calculate EXPRESSION [FORMAT]
calculate() {
	awk "BEGIN { printf \"${2:-%.4f}\", $1 }"
}

verify() {
	local missing
	missing=$(sql main "SELECT count(*) FROM public.bench WHERE v IS DISTINCT FROM pg_catalog.upper(email)")
	if [[ $missing != 0 ]]; then
		give_up "$1: $missing rows do not have their value"
	fi
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

# A session that keeps its snapshot until snapshot_drop.
snapshot_take() {
	coproc PIN { psql_at main -Atq 2>&1; }
	echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_catalog.pg_class;" >&"${PIN[1]}"
	read -r _ <&"${PIN[0]}"
}

snapshot_drop() {
	local holder=$PIN_PID
	echo '\q' >&"${PIN[1]}"
	wait "$holder" || true
}

# run SHAPE WAY ROUND
run() {
	local shape=$1 way=$2 name="$1-$2-$3" before after ticks seconds
	step "$shape, round $3: $way"
	make_fresh "${shape#*-}"
	use_binary "$way"
	if [[ $shape == *-pinned ]]; then
		snapshot_take
	fi
	daemon_start
	read -ra before < <(sizes)
	ticks=$(server_ticks)
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, workers)
		VALUES ('$name', 'public.bench', 'v', 'text', 'upper(email)', $WORKERS)"
	await_job "$name"
	ticks=$(($(server_ticks) - ticks))
	read -ra after < <(sizes)
	daemon_stop
	if [[ $shape == *-pinned ]]; then
		snapshot_drop
	fi
	seconds=$(sql main "
		SELECT extract(epoch FROM min(e.at) FILTER (WHERE e.stage IN ('indexing', 'sealing', 'analyzing', 'done'))
		                        - min(e.at) FILTER (WHERE e.stage = 'filling'))
		  FROM backfill.event e WHERE e.name = '$name'")
	record "$shape" "$way" seconds "$seconds"
	record "$shape" "$way" cpu "$(calculate "$ticks / $(getconf CLK_TCK)")"
	record "$shape" "$way" wal "$(calculate "(${after[0]} - ${before[0]}) / 1e6")"
	record "$shape" "$way" table_before "$(calculate "${before[1]} / 1e6")"
	record "$shape" "$way" table "$(calculate "${after[1]} / 1e6")"
	record "$shape" "$way" indexes_before "$(calculate "${before[2]} / 1e6")"
	record "$shape" "$way" indexes "$(calculate "${after[2]} / 1e6")"
	read_windows "$shape" "$way" "$name"
	verify "$shape, $way"
	step_done "$shape, round $3: $(printf '%-8s %6.2f s, %6.2f s of CPU' "$way" "$seconds" "${RESULTS["$shape $way cpu"]##* }")"
	if [[ -n $SHOW_WINDOWS ]]; then
		show sql main "SELECT kind, detail, rows, duration_ms FROM backfill.event
			WHERE name = '$name' AND kind IN ('window', 'passes', 'vacuum', 'sweep') ORDER BY id"
	fi
}

# The number of passes of the windows, and the share of rows updated in place.
read_windows() {
	local passes hot
	IFS='|' read -r passes hot < <(sql main "
		SELECT pg_catalog.string_agg((pg_catalog.regexp_match(e.detail, 'in (\d+) pass'))[1], ' ' ORDER BY e.id),
		       pg_catalog.round(sum((pg_catalog.regexp_match(e.detail, '(\d+) % updated'))[1]::numeric * e.rows) / sum(e.rows), 1)
		  FROM backfill.event e WHERE e.name = '$3' AND e.kind = 'window'")
	RESULTS["$1 $2 passes"]=$passes
	record "$1" "$2" hot "$hot"
}

# ratio SHAPE WAY MEASURE: to one pass
ratio() {
	calculate "$(least "$1" "$2" "$3") / $(least "$1" single "$3")" %.2f
}

table_rows() {
	local shape=$1 way
	for way in "${WAYS[@]}"; do
		printf '| %s | %s | %s | %.2f (%s) | %.2f (%s) | %.0f (%s) | %.0f → %.0f | %.0f → %.0f | %.0f |\n' "$shape" "$way" \
			"${RESULTS["$shape $way passes"]}" \
			"$(least "$shape" "$way" seconds)" "$(ratio "$shape" "$way" seconds)" \
			"$(least "$shape" "$way" cpu)" "$(ratio "$shape" "$way" cpu)" \
			"$(least "$shape" "$way" wal)" "$(ratio "$shape" "$way" wal)" \
			"$(least "$shape" "$way" table_before)" "$(least "$shape" "$way" table)" \
			"$(least "$shape" "$way" indexes_before)" "$(least "$shape" "$way" indexes)" \
			"$(least "$shape" "$way" hot)"
	done
}

judge() {
	local seconds cpu
	seconds=$(ratio "$1" passes seconds)
	cpu=$(ratio "$1" passes cpu)
	if [[ $(calculate "$seconds > 1.03 && $cpu > 1.03" %d) == 1 ]]; then
		MISSED=$((MISSED + 1))
		echo "missed $1: $seconds times the seconds of one pass, $cpu times its CPU (at most 1.03)"
	else
		echo "ok     $1: $seconds times the seconds of one pass, $cpu times its CPU"
	fi
}

report() {
	local processor memory shape
	processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
	heading "tables of $MEGABYTES MB, workers: $WORKERS; the least of $ROUNDS rounds taken in turns, MB are 10^6 bytes; in brackets: times that of one pass"
	echo
	echo "| shape | way | passes of the windows | seconds | server CPU s | WAL MB | table MB | indexes MB | in place, % |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	for shape in $SHAPES; do
		table_rows "$shape"
	done
	echo
	echo "PostgreSQL $(sql main "SHOW server_version"), $("$(daemon_binary)" --version | head -n 1), $(uname -sr), ${processor:-unknown processor}, $(nproc) cores, $memory GB"
	echo
	for shape in $SHAPES; do
		judge "$shape"
	done
}

step "building, starting a server"
have_binaries
work_begin
cluster_start main fsync=on shared_buffers=1GB max_wal_size=16GB min_wal_size=2GB checkpoint_timeout=1h maintenance_work_mem=256MB
wal_files_ready main 1000
daemon_option log_level info
daemon_option poll_ms 1000
use_binary passes
daemon_install
step_done
made=""
for shape in $SHAPES; do
	if [[ $made != "${shape%-*}" ]]; then
		made=${shape%-*}
		make_source "$made"
	fi
	for ((round = 1; round <= ROUNDS; round++)); do
		for way in "${WAYS[@]}"; do
			run "$shape" "$way" "$round"
		done
	done
done
report
# shellcheck disable=SC2034 # script_end looks at it
SCRIPT_EXPLAINED=yes
((MISSED == 0))
