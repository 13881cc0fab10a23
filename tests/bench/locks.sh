#!/usr/bin/env bash
# How long a job holds the lock that keeps readers out, for every kind of job, beside an application at work on the table.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/bench/locks.sh [OPTION]…
		  --rows NUMBER      rows of the table (default 1000000)
		  --rate NUMBER      the application's transactions a second (default 500)
		  --full             10,000,000 rows, as the promise says
		  --help
		The binary is build/daemon/backfilld, or what BACKFILLD says. Each job is done and then taken back. The hold of a statement
		is from when ACCESS EXCLUSIVE was granted to when the statement was through, by the server's clock, as backfill.event has
		it. A wait is a lock wait of the application that the server's own log says was for the job, over 20 ms. Status 1 when a
		requirement is missed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/../.." && pwd)
for part in bench traffic; do
	# shellcheck source=/dev/null
	. "$TOP/tests/lib/$part.sh"
done

ROWS=1000000
RATE=500
bench_options "rows=ROWS rate=RATE full" "$@"
script_guard

KINDS=()

# job KIND COLUMN VALUE…: as backfill.job has them, VALUE as SQL.
job() {
	local kind=$1 names="" values="" first
	shift
	step "$kind"
	KINDS+=("$kind")
	first=$(($(wc -l <"$(cluster_log main)") + 1))
	while (($# > 0)); do
		names+=", $1" values+=", $2"
		shift 2
	done
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, max_impact, workers$names) VALUES ('$kind', 'public.bench', 'v', 0, 2$values)"
	reaches "$kind" "done"
	record "$kind" seconds "$(sql main "SELECT extract(epoch FROM finished_at - requested_at) FROM backfill.job WHERE name = '$kind'")"
	sql -U shop_owner main "UPDATE backfill.job SET wanted = 'roll_back' WHERE name = '$kind'"
	reaches "$kind" rolled_back
	record "$kind" statements "$(sql main "SELECT count(*) FROM backfill.event WHERE name = '$kind' AND kind = 'statement'")"
	record "$kind" hold "$(holds "$kind" | percentiles | cut -d ' ' -f 6)"
	record "$kind" wait "$(traffic_waits "$first" "$(wc -l <"$(cluster_log main)")" | cut -d ' ' -f 1 | percentiles | cut -d ' ' -f 6)"
	step_done
}

reaches() {
	local stage=""
	until [[ $stage == "$2" ]]; do
		[[ $stage != failed ]] || give_up "the job reaches $2" "$(sql main "SELECT error, error_hint FROM backfill.job WHERE name = '$1'")"
		sleep 0.3
		stage=$(sql main "SELECT stage FROM backfill.job WHERE name = '$1'")
	done
}

# Milliseconds of each statement that may have held ACCESS EXCLUSIVE: all but those known to take less.
holds() {
	sql main "SELECT duration_ms FROM backfill.event WHERE name = '$1' AND kind = 'statement'
		AND statement !~ 'CONCURRENTLY|VALIDATE CONSTRAINT|^ANALYZE|^VACUUM' AND duration_ms IS NOT NULL"
}

report() {
	local kind
	heading "$(thousands "$ROWS") rows, three secondary indexes, beside $RATE transactions/s; milliseconds"
	echo
	echo "| job, and taking it back | seconds until done | statements | longest hold | longest wait of the application over 20 |"
	echo "| --- | --- | --- | --- | --- |"
	for kind in "${KINDS[@]}"; do
		printf '| %s | %.1f | %d | %.0f | %s |\n' "$kind" "$(last "$kind" seconds)" "$(last "$kind" statements)" "$(last "$kind" hold)" "$(last "$kind" wait)"
	done
	echo
	bench_machine
	echo
	for kind in "${KINDS[@]}"; do
		require "longest hold in ms, $kind" "$(last "$kind" hold)" at-most 50
	done
}

bench_server "$ROWS"
bench_fresh 3
sql -U shop_owner main "CREATE TABLE public.status (id int PRIMARY KEY); INSERT INTO public.status SELECT generate_series(0, 96)"
traffic_waits_logged
daemon_start
traffic_start application "$RATE"
job "constant default, NOT NULL" column_type "'int'" default_expr "'7'" not_null true
job "value, CHECK, foreign key, NOT NULL, index" column_type "'int'" value "'(id % 97)::int'" check_expr "'v >= 0'" foreign_key "'public.status'" not_null true index "'btree'"
job "derived" column_type "'text'" value "'upper(email)'" sync "'derive'"
job "UNIQUE" column_type "'bigint'" value "'id'" is_unique true
job "identity" column_type "'bigint'" identity "'always'"
traffic_stop application
daemon_stop
report
bench_end
