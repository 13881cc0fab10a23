#!/usr/bin/env bash
# What a job leaves behind: its plan, its story, and in the user's schema nothing but the column. The server's own log
# tells what was really done to the table.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world log_statement=ddl
sql main "ALTER ROLE backfilld_shop SET log_min_messages = debug1" # the server tells of rewrites and scans
sql -U shop_owner main "
	CREATE TABLE shop (id int PRIMARY KEY, name text, n int);
	INSERT INTO shop SELECT g, 'n' || g, g FROM generate_series(1, 30000) g;
	CREATE INDEX ON shop (md5(name));
	CREATE TABLE quiet (id int PRIMARY KEY, name text); INSERT INTO quiet SELECT g, 'n' || g FROM generate_series(1, 100) g;
	ANALYZE shop, quiet"
node="SELECT pg_relation_filenode('shop'), pg_relation_filenode('quiet')"
catalogue="SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace) || ' relations, '
	|| (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) || ' functions, '
	|| (SELECT count(*) FROM pg_constraint WHERE contype <> 'n') || ' constraints, ' || (SELECT count(*) FROM pg_trigger) || ' triggers, '
	|| (SELECT count(*) FROM pg_type) || ' types, ' || (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast_temp)') || ' schemas, '
	|| (SELECT count(*) FROM pg_class WHERE relpersistence = 't') || ' temporary'"
before=$(sql main "$catalogue")
node_before=$(sql main "$node")
daemon_start

enqueue fill table_name=shop column_name=f column_type=text value='upper(name)' not_null=true hold_before='{add}' note='ticket 7'
jobs_settle 20
expect_sql "the plan is there before anything is touched" "t|f|0" "SELECT count(*) > 0, bool_or(rewrites_table), count(*) FILTER (WHERE scans_table AND blocks_reads)
	FROM backfill.plan_step WHERE job_id = $(job_id fill)"
