#!/usr/bin/env bash
# The views and functions beside backfill.job.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster
job=$(enqueue shop_owner main orders v text)

# daemon_writes ASSIGNMENTS: what a daemon would write to the job.
daemon_writes() {
	sql -U backfilld main "UPDATE backfill.job SET $1 WHERE id = $job; UPDATE backfill.daemon_seen SET last_seen = clock_timestamp()"
}

# The bar
expect_sql "the bar before the fill" "░░░░░░░░░░   0.0 %" "SELECT progress FROM backfill.status"
while IFS='|' read -r stage blocks total bar; do
	daemon_writes "stage = '$stage', resume_stage = CASE '$stage' WHEN 'failed' THEN 'filling' END, blocks_done = $blocks, blocks_total = $total"
	expect_sql "the bar: $stage, $blocks of $total" "$bar" "SELECT progress FROM backfill.status WHERE id = $job"
done <<'BARS'
planning|0|NULL|░░░░░░░░░░   0.0 %
filling|0|0|░░░░░░░░░░   0.0 %
filling|613|1000|██████░░░░  61.3 %
filling|9999|10000|█████████░  99.9 %
filling|10000|10000|█████████░  99.9 %
filling|20000|10000|█████████░  99.9 %
failed|613|1000|██████░░░░  61.3 %
sealing|0|NULL|█████████░  99.9 %
done|0|NULL|██████████ 100.0 %
rolled_back|10|10|░░░░░░░░░░   0.0 %
BARS

# Who serves
daemon_writes "stage = 'filling', waiting_for = 'replica standby1 is 1.4 s behind'"
expect_sql "nobody serves" "no daemon serves this database" "SELECT waiting_for FROM backfill.status"
sql -U backfilld main "INSERT INTO backfill.daemon_seen (holder, version, pid, last_seen) VALUES ('here', '1', 1, clock_timestamp() - interval '20 s')"
expect_sql "one that has not been seen for long does not count" "no daemon serves this database|f" "SELECT waiting_for, serving FROM backfill.status, backfill.daemon"
sql -U backfilld main "UPDATE backfill.daemon_seen SET last_seen = clock_timestamp()"
expect_sql "somebody serves" "replica standby1 is 1.4 s behind|t" "SELECT waiting_for, serving FROM backfill.status, backfill.daemon"

daemon_writes "stage = 'done'"
expect_sql "a wish without effect is not kept" run -U shop_owner "UPDATE backfill.job SET wanted = 'pause' RETURNING wanted"
# A failed job is sent off again by naming wanted, also with the value it has
daemon_writes "stage = 'failed', resume_stage = 'filling', error = 'division by zero', error_code = '22012', error_hint = 'see to it', finished_at = now()"
expect_sql "naming another column does not" failed -U shop_owner "UPDATE backfill.job SET note = 'x' RETURNING stage"
expect_sql "run does" "filling||||" -U shop_owner "UPDATE backfill.job SET wanted = 'run' RETURNING stage, error, error_code, error_hint, finished_at"
expect_sql "it is told" "steer|stage: from failed to filling" "SELECT kind, detail FROM backfill.event ORDER BY id DESC LIMIT 1"
daemon_writes "stage = 'failed', resume_stage = 'filling'"
expect_sql "what the daemon writes does not wake it" failed "SELECT stage FROM backfill.job"

# Who listens hears of everything
heard=$(sql -U shop_owner main <<SQL
LISTEN backfill;
UPDATE backfill.job SET batch_ms = 20;
SET ROLE NONE;
SQL
)
expect_match "a change is notified" "\"backfill\" with payload \"\{\"job\":$job,\"stage\":\"failed\"\}\"" "$heard"
heard=$(psql_at main -U backfilld -Atq -c "LISTEN backfill" -c "UPDATE backfill.job SET stage = 'sealing'" -c "UPDATE backfill.job SET stage = 'sealing', rows_filled = 3" -c "SELECT 1")
expect_equal "a move is notified once, progress never" 1 "$(grep -c "{\"job\":$job,\"stage\":\"sealing\"}" <<<"$heard")"

# Holds
expect_error "no hold" 55000 "job $job is at no hold.*stage sealing.*waiting_for" -U shop_owner "SELECT backfill.proceed($job)"
expect_error "no job" 42704 'there is no job 999.*backfill.status' -U shop_owner "SELECT backfill.proceed(999)"
sql -U shop_owner main "UPDATE backfill.job SET hold_before = '{fill,seal}'"
daemon_writes "held_at = 'fill'"
expect_sql "a hold is let go" fill -U shop_owner "SELECT backfill.proceed($job)"
expect_sql "and kept in mind" "{fill}" "SELECT released FROM backfill.job"
expect_error "once" 55000 'at no hold.*before fill has been let go already' -U shop_owner "SELECT backfill.proceed($job)"
daemon_writes "held_at = 'seal'"
expect_sql "the next one is another" seal -U boss "SELECT backfill.proceed($job)"
expect_sql "it is told, by whom" "boss|released: from {fill} to {fill, seal}" "SELECT actor, detail FROM backfill.event ORDER BY id DESC LIMIT 1"

