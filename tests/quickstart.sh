#!/usr/bin/env bash
# Shows a column arriving in a busy table: builds backfilld, starts a private PostgreSQL with a replica, and lets it work.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/quickstart.sh [OPTION]…
		  --keep          leave everything running at the end, to look around
		  --stop FOLDER   stop and remove what --keep left
		  --rows NUMBER   rows of the table (default 1000000)
		  --help
		Installs the Debian packages that are missing (as root, or with sudo), builds into build/, and touches no other
		PostgreSQL on this machine: its own ones live in a temporary folder and are removed at the end, also by Ctrl-C.
	TEXT
}

TOP=$(cd "$(dirname "$0")/.." && pwd)
for part in script terminal packages build cluster daemon shop; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

KEEP=""
ROWS=1000000
RATE=100 # transactions a second of the foreground
LOOK_S=5 # how long it is watched before the job

stop_kept() {
	if [[ ! -d $1/pids || $(basename "$1") != backfilld.* ]]; then
		echo "$1 is no folder that --keep left" >&2
		exit 2
	fi
	work_remove "$1" ""
	echo "Stopped and removed: $1"
}

while (($# > 0)); do
	case $1 in
	--keep) KEEP=yes ;;
	--stop)
		stop_kept "${2:?--stop needs the folder}"
		exit
		;;
	--rows)
		script_number "$@"
		ROWS=$2
		shift
		;;
	*) script_option "$1" ;;
	esac
	shift
done

script_guard

make_ready() {
	local folder
	# shellcheck disable=SC2046 # lists of package names
	packages_install $(packages_for_building) $(packages_for_server)
	step "building"
	folder=$(build_folder build)
	quietly "the build fails" build_make "$folder"
	export BACKFILLD=${BACKFILLD:-$folder/daemon/backfilld}
	step_done "built ${BACKFILLD#"$TOP/"}"
}

start_servers() {
	step "starting a primary"
	work_begin
	cluster_start primary fsync=on shared_buffers=256MB max_wal_size=2GB min_wal_size=1GB maintenance_work_mem=128MB
	step_done "PostgreSQL $(sql primary "SHOW server_version" | cut -d ' ' -f 1) in $WORK"
	step "filling public.orders"
	quietly "the table can be filled" shop_fill primary "$ROWS"
	step_done "$(sql primary "SELECT pg_catalog.format('public.orders: %s rows, table %s, 4 indexes %s', '$(thousands "$ROWS")',
		pg_catalog.pg_size_pretty(pg_catalog.pg_table_size('public.orders')),
		pg_catalog.pg_size_pretty(pg_catalog.pg_indexes_size('public.orders')))")"
	step "writing WAL files that a server in service would have"
	quietly "the files can be written" wal_files_ready primary 1000
	step_done
	step "starting a streaming replica"
	replica_start standby primary standby
	step_done "a replica streams from it"
}

start_daemon() {
	step "installing schema backfill"
	daemon_option log_level info
	daemon_option poll_ms 1000
	daemon_option database.min_replicas 1
	daemon_install
	daemon_start
	step_done "backfilld serves database shop (schema backfill installed by --install)"
}

watch_foreground() {
	step "the application: $RATE transactions a second read and write that table"
	foreground_start primary "$ROWS" "$RATE"
	BEFORE_FROM=$(date +%s.%N)
	sleep "$LOOK_S" # the measurement itself
	BEFORE_TO=$(date +%s.%N)
	step_done
}

# One line: bar, stage, speed, lag, time left, and what it waits for. The first column is the bare stage.
progress_line() {
	sql primary "
		SELECT s.stage, pg_catalog.concat_ws('  ', s.progress, pg_catalog.rpad(s.stage, 9),
			CASE WHEN s.rows_per_s > 0 THEN pg_catalog.lpad(pg_catalog.to_char(s.rows_per_s, 'FM999,999,999'), 9) || ' rows/s' END,
			CASE WHEN s.lag_ms IS NOT NULL THEN 'lag ' || s.lag_ms || ' ms' END,
			CASE WHEN s.eta > pg_catalog.now() AND s.stage = 'filling'
				THEN 'done in ' || pg_catalog.ceil(extract(epoch FROM s.eta - pg_catalog.now())) || ' s' END,
			s.waiting_for)
		  FROM backfill.status s WHERE s.name = 'orders-email-key'" 2>/dev/null || true
}

