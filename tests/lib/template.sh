#!/usr/bin/env bash
# template.sh FOLDER: makes there what BACKFILLD_CLUSTER may be (tests/lib/cluster.sh).
set -euo pipefail

TOP=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/tap.sh
. "$TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/cluster.sh
. "$TOP/tests/lib/cluster.sh"

trap work_end EXIT
work_begin
unset BACKFILLD_CLUSTER
cluster_template "$1"