# Waiting
daemon_writes "stage = 'filling', held_at = NULL, waiting_for = 'replica standby1 is 1.4 s behind'"
expect_sql "a stage that is reached" "" -U shop_owner "CALL backfill.wait_for('main', 'filling', '1 s')"
expect_sql "a stage that is passed" "" -U shop_owner "CALL backfill.wait_for('main', 'adding', NULL)"
expect_error "in time" 57014 'did not reach stage done in time.*stage filling, waiting: replica standby1.*longer timeout' -U shop_owner "CALL backfill.wait_for('main', 'done', '50 ms')"
expect_error "inside a transaction block" 25001 'inside a transaction block.*horizon.*CALL it on its own' -U shop_owner "BEGIN; CALL backfill.wait_for('main', 'done', '1 s')"
expect_error "an unknown name" 42704 "no job named 'none'.*Commit the INSERT" -U shop_owner "CALL backfill.wait_for('none', 'done', '1 s')"
expect_error "an unknown stage" 22023 "not a stage that can be waited for.*queued, planning" -U shop_owner "CALL backfill.wait_for('main', 'failed', '1 s')"
psql_at main -U shop_owner -Atq -c "CALL backfill.wait_for('main', 'sealing', '60 s')" >"$WORK/waited" 2>&1 &
waiter=$!
wait_until 20 "somebody waits" "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'CALL backfill.wait_for%' AND wait_event = 'PgSleep')"
daemon_writes "stage = 'sealing'"
let_go=0
wait "$waiter" || let_go=$?
expect_match "who waits is told what for, and let go" "^0 NOTICE:  job [0-9]+ 'main' is in stage filling(, waiting: [^:]*)?\$" "$let_go $(<"$WORK/waited")"
daemon_writes "stage = 'failed', resume_stage = 'sealing', error = 'division by zero', error_code = '22012', error_hint = 'See to row 7.'"
expect_error "a failed job" P0001 'will not reach stage done: it is failed.*division by zero \(SQLSTATE 22012\).*See to row 7\. UPDATE' -U shop_owner "CALL backfill.wait_for('main', 'done', '9 s')"

# The story
sql -U backfilld main "INSERT INTO backfill.event (job_id, name, kind, stage, detail, statement, lock_wait_ms, duration_ms, rows)
	VALUES ($job, 'main', 'outcome', 'adding', 'column added', 'ALTER TABLE x', 12, 15, NULL)"
expect_sql "reads well" "adding|outcome: column added; ALTER TABLE x; waited 12 ms for the lock; took 15 ms" \
	-U alice "SELECT stage, what FROM backfill.history('main') ORDER BY at DESC LIMIT 1"
expect_sql "by number as well" t -U alice "SELECT count(*) > 3 FROM backfill.history($job)"
expect_sql "is summed up" "main|1|00:00:00.012|0" -U alice "SELECT name, statements, lock_waits, errors FROM backfill.job_summary"

# Deleting
daemon_writes "stage = 'sealing'"
expect_error "a live job stays" 55000 "job $job is live and cannot be deleted.*stage sealing.*cancel" -U shop_owner "DELETE FROM backfill.job"
daemon_writes "stage = 'done', finished_at = now() - interval '2 days'"
other=$(enqueue shop_owner other orders w text)
after=$(sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, depends_on) VALUES ('after', 'orders', 'x', 'text', '{main}') RETURNING id")
expect_sql "purge leaves what a live job waits for" 0 -U shop_owner "SELECT backfill.purge('1 day')"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel' WHERE id = $after; DELETE FROM backfill.job WHERE id = $after"
expect_sql "purge takes what ended long ago" 1 -U shop_owner "SELECT backfill.purge('1 day')"
expect_sql "and nothing else" "$other" "SELECT id FROM backfill.job"
expect_error "purge needs an age" 22023 'purge\(\) needs an age.*30 days' -U shop_owner "SELECT backfill.purge(NULL)"
expect_sql "events stay" "shop_owner|deleted: column v of table public.orders" "SELECT actor, detail FROM backfill.event WHERE job_id = $job ORDER BY id DESC LIMIT 1"
expect_error "a queued job is cancelled first" 55000 "wanted = 'cancel' WHERE id = $other" -U shop_owner "DELETE FROM backfill.job"
sql -U backfilld main "UPDATE backfill.job SET stage = 'failed', resume_stage = 'filling'"
expect_error "so is a failed one" 55000 "in stage failed.*what it has made so far.*wanted = 'cancel' WHERE id = $other.*roll_back" -U shop_owner "DELETE FROM backfill.job"
sql -U backfilld main "UPDATE backfill.job SET stage = 'cancelled', resume_stage = 'filling'"
expect_sql "once it is cancelled it can" "$other" -U shop_owner "DELETE FROM backfill.job RETURNING id"

