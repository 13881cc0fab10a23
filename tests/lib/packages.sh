# shellcheck shell=bash
# The packages that building and testing need, installed where they are missing. Sourced; touches nothing by itself.
#
#	packages_for_building      compiler, meson, libraries
#	packages_for_server        a PostgreSQL server, unless a supported one is there
#	packages_for_testing       what the test suites need besides
#	packages_install NAME…     those of them that are missing; says what it does

packages_for_building() {
	echo gcc libc6-dev meson ninja-build pkg-config libevent-dev libsystemd-dev libyaml-dev libpq-dev
}

packages_for_server() {
	local version
	for version in 18 17 16 15 14; do
		if [[ -x ${BACKFILLD_PG_BIN:-/usr/lib/postgresql/$version/bin}/postgres ]]; then
			return
		fi
	done
	echo postgresql
}

packages_for_testing() {
	echo libcmocka-dev clang libclang-rt-dev clang-format shellcheck
}

packages_missing() {
	local name
	for name in "$@"; do
		if [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) != installed ]]; then
			echo "$name"
		fi
	done
}

packages_install() {
	local missing=() as_root=() said
	if ! type -P apt-get dpkg-query >/dev/null; then
		echo "This is no Debian: make sure yourself that what these packages hold is there: $*"
		return
	fi
	mapfile -t missing < <(packages_missing "$@")
	if ((${#missing[@]} == 0)); then
		return
	fi
	if ((EUID != 0)); then
		as_root=(sudo)
		if ! type -P sudo >/dev/null; then
			echo "Packages are missing, and there is no sudo. Let root run: apt-get install ${missing[*]}" >&2
			return 1
		fi
	fi
	echo "Installing packages: ${missing[*]}"
	if ! "${as_root[@]}" apt-get -q -o Acquire::Retries=3 update >/dev/null; then
		echo "apt-get update failed; trying with the lists that are there" >&2
	fi
	said=$(mktemp)
	if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >"$said"; then
		cat "$said" >&2
		rm -f "$said"
		echo "Packages could not be installed: ${missing[*]}" >&2
		return 1
	fi
	rm -f "$said"
}
