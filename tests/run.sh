#!/usr/bin/env bash
# Builds backfilld and runs all its tests; ends with a line `N passed, N failed`.
set -euo pipefail

usage() {
	cat <<-TEXT
		Usage: tests/run.sh [OPTION]…
		  --quick         leave the sanitizer build, the clang build and the other servers out
		  --suite NAME    only this suite (unit, sim, server, style, fuzz); may be given more than once
		  --all           all of the server suite on every server, and on the first every point of a crash, not every fourth
		  --help
		The server suite runs on the PostgreSQL that is installed (or BACKFILLD_PG_BIN), and what it has of every kind of column
		and table (matrix_*) on all that backfilld supports; those that are missing come through npm. Where that is not
		possible the summary says that they did not run. What the README's table is made of goes to build-gcc/matrix:
		tests/lib/matrix.sh --write build-gcc/matrix.
		Installs the Debian packages that are missing (as root, or with sudo). Builds go to build-gcc, build-clang and
		build-sanitized. Status 0 when nothing failed.
	TEXT
}

TOP=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/lib/script.sh
. "$TOP/tests/lib/script.sh"
# shellcheck source=tests/lib/packages.sh
. "$TOP/tests/lib/packages.sh"
# shellcheck source=tests/lib/build.sh
. "$TOP/tests/lib/build.sh"
# shellcheck source=tests/lib/cluster.sh
. "$TOP/tests/lib/cluster.sh"
# shellcheck source=tests/lib/versions.sh
. "$TOP/tests/lib/versions.sh"

QUICK=""
ALL=""
SUITES=()
SERVERS=()
PASSED=0
FAILED=0
SUMMARY=()
COMPLAINTS=()

while (($# > 0)); do
	case $1 in
	--quick) QUICK=yes ;;
	--all) ALL=yes ;;
	--suite)
		[[ ${2:-} =~ ^(unit|sim|server|style|fuzz)$ ]] || { echo "--suite takes one of: unit sim server style fuzz" >&2 && exit 2; }
		SUITES+=("$2")
		shift
		;;
	*) script_option "$1" ;;
	esac
	shift