expect_equal "... and planning itself leaves nothing" "$before" "$(sql main "$catalogue")"
plan=$(sql main "SELECT string_agg(statement, E'\n' ORDER BY step) FROM backfill.plan_step WHERE job_id = $(job_id fill) AND lock_mode <> 'ROW EXCLUSIVE'")
plan=${plan//(its name)/shop_f_not_null} # 18 chooses it
sql -U shop_owner main "SELECT backfill.proceed($(job_id fill))" >/dev/null
jobs_settle 40
expect_done fill
expect_sql "what was done is what was planned, statement by statement" "$plan" "SELECT string_agg(statement, E'\n' ORDER BY id) FROM backfill.event WHERE name = 'fill' AND kind = 'statement'"
expect_equal "nothing but the column is left" "$before" "$(sql main "$catalogue")"

enqueue constant table_name=shop column_name=c column_type=text default_expr="'x'" not_null=true
enqueue volatile table_name=quiet column_name=r column_type='double precision' default_expr='random()' not_null=true
enqueue derive table_name=shop column_name=d column_type=text value='lower(name)' sync=derive
enqueue bare table_name=quiet column_name=b column_type=int
enqueue adopted table_name=shop column_name=n value='id'
enqueue failing table_name=shop column_name=z column_type=int value='1 / (id - 20000)'
jobs_settle 60
expect_done constant volatile derive bare adopted
expect_failed "one that fails" failing filling 'division by zero'

expect_sql "every statement has an intent before and an outcome after, in turn" "" "
	SELECT concat_ws(' ', name, id, kind, statement)
	  FROM (SELECT *, lag(kind) OVER w AS former, lag(statement) OVER w AS former_statement, lead(kind) OVER w AS following
	          FROM backfill.event WHERE kind IN ('intent', 'statement', 'vacuum') WINDOW w AS (PARTITION BY job_id, statement ORDER BY id)) e
	 WHERE kind <> 'intent' AND (former IS DISTINCT FROM 'intent' OR former_statement IS DISTINCT FROM statement)
	    OR kind = 'intent' AND coalesce(following, '') NOT IN ('statement', 'vacuum')"
expect_sql "outcomes tell how long was waited and how long it took" 0 "SELECT count(*) FROM backfill.event WHERE kind = 'statement' AND (lock_wait_ms IS NULL OR duration_ms IS NULL)"
expect_sql "every job was planned, and no planned step rewrites, or scans under a lock that blocks readers" "0|0" "
	SELECT (SELECT count(*) FROM backfill.job j WHERE NOT EXISTS (SELECT FROM backfill.plan_step p WHERE p.job_id = j.id)),
	       (SELECT count(*) FROM backfill.plan_step WHERE rewrites_table OR scans_table AND blocks_reads)"
expect_sql "each move is on record, in order" "planning,adding,filling,sealing,analyzing,done" \
	"SELECT string_agg(stage, ',' ORDER BY id) FROM backfill.event WHERE name = 'fill' AND kind = 'stage'"
expect_sql "a stage with nothing to do is passed over" "planning,adding,sealing,analyzing,done" \
	"SELECT string_agg(stage, ',' ORDER BY id) FROM backfill.event WHERE name = 'constant' AND kind = 'stage'"
expect_sql "windows tell the rows that were filled" "30000|30000" "SELECT (SELECT sum(rows) FROM backfill.event WHERE name = 'fill' AND kind = 'window'), rows_filled FROM backfill.job WHERE name = 'fill'"
expect_sql "the last sweep found nothing" "t" "SELECT detail ~ 'no pending row' FROM backfill.event WHERE name = 'fill' AND kind = 'sweep' ORDER BY id DESC LIMIT 1"
expect_sql "an error is on record" t "SELECT count(*) = 1 FROM backfill.event WHERE name = 'failing' AND kind = 'error' AND detail ~ 'ctid.*division by zero'"
expect_sql "vacuums of ours are on record" t "SELECT (SELECT count(*) FROM backfill.event WHERE kind = 'vacuum') >= (SELECT max(vacuum_count) FROM pg_stat_user_tables WHERE relname = 'shop')"
expect_match "the story can be read" 'asked for column f.*ADD COLUMN.*done' "$(sql -U shop_owner main "SELECT string_agg(h::text, E'\n') FROM backfill.history('fill') h")"
expect_sql "status is at its end" "100.0 %" "SELECT btrim(split_part(progress, ' ', 2) || ' %') FROM backfill.status WHERE name = 'fill'"
expect_sql "no job has a time that cannot be" 0 "SELECT count(*) FROM backfill.job WHERE started_at < requested_at OR finished_at < started_at OR finished_at IS NULL OR blocks_done > blocks_total"
expect_sql "no claim, no session of ours is left" "0|0" "SELECT (SELECT count(*) FROM backfill.claim), (SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^backfilld job')"

# What the server says was done.
log=$(cluster_log main)
expect_equal "no table was rewritten" "$node_before" "$(sql main "$node")"
expect_equal "... nor scanned by any ALTER TABLE but VALIDATE: NOT NULL was proved by the valid CHECK" "" \
	"$(awk '/ execute / { last[$4] = $0 } /(rewriting|verifying) table "(shop|quiet)"/ && last[$4] !~ /VALIDATE CONSTRAINT/ { print last[$4] }' "$log")"
# Since 18 NOT NULL is itself added NOT VALID.
expect_equal "... each time" "$(sql main "SELECT CASE WHEN current_setting('server_version_num')::int < 180000 THEN 3 ELSE 0 END")" "$(grep -c 'existing constraints on column .* are sufficient to prove' "$log")"
ours() {
	grep -E 'backfilld_shop@shop.* execute [^:]*: (ALTER|CREATE (FUNCTION|TRIGGER)|DROP)' "$log" | grep -cv 'pg_temp\.'
}
expect_sql "each catalogue change in the server's log is in backfill.event" "$(ours)" "
	SELECT count(*) FROM backfill.event e, LATERAL regexp_matches(e.statement, '^(ALTER|CREATE FUNCTION|CREATE TRIGGER|DROP|REVOKE) ', 'gn') m
	 WHERE e.kind = 'statement' AND m[1] <> 'REVOKE'"
expect_sql "the control login has changed no catalogue" 0 "SELECT $(grep -cE ' backfilld@shop.*(ALTER|CREATE|DROP) ' <(grep -v 'IF NOT EXISTS\|backfill\.' "$log") || true)"
expect_sql "the trigger that stays is derive's" 1 "SELECT count(DISTINCT tgfoid) FROM pg_trigger WHERE tgname LIKE '~backfill%' AND tgrelid = 'shop'::regclass
	AND tgfoid NOT IN (SELECT ('public.backfill_fill_' || id || '()')::regprocedure FROM backfill.job WHERE name = 'failing')"
sql -U shop_owner main "DELETE FROM backfill.job WHERE name = 'fill'"
expect_sql "a deleted job's story stays" t "SELECT count(*) > 20 FROM backfill.history('fill')"
daemon_stop
