#!/usr/bin/env bash
# The option table (as --help prints it), conf/backfilld.yaml, the README's table and, for what a job may override, the
# ranges in conf/control/30_limits.sql say the same.
#
#	tests/style/options.sh [BINARY]              the checks
#	tests/style/options.sh --markdown [BINARY]   prints the table for the README, between its two marks
#
# BINARY: the built backfilld; without it $BACKFILLD, or the newest one in a build folder of the checkout.
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

SAMPLE=conf/backfilld.yaml
CONTROL=conf/control/30_limits.sql

find_binary() {
	local newest="" file
	for file in build*/daemon/backfilld; do
		if [[ -x $file && (-z $newest || $file -nt $newest) ]]; then
			newest=$file
		fi
	done
	echo "$newest"
}

# KEY TAB UNIT TAB RANGE TAB DEFAULT TAB HELP for each option, from --help: columns are two or more blanks apart.
table_rows() {
	"$1" --help | awk '
		/^  key +unit +range +default$/ { inside = 1; next }
		!inside { next }
		/^        / { sub(/^ +/, ""); print row "\t" $0; next }
		/^  [^ ]/ { sub(/^ +/, ""); gsub(/  +/, "\t"); row = $0; next }
		{ inside = 0 }'
}

# KEY TAB (Range: … line) TAB VALUE TAB PROSE for each key of the sample, written or behind a #.
sample_rows() {
	awk '
		function path(    i, all) {
			for (i = 1; i <= depth; i++)
				all = all (i > 1 ? "." : "") keys[i] (i < depth && lists[i] ? "[]" : "")
			return all
		}
		/^ *$/ { range = prose = ""; next }
		/^ *#( |$)/ {
			sub(/^ *# ?/, "")
			if (/^Range: /)
				range = $0
			else
				prose = prose (prose == "" ? "" : " ") $0
			next
		}
		{
			match($0, /^ */)
			column = RLENGTH
			line = substr($0, column + 1)
			sub(/^#/, "", line)
			item = sub(/^- /, "", line)
			column += 2 * item
			while (depth > 0 && columns[depth] >= column)
				depth--
			if (item)
				lists[depth] = 1
			key = value = line
			sub(/:.*/, "", key)
			sub(/^[^:]*: */, "", value)
			keys[++depth] = key
			columns[depth] = column
			lists[depth] = 0
			print path() "\t" range "\t" value "\t" prose
			range = prose = ""
		}' "$SAMPLE"
}

markdown() {
	local key unit range initial help
	echo "| key | unit | range | default | what |"
	echo "| --- | --- | --- | --- | --- |"
	while IFS=$'\t' read -r key unit range initial help; do
		if [[ $unit == - ]]; then
			unit=""
		fi
		if [[ $initial != required ]]; then
			initial="\`$initial\`"
		fi
		echo "| \`$key\` | $unit | $range | $initial | $help |"
	done < <(table_rows "$1")
}

# What stands between the README's marks.
readme_table() {
	sed -n '/^<!-- options -->$/,/^<!-- \/options -->$/p' README.md | sed '1d;$d;/^$/d'
}

# The sample of one key: its range line, its prose and its value.
check_sample() {
	local key=$1 unit=$2 range=$3 initial=$4 help=$5 said expected
	if [[ -z ${SAMPLE_RANGE[$key]+there} ]]; then
		not_ok "$SAMPLE has $key" "put there: # $help" "# Range: $range. Default: $initial."
		return
	fi
	expected="Range: $range$([[ $unit == - ]] || echo " $unit"). $([[ $initial == required ]] && echo Required || echo "Default: $initial")."
	expect_equal "$SAMPLE: $key has its range and default" "$expected" "${SAMPLE_RANGE[$key]}"
	said=${SAMPLE_PROSE[$key]}
	expect_equal "$SAMPLE: $key begins with the sentence of --help" "${help%.}" "${said:0:$((${#help} - 1))}"
	if [[ $initial != required && $initial != "[]" && $initial != "{}" ]]; then
		said=${SAMPLE_VALUE[$key]}
		said=${said#\"}
		initial=${initial#\"}
		expect_equal "$SAMPLE: $key shows its default" "${initial%\"}" "${said%\"}"
	fi
}

check_samples() {
	local key unit range initial help value prose table_keys="" sample_keys=""
	declare -A SAMPLE_RANGE=() SAMPLE_VALUE=() SAMPLE_PROSE=()
	while IFS=$'\t' read -r key range value prose; do
		SAMPLE_RANGE[$key]=$range
		SAMPLE_VALUE[$key]=$value
		SAMPLE_PROSE[$key]=$prose
		sample_keys+="$key "
	done < <(sample_rows | sed 's/\t\t/\t-\t/g')
	while IFS=$'\t' read -r key unit range initial help; do
		check_sample "$key" "$unit" "$range" "$initial" "$help"
		table_keys+="$key "
	done < <(table_rows "$BINARY")
	expect_equal "$SAMPLE has the keys of the option table, in its order" "$table_keys" "$sample_keys"
}

check_readme() {
	local difference
	if [[ ! -f README.md ]] || ! grep -qx '<!-- options -->' README.md || ! grep -qx '<!-- /options -->' README.md; then
		not_ok "README.md has the option table" \
			"put the lines <!-- options --> and <!-- /options --> there, and between them what tests/style/options.sh --markdown prints"
		return
	fi
	if difference=$(diff <(markdown "$BINARY") <(readme_table)); then
		ok "README.md has the option table"
	else
		not_ok "README.md has the option table" "put there what tests/style/options.sh --markdown prints" "$difference"
	fi
}

# The build takes all files of the control schema, in the order of their names.
check_parts() {
	expect_equal "conf/meson.build has the files of conf/control, sorted" "$(cd conf && printf '%s\n' control/*.sql)" \
		"$(sed -nE "s/^ *'(control\/.*\.sql)'.*/\1/p" conf/meson.build)"
}

# A knob of a job's row has the range of the config's: ('batch_ms', job.batch_ms, 1, 10000, 'ms').
check_control() {
	local key unit range initial help knob said
	while IFS=$'\t' read -r key unit range initial help; do
		knob=${key#defaults.}
		if [[ $knob == "$key" || $knob == synchronous_commit ]]; then
			continue
		fi
		said=$(sed -nE "s/^\t*\('$knob', job\.$knob(::bigint)?, ([0-9]+)(::bigint)?, ([0-9]+)(::bigint)?, .*/\2 to \4/p" "$CONTROL")
		expect_equal "$CONTROL: $knob has the config's range" "$range" "$said"
	done < <(table_rows "$BINARY")
}

MARKDOWN=""
if [[ ${1:-} == --markdown ]]; then
	MARKDOWN=yes
	shift
fi
BINARY=${1:-${BACKFILLD:-$(find_binary)}}
if [[ -n $MARKDOWN ]]; then
	markdown "${BINARY:?give the path of the built backfilld}"
	exit
fi

trap 'tap_end $?' EXIT
if [[ -z $BINARY ]]; then
	skip_all "no backfilld built: give its path"
elif [[ ! -x $BINARY ]]; then
	give_up "$BINARY is there" "build it first"
fi
if [[ -z $(table_rows "$BINARY") ]]; then
	give_up "--help describes the options" "no line \"  key  unit  range  default\", or nothing under it"
fi
check_samples
check_control
check_parts
check_readme
