#!/usr/bin/env bash
# Evidence before enforcement: which writes still needed the fill trigger's help, who made them, and letting go by itself.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
sql -U shop_owner main "
	CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT g, 'n' || g FROM generate_series(1, 500) g;
	CREATE TABLE other (LIKE users INCLUDING ALL); INSERT INTO other SELECT * FROM users;
	ANALYZE users, other"
# evidence NAME: what the row says
evidence() {
	sql main "SELECT helped, last_helped_at IS NOT NULL, helped_by FROM backfill.job WHERE name = '$1'"
}
# helped NAME COUNT: waits until so many writes have been told of
helped() {
	wait_until 10 "$2 writes of $1 have needed help" "SELECT helped = $2, helped, helped_by, waiting_for FROM backfill.job WHERE name = '$1'"
	ok "$2 writes of $1 have needed help"
}
# write APP SQL: as the application
write() {
	PGAPPNAME=$1 sql -U shop_app main "$2"
}
daemon_start

note "a hold, without and with writers that forget the column"
enqueue users table_name=users column_name=v column_type=text value="CASE WHEN name <> 'nothing' THEN upper(name) END" hold_before='{seal}'
says users '^held before seal: no write has needed help since [-0-9: ]+; SELECT backfill.proceed\([0-9]+\)$'
job=$(job_id users)
expect_sql "the sequences are the owner's, the daemon reads them" "2|t|t" "SELECT count(*), bool_and(relowner = 'shop_owner'::regrole), bool_and(has_sequence_privilege('backfilld', oid, 'SELECT'))
	FROM pg_class WHERE relkind = 'S' AND relname IN ('backfill_helped_$job', 'backfill_helped_at_$job')"
write mindful "INSERT INTO users VALUES (-1, 'a', 'A'); UPDATE users SET name = 'aa', v = 'AA' WHERE id = -1; UPDATE users SET name = 'bb' WHERE id = 7"
write nothing "INSERT INTO users VALUES (-2, 'nothing')"
session_open checkout main -U shop_app
session_do checkout "SET application_name = 'checkout'; BEGIN; INSERT INTO users VALUES (-3, 'c')" >/dev/null
helped users 1
expect_sql "those who name the column are not counted, nor is a value of NULL" "A|AA|" "SELECT 'A', (SELECT v FROM users WHERE id = -1), (SELECT v FROM users WHERE id = -2)"
expect_equal "the application is named, before it has committed" "1|t|checkout" "$(evidence users)"
says users '^held before seal: last write that needed help less than a minute ago \(app checkout\); SELECT backfill.proceed\([0-9]+\)$'
session_do checkout "ROLLBACK" >/dev/null
write "" "INSERT INTO users VALUES (-4, 'd')" >/dev/null
helped users 2
expect_sql "a write that was rolled back counts: who made it would have broken on NOT NULL" 0 "SELECT count(*) FROM users WHERE id = -3"
session_do checkout "INSERT INTO users VALUES (-5, 'e')" >/dev/null
helped users 3
session_do checkout "UPDATE users SET v = NULL WHERE id IN (8, 9)" >/dev/null
helped users 5
expect_match "a session that is idle again is known, too" '^5\|t\|checkout' "$(evidence users)"
session_close checkout
expect_sql "status shows it" "5|t" "SELECT helped, last_helped_at > now() - interval '1 minute' FROM backfill.status WHERE name = 'users'"
expect_sql "the first one is an event, the others wait for a minute" "1 write needed the trigger's help, the last at T by checkout" "
	SELECT string_agg(regexp_replace(detail, '[-0-9]{10} [0-9:]{8}', 'T'), ',') FROM backfill.event WHERE job_id = $job AND kind = 'evidence'"
