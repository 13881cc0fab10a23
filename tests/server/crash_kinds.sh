#!/usr/bin/env bash
# Killed at every step: derived, identity, and a field of a document.
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
crash_job column_name=v column_type=text value='upper(name)' sync=derive not_null=true
crash_right "SELECT count(*) = 200 AND bool_and(v = upper(name)) FROM {t}"
crash_kind derived roll_back cancel

crash_table "CREATE TABLE {t} (id int PRIMARY KEY, name text); INSERT INTO {t} SELECT g, 'n' || g FROM generate_series(1, 200) g"
crash_job column_name=v column_type=bigint identity=always
crash_right "SELECT count(*) = 200 AND count(DISTINCT v) = 200 AND bool_and(v > 0) FROM {t}"
crash_rows id, name
crash_kind identity roll_back cancel
crash_rows x

crash_table "CREATE TABLE {t} (id int PRIMARY KEY, doc jsonb); INSERT INTO {t} SELECT g, jsonb_build_object('n', g) FROM generate_series(1, 200) g"
crash_job column_name=doc field='{a,b}' value="to_jsonb(id * 2)" not_null=true
crash_right "SELECT count(*) = 200 AND bool_and(doc = jsonb_build_object('n', id, 'a', jsonb_build_object('b', id * 2))) FROM {t}"
crash_kind field cancel
