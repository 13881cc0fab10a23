#!/usr/bin/env bash
# Killed at every step of an ordinary job: a column with a default, filled by value, then NOT NULL; also where the column was there.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$TOP/tests/server/faults_lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"
# shellcheck source=tests/server/crash_lib.sh
. "$TOP/tests/server/crash_lib.sh"

crash_world

crash_table "CREATE TABLE {t} (id int PRIMARY KEY, name text); INSERT INTO {t} SELECT g, 'n' || g FROM generate_series(1, 200) g"
crash_job column_name=v column_type=text value='upper(name)' default_expr="'new'" not_null=true
crash_right "SELECT count(*) = 200 AND bool_and(v = upper(name)) FROM {t}"
crash_kind plain roll_back cancel abandon

crash_table "CREATE TABLE {t} (id int PRIMARY KEY, name text, v text); INSERT INTO {t} SELECT g, 'n' || g, CASE WHEN g % 2 = 0 THEN 'old' END FROM generate_series(1, 200) g"
crash_job column_name=v value='upper(name)' default_expr="'new'" not_null=true
crash_right "SELECT count(*) = 200 AND bool_and(v = CASE WHEN id % 2 = 0 THEN 'old' ELSE upper(name) END) FROM {t}"
crash_rows id, name # what was filled stays
crash_kind adopted cancel roll_back
