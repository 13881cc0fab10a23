#!/usr/bin/env bash
# The unit file and the user it runs as, judged by systemd's own tools.
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
FOLDER=$(mktemp -d)
end() {
	local status=$?
	rm -rf "$FOLDER"
	tap_end "$status"
}
trap end EXIT

# The most exposed that `systemd-analyze security` may find the service, in tenths (10.0 is no hardening at all).
MOST_EXPOSED=15

# systemd-analyze verify wants to see the program and the manual.
cp "$(type -P true)" "$FOLDER/backfilld"
sed -e "s|@bindir@|$FOLDER|; s|@docdir@|$PWD|; s|@confdir@|$FOLDER|; s|@config@|$FOLDER/backfilld.yaml|" \
	systemd/backfilld.service.in >"$FOLDER/backfilld.service"
expect_equal "nothing is left to be replaced in the unit" "" "$(grep -n '@[a-z]*@' "$FOLDER/backfilld.service" || true)"

if ! type -P systemd-analyze >/dev/null; then
	skip_one "systemd finds the unit clean" "no systemd-analyze here"
	skip_one "the service is hardened" "no systemd-analyze here"
else
	# Its status is 0 even when it complains.
	expect_equal "systemd finds the unit clean" "" "$(systemd-analyze verify --man=no --recursive-errors=no "$FOLDER/backfilld.service" 2>&1)"
	check "the service is hardened" systemd-analyze security --no-pager --offline=true --threshold="$MOST_EXPOSED" \
		"$FOLDER/backfilld.service"
fi

if ! type -P systemd-sysusers >/dev/null; then
	skip_one "the user can be made" "no systemd-sysusers here"
else
	mkdir -p "$FOLDER/root/etc"
	: >"$FOLDER/root/etc/passwd"
	: >"$FOLDER/root/etc/group"
	check "the user can be made" systemd-sysusers --root="$FOLDER/root" "$PWD/systemd/backfilld.sysusers"
	expect_match "it is called backfilld" '^backfilld:' "$(cat "$FOLDER/root/etc/passwd")"
fi