# By hand: what as_sql writes does what the job says, sketched or planned
steps_of() {
	sed -n 's/^-- \([0-9]*\)\. .*/\1/p' "$1" | tr '\n' ' '
}

# by_hand KIND: runs the scripts of the two jobs and looks at the table.
by_hand() {
	local name
	for name in filled derived; do
		sql -U shop_owner main "SELECT backfill.as_sql(id) FROM backfill.job WHERE name = '$name'" >"$WORK/$name.sql"
		check "$1: the script of $name can be run" psql_at main -U shop_owner -q -f "$WORK/$name.sql"
		expect_equal "$1: the steps of $name are numbered without gaps" "$(seq -s ' ' "$(steps_of "$WORK/$name.sql" | wc -w)") " "$(steps_of "$WORK/$name.sql")"
	done
	expect_sql "$1: it fills" "abcdefghi|t" "SELECT string_agg(\"Low Er\", '' ORDER BY id), (SELECT attnotnull FROM pg_attribute WHERE attrelid = '\"Odd Name\"'::regclass AND attname = 'Low Er') FROM \"Odd Name\""
	expect_sql "$1: and leaves no trigger but those of derive" "$2" "SELECT count(*) FROM pg_trigger WHERE tgrelid = '\"Odd Name\"'::regclass"
	# shellcheck disable=SC2016 # $$ is SQL's
	sql -U shop_owner main 'INSERT INTO public."Odd Name" (id, n, "Low Er") VALUES (10, 50, $$x$$); UPDATE public."Odd Name" SET n = 7 WHERE id = 1'
	expect_sql "$1: derive stays and computes" "14.00\$body\$ 4.00\$body\$ 100.00\$body\$" "SELECT string_agg(twice, ' ' ORDER BY id) FROM \"Odd Name\" WHERE id IN (1, 2, 10)"
}

odd_table() {
	sql -U shop_owner main 'DROP TABLE IF EXISTS public."Odd Name"; CREATE TABLE public."Odd Name" (id int PRIMARY KEY, email text, n numeric(10,2)); INSERT INTO public."Odd Name" SELECT i, chr(64 + i), i FROM generate_series(1, 9) i'
	# shellcheck disable=SC2016 # dollar quotes are SQL's
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, \"collation\", value, default_expr, fill_where, not_null, sync, hold_before) VALUES
		('filled', '\"Odd Name\"', 'Low Er', 'text', 'C', 'lower(email) -- of course', '''none''', 'id < 100', true, 'auto', '{add}'),
		('derived', '\"Odd Name\"', 'twice', 'text', NULL, '(\"Odd Name\".n * 2)::text || ''\$body\$'' || substr(''\$byhand0\$'', 10)', NULL, NULL, false, 'derive', '{add}')"
}

odd_table
expect_match "a job that is not planned says so" 'not planned yet: this is a sketch' \
	"$(sql -U shop_owner main "SELECT backfill.as_sql(id) FROM backfill.job WHERE name = 'filled'")"
by_hand sketched 1
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel' WHERE name IN ('filled', 'derived'); DELETE FROM backfill.job WHERE name IN ('filled', 'derived')"
odd_table
daemon_start daemon
for name in filled derived; do
	wait_until 20 "$name is planned and held" "(SELECT held_at = 'add' FROM backfill.job WHERE name = '$name')"
done
daemon_stop daemon
expect_match "a planned one has the daemon's statements" 'those of backfill.plan_step.*backfill_fill_[0-9]+\(\)' \
	"$(sql -U shop_owner main "SELECT backfill.as_sql(id) FROM backfill.job WHERE name = 'filled'")"
expect_sql "... but for what only the daemon needs" f "SELECT backfill.as_sql(id) LIKE '%GRANT SELECT ON SEQUENCE%' FROM backfill.job WHERE name = 'filled'"
by_hand planned 2
expect_error "no such job" 42704 'there is no job 999' -U alice "SELECT backfill.as_sql(999)"
