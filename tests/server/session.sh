#!/usr/bin/env bash
# The session room against a real server: the programs test_session*, their checks counted one by one.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"

: "${SESSION_TESTS:?the folder of the programs made of test_session*.c: set by meson}"

# run_program NAME [CLUSTER]
run_program() {
	local line before=$TAP_PASSED
	while IFS= read -r line; do
		case $line in
		"ok "*) ok "$1: ${line#* - }" ;;
		"not ok "*) not_ok "$1: ${line#* - }" ;;
		*) note "$line" ;;
		esac
	done < <(BACKFILLD_TEST_CONNINFO="$(conninfo "${2:-main}")" "$SESSION_TESTS/$1" 2>&1 || echo "not ok - ends with success")
	if ((TAP_PASSED == before)); then
		not_ok "$1: checks anything"
	fi
}

cluster_start main
run_program test_session
run_program test_session_ahead
run_program test_session_prepared
run_program test_session_loss
run_program test_session_connect
cluster_start --tcp tcp
run_program test_session_names tcp