run_job() {
	local insert line stage="" last="" begun=$SECONDS pace=1
	# On a noisy machine 100 transactions a second are a poor measure: within 10 % of it one run took 6 minutes.
	insert="INSERT INTO backfill.job (name, table_name, column_name, column_type, value, sync, not_null, max_impact)
VALUES ('orders-email-key', 'public.orders', 'email_key', 'text', 'lower(email)', 'derive', true, 50);"
	heading "The job: a column with every order's e-mail in lower case, NOT NULL, kept up to date"
	say "$BOLD${insert%%$'\n'*}$PLAIN" "$BOLD${insert#*$'\n'}$PLAIN" ""
	if [[ -n $CLEAR ]]; then
		pace=0.2
	fi
	DURING_FROM=$(date +%s.%N)
	sql -U shop_owner primary "$insert"
	until [[ $stage =~ ^(done|failed)$ ]]; do
		sleep "$pace" # the frame rate
		line=$(progress_line)
		stage=${line%%|*}
		line=${line#*|}
		if [[ -n $CLEAR ]]; then
			redraw "$line"
		elif [[ $line != "$last" ]]; then
			say "$line"
		fi
		last=$line
		if ((SECONDS - begun > 600)); then
			give_up "the job is not done after ten minutes" "$line"
		fi
	done
	DURING_TO=$(date +%s.%N)
	if [[ -n $CLEAR ]]; then
		echo
	fi
	if [[ $stage == failed ]]; then
		show psql_at primary -P pager=off -x -c "SELECT error, error_code, error_hint FROM backfill.job"
		give_up "the job failed"
	fi
}

# look_at_rows CLUSTER: all of them.
look_at_rows() {
	local rows wrong said
	said=$(sql "$1" "SELECT count(*), count(*) FILTER (WHERE email_key IS DISTINCT FROM pg_catalog.lower(email))
		FROM public.orders" 2>&1) || give_up "the rows on the $1 cannot be looked at" "$said"
	IFS='|' read -r rows wrong <<<"$said"
	if [[ $wrong != 0 ]]; then
		give_up "on the $1, $wrong of $rows rows have not got the value they should have"
	fi
	say "$GREEN✓$PLAIN every row on the $1 looked at: $(thousands "$rows") of $(thousands "$rows") have the right value"
}

latency_line() {
	local transactions p50 p99 longest
	read -r transactions p50 p99 longest < <(foreground_latency "$2" "$3")
	printf '  %-8s %14s %8s %8s %8s\n' "$1" "$transactions" "$p50" "$p99" "$longest"
}

# Second, stage, what; statements by what they are for, with how long they waited for a lock and ran.
show_history() {
	show psql_at primary -P pager=off -At -F '  ' -c "
		SELECT pg_catalog.lpad(pg_catalog.to_char(extract(epoch FROM e.at - min(e.at) OVER ()), 'FM990.00'), 6) || ' s',
		       pg_catalog.rpad(e.stage, 9),
		       pg_catalog.concat_ws(', ', CASE e.kind WHEN 'throttle on' THEN 'waits: ' || e.detail
		           WHEN 'throttle off' THEN pg_catalog.format('goes on after %s ms', e.duration_ms) ELSE e.detail END, CASE WHEN e.statement IS NOT NULL
		           THEN pg_catalog.format('lock after %s ms, ran %s ms', coalesce(e.lock_wait_ms, 0), coalesce(e.duration_ms, 0)) END)
		  FROM backfill.event e WHERE e.name = 'orders-email-key' AND e.kind <> 'intent' ORDER BY e.id"
}

show_outcome() {
	heading "The job's row"
	show psql_at primary -P pager=off -x -c "
		SELECT id, name, requested_by, stage, rows_filled, started_at, finished_at - started_at AS took, throttled_ms, lag_ms
		  FROM backfill.job" | sed '/RECORD/d; /^ *$/d'
	heading "The table now"
	show psql_at primary -P pager=off -c '\d public.orders'
	look_at_rows primary
	replica_caught_up standby primary
	look_at_rows standby
	heading "What the application noticed (its transactions' latency in ms)"
	printf '  %-8s %14s %8s %8s %8s\n' "" transactions p50 p99 longest
	latency_line before "$BEFORE_FROM" "$BEFORE_TO"
	latency_line during "$DURING_FROM" "$DURING_TO"
	if [[ -n $(foreground_errors) ]]; then
		give_up "transactions of the application failed" "$(foreground_errors)"
	fi
	heading "What backfilld did (backfill.history('orders-email-key') tells more)"
	show_history
}

show_more() {
	local psql_line
	psql_line="psql \"$(conninfo primary shop_owner)\""
	if [[ $EUID -eq 0 && $SERVER_USER != root ]]; then
		psql_line="$psql_line   (as root)"
	fi
	heading "Further"
	if [[ -n $KEEP ]]; then
		say "Everything is still running. Have a look:" "" "$BOLD$psql_line$PLAIN" "" \
			"SELECT * FROM backfill.status \\watch 1          -- progress of all jobs" \
			"SELECT backfill.as_sql(1);                      -- the same change, written by hand" \
			"TABLE backfill.event;                           -- everything that was done, with lock waits" \
			"INSERT INTO backfill.job (name, table_name, column_name, column_type, value)" \
			"VALUES ('note-length', 'orders', 'note_length', 'int', 'length(note)');" \
			"UPDATE backfill.job SET wanted = 'pause' WHERE name = 'note-length';   -- and 'run'" "" \
			"The daemon's log: $(daemon_log)" \
			"To stop and remove it all: ${BOLD}tests/quickstart.sh --stop $WORK$PLAIN"
	else
		say "tests/quickstart.sh --keep   leaves all this running, with a psql line to look around" \
			"tests/run.sh                 runs every test" \
			"README.md                    has the tour and the reference"
	fi
}

BEGUN=$SECONDS
make_ready
start_servers
start_daemon
watch_foreground
run_job
sleep 1.5 # pgbench writes its log in blocks: let the last one come
show_outcome
show_more
if [[ -n $KEEP ]]; then
	work_leave
else
	foreground_stop
	daemon_stop
	echo
	echo "${FAINT}Took $((SECONDS - BEGUN)) s. All servers are stopped and removed.$PLAIN"
fi
