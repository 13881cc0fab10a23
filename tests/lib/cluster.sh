# shellcheck shell=bash
# Private PostgreSQL clusters: each in a folder of its own under $WORK, reached through a UNIX socket there.
#
#	cluster_start [--tcp] NAME [SETTING=VALUE…] a server with database shop and the roles below
#	replica_start NAME PRIMARY [APPLICATION_NAME] [SETTING=VALUE…]
#	cluster_stop NAME [fast|smart|immediate]    cluster_kill NAME (kill -9 of all its processes)
#	cluster_resume NAME                         starts it again       cluster_restart NAME [MODE]
#	cluster_promote NAME                        a replica becomes a primary
#	cluster_pid NAME, cluster_pids NAME         the postmaster; all processes, the postmaster first
#	cluster_log NAME                            the path of its log
#	conninfo NAME [USER [DATABASE]]             for libpq
#	psql_at NAME [-U USER] [-d DATABASE] …      psql with these and further options
#	sql [-U USER] [-d DATABASE] NAME [SQL]      statements (or standard input), answers unaligned and without headers
#	replica_caught_up NAME PRIMARY              waits until the replica has replayed what the primary has now
#	cluster_template FOLDER                     makes FOLDER a cluster that cluster_start can copy
#
# Roles: backfilld (control login: no superuser; CREATEROLE, pg_monitor, pg_signal_backend, CREATE on the database),
# backfilld_shop (worker login, member of shop_owner), shop_owner (owns the database and its schema public), shop_app
# (reads and writes tables that shop_owner makes). The superuser is postgres. Nobody needs a password: the sockets are
# in a folder that only the server's user and root can enter.
#
# Environment: BACKFILLD_PG_BIN chooses the server (default: the newest of /usr/lib/postgresql/{14..18}/bin).
# BACKFILLD_CLUSTER is what cluster_template made with it: a copy takes a tenth of the time.

# shellcheck source=tests/lib/work.sh
. "$TOP/tests/lib/work.sh"

unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE PGSERVICEFILE PGPASSFILE PGPASSWORD PGTZ \
	PGDATA PGAPPNAME PGSSLMODE PGCLIENTENCODING PGTARGETSESSIONATTRS NOTIFY_SOCKET JOURNAL_STREAM WATCHDOG_USEC

PG_BIN=""
PSQL=""
CLUSTER="" # the one that checks look at unless told otherwise: the first one started

# Where the server's programs are.
postgres_bin() {
	local version
	if [[ -n ${BACKFILLD_PG_BIN:-} ]]; then
		printf '%s\n' "$BACKFILLD_PG_BIN"
		return
	fi
	for version in 18 17 16 15 14; do
		if [[ -x /usr/lib/postgresql/$version/bin/postgres ]]; then
			printf '/usr/lib/postgresql/%s/bin\n' "$version"
			return
		fi
	done
	echo "no PostgreSQL server of versions 14 to 18 found in /usr/lib/postgresql: install one (apt-get install postgresql) or set BACKFILLD_PG_BIN" >&2
	return 1
}

# A program that may come with the server, or from any other version (psql, pgbench).
postgres_program() {
	local candidate
	for candidate in "$PG_BIN/$1" /usr/lib/postgresql/{18,17,16,15,14}/bin/"$1" "$(type -P "$1" || true)"; do
		if [[ -x $candidate && ! -d $candidate ]]; then
			printf '%s\n' "$candidate"
			return
		fi
	done
	echo "$1 not found: install postgresql-client" >&2
	return 1
}

