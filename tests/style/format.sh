#!/usr/bin/env bash
# How files look: clang-format, what .editorconfig asks for, shellcheck, and nothing left lying about.
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
trap 'tap_end $?' EXIT

# Files of ours whose names match one of the patterns.
files() {
	local pattern match=()
	for pattern in "$@"; do
		match+=(-o -name "$pattern")
	done
	find . \( -name '.git' -o -path './build*' -o -path './subprojects' \) -prune \
		-o -type f \( "${match[@]:1}" \) -print | sed 's|^\./||' | LC_ALL=C sort
}

# no_line WHAT REGEX FILE…: a check that no line of the files matches.
no_line() {
	local what=$1 regex=$2 found
	shift 2
	found=$(grep -nHIE -e "$regex" -- "$@" /dev/null || true)
	if [[ -z $found ]]; then
		ok "$what"
	else
		not_ok "$what" "$found"
	fi
}

first_of() {
	local name
	for name in "$@"; do
		if type -P "$name"; then
			return
		fi
	done
	return 1
}

check_c() {
	local tool file
	if ! tool=$(first_of clang-format-14 clang-format); then
		skip_one "C files are laid out as .clang-format says" "no clang-format here"
		return
	fi
	while read -r file; do
		check "$file is laid out as .clang-format says" "$tool" --dry-run -Werror "$file"
	done < <(files '*.c' '*.h')
}

# What a formatter does to comments, and files that have become too long; the house aims at 400 lines.
check_comments_and_lengths() {
	local sources file lines long=()
	mapfile -t sources < <(files '*.c' '*.h')
	no_line "no head comment is broken by a formatter" '^ \*[^[:blank:]/]' "${sources[@]}"
	mapfile -t sources < <(printf '%s\n' "${sources[@]}" | grep -E '^(daemon|common)/')
	for file in "${sources[@]}" conf/control/*.sql; do
		lines=$(wc -l <"$file")
		if ((lines > 500)); then
			long+=("$file has $lines")
		fi
	done
	expect_equal "no file of daemon/, common/ or conf/control/ is longer than 500 lines (aim at 400)" "" "$(printf '%s\n' "${long[@]}")"
}

check_shell() {
	local file scripts said
	mapfile -t scripts < <(files '*.sh' 'run' | grep -E '\.sh$|^\.ci/run$')
	for file in "${scripts[@]}"; do
		check "$file parses" bash -n "$file"
	done
	if ! first_of shellcheck >/dev/null; then
		skip_one "shell files pass shellcheck" "no shellcheck here"
		return
	fi
	# Each by itself: with all that it sources, which is checked as well, each takes ten times as long.
	said=$(mktemp -d)
	# shellcheck disable=SC2016 # expanded by the inner shell
	printf '%s\0' "${scripts[@]}" |
		SAID=$said xargs -0 -n 1 -P "$(nproc)" bash -c 'shellcheck -e SC1091 "$0" >"$SAID/${0//\//+}" 2>&1' || true
	for file in "${scripts[@]}"; do
		expect_equal "$file passes shellcheck" "" "$(cat "$said/${file//\//+}")"
	done
	rm -r "$said"
}

check_blanks() {
	local every tabbed spaced file last bare=()
	mapfile -t every < <(files '*')
	mapfile -t tabbed < <(files '*.sh')
	mapfile -t spaced < <(files '*.yaml' '*.yml' 'meson.build')
	no_line "no line ends with a blank" '[[:blank:]]$' "${every[@]}"
	no_line "no carriage returns" $'\r' "${every[@]}"
	no_line "shell files are indented by tabs" '^ ' "${tabbed[@]}"
	no_line "YAML and meson files are indented by blanks" $'^ *\t' "${spaced[@]}"
	for file in "${every[@]}"; do
		last=$(tail -c 1 "$file" | od -An -c)
		if [[ -s $file && $last != *'\n'* ]]; then
			bare+=("$file")
		fi
	done
	expect_equal "every file ends with a line end" "" "${bare[*]:-}"
}

# The patterns are written so that this file does not match them itself.
check_leftovers() {
	local every
	mapfile -t every < <(files '*')
	no_line "no marks of unfinished work" '\b(TO''DO|FIX''ME|X''XX|HA''CK)\b|^(<''<<<<<<|>''>>>>>>) ' "${every[@]}"
	no_line "no paths of one machine" '(^|[^[:alnum:]_./])/(wo''rk|ho''me|ro''ot|mn''t)/[a-z]' "${every[@]}"
}

check_c
check_comments_and_lengths
check_shell
check_blanks
check_leftovers
