#!/usr/bin/env bash
# The README's table of features and server versions.
#
#	tests/lib/matrix.sh --features         the features of tests/server/matrix_*.sh, a line each: SCRIPT TAB FEATURE
#	tests/lib/matrix.sh --markdown FOLDER  the table, from the results that $BACKFILLD_MATRIX=FOLDER got of those scripts
#	tests/lib/matrix.sh --write FOLDER     the same, put into the README between its two marks
#
# tests/run.sh leaves its results in build-gcc/matrix. What did not run has no tick.
set -euo pipefail

TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/packages.sh
. "$TOP/tests/lib/packages.sh"
# shellcheck source=tests/lib/versions.sh
. "$TOP/tests/lib/versions.sh"

declare -A TITLES=([matrix_columns]="Columns, constraints, indexes" [matrix_tables]="Tables" [matrix_ways]="Ways through a job's life")

features() {
	local file
	for file in "$TOP"/tests/server/matrix_*.sh; do
		sed -n -E "s/^feature \"(.*)\"\$/$(basename "$file" .sh)\t\1/p" "$file"
	done
}

# What happened to a feature, as the table says it.
cell() {
	case $1 in
	ok) echo "✓" ;;
	"") echo "not run" ;;
	*) echo "**$1**" ;;
	esac
}

markdown() {
	local -A outcome=()
	local file version script result feature last=""
	for file in "$1"/[0-9]*; do
		if [[ -f $file ]]; then
			while IFS=$'\t' read -r version script result feature; do
				outcome["$version $script $feature"]=$result
			done <"$file"
		fi
	done
	while IFS=$'\t' read -r script feature; do
		if [[ $script != "$last" ]]; then
			printf '%s| %s |%s\n| --- |%s\n' "${last:+$'\n'}" "${TITLES[$script]}" "$(printf ' %s |' "${VERSIONS[@]}")" "$(printf ' --- |%.0s' "${VERSIONS[@]}")"
			last=$script
		fi
		printf '| %s |' "$feature"
		for version in "${VERSIONS[@]}"; do
			printf ' %s |' "$(cell "${outcome["$version $script $feature"]:-}")"
		done
		printf '\n'
	done < <(features)
}

write() {
	local readme=$TOP/README.md
	markdown "$1" >"$readme.table"
	awk -v table="$readme.table" '
		/^<!-- matrix -->$/ { print; print ""; while ((getline line < table) > 0) print line; print ""; inside = 1 }
		/^<!-- \/matrix -->$/ { inside = 0 }
		!inside { print }
		inside && /^<!-- matrix -->$/ { next }' "$readme" >"$readme.new"
	rm "$readme.table"
	mv "$readme.new" "$readme"
}

case ${1:-} in
--features) features ;;
--markdown) markdown "${2:?the folder of the results}" ;;
--write) write "${2:?the folder of the results}" ;;
*)
	sed -n '2,/^set/{/^#/p}' "$0"
	exit 2
	;;
esac