sql main "UPDATE backfill.event SET at = at - interval '61 s' WHERE job_id = $job AND kind = 'evidence'"
wait_until 10 "the next one" "SELECT count(*) = 2 FROM backfill.event WHERE job_id = $job AND kind = 'evidence'"
expect_sql "after a minute the next one says how many by then" t "SELECT what ~ '^evidence: 5 writes needed the trigger''s help, the last at .* by checkout' FROM backfill.history('users') WHERE what ~ '5 writes'"
expect_sql "hours are told as hours" "2 h 10 min|59 s|10 min|3 d 4 h" "SELECT backfill.in_words('2 h 10 min 59 s'), backfill.in_words('59.9 s'), backfill.in_words('10 min'), backfill.in_words('76 h')"

note "nothing is written while nothing changes"
helped users 5
before=$(sql main "SELECT xmin FROM backfill.job WHERE id = $job")
enqueue tick table_name=other column_name=tick column_type=text value='upper(name)'
job_reaches tick "done" 20
enqueue tock table_name=other column_name=tock column_type=text value='upper(name)'
job_reaches tock "done" 20
expect_sql "the row of a held job stays as it is" "$before" "SELECT xmin FROM backfill.job WHERE id = $job"

note "a look between the two numbers that a write leaves"
session_open between main -U shop_owner
session_do between "SET application_name = 'between'; SELECT nextval('backfill_helped_$job')" >/dev/null
helped users 6
session_do between "SELECT setval('backfill_helped_at_$job', (1000 * (extract(epoch FROM clock_timestamp()) - 1577836800))::bigint * 4194304 + pg_backend_pid())" >/dev/null
wait_until 10 "who it was is read" "SELECT helped_by ~ 'between', helped_by, last_helped_at FROM backfill.job WHERE name = 'users'"
ok "who it was is not lost"
session_close between

note "seal_after_quiet"
expect_error "it needs somebody who counts" 22023 "sync = none.*HINT: .*sync = 'fill'" -U shop_owner \
	"INSERT INTO backfill.job (table_name, column_name, column_type, sync, value, hold_before, seal_after_quiet) VALUES ('other', 'x', 'int', 'none', '1', '{seal}', '1 h')"
enqueue quiet table_name=other column_name=v column_type=text value='upper(name)' not_null=true hold_before='{seal}' seal_after_quiet='1 h'
says quiet '^held before seal: no write has needed help since [-0-9: ]+; goes on by itself at [-0-9: ]+ at the earliest; SELECT backfill.proceed\([0-9]+\)$'
quiet=$(job_id quiet)
sql -U shop_owner main "REVOKE SELECT ON SEQUENCE public.backfill_helped_$quiet FROM backfilld"
steer quiet "seal_after_quiet = '1 ms'"
says quiet '^held before seal: whether writes still need help cannot be read \(the daemon lacks a privilege: GRANT SELECT ON SEQUENCE .*\), so seal_after_quiet does not let go; SELECT'
expect_sql "it stays held" "seal|{}" "SELECT held_at, released FROM backfill.job WHERE id = $quiet"
steer quiet "seal_after_quiet = '1 h'"
sql -U shop_owner main "GRANT SELECT ON SEQUENCE public.backfill_helped_$quiet TO backfilld; ALTER TABLE other DISABLE TRIGGER \"~backfill_${quiet}_update\""
steer quiet "seal_after_quiet = '1 ms'"
says quiet 'cannot be read \(a fill trigger of the table is gone or disabled\), so seal_after_quiet does not let go'
steer quiet "seal_after_quiet = '1 h'"
sql -U shop_owner main "ALTER TABLE other ENABLE TRIGGER \"~backfill_${quiet}_update\""
# The first write comes before there is anything to be late for.
for i in 1 2 3 4 5 6 7 8; do
	write batch "INSERT INTO other VALUES (-$i, 'forgotten')"
	wait_until 5 "it is counted" "SELECT helped >= $i, helped, stage FROM backfill.job WHERE id = $quiet"
	if ((i == 1)); then
		steer quiet "seal_after_quiet = '3 s'"
	fi
