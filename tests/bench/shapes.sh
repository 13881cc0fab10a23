#!/usr/bin/env bash
# What the passes are worth on tables of other shapes: backfilld as it is against the same held to one pass, without vacuums.
set -euo pipefail

SHAPES="30-plain 30-indexed 120-plain 120-indexed 800-plain 800-indexed 120-loose 30-holes 120-holes 30-grown 120-pinned 30-pinned 120-covered"

usage() {
	cat <<-TEXT
		Usage: tests/bench/shapes.sh [OPTION]…
		  --shapes "SHAPE…"   only these (default: all of them, as listed below)
		  --megabytes NUMBER  size of the table before (default 100)
		  --rounds NUMBER     how often each way is taken, in turns (default 3)
		  --workers NUMBER    connections that fill (default 1)
		  --also NAME=BINARY  one more build to compare; may be given more than once
		  --windows           shows the history of each window
		  --help
		  $SHAPES
		Rows of 30, 120 or 800 bytes; without (plain) and with three secondary indexes (indexed). The others have the indexes
		too: pages filled to 70 % (loose); half of the rows deleted and vacuumed away (holes); a value three times as wide as
		the row (grown); a snapshot that stays open (pinned); the column there beforehand, with an index on it (covered).

		The binary is build/daemon/backfilld, or what BACKFILLD says; the one held to one pass, which does not vacuum either, is
		built from this checkout into build-single (BACKFILLD_SINGLE names another). Every run gets a fresh copy of the table:
		vacuumed, in cache, autovacuum off, after a checkpoint. Seconds are those of the fill, its sweep included; CPU is what
		all of the server's processes used from the INSERT of the job until it says done. Of each the least of all rounds
		counts, since what a busy machine adds is never less than nothing. Every row is looked at afterwards. Status 1 when the
		passes cost more than 3 % over one pass by both.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
for part in bench build; do
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
		step "building the daemon that is held to one pass"
		folder=$(build_folder build-single)
		quietly "it can be built" build_make "$folder" -Dtests=false -Dc_args="-DWINDOW_PASSES_MOST=1 -DVACUUM_AFTER_SHARE=9"
		BINARIES[single]=$folder/daemon/backfilld
		step_done
	fi
}

# daemon_binary takes what is there.
use_binary() {
	as_server mkdir -p "$WORK/bin"
	install -m 755 "${BINARIES[$1]}" "$WORK/bin/backfilld"
}

make_source() {
	local bytes=$1 email="pg_catalog.md5(g::text)" note
	case $bytes in
	30)
		email="pg_catalog.left(pg_catalog.md5(g::text), 12)"
		note="''"
		;;
	120) note="pg_catalog.repeat('x', 20 + (g % 30)::int)" ;;
	800) note="pg_catalog.repeat('x', 650 + (g % 60)::int)" ;;
	esac
	# with its header and line pointer
	ROWS=$((MEGABYTES * 1000000 / (bytes == 30 ? 75 : bytes == 120 ? 134 : 830)))
	sql -U shop_owner main <<-SQL
		DROP TABLE IF EXISTS public.source;
		CREATE UNLOGGED TABLE public.source AS
		SELECT g::bigint AS id, (g::bigint * 7919) % ($ROWS / 2 + 9) AS customer_id, $email AS email,
		       pg_catalog.now() - g * interval '1 second' AS created_at, $note AS note
		  FROM pg_catalog.generate_series(1, $ROWS) g;
	SQL
}

make_fresh() {
	local options=autovacuum_enabled=off indexes=yes holes="" column=""
	case $1 in
	plain) indexes="" ;;
	loose) options+=", fillfactor=70" ;;
	holes) holes="DELETE FROM public.bench WHERE pg_catalog.hashint8(id) % 2 = 0;" ;;
	covered) column="ALTER TABLE public.bench ADD COLUMN v text; CREATE INDEX ON public.bench (v);" ;;
	esac
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

value_of() {
	if [[ $1 == *-grown ]]; then echo "repeat(upper(email), 16)"; else echo "upper(email)"; fi
}

verify() {
	local missing
	missing=$(sql main "SELECT count(*) FROM public.bench WHERE v IS DISTINCT FROM $(value_of "$1")")
	if [[ $missing != 0 ]]; then
		give_up "$1, $2: $missing rows do not have their value"
	fi
}

# A session that keeps its snapshot until snapshot_drop.
snapshot_take() {
	exec {PIN}> >(psql_at main -Atq >/dev/null 2>&1)
	echo "SET application_name = 'snapshot'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_catalog.pg_class;" >&"$PIN"
	snapshots_are 1
}

snapshot_drop() {
	exec {PIN}>&-
	snapshots_are 0
}

