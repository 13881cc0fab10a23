# shellcheck shell=bash
# What the machine is given of its processors: on a shared one the hypervisor lets others have them meanwhile ("steal" in /proc/stat),
# and whoever would have run then waits for milliseconds. Sourced after work.sh.
#
#	machine_watch            from now on, until the script ends
#	machine_taken FROM TO    per cent of the processors' time that was taken between two moments (seconds since 1970); ends the
#	                         script where nobody watched then

machine_watch() {
	local line
	while read -r line </proc/stat; do
		echo "$EPOCHREALTIME $line"
		doze 0.25
	done >"$WORK/machine" 2>/dev/null &
	echo $! >"$WORK/pids/machine"
	disown $!
}

# The sample before the first moment, and the first after the last one.
machine_taken() {
	awk -v from="$1" -v to="$2" '
		{ sum = 0; for (i = 3; i <= 10; i++) sum += $i }
		$1 <= from { seen = 1; taken = $10; all = sum }
		$1 >= to { ended = 1; if (seen && sum > all) printf "%.2f", 100 * ($10 - taken) / (sum - all); exit }
		END { exit !(seen && ended) }' "$WORK/machine" || give_up "somebody watches the machine" "no samples from $1 to $2 in $WORK/machine"
}
