#!/usr/bin/env bash
# The README's table of features has a row for each that tests/server/matrix_*.sh try, and says of each version what happened.
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
trap 'tap_end $?' EXIT

# The table's rows without what they say of the versions.
names() {
	grep '^|' | sed -E 's/ \|( [^|]* \|){5}$//'
}

table=$(sed -n '/^<!-- matrix -->$/,/^<!-- \/matrix -->$/p' README.md | grep '^|' || true)
if difference=$(diff <(tests/lib/matrix.sh --markdown /nowhere | names) <(names <<<"$table")); then
	ok "README.md names the features that the tests try"
else
	not_ok "README.md names the features that the tests try" \
		"tests/run.sh --suite server, then tests/lib/matrix.sh --write build-gcc/matrix" "$difference"
fi
odd=$(grep -v -E '^\| (---|[^|]*) \|( (---|1[4-8]|✓|not run|\*\*failed\*\*) \|){5}$' <<<"$table" || true)
expect_equal "... and says of each version ✓, not run, or what was wrong" "" "$odd"
doubled=$(tests/lib/matrix.sh --features | sort | uniq -d)
expect_equal "no feature is named twice" "" "$doubled"
