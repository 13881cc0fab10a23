# shellcheck shell=bash
# What the scripts for people (quick start, benchmark) show. Colours only on a terminal, and not against NO_COLOR.
#
#	step WHAT              a line that says what goes on now; step_done [WITH WHAT] ends it with the seconds it took
#	say TEXT…              indented below it
#	show COMMAND…          the command's output, indented
#	quietly WHAT COMMAND…  shows the output only when it fails, and then gives up
#	give_up WHAT [MORE…]
#	redraw TEXT            over the line before, cut to the terminal's width

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
	BOLD=$'\e[1m' FAINT=$'\e[2m' GREEN=$'\e[32m' RED=$'\e[31m' CYAN=$'\e[36m' PLAIN=$'\e[0m' CLEAR=$'\r\e[K'
else
	BOLD="" FAINT="" GREEN="" RED="" CYAN="" PLAIN="" CLEAR=""
fi
STEP=""
STEP_BEGUN=0

terminal_width() {
	local columns
	read -r _ columns < <(stty size 2>/dev/null </dev/tty || echo 24 80)
	echo $((columns > 0 ? columns : 80))
}

step() {
	STEP=$1
	STEP_BEGUN=${EPOCHREALTIME/./}
	if [[ -n $CLEAR ]]; then
		printf '%s…%s %s' "$CYAN" "$PLAIN" "$STEP"
	fi
}

step_done() {
	local ms=$(((${EPOCHREALTIME/./} - STEP_BEGUN) / 1000))
	printf '%s%s✓%s %s%s %s(%d.%d s)%s\n' "$CLEAR" "$GREEN" "$PLAIN" "${1:-$STEP}" "" "$FAINT" $((ms / 1000)) $((ms % 1000 / 100)) "$PLAIN"
	STEP=""
}

redraw() {
	printf '%s  %s' "$CLEAR" "${1:0:$(($(terminal_width) - 3))}"
}

say() {
	printf '  %s\n' "$@"
}

show() {
	"$@" | sed 's/^/  /'
}

heading() {
	printf '\n%s%s%s\n' "$BOLD" "$1" "$PLAIN"
}

give_up() {
	local more
	printf '%s%s✗ %s%s\n' "$CLEAR" "$RED" "$1" "$PLAIN" >&2
	shift
	for more in "$@"; do
		printf '%s\n' "$more" | sed 's/^/  /' >&2
	done
	exit 1
}

# What lib/daemon.sh reports as a failed check is a reason to stop here.
not_ok() {
	give_up "$@"
}

quietly() {
	local what=$1 said
	shift
	said=$("$@" 2>&1) || give_up "$what" "$said"
}

# thousands NUMBER: 1000000 is 1,000,000
thousands() {
	local number=$1
	while [[ $number =~ ^([0-9]+)([0-9]{3}.*)$ ]]; do
		number=${BASH_REMATCH[1]},${BASH_REMATCH[2]}
	done
	echo "$number"
}