# settings_write FILE SETTING=VALUE…
settings_write() {
	local file=$1 setting value
	shift
	for setting in "$@"; do
		value=${setting#*=}
		printf "%s = '%s'\n" "${setting%%=*}" "${value//\'/\'\'}"
	done | as_server tee -a "$file" >/dev/null
}

cluster_start() {
	local tcp=()
	PG_BIN=${PG_BIN:-$(postgres_bin)}
	PSQL=${PSQL:-$(postgres_program psql)}
	if [[ $1 == --tcp ]]; then
		tcp=(listen_addresses=127.0.0.1 "port=$(free_port)")
		shift
	fi
	local name=$1 home=$WORK/$1
	shift
	as_server mkdir "$home"
	if [[ -n ${BACKFILLD_CLUSTER:-} ]]; then
		cp -a "$BACKFILLD_CLUSTER" "$home/data"
	else
		cluster_make "$name"
	fi
	settings_write "$home/data/postgresql.conf" \
		listen_addresses= "unix_socket_directories=$home" unix_socket_permissions=0700 port=5432 \
		fsync=off shared_buffers=64MB dynamic_shared_memory_type=mmap max_connections=60 max_wal_senders=10 wal_receiver_status_interval=1s wal_retrieve_retry_interval=200ms \
		"log_line_prefix=%m [%p] %q%u@%d %a " log_checkpoints=off timezone=UTC jit=off "${tcp[@]}" "$@"
	cluster_resume "$name"
	if [[ -z ${BACKFILLD_CLUSTER:-} ]]; then
		cluster_people "$name"
	fi
	CLUSTER=${CLUSTER:-$name}
}

cluster_make() {
	as_server "$PG_BIN/initdb" -D "$WORK/$1/data" -U postgres -A trust -E UTF8 --locale=C -N >"$WORK/initdb.out" 2>&1 ||
		give_up "cluster $1 can be made" "$(tail -n 20 "$WORK/initdb.out")"
}

# The database, and who uses it.
cluster_people() {
	sql -d postgres "$1" "
		CREATE ROLE shop_owner LOGIN;
		CREATE ROLE shop_app LOGIN;
		CREATE ROLE backfilld LOGIN CREATEROLE IN ROLE pg_monitor, pg_signal_backend;
		CREATE ROLE backfilld_shop LOGIN IN ROLE shop_owner;
		CREATE DATABASE shop OWNER shop_owner;
		GRANT CREATE ON DATABASE shop TO backfilld;"
	sql "$1" "
		ALTER SCHEMA public OWNER TO shop_owner;
		GRANT USAGE ON SCHEMA public TO PUBLIC;
		ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO shop_app;
		ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT USAGE ON SEQUENCES TO shop_app;"
}

# Its settings are initdb's: each copy gets its own.
cluster_template() {
	local BACKFILLD_CLUSTER="" data=$WORK/template/data
	cluster_start template && cluster_stop template && sed -i '/^listen_addresses/,$d' "$data/postgresql.conf" && mv "$data" "$1"
}

replica_start() {
	local name=$1 primary=$2 application=${3:-$1} home=$WORK/$1
	shift $(($# < 3 ? $# : 3))
	as_server mkdir "$home"
	if [[ -x $PG_BIN/pg_basebackup ]]; then
		as_server "$PG_BIN/pg_basebackup" -d "$(conninfo "$primary" postgres postgres)" -D "$home/data" \
			-X stream -c fast -N >"$WORK/basebackup.out" 2>&1 ||
			give_up "replica $name can be made" "$(tail -n 20 "$WORK/basebackup.out")"
	else
		cluster_copy "$primary" "$home/data"
	fi
	as_server touch "$home/data/standby.signal"
	settings_write "$home/data/postgresql.conf" "unix_socket_directories=$home" \
		"primary_conninfo=$(conninfo "$primary" postgres postgres) application_name=$application" "$@"
	cluster_resume "$name"
	wait_until -n "$primary" 30 "replica $name streams from $primary" \
		"SELECT count(*) = 1, count(*) FROM pg_catalog.pg_stat_replication WHERE application_name = '$application' AND state = 'streaming'"
}

# A base backup for servers that come without pg_basebackup. The WAL goes with it: the tests' servers keep it long enough.
cluster_copy() {
	local start="pg_backup_start('copy', true)" stop="pg_backup_stop(false)"
	if (($(sql "$1" "SHOW server_version_num") < 150000)); then
		start="pg_start_backup('copy', true, false)" stop="pg_stop_backup(false, false)"
	fi
	psql_at "$1" -d postgres -Atq <<-SQL
		SELECT $start \g /dev/null
		\! cp -a "$WORK/$1/data" "$2" 2>/dev/null
		\! rm -f "$2/postmaster.pid" "$2/postmaster.opts"
		\! cp "$2/PG_VERSION" "$2/backup_label" && chown --reference "$2/PG_VERSION" "$2/backup_label"
		\o $2/backup_label
		SELECT labelfile FROM $stop;
	SQL
}

# Starts a cluster that was made before. The server is a child of this script and not of pg_ctl: after kill -9 somebody
# must be there to reap it, or the next start takes the dead process for a running server.
cluster_resume() {
	local file=$WORK/$1/data/postmaster.pid end=$((SECONDS + 60)) pid
	become_server setsid env -u MALLOC_PERTURB_ "$PG_BIN/postgres" -D "$WORK/$1/data" </dev/null >>"$WORK/$1/log" 2>&1 &
	pid=$!
	disown "$pid"
	# In this order: a killed server has left a file that says "ready".
	until [[ $(head -n 1 "$file" 2>/dev/null) == "$pid" && $(sed -n 8p "$file") =~ ^(ready|standby) ]]; do
		kill -0 "$pid" 2>/dev/null || give_up "cluster $1 starts" "$(tail -n 20 "$WORK/$1/log")"
		((SECONDS < end)) || give_up "cluster $1 starts within 60 s" "$(tail -n 20 "$WORK/$1/log")"
		doze 0.05
	done
}

cluster_stop() {
	as_server "$PG_BIN/pg_ctl" -D "$WORK/$1/data" -m "${2:-fast}" -w -t 60 -s stop
}

cluster_restart() {
	cluster_stop "$1" "${2:-fast}"
	cluster_resume "$1"
}

cluster_promote() {
	as_server "$PG_BIN/pg_ctl" -D "$WORK/$1/data" -w -t 60 -s promote
}

cluster_pid() {
	head -n 1 "$WORK/$1/data/postmaster.pid"
}

cluster_pids() {
	local postmaster stat rest parent
	postmaster=$(cluster_pid "$1")
	echo "$postmaster"
	for stat in /proc/[0-9]*/stat; do
		if read -r rest 2>/dev/null <"$stat"; then
			read -r _ parent _ <<<"${rest##*) }"
			if [[ $parent == "$postmaster" ]]; then
				echo "${rest%% *}"
			fi
		fi
	done
}

cluster_kill() {
	local pids pid
	mapfile -t pids < <(cluster_pids "$1")
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	for pid in "${pids[@]}"; do
		wait_gone "$pid" 20 || give_up "process $pid of cluster $1 is gone 20 s after kill -9"
	done
}

cluster_log() {
	echo "$WORK/$1/log"
}

conninfo() {
	local port
	port=$(sed -n 4p "$WORK/$1/data/postmaster.pid" 2>/dev/null || true)
	echo "host=$WORK/$1 port=${port:-5432} dbname=${3:-shop} user=${2:-postgres}"
}

# conninfo_tcp NAME [USER [DATABASE]]: the same through 127.0.0.1, for a cluster started with --tcp.
conninfo_tcp() {
	local text
	text=$(conninfo "$@")
	echo "host=127.0.0.1 ${text#* }"
}

psql_at() {
	local name=$1 user=postgres database=shop OPTIND=1 option
	shift
	while [[ ${1:-} == -[Ud] ]]; do
		option=$1
		if [[ $option == -U ]]; then user=$2; else database=$2; fi
		shift 2
	done
	"$PSQL" -X -v ON_ERROR_STOP=1 -d "$(conninfo "$name" "$user" "$database")" "$@"
}

sql() {
	local options=()
	while [[ $1 == -[Ud] ]]; do
		options+=("$1" "$2")
		shift 2
	done
	if (($# > 1)); then
		PGOPTIONS="-c client_min_messages=warning" psql_at "$1" "${options[@]}" -Atq <<<"$2"
	else
		PGOPTIONS="-c client_min_messages=warning" psql_at "$1" "${options[@]}" -Atq
	fi
}

replica_caught_up() {
	local lsn
	lsn=$(sql "$2" "SELECT pg_catalog.pg_current_wal_flush_lsn()")
	wait_until -n "$1" 60 "replica $1 has replayed $lsn" \
		"SELECT pg_catalog.pg_last_wal_replay_lsn() >= '$lsn', pg_catalog.pg_last_wal_replay_lsn()"
}

# wait_until [-n CLUSTER] [-U USER] SECONDS WHAT QUERY: asks until the first column is true. Further columns are what is
# shown when it does not come true in time. No check is counted when it does: say what follows from it.
wait_until() {
	local name=$CLUSTER options=()
	while [[ $1 == -[nU] ]]; do
		if [[ $1 == -n ]]; then name=$2; else options=(-U "$2"); fi
		shift 2
	done
	local seconds=$1 what=$2 query=$3 end=$((SECONDS + $1)) seen
	if [[ ! ${query^^} =~ ^[[:space:]]*(SELECT|WITH|TABLE|SHOW|VALUES) ]]; then
		query="SELECT $query"
	fi
	until watch_for_true "$end" "${options[@]}" "$name" "$query"; do
		((SECONDS < end)) || give_up "$what (within $seconds s)" "asked: $query" "last seen: ${seen:-no row}"
		doze 0.1
	done
}

# watch_for_true END [-U USER] NAME QUERY: asks again and again until the answer is true; false when $SECONDS is END or it cannot be
# asked, as while a server starts. The caller's $seen is what it said last. Through one connection: a process and a session
# for each time cost more than the answer.
watch_for_true() {
	local end=$1 asker answers found=1
	shift
	exec {answers}< <(exec 2>&1 && sql "${@:1:$#-1}" <<<"${*: -1} \watch 0.1")
	asker=$!
	while ((SECONDS < end)) && read -r -t $((end - SECONDS)) seen <&"$answers"; do
		if [[ $seen == t || $seen == "t|"* ]]; then
			found=0
			break
		fi
	done
	kill "$asker" 2>/dev/null || true
	exec {answers}<&-
	return "$found"
}