done
if ((${#SUITES[@]} == 0)); then
	SUITES=(style unit sim fuzz server)
fi

heading() {
	printf '\n== %s\n' "$*"
}

# summarize BUILD WHAT PASSED FAILED SKIPPED SECONDS
summarize() {
	SUMMARY+=("$(printf '%-10s %-8s %7d %7d %8d %8d' "$@")")
	PASSED=$((PASSED + $3))
	FAILED=$((FAILED + $4))
}

# build BUILD OPTION…: one check.
build() {
	local name=$1 folder begun=$SECONDS
	shift
	heading "build: $name"
	folder=$(build_folder "build-$name")
	if build_make "$folder" "$@"; then
		summarize "$name" build 1 0 0 $((SECONDS - begun))
	else
		summarize "$name" build 0 1 0 $((SECONDS - begun))
		COMPLAINTS+=("$name: the build failed")
		return 1
	fi
}

# Kilobytes of memory that there are left, also where a container may have less than the machine.
memory_left() {
	local left pair most used
	left=$(sed -nE 's/^MemAvailable: +([0-9]+) kB/\1/p' /proc/meminfo)
	for pair in memory.max:memory.current memory/memory.limit_in_bytes:memory/memory.usage_in_bytes; do
		most=$(cat "/sys/fs/cgroup/${pair%:*}" 2>/dev/null) || continue
		used=$(cat "/sys/fs/cgroup/${pair#*:}" 2>/dev/null) || continue
		if [[ $most =~ ^[0-9]+$ ]] && (((most - used) >> 10 < left)); then
			left=$(((most - used) >> 10))
		fi
	done
	echo "$left"
}

# Where the servers' folders go: into memory when there is plenty. Files are made by the thousand, which on a disk is a tenth
# of what the tests cost. (Of an ordinary user systemd removes what is there when he logs out.)
work_folder() {
	local plenty=$((8 << 20)) free
	free=$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1) || free=0
	if [[ $EUID -eq 0 && -z ${TMPDIR:-} ]] && ((free > plenty && $(memory_left) > plenty)) &&
		! grep -qE '^[^ ]+ /dev/shm [^ ]+ ([^ ]*,)?noexec' /proc/mounts; then
		echo /dev/shm
	else
		echo "${TMPDIR:-/tmp}"
	fi
}

# A cluster that all tests copy: making one anew takes each of them a second. Where that fails they say why.
prepare_cluster() {
	TMPDIR=$(work_folder) work_begin
	trap work_end EXIT
	# In a shell of its own, which giving up ends.
	# shellcheck source=tests/lib/tap.sh
	if (. "$TOP/tests/lib/tap.sh" && cluster_template "$WORK/ready"); then
		export BACKFILLD_CLUSTER=$WORK/ready
	fi
}

# suite BUILD SUITE TIMES [LABEL [TEST…]]: TIMES multiplies the time limits; LABEL is what it is called instead of BUILD.
suite() {
	local build=$1 name=$2 times=$3 label=${4:-$1} folder begun=$SECONDS passed failed skipped complaint log processes
	processes=$(nproc)
	shift $(($# < 4 ? $# : 4))
	folder=$(build_folder "build-$build")
	log=$folder/meson-logs/testlog-$name-${label//[^a-z0-9]/}.json
	if [[ ! -f $TOP/tests/$name/meson.build ]]; then
		return
	fi
	heading "$name, $label"
	rm -f "$log"
	if [[ $name == server ]]; then
		processes=$((processes + 1)) # they wait for half of their time
	fi
	TMPDIR=$(work_folder) meson test -C "$folder" --no-rebuild --suite "$name" --print-errorlogs -t "$times" \
		--num-processes "$processes" --logbase "$(basename "$log" .json)" "$@" || true
	{
		read -r passed failed skipped
		while read -r complaint; do
			if [[ $complaint == "#"* ]]; then
				echo "$complaint"
			elif [[ -n $complaint ]]; then
				echo "not ok - $complaint"
				COMPLAINTS+=("$label, $name, $complaint")
			fi
		done
	} < <(python3 "$TOP/tests/lib/count.py" "$log")
	if ((passed + failed + skipped > 0)); then
		summarize "$label" "$name" "$passed" "$failed" "$skipped" $((SECONDS - begun))
	fi
}

server_tests() {
	meson introspect "$(build_folder build-gcc)" --tests |
		python3 -c 'import json, sys; print("\n".join(t["name"] for t in json.load(sys.stdin) if "backfilld:server" in t["suite"]))'
}

# The server suite on the versions that are not installed: what it has of columns and tables, with --all everything.
other_servers() {
	local own=$1 version tests=()
	if [[ -z $ALL ]]; then
		mapfile -t tests < <(server_tests | grep '^matrix_')
	fi
	local -x CRASH_EVERY=4 BACKFILLD_CLUSTER=""
	for version in "${VERSIONS[@]}"; do
		if [[ $version == "$own" ]]; then
			SERVERS+=("PostgreSQL $version: everything")
		elif version_get "$version"; then
			SERVERS+=("PostgreSQL $version: ${ALL:+everything}${tests[*]}")
			BACKFILLD_PG_BIN=$VERSION_BIN suite gcc server 1 "gcc, $version" "${tests[@]}"
		else
			SERVERS+=("PostgreSQL $version: NOT RUN: $VERSION_WHY")
		fi
	done
}

# shellcheck disable=SC2046 # lists of package names
packages_install $(packages_for_building) $(packages_for_server) $(packages_for_testing)

if CC=gcc build gcc; then
	BACKFILLD_MATRIX=$(build_folder build-gcc)/matrix
	export BACKFILLD_MATRIX
	rm -rf "$BACKFILLD_MATRIX" # or what does not run today would keep the tick of yesterday
	export CRASH_EVERY=$((${#ALL} > 0 ? 1 : 4)) # all of them are some minutes of a processor more
	if [[ " ${SUITES[*]} " == *" server "* ]]; then
		prepare_cluster
	fi
	for name in "${SUITES[@]}"; do
		suite gcc "$name" 1
	done
	if [[ -z $QUICK && " ${SUITES[*]} " == *" server "* ]]; then
		other_servers "$(version_main)"
	fi
	unset BACKFILLD_MATRIX
fi
if [[ -z $QUICK ]]; then
	if CC=clang build clang -Db_lundef=false && [[ " ${SUITES[*]} " == *" fuzz "* ]]; then
		suite clang fuzz 1
	fi
	# Warnings were errors in the builds above; here the sanitizers' own instructions make gcc suspect what is not.
	# Some of the many points and deadlocks are enough there; what only asks the control schema runs no code of ours.
	export CRASH_EVERY=20 DEADLOCKS=40
	if CC=gcc build sanitized -Db_sanitize=address,undefined -Dwerror=false; then
		mapfile -t tests < <(server_tests | grep -vE '^(control_(bookmark|names|refusals|roles|shapes|steer)|library|sql_prepares)$')
		for name in "${SUITES[@]}"; do
			case $name in
			style) ;;
			server) suite sanitized server 3 sanitized "${tests[@]}" ;;
			*) suite sanitized "$name" 3 ;;
			esac
		done
	fi
fi

heading "summary"
printf '%-10s %-8s %7s %7s %8s %8s\n' build suite passed failed skipped seconds
printf '%s\n' "${SUMMARY[@]}"
if ((${#SERVERS[@]} > 0)); then
	printf '\n%s\n' "${SERVERS[0]}"
	printf '%s\n' "${SERVERS[@]:1}"
fi
if ((${#COMPLAINTS[@]} > 0)); then
	printf '\nnot ok - %s\n' "${COMPLAINTS[@]}"
fi
printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
((FAILED == 0))
