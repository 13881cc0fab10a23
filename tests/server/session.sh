#!/usr/bin/env bash
# The session room against a real server: test_session.c, its checks counted one by one.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"

: "${SESSION_TEST:?the program made of test_session.c: set by meson}"

cluster_start main
while IFS= read -r line; do
	case $line in
	"ok "*) ok "session: ${line#* - }" ;;
	"not ok "*) not_ok "session: ${line#* - }" ;;
	*) note "$line" ;;
	esac
done < <(BACKFILLD_TEST_CONNINFO="$(conninfo main)" "$SESSION_TEST" 2>&1 || echo "not ok - the program ends with success")
if ((TAP_PASSED == 0)); then
	not_ok "session: the program checks anything"
fi