snapshots_are() {
	wait_until -n main 20 "there is a snapshot, or none" \
		"SELECT count(*) = $1 FROM pg_catalog.pg_stat_activity WHERE application_name = 'snapshot' AND backend_xmin IS NOT NULL"
}

# fill SHAPE WAY JOB
fill() {
	local key="$1/$2" before after ticks seconds
	daemon_start
	read -ra before < <(bench_sizes)
	ticks=$(bench_server_ticks)
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, workers)
		VALUES ('$3', 'public.bench', 'v', 'text', '$(value_of "$1")', $WORKERS)"
	bench_await "$3"
	ticks=$(($(bench_server_ticks) - ticks))
	read -ra after < <(bench_sizes)
	daemon_stop
	read -r seconds _ < <(bench_fill_times "$3")
	record "$key" seconds "$seconds"
	record "$key" cpu "$(calculate "$ticks / $(getconf CLK_TCK)")"
	record_sizes "$key" "${before[@]}" "${after[@]}"
	read_windows "$key" "$3"
}

# The numbers of passes of the windows, and the share of rows updated in place.
read_windows() {
	local passes hot
	IFS='|' read -r passes hot < <(sql main "
		SELECT pg_catalog.string_agg(DISTINCT (pg_catalog.regexp_match(e.detail, 'in (\d+) pass'))[1], ' '),
		       pg_catalog.round(sum((pg_catalog.regexp_match(e.detail, '(\d+) % updated'))[1]::numeric * e.rows) / sum(e.rows), 1)
		  FROM backfill.event e WHERE e.name = '$2' AND e.kind = 'window'")
	RESULTS["$1 passes"]=$passes
	record "$1" hot "$hot"
}

# run SHAPE WAY ROUND
run() {
	local shape=$1 way=$2 job="$1-$2-$3"
	step "$shape, round $3: $way"
	make_fresh "${shape#*-}"
	use_binary "$way"
	if [[ $shape == *-pinned ]]; then
		snapshot_take
		fill "$shape" "$way" "$job"
		snapshot_drop
	else
		fill "$shape" "$way" "$job"
	fi
	verify "$shape" "$way"
	step_done "$shape, round $3: $(printf '%-8s %6.2f s, %6.2f s of CPU' "$way" "$(last "$shape/$way" seconds)" "$(last "$shape/$way" cpu)")"
	if [[ -n $SHOW_WINDOWS ]]; then
		show sql main "SELECT kind, detail, rows, duration_ms FROM backfill.event
			WHERE name = '$job' AND kind IN ('window', 'passes', 'vacuum', 'sweep') ORDER BY id"
	fi
}

least() {
	# shellcheck disable=SC2086 # numbers
	printf '%s\n' ${RESULTS["$1 $2"]:-} | sort -g | head -n 1
}

# ratio SHAPE WAY MEASURE: to one pass
ratio() {
	calculate "$(least "$1/$2" "$3") / $(least "$1/single" "$3")" %.2f
}

table_rows() {
	local shape=$1 way key
	for way in "${WAYS[@]}"; do
		key=$shape/$way
		printf '| %s | %s | %s | %.2f (%s) | %.2f (%s) | %.0f (%s) | %.0f → %.0f | %.0f → %.0f | %.0f |\n' "$shape" "$way" \
			"${RESULTS["$key passes"]}" \
			"$(least "$key" seconds)" "$(ratio "$shape" "$way" seconds)" \
			"$(least "$key" cpu)" "$(ratio "$shape" "$way" cpu)" \
			"$(least "$key" wal)" "$(ratio "$shape" "$way" wal)" \
			"$(least "$key" table_before)" "$(median "$key" table_after)" \
			"$(least "$key" indexes_before)" "$(median "$key" indexes_after)" \
			"$(median "$key" hot)"
	done
}

# The better of the two: a busy machine spoils now the one, now the other.
judge() {
	require "$1: times the cost of one pass" \
		"$(printf '%s\n' "$(ratio "$1" passes seconds)" "$(ratio "$1" passes cpu)" | sort -g | head -n 1)" at-most 1.03
}

report() {
	local shape
	heading "tables of $MEGABYTES MB, workers: $WORKERS; the least of $ROUNDS rounds taken in turns (sizes and shares: the median), MB are 10^6 bytes; in brackets: times that of one pass"
	echo
	echo "| shape | way | passes | seconds | server CPU s | WAL MB | table MB | indexes MB | in place, % |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	for shape in $SHAPES; do
		table_rows "$shape"
	done
	echo
	bench_machine
	echo
	for shape in $SHAPES; do
		judge "$shape"
	done
}

have_binaries
bench_server 100000
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
bench_end