done
expect_sql "it waits while writers need help" "held" "SELECT CASE WHEN held_at = 'seal' AND released = '{}' THEN 'held' ELSE stage END FROM backfill.job WHERE id = $quiet"
last=$(sql main "SELECT last_helped_at FROM backfill.job WHERE id = $quiet")
job_reaches quiet "done" 20
expect_sql "then it lets go by itself, and never before" t "SELECT min(at) - '$last'::timestamptz BETWEEN interval '3 s' AND interval '7 s' FROM backfill.event WHERE job_id = $quiet AND detail LIKE 'let go before seal%'"
expect_sql "and says why" "let go before seal: no write has needed help for T s (seal_after_quiet is 00:00:03)" "
	SELECT regexp_replace(detail, 'for [3-7] s', 'for T s') FROM backfill.event WHERE job_id = $quiet AND detail LIKE 'let go%'"
expect_sql "NOT NULL is enforced, and no row lacks its value" "t|0" "SELECT (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'other'::regclass AND attname = 'v'), (SELECT count(*) FROM other WHERE v IS NULL)"
expect_clean "nothing of ours is left" other

note "a killed daemon, a killed server"
enqueue killed table_name=other column_name=k column_type=text value='upper(name)' not_null=true hold_before='{seal}' seal_after_quiet='1 h'
says killed '^held before seal: no write'
daemon_kill
write batch "UPDATE other SET k = NULL WHERE id = 5"
cluster_kill main
cluster_resume main
write batch "UPDATE other SET k = NULL WHERE id = 6"
daemon_start
wait_until 10 "the evidence is read" "SELECT helped >= 2, helped, waiting_for FROM backfill.job WHERE name = 'killed'"
expect_sql "what was written meanwhile has counted" t "SELECT helped BETWEEN 2 AND 34 AND last_helped_at > now() - interval '1 minute' FROM backfill.job WHERE name = 'killed'"
expect_sql "it is held as before" seal "SELECT held_at FROM backfill.job WHERE name = 'killed'"
steer killed "seal_after_quiet = '2 s'"
job_reaches killed "done" 20
expect_clean "nothing of ours is left" other

note "a name that needs quotes, a table that moves to another schema"
sql -U shop_owner main "CREATE SCHEMA \"It's\" AUTHORIZATION shop_owner; GRANT USAGE ON SCHEMA \"It's\" TO shop_app;
	CREATE TABLE \"It's\".moved (id int, name text); GRANT ALL ON \"It's\".moved TO shop_app"
enqueue moved table_name="\"It's\".moved" column_name=v column_type=text value='upper(name)' hold_before='{seal}' seal_after_quiet='1 h'
says moved '^held before seal: no write'
write batch "INSERT INTO \"It's\".moved VALUES (1, 'a')"
helped moved 1
sql -U shop_owner main "ALTER TABLE \"It's\".moved SET SCHEMA public"
write batch "INSERT INTO moved VALUES (2, 'b')"
helped moved 2
sql main "ALTER SCHEMA \"It's\" RENAME TO renamed"
write batch "INSERT INTO moved VALUES (3, 'c')"
expect_sql "writers are helped where nothing can be counted" C "SELECT v FROM moved WHERE id = 3"
says moved 'cannot be read \(the sequences that the fill trigger counts in are gone, or it knows of none\), so seal_after_quiet does not let go'
proceed moved >/dev/null
job_reaches moved "done" 10
expect_clean "nothing of ours is left" moved

note "inheritance, partitions: one pair of sequences a job"
sql -U shop_owner main "CREATE TABLE parent (id int, name text); CREATE TABLE child () INHERITS (parent);
	CREATE TABLE parts (id int, name text) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
	GRANT ALL ON parent, child, parts, parts_1, parts_2 TO shop_app"
