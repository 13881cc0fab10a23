# shellcheck shell=bash
# Checks that print TAP lines, and the end of a test script. Sourced by lib.sh of the server suite and by style tests.
#
#	ok WHAT                              a check that holds
#	not_ok WHAT [MORE…]                  one that does not; the script goes on
#	check WHAT COMMAND…                  holds when the command succeeds
#	expect_equal WHAT EXPECTED ACTUAL
#	expect_match WHAT REGEX ACTUAL       POSIX extended
#	give_up WHAT [MORE…]                 the rest of the script would make no sense
#	skip_one WHAT WHY                    a check that cannot be made here
#	skip_all WHY                         nothing can be checked here
#	note TEXT…                           for the reader of the log
#
# The script's own exit trap calls tap_end: it prints the plan, and turns a script that broke into a failed check.

TAP_PASSED=0
TAP_FAILED=0
TAP_SKIPPED=""
TAP_BROKEN=""

note() {
	local text="$*"
	printf '# %s\n' "${text//$'\n'/$'\n# '}"
}

# name_of TEXT: on one line, and without what TAP takes for a directive.
name_of() {
	local name=${1//#/No. }
	printf '%s\n' "${name//$'\n'/ }"
}

ok() {
	TAP_PASSED=$((TAP_PASSED + 1))
	echo "ok - $(name_of "$1")"
}

not_ok() {
	TAP_FAILED=$((TAP_FAILED + 1))
	echo "not ok - $(name_of "$1")"
	shift
	for more in "$@"; do
		note "  $more"
	done
}

check() {
	local what=$1 said
	shift
	if said=$("$@" 2>&1); then
		ok "$what"
	else
		not_ok "$what" "command: $*" "$said"
	fi
}

expect_equal() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "expected: $2" "but got:  $3"
	fi
}

expect_match() {
	if [[ $3 =~ $2 ]]; then
		ok "$1"
	else
		not_ok "$1" "expected: something that matches $2" "but got:  $3"
	fi
}

give_up() {
	not_ok "$@"
	TAP_BROKEN=told
	exit 1
}

skip_one() {
	TAP_PASSED=$((TAP_PASSED + 1))
	printf 'ok - %s # SKIP %s\n' "$1" "$2"
}

skip_all() {
	TAP_SKIPPED=$1
	exit 77
}

# tap_end STATUS: the last lines of the test; returns the exit status it should have.
tap_end() {
	local status=$1
	if [[ -n $TAP_SKIPPED ]]; then
		printf '1..0 # SKIP %s\n' "$TAP_SKIPPED"
		return 0
	fi
	if ((status != 0)) && [[ $TAP_BROKEN != told ]]; then
		not_ok "the script runs to its end" "status $status${TAP_BROKEN:+, $TAP_BROKEN}"
	fi
	printf '1..%d\n' $((TAP_PASSED + TAP_FAILED))
	((TAP_FAILED == 0 && status == 0))
}
