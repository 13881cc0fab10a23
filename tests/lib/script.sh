# shellcheck shell=bash
# What scripts that people call have in common. Sourced; needs the script's own usage(), and for script_guard terminal.sh and
# work.sh.
#
#	script_number OPTION [TEXT]   ends the script with status 2 unless TEXT is a number from 1
#	script_option OPTION          one that the script itself does not know: --help, or a mistake
#	script_guard                  whatever ends the script, what it started is stopped and removed; a failure is explained
#
# A script whose status says what it has already explained sets SCRIPT_EXPLAINED.

SCRIPT_EXPLAINED=""

script_number() {
	if [[ ! ${2:-} =~ ^[1-9][0-9]*$ ]]; then
		echo "$1 needs a number" >&2
		exit 2
	fi
}

script_option() {
	if [[ $1 == --help ]]; then
		usage
		exit
	fi
	echo "unknown option $1" >&2
	usage >&2
	exit 2
}

script_explain() {
	if [[ -n $STEP ]]; then
		printf '%s✗ while: %s\n' "$CLEAR" "$STEP" >&2
	fi
	if [[ -n $WORK && -s $WORK/daemon.log ]]; then
		printf '\nWhat the daemon said last:\n' >&2
		tail -n 20 "$WORK/daemon.log" >&2
	fi
}

script_end() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	if ((status > 0 && status < 128)) && [[ -z $SCRIPT_EXPLAINED ]]; then
		script_explain
	fi
	work_end
	exit "$status"
}

script_guard() {
	trap script_end EXIT
	trap 'printf "\nStopping.\n"; exit 130' INT
	trap 'exit 143' TERM HUP
}
