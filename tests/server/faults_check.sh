#!/usr/bin/env bash
# --check on a healthy and on each broken set-up; --install twice; --uninstall; bad options and configs.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"

# config_of DATABASE_LINES…: a config of its own; prints its path.
config_of() {
	local file=$WORK/other.yaml
	printf '%s\n' "$@" | as_server tee "$file" >/dev/null
	echo "$file"
}

checked() {
	local what=$1 status=$2 regex=$3
	shift 3
	DAEMON_CONFIG=${1:-} expect_exit "$what" "$status" "$regex" daemon_run --check
}

one_database() {
	config_of "databases:" "  - name: shop" "    conninfo: \"$1\"" "http: \"off\""
}

cluster_start main
replica_start standby1 main
checked "--check without the schema" 1 "bad +shop: schema backfill is not installed: run backfilld --install"
expect_exit "--install" 0 "shop: schema backfill is installed" daemon_run --install
sql main "GRANT backfill_user TO shop_owner"
sql -U shop_owner main "CREATE TABLE t (id int)"
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('t', 't', 'c', 'int')"
expect_exit "--install again" 0 "shop: schema backfill is installed" daemon_run --install
expect_sql "keeps the jobs" 1 "SELECT count(*) FROM backfill.job"
checked "--check on a healthy set-up" 0 "ok +shop: PostgreSQL .*ok +shop: replica standby1 is streaming.*ok +shop: login backfilld_shop serves tables of shop_owner"
expect_exit "--uninstall with a live job" 1 "live|job" daemon_run --uninstall
expect_sql "it is still there" 1 "SELECT count(*) FROM backfill.job"

sql main "REVOKE pg_monitor FROM backfilld"
checked "--check without pg_monitor" 1 "bad +shop: .*cannot see replicas.*GRANT pg_monitor"
sql main "GRANT pg_monitor TO backfilld"

sql main "ALTER ROLE backfilld SET track_activities = off"
checked "--check where nobody sees what sessions do" 1 "bad +shop: track_activities or track_counts is off: .*ALTER SYSTEM SET"
sql main "ALTER ROLE backfilld RESET track_activities"

sql main "UPDATE backfill.schema_version SET version = version + 1"
checked "--check with a newer schema" 1 "bad +shop: schema backfill is version [0-9]+, this program knows version [0-9]+: install a newer backfilld"
sql main "UPDATE backfill.schema_version SET version = version - 1"
checked "--check on a standby" 1 "bad +shop: .*the server is a hot standby.*target_session_attrs" "$(one_database "$(conninfo standby1 backfilld)")"
checked "--check of an unreachable server" 1 "bad +shop: .*(No such file|connect)" "$(one_database "host=$WORK/nowhere dbname=shop user=backfilld")"
checked "--check of a missing database" 1 "bad +shop: .*database \"nix\" does not exist.*create the database" "$(one_database "$(conninfo main backfilld nix)")"
checked "--check of a missing login" 1 "bad +shop: .*role \"nobody_here\" does not exist" "$(one_database "$(conninfo main nobody_here)")"
checked "--check with one login for all" 0 "note shop: one login does everything" "$(one_database "$(conninfo main backfilld)")"
daemon_option database.replicas "[standby1, standby2]"
checked "--check with a replica of the list that is not connected" 1 "bad +shop: replica standby2 of the list is not connected"
daemon_option database.replicas all
daemon_option database.min_replicas 2
checked "--check with too few replicas" 1 "bad +shop: 1 replicas? replays?, min_replicas is 2"
daemon_option database.min_replicas 0
daemon_option database.cascades "[\"$(conninfo standby1 backfilld)\"]"
checked "--check with a cascade that has no replica" 0 "note shop: cascades.0., reached as backfilld, has no replica"
replica_start leaf standby1
checked "--check with one that has" 0 "ok +shop: replica leaf is behind cascades.0."
daemon_option database.replicas "[standby1, leaf]"
daemon_option database.min_replicas 2
checked "one of the list may be there" 0 "ok +shop: replica leaf is behind cascades.0."
daemon_option database.replicas "[standby1]"
checked "one that is not in the list does not count" 1 "ok +shop: replica leaf is behind cascades.0., not among those that replicas lists: not waited for"
daemon_option database.replicas all
daemon_option database.min_replicas 0
daemon_option database.cascades "[\"host=$WORK/nowhere dbname=shop user=backfilld\", \"$(conninfo standby1 backfilld nix)\", \"$(conninfo standby1 backfilld_shop)\"]"
checked "--check with a cascade that is not there" 1 "bad +shop: cascades.0. cannot be asked for its replicas.*No such file.*check that the server runs"
checked "--check with a cascade that lacks the database" 1 "bad +shop: cascades.1. cannot be asked .*database \"nix\" does not exist.*dbname"
checked "--check with a cascade that shows no replicas" 1 "bad +shop: cascades.2. does not show its replicas: .*GRANT pg_monitor TO"
daemon_option database.cascades "[]"
cluster_stop leaf
sql main "REVOKE shop_owner FROM backfilld_shop"
checked "--check with a worker login that is no member" 1 "bad +shop: login backfilld_shop cannot act as shop_owner: GRANT shop_owner TO backfilld_shop"
sql main "GRANT shop_owner TO backfilld_shop; REVOKE TEMP ON DATABASE shop FROM PUBLIC, shop_owner"
checked "--check without TEMP" 1 "bad +shop: shop_owner lacks TEMP"
sql main "GRANT TEMP ON DATABASE shop TO shop_owner; ALTER ROLE backfilld_shop CONNECTION LIMIT 0"
checked "--check with no connection left for the worker login" 1 "bad +shop: worker login.*too many connections"
sql main "ALTER ROLE backfilld_shop CONNECTION LIMIT -1"

