#!/usr/bin/env bash
# Every statement in daemon/sql is parsed and analyzed by a real server, with the schema it is meant for.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster
VERSION=$(sql main "SHOW server_version_num")

# prepares FILE [SQL BEFORE IT]: as the login that asks it.
prepares() {
	local file=$1 before=${2:-} said
	if said=$(psql_at main -U backfilld -v ON_ERROR_STOP=1 -Atq 2>&1 <<<"$before
PREPARE it AS
$(<"$file");"); then
		ok "$(basename "$file") is understood by the server"
	else
		not_ok "$(basename "$file") is understood by the server" "$said"
	fi
}

for file in "$TOP"/daemon/sql/*.sql; do
	case ${file##*/} in
	uninstall.sql) ;; # a DO block, which cannot be prepared: run below
	survey_checkpoints.sql) if ((VERSION < 170000)); then prepares "$file"; fi ;;
	survey_checkpoints_17.sql) if ((VERSION >= 170000)); then prepares "$file"; fi ;;
	probe_reads.sql)
		# It asks about two temporary objects of planning.
		prepares "$file" "CREATE TEMPORARY TABLE backfill_probe (id int, v text);
			CREATE TEMPORARY VIEW backfill_reads AS SELECT (upper(v)) AS value FROM pg_temp.backfill_probe;"
		;;
	*) prepares "$file" ;;
	esac
done

job=$(enqueue shop_owner fill orders v text)
expect_error "uninstall.sql refuses while a job is live" 55006 "job $job on public.orders.v \\(queued\\).*--uninstall again" \
	-U backfilld "$(<"$TOP/daemon/sql/uninstall.sql")"
sql -U backfilld main "UPDATE backfill.job SET stage = 'done'"
expect_sql "uninstall.sql removes the schema" "" -U backfilld "$(<"$TOP/daemon/sql/uninstall.sql")"
expect_sql "it is gone" t "SELECT to_regnamespace('backfill') IS NULL"
expect_sql "and a second time there is nothing to do" "" -U backfilld "$(<"$TOP/daemon/sql/uninstall.sql")"

sql main "CREATE TABLE n (id int); ALTER TABLE n ADD COLUMN v int, ALTER COLUMN v SET DEFAULT (NULL)"
expect_sql "a default of NULL is none for the server: the builder must not look for it" 0 "SELECT count(*) FROM pg_attrdef"
