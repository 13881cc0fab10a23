#!/usr/bin/env bash
# Killed at every step of a job on a partitioned table, with NOT NULL, a foreign key and an index.
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

sql -U shop_owner main "CREATE TABLE org (id int PRIMARY KEY); INSERT INTO org SELECT generate_series(0, 200)"

crash_table "CREATE TABLE {t} (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
	CREATE TABLE {t}a PARTITION OF {t} FOR VALUES FROM (0) TO (100);
	CREATE TABLE {t}b PARTITION OF {t} FOR VALUES FROM (100) TO (1000) PARTITION BY RANGE (id);
	CREATE TABLE {t}c PARTITION OF {t}b FOR VALUES FROM (100) TO (1000);
	INSERT INTO {t} SELECT g, 'n' || g FROM generate_series(1, 200) g"
crash_job column_name=v column_type=int value='id % 200' default_expr=7 not_null=true foreign_key='org(id)' index=btree
crash_right "SELECT count(*) = 200 AND bool_and(v = id % 200) FROM {t}"
crash_kind partitioned roll_back cancel
