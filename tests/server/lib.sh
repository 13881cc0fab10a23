# shellcheck shell=bash
# Sourced by each test against real servers:
#
#	. "$(dirname "$0")/lib.sh"
#	cluster_start main
#	replica_start standby1 main
#	daemon_install
#	sql -U shop_owner main "CREATE TABLE …"
#	daemon_start
#	sql -U shop_owner main "INSERT INTO backfill.job (name, …) VALUES ('x', …)"
#	job_reaches x done 60
#	expect_sql "every row has its value" 0 "SELECT count(*) FROM … WHERE v IS DISTINCT FROM …"
#	daemon_stop
#
# What there is: lib/tap.sh (checks), lib/cluster.sh (servers, sql, wait_until), lib/session.sh (transactions that stay
# open), lib/daemon.sh (the daemon), lib/shop.sh (a table and its users), and below.
# A check that fails is printed and the script goes on; something that the rest depends on gives up at once. Either
# way the ends of the daemons' and servers' logs follow, and everything that was started is stopped and removed.

set -Eeuo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/lib/tap.sh
. "$TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/cluster.sh
. "$TOP/tests/lib/cluster.sh"
# shellcheck source=tests/lib/session.sh
. "$TOP/tests/lib/session.sh"
# shellcheck source=tests/lib/daemon.sh
. "$TOP/tests/lib/daemon.sh"
# shellcheck source=tests/lib/shop.sh
. "$TOP/tests/lib/shop.sh"

# Tests want their jobs done, whatever else they do meanwhile; pace_impact looks at the application.
daemon_option defaults.max_impact 0

# expect_sql WHAT EXPECTED [-n CLUSTER] [-U USER] SQL: the answer, columns separated by |, rows by line ends.
expect_sql() {
	local what=$1 expected=$2 name=$CLUSTER options=() seen
	shift 2
	while [[ $1 == -[nUd] ]]; do
		if [[ $1 == -n ]]; then name=$2; else options+=("$1" "$2"); fi
		shift 2
	done
	seen=$(sql "${options[@]}" "$name" "$1" 2>&1) || true
	expect_equal "$what" "$expected" "$seen"
}

# expect_error WHAT SQLSTATE REGEX [-n CLUSTER] [-U USER] SQL: the statement is refused so. The regular expression is
# matched against everything the server says: message, DETAIL and HINT.
expect_error() {
	local what=$1 state=$2 regex=$3 name=$CLUSTER options=() said
	shift 3
	while [[ $1 == -[nUd] ]]; do
		if [[ $1 == -n ]]; then name=$2; else options+=("$1" "$2"); fi
		shift 2
	done
	if said=$(psql_at "$name" "${options[@]}" -v VERBOSITY=verbose -Atq <<<"$1" 2>&1); then
		not_ok "$what" "expected: error $state" "but it was accepted: $said"
	elif [[ $said != *" $state: "* || ! $said =~ $regex ]]; then
		not_ok "$what" "expected: error $state that matches $regex" "but got:  $said"
	else
		ok "$what"
	fi
}

# expect_exit WHAT STATUS REGEX COMMAND…: the command ends so, and what it says matches.
expect_exit() {
	local what=$1 expected=$2 regex=$3 status=0 said
	shift 3
	said=$("$@" 2>&1) || status=$?
	if [[ $status != "$expected" || ! $said =~ $regex ]]; then
		not_ok "$what" "expected: status $expected and a text that matches $regex" "but got:  status $status and: $said"
	else
		ok "$what"
	fi
}

# job_reaches NAME STAGE SECONDS: waits; gives up at once when the job has failed and that is not what is waited for.
job_reaches() {
	local end=$((SECONDS + $3)) seen="t|(no such job)"
	until watch_for_true "$end" "$CLUSTER" "SELECT stage IN ('$2', 'failed'), stage, waiting_for, error, error_hint FROM backfill.job WHERE name = '$1'"; do
		((SECONDS < end)) || break
		doze 0.1
	done
	if [[ "$seen|" != "t|$2|"* ]]; then
		give_up "job $1 reaches $2 within $3 s" "it is at: ${seen#*|}"
	fi
}

# gauge_start, gauge_stop: $STALLED_MS is the longest time in between for which the machine kept somebody waiting who wanted to run, a loop
# that sleeps and wakes up. A check takes it off what it measured by the clock: it is no time of the daemon's. The loop ends with its file.
gauge_start() {
	: >"$WORK/pids/gauge"
	gauge_run >"$WORK/gauge" 2>&1 &
	echo $! >"$WORK/pids/gauge"
}

gauge_run() {
	local longest=10000 begun gap
	while [[ -e $WORK/pids/gauge ]]; do
		begun=${EPOCHREALTIME/./}
		doze 0.01
		gap=$((${EPOCHREALTIME/./} - begun))
		longest=$((gap > longest ? gap : longest))
	done
	echo $((longest / 1000 - 10))
}

gauge_stop() {
	local pid
	pid=$(<"$WORK/pids/gauge")
	rm "$WORK/pids/gauge"
	wait "$pid"
	# shellcheck disable=SC2034 # the tests look at it
	STALLED_MS=$(<"$WORK/gauge")
}

# What helps to understand a failure.
test_tell() {
	local file
	for file in "$WORK"/*.log "$WORK"/*/log; do
		if [[ -s $file ]]; then
			note "--- the end of $file"
			note "$(tail -n 40 "$file")"
		fi
	done
}

test_end() {
	local status=$?
	trap - EXIT ERR
	trap '' INT TERM
	set +e
	tap_end "$status"
	status=$?
	if ((status != 0)) && [[ -n $WORK ]]; then
		test_tell
	fi
	work_end
	exit "$status"
}

# Remembers the line of the test itself at which it broke, however deep in the library that was.
test_broke() {
	local depth=$((${#BASH_LINENO[@]} - 2))
	TAP_BROKEN="${TAP_BROKEN:-line ${BASH_LINENO[depth]} of ${BASH_SOURCE[depth + 1]##*/}, at: $1}"
}

trap 'test_broke "$BASH_COMMAND"' ERR
trap test_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

work_begin
