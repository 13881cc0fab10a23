# shellcheck shell=bash
# The daemon under test. Needs cluster.sh.
#
#	daemon_option KEY VALUE        for the next config: poll_ms, defaults.batch_ms, database.min_replicas, …
#	daemon_config                  writes the config for $CLUSTER; prints its path ($DAEMON_CONFIG, when set, is used as it is)
#	daemon_run OPTION…             runs it in the foreground with the config; its exit status is returned
#	daemon_install                 --install, and lets shop_owner enqueue
#	daemon_start [INSTANCE]        in the background; returns when it says READY. INSTANCE is a name, default "daemon"
#	daemon_stop [INSTANCE]         SIGTERM; it must end with status 0 in time
#	daemon_kill [INSTANCE]         SIGKILL
#	daemon_signal SIGNAL [INSTANCE]
#	daemon_once [SECONDS]          --once in the foreground; status in $DAEMON_STATUS, never fails itself
#	daemon_pid, daemon_log, daemon_said [INSTANCE]   the process; the path of its log; what it told its service manager
#
# $DAEMON_STATUS and $DAEMON_STOP_MS are the exit status and the milliseconds of the last daemon_stop.
# Environment: BACKFILLD is the binary (default: build/daemon/backfilld of this checkout).

DAEMON_STATUS=""
DAEMON_STOP_MS=""
declare -A DAEMON_OPTIONS=([http]='"off"' [poll_ms]=200 [log_level]=debug)

# A sanitizer's finding ends the daemon, so that it cannot be overlooked.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1:exitcode=99}

# The binary, where the server's user can run it: a checkout may be closed to it.
daemon_binary() {
	local source=${BACKFILLD:-$TOP/build/daemon/backfilld} copy=$WORK/bin/backfilld
	if [[ -x $copy ]]; then
		echo "$copy"
		return
	fi
	if [[ ! -x $source ]]; then
		echo "no daemon at $source: build it (meson setup build && ninja -C build), or set BACKFILLD" >&2
		return 1
	fi
	as_server mkdir -p "$WORK/bin"
	cp "$source" "$copy.new"
	chmod 755 "$copy.new"
	mv "$copy.new" "$copy"
	echo "$copy"
}

daemon_option() {
	DAEMON_OPTIONS[$1]=$2
}

# daemon_lines PREFIX INDENT: the options below a prefix (empty: those without a dot) as YAML.
daemon_lines() {
	local key
	for key in "${!DAEMON_OPTIONS[@]}"; do
		if [[ -n $1 && $key == "$1."* ]]; then
			printf '%s%s: %s\n' "$2" "${key#*.}" "${DAEMON_OPTIONS[$key]}"
		elif [[ -z $1 && $key != *.* ]]; then
			printf '%s%s: %s\n' "$2" "$key" "${DAEMON_OPTIONS[$key]}"
		fi
	done | sort
}

daemon_config() {
	local file=$WORK/backfilld.yaml defaults
	defaults=$(daemon_lines defaults "  ")
	as_server tee "$file" >/dev/null <<-YAML
		databases:
		  - name: shop
		    conninfo: "$(conninfo "$CLUSTER" backfilld)"
		    logins:
		      - roles: [shop_owner]
		        conninfo: "$(conninfo "$CLUSTER" backfilld_shop)"
		$(daemon_lines database "    ")
		${defaults:+defaults:}
		$defaults
		$(daemon_lines "" "")
	YAML
	echo "$file"
}

daemon_run() {
	local binary config
	binary=$(daemon_binary)
	config=${DAEMON_CONFIG:-$(daemon_config)}
	as_server "$binary" --config "$config" "$@"
}

daemon_install() {
	daemon_run --install >"$WORK/install.out" 2>&1 || give_up "the control schema can be installed" "$(cat "$WORK/install.out")"
	sql "$CLUSTER" "GRANT backfill_user TO shop_owner"
}

daemon_log() {
	echo "$WORK/${1:-daemon}.log"
}

daemon_pid() {
	cat "$WORK/pids/${1:-daemon}"
}

daemon_said() {
	cat "$WORK/${1:-daemon}.said" 2>/dev/null || true
}

# A stand-in for the service manager: appends every message to FILE, a line each, and ends with its parent's folder.
notify_listen() {
	become_server python3 -c '
import os, socket, sys
path, said = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
with open(said, "a", buffering=1) as out:
	while True:
		out.write(listener.recv(4096).decode().rstrip("\n") + "\n")
' "$1" "$2" </dev/null >/dev/null 2>&1 &
	echo $! >"$WORK/pids/$(basename "$1")"
	disown $!
	wait_for 10 "the notify socket is there" test -S "$1"
}

daemon_start() {
	local instance=${1:-daemon} binary config pid
	binary=$(daemon_binary)
	config=${DAEMON_CONFIG:-$(daemon_config)}
	local socket=$WORK/$instance.notify said=$WORK/$instance.said
	if [[ ! -S $socket ]]; then
		notify_listen "$socket" "$said"
	fi
	as_server tee "$said" </dev/null
	become_server setsid env NOTIFY_SOCKET="$socket" "$binary" --config "$config" \
		</dev/null >>"$WORK/$instance.log" 2>&1 &
	pid=$!
	echo "$pid" >"$WORK/pids/$instance"
	daemon_await_ready "$instance" "$pid" 30
}

daemon_await_ready() {
	local end=$((SECONDS + $3))
	until grep -q '^READY=1' "$WORK/$1.said" 2>/dev/null; do
		kill -0 "$2" 2>/dev/null || give_up "$1 gets ready" "it has ended" "$(tail -n 30 "$WORK/$1.log")"
		((SECONDS < end)) || give_up "$1 gets ready within $3 s" "it said: $(daemon_said "$1")"
		sleep 0.05
	done
}

daemon_signal() {
	kill "-$1" "$(daemon_pid "${2:-daemon}")"
}

# daemon_await_end INSTANCE SECONDS: $DAEMON_STATUS
daemon_await_end() {
	local pid
	pid=$(daemon_pid "$1")
	DAEMON_STATUS=0
	{
		wait_gone "$pid" "$2" || give_up "$1 ends within $2 s" "process $pid is still there"
		wait "$pid" || DAEMON_STATUS=$?
	} 2>/dev/null # where bash would tell how it ended
	rm -f "$WORK/pids/$1"
}

daemon_stop() {
	local instance=${1:-daemon} begun=${EPOCHREALTIME/./}
	daemon_signal TERM "$instance"
	daemon_await_end "$instance" "${DAEMON_STOP_SECONDS:-10}"
	# shellcheck disable=SC2034 # the tests look at it
	DAEMON_STOP_MS=$(((${EPOCHREALTIME/./} - begun) / 1000))
	if [[ $DAEMON_STATUS != 0 ]]; then
		not_ok "$instance ends with status 0 when asked to stop" "status $DAEMON_STATUS"
	fi
}

daemon_kill() {
	{
		daemon_signal KILL "${1:-daemon}"
		daemon_await_end "${1:-daemon}" 10
	} 2>/dev/null
}

daemon_once() {
	local pid binary config
	binary=$(daemon_binary)
	config=${DAEMON_CONFIG:-$(daemon_config)}
	become_server setsid "$binary" --config "$config" --once </dev/null >>"$WORK/once.log" 2>&1 &
	pid=$!
	echo "$pid" >"$WORK/pids/once"
	daemon_await_end once "${1:-120}"
}
