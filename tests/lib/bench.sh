# shellcheck shell=bash
# What the benchmarks share. Sourced with $TOP set; brings the other libraries along.
#
#	bench_options "NAME=VARIABLE…" OPTION…    `--name NUMBER` sets $VARIABLE; `--full`, where full is among the names, ROWS to 10,000,000
#	bench_server ROWS [SETTING=VALUE…] a server "main" as in service, with public.source of that many rows, and backfilld installed;
#	                                   it syncs as PostgreSQL does by default, and its WAL files are there to be reused
#	bench_fresh INDEXES [ROWS]         public.bench, a copy of source (or its first ROWS) with that many secondary indexes (0 to 3):
#	                                   vacuumed, frozen, in cache, autovacuum off, after a checkpoint
#	bench_enqueue NAME [COLUMN VALUE]… a job that fills bench.v with upper(email); more columns of backfill.job
#	bench_await NAME [MILLISECONDS]    until the job is done (true), or the time is up (false, where there is a time)
#	bench_fill_times NAME              seconds `FILL WHOLE`: first batch to end of last sweep; INSERT to done
#	bench_fill WAY WORKERS             a whole job beside nothing else, recorded as WAY's seconds, whole, rss, cpu and sizes
#	bench_fill_for SECONDS [COLUMN VALUE]…    job after job, each with a column of its own, until the time is up; $BENCH_FILLS is how many;
#	                                   one that was paused goes on first
#	bench_fill_pause                   pauses the last of them where it is not done; nothing of it runs anymore
#	bench_rows_filled                  by all of those
#	bench_fill_end                     stops the last of them for good where it is not done, and the daemon
#	bench_verify WHAT [ROWS]           every row has its value
#	bench_keys                         makes public.fill_keys(rows): the fill by key ranges, committing each
#	bench_sizes                        `WAL TABLE INDEXES`, bytes: end of WAL, sizes of bench
#	bench_server_ticks                 clock ticks of CPU that the server has used
#	record WAY MEASURE NUMBER          for median WAY MEASURE and last WAY MEASURE
#	record_sizes WAY BEFORE… AFTER…    wal, table_before, table_after, indexes_before, indexes_after in MB, from two bench_sizes
#	calculate EXPRESSION [FORMAT]      awk's arithmetic
#	percentiles                        of the numbers on standard input: `COUNT MEAN P50 P99 P99.9 MAX`
#	require WHAT NUMBER at-least|at-most LIMIT    prints ok or missed
#	bench_program NAME                 the path of a helper program, where the server's user can run it
#	bench_machine                      a line: versions, processor, memory
#	bench_end                          status 1 when a requirement was missed

for part in script terminal cluster daemon shop; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

declare -A RESULTS=() # "WAY MEASURE" to the numbers of all rounds, blanks between
BENCH_ROWS=0
BENCH_JOBS=0
BENCH_FILLS=0
BENCH_PAUSED=""
BENCH_LOOK_S=0.2 # between two looks at whether a job is done
MISSED=0