as_server tee "$WORK/main/data/pg_hba.conf" >/dev/null <<-HBA
	local all postgres trust
	local all backfilld scram-sha-256
	local all backfilld_shop reject
HBA
sql main "ALTER ROLE backfilld PASSWORD 'right'; SELECT pg_reload_conf()" >/dev/null
wait_for 10 "the new pg_hba.conf is in force" bash -c "! '$PSQL' -w -d '$(conninfo main backfilld)' -c '' 2>/dev/null"
checked "--check without a password" 1 "bad +shop: .*passfile"
PGPASSWORD=wrong checked "--check with a wrong password" 1 "bad +shop: .*password authentication failed.*passfile"
PGPASSWORD=right checked "--check with a login that pg_hba.conf refuses" 1 "worker login.*pg_hba"
as_server tee "$WORK/main/data/pg_hba.conf" >/dev/null <<<"local all all trust"
sql main "SELECT pg_reload_conf()" >/dev/null

daemon_once 60
expect_equal "--once does the job" 0 "$DAEMON_STATUS"
expect_sql "it is done" "done" "SELECT stage FROM backfill.job"
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, hold_before) VALUES ('held', 't', 'd', 'int', '{add}');
	INSERT INTO backfill.job (name, table_name, column_name, column_type, wanted) VALUES ('paused', 't', 'e', 'int', 'pause');
	INSERT INTO backfill.job (name, table_name, column_name, column_type, not_before) VALUES ('later', 't', 'f', 'int', now() + interval '1 h')"
daemon_once 20
expect_equal "--once does not wait for held, paused and later jobs" 0 "$DAEMON_STATUS"
expect_sql "they are where they were" "held|planning
later|queued
paused|queued" "SELECT name, stage FROM backfill.job WHERE name <> 't' ORDER BY name"
sql -U shop_owner main "INSERT INTO t VALUES (1); INSERT INTO backfill.job (name, table_name, column_name, column_type, value) VALUES ('bad', 't', 'g', 'int', '1 / (id - 1)')"
daemon_once 20
expect_equal "--once tells of a failed job with status 1" 1 "$DAEMON_STATUS"
daemon_once 20
expect_equal "but not of one that failed before" 0 "$DAEMON_STATUS"
sql main "SET session_replication_role = replica; UPDATE backfill.job SET stage = 'cancelled' WHERE stage <> 'done'"
expect_exit "--uninstall without live jobs" 0 "shop: schema backfill is removed" daemon_run --uninstall
expect_sql "the schema is gone" 0 "SELECT count(*) FROM pg_namespace WHERE nspname = 'backfill'"
expect_exit "--uninstall again" 0 "shop: " daemon_run --uninstall

DAEMON_CONFIG=$(config_of "databases:" "  - name: shop" "    coninfo: \"dbname=shop\"")
expect_exit "an unknown key" 2 "other.yaml:3:5: .*coninfo.*conninfo" daemon_run
DAEMON_CONFIG=$(config_of "databases:" "  - name: shop" "    conninfo: \"dbname=shop\"" "poll_ms: soon")
expect_exit "a wrong type" 2 "other.yaml:4:10: .*poll_ms" daemon_run --check
# shellcheck disable=SC2034 # daemon_run reads it
DAEMON_CONFIG=$WORK/nowhere.yaml
expect_exit "no config" 2 "nowhere.yaml" daemon_run
expect_exit "a bad option" 2 "unrecognized option '--nix'.*--help" daemon_run --nix
expect_exit "an argument too many" 2 "unexpected argument 'more'" daemon_run more
expect_exit "--version" 0 "^backfilld [0-9]" daemon_run --version
