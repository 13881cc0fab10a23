# shellcheck shell=bash
# Sessions that stay open while the test does something else: a transaction that holds a lock, a snapshot that holds the
# horizon, a statement that waits. Needs cluster.sh.
#
#	session_open NAME CLUSTER [-U USER]    a psql of its own; errors do not end it
#	session_do NAME SQL [SECONDS]          sends and waits for the end (10 s); prints what it answered
#	session_send NAME SQL                  sends only
#	session_answer NAME [SECONDS]          waits for the end of what was sent; prints the answer
#	session_waits NAME [SECONDS]           waits until it waits for a lock
#	session_pid NAME                       its server process
#	session_close NAME                     ends it, and with it what it held

# How much was sent is counted in a file: answers are often asked for in a subshell.
declare -A SESSION_INPUT=() SESSION_SERVER=() SESSION_CLUSTER=()

session_open() {
	local name=$1 fifo=$WORK/session.$1 input
	shift
	mkfifo "$fifo"
	psql_at "$@" -v ON_ERROR_STOP=0 -Atq <"$fifo" >"$fifo.out" 2>&1 &
	echo $! >"$WORK/pids/session.$name"
	disown $!
	exec {input}>"$fifo"
	SESSION_INPUT[$name]=$input
	echo 0 >"$fifo.sent"
	SESSION_CLUSTER[$name]=$1
	session_send "$name" "SELECT pg_catalog.pg_backend_pid();"
	session_await "$name" 10
	SESSION_SERVER[$name]=$(session_said "$name")
}

session_send() {
	local number=$(($(session_sent "$1") + 1))
	echo "$number" >"$WORK/session.$1.sent"
	printf '%s;\n\\echo end-of-answer-%d\n' "${2%;}" "$number" >&"${SESSION_INPUT[$1]}"
}

session_sent() {
	cat "$WORK/session.$1.sent"
}

# What it answered to the last thing that was sent.
session_said() {
	awk -v last="$(session_sent "$1")" '
		$0 == "end-of-answer-" last { exit }
		/^end-of-answer-[0-9]+$/ { said = ""; next }
		{ said = said (said == "" ? "" : "\n") $0 }
		END { print said }' "$WORK/session.$1.out"
}

session_await() {
	local end=$((SECONDS + $2)) last
	last=end-of-answer-$(session_sent "$1")
	until [[ $'\n'$(<"$WORK/session.$1.out")$'\n' == *$'\n'"$last"$'\n'* ]]; do
		((SECONDS < end)) || give_up "session $1 answers within $2 s" "it said: $(tail -n 5 "$WORK/session.$1.out")"
		doze 0.02
	done
}

session_answer() {
	session_await "$1" "${2:-10}"
	session_said "$1"
}

session_do() {
	session_send "$1" "$2"
	session_answer "$1" "${3:-10}"
}

session_waits() {
	wait_until -n "${SESSION_CLUSTER[$1]}" "${2:-10}" "session $1 waits for a lock" \
		"SELECT a.wait_event_type = 'Lock', a.state, a.wait_event, a.query FROM pg_catalog.pg_stat_activity a WHERE a.pid = ${SESSION_SERVER[$1]}"
}

session_pid() {
	echo "${SESSION_SERVER[$1]}"
}

session_close() {
	local input=${SESSION_INPUT[$1]}
	sql "${SESSION_CLUSTER[$1]}" "SELECT pg_catalog.pg_terminate_backend(${SESSION_SERVER[$1]}, 10000)" >/dev/null 2>&1 || true # the server may be gone
	kill "$(cat "$WORK/pids/session.$1")" 2>/dev/null || true
	exec {input}>&-
	rm -f "$WORK/pids/session.$1" "$WORK/session.$1" "$WORK/session.$1".*
	unset "SESSION_INPUT[$1]" "SESSION_SERVER[$1]" "SESSION_CLUSTER[$1]"
}
