# shellcheck shell=bash
# The temporary folder of a script, and the processes it starts there. Sourced by cluster.sh.
#
#	work_begin                        makes $WORK and sees to it that it goes away with the script, and all that runs in it
#	work_end                          now, please (the exit trap of each script calls it)
#	work_leave                        leaves everything running
#	work_remove FOLDER                stops and removes what work_leave left
#	as_server COMMAND…                runs it as the servers' user, in $WORK
#	become_server COMMAND… &          the same in the background, so that $! is the command's own process
#	free_port                         a TCP port of 127.0.0.1
#	wait_for SECONDS WHAT COMMAND…    until the command succeeds
#	wait_gone PID SECONDS             false when the process is still there then
#	doze SECONDS                      sleeps without a process of its own: for loops beside what is measured
#
# A process in the background writes its id to $WORK/pids/NAME; then it cannot outlive the script.
# Environment: BACKFILLD_KEEP=1 leaves the folder behind for looking at, with nothing running.

export LC_ALL=C.UTF-8

WORK=""
WORK_GUARD=""
DOZE=""

# Who runs the servers: they refuse root.
server_user() {
	if [[ $EUID -ne 0 ]]; then
		id -un 2>/dev/null || id -u
	elif id postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# Runs a command as the server's user, in $WORK.
as_server() {
	(become_server "$@")
}

# Becomes it: for `become_server COMMAND… &`, so that $! is the command's own process.
become_server() {
	cd "$WORK" || exit
	if [[ $EUID -eq 0 ]]; then
		exec setpriv --reuid "$SERVER_USER" --regid "$(id -g "$SERVER_USER")" --init-groups env HOME="$WORK" "$@"
	fi
	exec env HOME="$WORK" "$@"
}

# Of a pipe that nobody writes to.
doze() {
	if [[ -z $DOZE ]]; then
		exec {DOZE}<> <(:)
	fi
	read -rt "$1" <&"$DOZE" || true
}

# $WORK appears. It goes away at the end of the script, also after Ctrl-C; a guard of its own sees to it when the
# script is killed with a signal that it cannot catch.
work_begin() {
	local base=${TMPDIR:-/tmp}
	if ((${#base} > 40)); then
		base=/tmp # a UNIX socket's path has at most 107 bytes
	fi
	SERVER_USER=$(server_user)
	WORK=$(mktemp -d "$base/backfilld.XXXXXX")
	mkdir "$WORK/pids"
	if [[ $EUID -eq 0 ]]; then
		chown -R "$SERVER_USER:" "$WORK"
	fi
	# shellcheck disable=SC2016 # the guard's own shell expands it
	setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; '"$(declare -f work_remove)"'; work_remove "$2" "$3"' \
		guard "$$" "$WORK" "${BACKFILLD_KEEP:-}" >/dev/null 2>&1 </dev/null &
	WORK_GUARD=$!
	disown "$WORK_GUARD"
}

# work_remove FOLDER KEEP: stops everything whose process id is written in FOLDER, and removes it.
work_remove() {
	local file pid
	for file in "$1"/pids/* "$1"/*/data/postmaster.pid; do
		pid=""
		if [[ -f $file ]] && read -r pid <"$file" && [[ $pid =~ ^[0-9]+$ ]]; then
			kill -CONT "$pid" 2>/dev/null || true
			if [[ $file == */postmaster.pid ]]; then
				kill -QUIT "$pid" 2>/dev/null || true
			else
				kill -KILL "$pid" 2>/dev/null || true
			fi
		fi
	done
	for file in "$1"/*/data/postmaster.pid; do
		for _ in {1..100}; do
			if [[ ! -f $file ]] || ! read -r pid <"$file" || grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"; then
				break
			fi
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.05
		done
	done
	if [[ -z $2 ]]; then
		rm -rf -- "$1"
	fi
}

work_end() {
	if [[ -z $WORK ]]; then
		return
	fi
	work_remove "$WORK" "${BACKFILLD_KEEP:-}" 2>/dev/null # where bash would tell what was killed
	if [[ -n ${BACKFILLD_KEEP:-} ]]; then
		echo "kept: $WORK" >&2
	fi
	kill "$WORK_GUARD" 2>/dev/null || true
	WORK=""
}

# Removes a folder's processes from the guard's care and ends the guard: for --keep.
work_leave() {
	kill "$WORK_GUARD" 2>/dev/null || true
	WORK=""
}

# A TCP port of 127.0.0.1 that nobody listens on.
free_port() {
	local port
	for _ in {1..100}; do
		port=$((20000 + RANDOM % 12000))
		if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
	echo "no free TCP port found" >&2
	return 1
}

# wait_for SECONDS WHAT COMMAND…: the same with a command that must succeed.
wait_for() {
	local seconds=$1 what=$2 end=$((SECONDS + $1)) said
	shift 2
	until said=$("$@" 2>&1); do
		((SECONDS < end)) || give_up "$what (within $seconds s)" "command: $*" "last said: $said"
		doze 0.1
	done
}

# wait_gone PID SECONDS: false when it is still there then. A zombie counts as gone. Asked without a process for each time: on a
# virtual machine starting one costs more than a look.
wait_gone() {
	local end=$((SECONDS + $2)) state
	while read -r state 2>/dev/null <"/proc/$1/stat" && [[ ${state##*) } != Z* ]]; do
		((SECONDS < end)) || return 1
		doze 0.02
	done
}