enqueue children table_name=parent column_name=v column_type=text value='upper(name)' hold_before='{seal}'
enqueue parts table_name=parts column_name=v column_type=text value='upper(name)' hold_before='{seal}'
says children '^held before seal: no write'
says parts '^held before seal: no write'
write batch "INSERT INTO parent VALUES (1, 'a'); INSERT INTO child VALUES (1, 'b'); INSERT INTO parts VALUES (1, 'c'), (101, 'd'); INSERT INTO parts_2 VALUES (102, 'e')"
helped children 2
helped parts 3
steer children "wanted = 'cancel'"
job_ends children cancelled 10
expect_sql "cancelling takes the sequences away" 0 "SELECT count(*) FROM pg_class WHERE relname LIKE 'backfill_helped%$(job_id children)'"
steer parts "wanted = 'roll_back'"
job_ends parts rolled_back 10
expect_sql "rolling back, too" 0 "SELECT count(*) FROM pg_class WHERE relname LIKE 'backfill_helped%$(job_id parts)'"
steer parts "wanted = 'run'"
says parts '^held before seal: no write has needed help since'
expect_equal "rolling forward again counts anew" "0|f|" "$(evidence parts)"

note "eight writers at once, none waits for another"
traffic_start forgetful 8 400 <<-'SQL'
	\set id random(1, 1000000000)
	BEGIN;
	INSERT INTO parts (id, name) VALUES (:id % 200, 'x');
	SELECT pg_sleep(0.02);
	COMMIT;
SQL
wait_until 10 "they write" "SELECT helped > 20, helped FROM backfill.job WHERE name = 'parts'"
waits=$(sql main "SELECT coalesce(sum(n), 0) FROM (SELECT (SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'shop_app' AND i > 0 AND clock_timestamp() > 'epoch' AND pg_sleep(0.01) IS NOT NULL) AS n
	FROM generate_series(1, 100) i) s")
expect_equal "no writer was ever seen waiting for a lock" 0 "$waits"
expect_sql "... in spite of transactions side by side on one sequence" t "SELECT count(DISTINCT pid) > 1 FROM pg_locks WHERE relation = 'public.backfill_helped_$(job_id parts)'::regclass"
expect_equal "no error" "" "$(traffic_stop forgetful)"
expect_match "pgbench is named" 'pgbench' "$(evidence parts)"

note "wait_for, of a held job"
expect_error "its end says what the job is held for" 57014 "did not reach stage sealing in time.*held before seal: last write that needed help" -U shop_owner "CALL backfill.wait_for('parts', 'sealing', '1 s')"
expect_sql "a stage that it has passed is no reason to wait" "" -U shop_owner "CALL backfill.wait_for('parts', 'adding', '1 s')"
sql -U shop_owner main "CREATE TABLE slow (id int, name text); INSERT INTO slow VALUES (1, 'a')"
enqueue slow table_name=slow column_name=v column_type=text value='upper(name)' hold_before='{fill,seal}'
says slow '^held before fill'
# waiter APP: a client that waits for the job to be done
waiter() {
	PGAPPNAME=$1 "$PSQL" -X -d "$(conninfo main shop_owner shop)" -c "CALL backfill.wait_for('slow')" >"$WORK/$1.out" 2>&1 &
	echo $! >"$WORK/pids/$1"
	wait_until 10 "$1 waits" "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$1' AND wait_event = 'PgSleep'"
}
# gone APP: neither it nor a transaction of it is there
gone() {
	wait_until 10 "$1 is gone" "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = '$1'"
	rm -f "$WORK/pids/$1"
}
waiter impatient
kill -INT "$(cat "$WORK/pids/impatient")"
wait_until 10 "it has given up" "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'impatient' AND state = 'active'"
gone impatient
expect_match "Ctrl-C ends it, after it has said what it waits for" "NOTICE:  job [0-9]+ 'slow' is in stage adding, waiting: held before fill: .*canceling statement due to user request" "$(tr '\n' ' ' <"$WORK/impatient.out")"
waiter ended
sql main "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'" >/dev/null
gone ended
ok "pg_terminate_backend ends it"
waiter killed
kill -KILL "$(cat "$WORK/pids/killed")"
proceed slow >/dev/null
says slow '^held before seal'
gone killed
ok "a client that is gone without a word is noticed at the next stage, though the job goes on"
expect_sql "no lock of theirs is left" 0 "SELECT count(*) FROM pg_locks WHERE relation = 'backfill.job'::regclass AND pid <> pg_backend_pid()
	AND pid NOT IN (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'backfilld%')"
daemon_stop
