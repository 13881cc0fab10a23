#!/usr/bin/env bash
# kill -9 at random moments around adding and sealing: whatever was done of them is found in the catalogue.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

cluster_start main
daemon_install
sql -U shop_owner main "CREATE TABLE t (id int PRIMARY KEY, body text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 2000) g; ANALYZE t"
SECONDS_MOST=${SECONDS_MOST:-20}
end=$((SECONDS + SECONDS_MOST))
jobs=0
while ((SECONDS < end)); do
	jobs=$((jobs + 1))
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, default_expr, not_null)
		VALUES ('j$jobs', 't', 'c$jobs', 'text', 'upper(body)', '''new''', true)"
	kill_until "j$jobs" "done"
done
note "$KILLS kills in $jobs jobs"
check "there were kills ($KILLS) and jobs ($jobs)" test "$KILLS" -gt "$jobs"
expect_sql "no job failed" 0 "SELECT count(*) FROM backfill.job WHERE stage <> 'done'"
wrong=""
for ((i = 1; i <= jobs; i++)); do
	wrong+=$(sql main "SELECT 'c$i' FROM t WHERE c$i IS DISTINCT FROM 'X' LIMIT 1")
done
expect_equal "every row has every value" "" "$wrong"
expect_sql "every column is NOT NULL and has its default" 0 "SELECT count(*) FROM pg_attribute
	WHERE attrelid = 't'::regclass AND attname LIKE 'c%' AND attnum > 2 AND NOT (attnotnull AND atthasdef)"
expect_sql "no constraint, trigger or function of ours is left" 0 \
	"SELECT (SELECT count(*) FROM pg_constraint WHERE conname LIKE 'backfill%') + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~%') +
	        (SELECT count(*) FROM pg_proc WHERE proname LIKE 'backfill\_%' AND pronamespace = 'public'::regnamespace)"
expect_sql "every column was added once" 0 \
	"SELECT count(*) FROM (SELECT job_id FROM backfill.event WHERE kind = 'statement' AND detail = 'add the column' GROUP BY 1 HAVING count(*) > 1) AS twice"