bench_options() {
	local known=$1 name variable
	shift
	while (($# > 0)); do
		name=${1#--}
		if [[ $1 == --full && " $known " == *" full "* ]]; then
			# shellcheck disable=SC2034 # the callers' name for it
			ROWS=10000000
		elif [[ " $known " =~ " $name="([A-Z_]+)" " && $1 == --* ]]; then
			variable=${BASH_REMATCH[1]}
			script_number "$@"
			printf -v "$variable" '%s' "$2"
			shift
		else
			script_option "$1"
		fi
		shift
	done
}

bench_server() {
	local wal_mb=$(($1 / 500)) buffers_mb=$(($1 / 2000))
	BENCH_ROWS=$1
	shift
	buffers_mb=$((buffers_mb < 1024 ? 1024 : buffers_mb))
	wal_mb=$((wal_mb < 200 ? 200 : wal_mb > 4000 ? 4000 : wal_mb))
	step "starting a server and making the source"
	work_begin
	cluster_start main fsync=on "shared_buffers=${buffers_mb}MB" max_wal_size=32GB "min_wal_size=$((wal_mb + 64))MB" checkpoint_timeout=1h \
		maintenance_work_mem=256MB "$@"
	wal_files_ready main "$wal_mb"
	sql -U shop_owner main <<-SQL
		CREATE UNLOGGED TABLE public.source AS
		SELECT g::bigint AS id, (g::bigint * 7919) % ($BENCH_ROWS / 2 + 9) AS customer_id, pg_catalog.md5(g::text) AS email, (g % 97)::int AS status,
		       pg_catalog.now() - g * interval '1 second' AS created_at, pg_catalog.repeat('x', 20 + (g % 30)::int) AS note
		  FROM pg_catalog.generate_series(1, $BENCH_ROWS) g;
	SQL
	daemon_option log_level info
	daemon_option poll_ms 1000
	daemon_install
	step_done
}

bench_fresh() {
	local index columns=(customer_id email created_at)
	sql -U shop_owner main <<-SQL
		DROP TABLE IF EXISTS public.bench;
		CREATE TABLE public.bench (id bigint PRIMARY KEY, customer_id bigint NOT NULL, email text NOT NULL, status int NOT NULL,
			created_at timestamptz NOT NULL, note text) WITH (autovacuum_enabled = off);
		INSERT INTO public.bench SELECT * FROM public.source WHERE id <= ${2:-$BENCH_ROWS} ORDER BY id;
	SQL
	for ((index = 0; index < $1; index++)); do
		sql -U shop_owner main "CREATE INDEX ON public.bench (${columns[index]})"
	done
	sql -U shop_owner main "VACUUM (ANALYZE, FREEZE) public.bench"
	sql main "CHECKPOINT"
}

bench_enqueue() {
	local name=$1 names="" values="" column=v
	shift
	while (($# > 0)); do
		if [[ $1 == column_name ]]; then
			column=$2
		else
			names+=", $1" values+=", $2"
		fi
		shift 2
	done
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value$names)
		VALUES ('$name', 'public.bench', '$column', 'text', 'upper(email)'$values)"
}

# Looks through one connection that stays open: making a new one for each look would cost the server more than the daemon does.
bench_await() {
	local stage="" looker end=$((${EPOCHREALTIME/./} + ${2:-86400000} * 1000))
	coproc LOOK { psql_at main -Atq 2>&1; }
	looker=$LOOK_PID
	until [[ $stage =~ ^(done|failed)$ ]] || ((${EPOCHREALTIME/./} >= end)); do
		doze "$BENCH_LOOK_S"
		echo "SELECT stage FROM backfill.job WHERE name = '$1';" >&"${LOOK[1]}"
		read -r stage <&"${LOOK[0]}"
	done
	echo '\q' >&"${LOOK[1]}"
	wait "$looker" || true
	if [[ $stage == failed ]]; then
		give_up "the job failed" "$(sql main "SELECT error, error_hint FROM backfill.job WHERE name = '$1'")"
	fi
	[[ $stage == "done" ]]
}

bench_fill_times() {
	sql main "
		SELECT extract(epoch FROM min(e.at) FILTER (WHERE e.stage IN ('indexing', 'sealing', 'analyzing', 'done'))
		                        - min(e.at) FILTER (WHERE e.stage = 'filling')),
		       (SELECT extract(epoch FROM j.finished_at - j.requested_at) FROM backfill.job j WHERE j.name = '$1')
		  FROM backfill.event e WHERE e.name = '$1'" | tr '|' ' '
}

bench_fill() {
	local way=$1 name="$1-$((BENCH_JOBS += 1))" before after ticks_before ticks_after fill whole pid
	daemon_start
	pid=$(daemon_pid)
	read -ra before < <(bench_sizes)
	ticks_before=$(bench_server_ticks)
	bench_enqueue "$name" workers "$2"
	bench_await "$name"
	ticks_after=$(bench_server_ticks)
	read -ra after < <(bench_sizes)
	record "$way" rss "$(awk '/^VmHWM/ { print $2 / 1024 }' "/proc/$pid/status")"
	record "$way" cpu "$(calculate "100 * $(process_ticks "$pid" "") / ($ticks_after - $ticks_before)")"
	daemon_stop
	read -r fill whole < <(bench_fill_times "$name")
	record "$way" seconds "$fill"
	record "$way" whole "$whole"
	record_sizes "$way" "${before[@]}" "${after[@]}"
}

bench_fill_for() {
	local until=$((${EPOCHREALTIME/./} / 1000 + $1 * 1000)) left
	shift
	if [[ -n $BENCH_PAUSED ]]; then
		bench_steer run
		BENCH_PAUSED=""
		bench_await "fill-$BENCH_JOBS" $((until - ${EPOCHREALTIME/./} / 1000)) || return 0
	else
		BENCH_FILLS=0
	fi
	while left=$((until - ${EPOCHREALTIME/./} / 1000)) && ((left > 0)); do
		BENCH_FILLS=$((BENCH_FILLS + 1))
		BENCH_JOBS=$((BENCH_JOBS + 1))
		bench_enqueue "fill-$BENCH_JOBS" column_name "v$BENCH_JOBS" "$@"
		bench_await "fill-$BENCH_JOBS" "$left" || break
	done
}

# bench_steer WANTED: what the last job is to do, where it is not done.
bench_steer() {
	sql main "UPDATE backfill.job SET wanted = '$1' WHERE name = 'fill-$BENCH_JOBS' AND stage NOT IN ('done', 'failed')"
}

bench_fill_pause() {
	bench_steer pause
	BENCH_PAUSED=yes
	until [[ $(sql main "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = 'backfilld_shop'") == 0 ]]; do
		sleep 0.2
	done
}

bench_fill_end() {
	bench_steer pause
	BENCH_PAUSED=""
	daemon_stop
}

bench_rows_filled() {
	sql main "SELECT coalesce(sum(rows_filled), 0) FROM (SELECT rows_filled FROM backfill.job ORDER BY id DESC LIMIT $BENCH_FILLS) job"
}

bench_verify() {
	local expected=${2:-$BENCH_ROWS} rows right
	IFS='|' read -r rows right < <(sql main "SELECT count(*), count(*) FILTER (WHERE v = pg_catalog.upper(email)) FROM public.bench")
	if [[ $rows != "$expected" || $right != "$expected" ]]; then
		give_up "$1: $right of $rows rows have their value, expected $expected"
	fi
}

bench_keys() {
	sql -U shop_owner main <<-'SQL'
		CREATE OR REPLACE PROCEDURE public.fill_keys(batch int) LANGUAGE plpgsql AS $$
		DECLARE
			low bigint := 0;
			high bigint;
		BEGIN
			LOOP
				SELECT max(id) INTO high FROM (SELECT id FROM public.bench WHERE id > low ORDER BY id LIMIT batch) stretch;
				EXIT WHEN high IS NULL;
				UPDATE public.bench SET v = upper(email) WHERE id > low AND id <= high AND v IS NULL;
				COMMIT;
				low := high;
			END LOOP;
		END $$
	SQL
}

bench_sizes() {
	sql main "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0'),
		pg_catalog.pg_table_size('public.bench'), pg_catalog.pg_indexes_size('public.bench')" | tr '|' ' '
}

# Clock ticks that a process has used; with "all", also those of its children that have ended.
process_ticks() {
	local line user system ended_user ended_system
	read -r line 2>/dev/null <"/proc/$1/stat" || return 0
	read -r _ _ _ _ _ _ _ _ _ _ _ user system ended_user ended_system _ <<<"${line##*) }"
	echo $((user + system + (${#2} ? ended_user + ended_system : 0)))
}

bench_server_ticks() {
	local pid sum=0
	for pid in $(cluster_pids main); do
		sum=$((sum + $(process_ticks "$pid" all || echo 0) + 0))
	done
	echo "$sum"
}

record() {
	RESULTS["$1 $2"]="${RESULTS["$1 $2"]:-} $3"
}

record_sizes() {
	record "$1" wal "$(calculate "($5 - $2) / 1e6")"
	record "$1" table_before "$(calculate "$3 / 1e6")"
	record "$1" table_after "$(calculate "$6 / 1e6")"
	record "$1" indexes_before "$(calculate "$4 / 1e6")"
	record "$1" indexes_after "$(calculate "$7 / 1e6")"
}

last() {
	echo "${RESULTS["$1 $2"]##* }"
}

median() {
	# shellcheck disable=SC2086 # numbers
	printf '%s\n' ${RESULTS["$1 $2"]:-} | sort -n | awk '{ v[NR] = $1 } END { printf "%.4f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

calculate() {
	awk "BEGIN { printf \"${2:-%.4f}\", ($1) }"
}

percentiles() {
	sort -n | awk '
		{ value[NR] = $1; sum += $1 }
		function at(part,    i) { i = int(NR * part + 0.999999); return value[i < 1 ? 1 : i] }
		END { if (NR == 0) print "0 - - - - -"; else printf "%d %.3f %.3f %.3f %.3f %.3f\n", NR, sum / NR, at(0.5), at(0.99), at(0.999), value[NR] }'
}

require() {
	local verdict
	verdict=$(awk -v number="$2" -v how="$3" -v limit="$4" \
		'BEGIN { print (how == "at-least" ? number + 0 >= limit + 0 : number + 0 <= limit + 0) ? "ok" : "missed" }')
	if [[ $verdict == missed ]]; then
		MISSED=$((MISSED + 1))
	fi
	printf '%-6s %s: %s (%s %s)\n' "$verdict" "$1" "$2" "${3/-/ }" "$4"
}

bench_program() {
	local source=${BENCH_BIN:-$TOP/build/tests/bench}/$1
	if [[ ! -x $source ]]; then
		echo "no program at $source: build it (meson setup build && ninja -C build), or set BENCH_BIN to its folder" >&2
		return 1
	fi
	as_server mkdir -p "$WORK/bin"
	install -m 755 "$source" "$WORK/bin/$1"
	echo "$WORK/bin/$1"
}

bench_machine() {
	local processor memory
	processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
	echo "PostgreSQL $(sql main "SHOW server_version"), $("$(daemon_binary)" --version | head -n 1), $(uname -sr), ${processor:-unknown processor}, $(nproc) cores, $memory GB"
}

bench_end() {
	# shellcheck disable=SC2034 # script_end looks at it
	SCRIPT_EXPLAINED=yes
	((MISSED == 0))
}
