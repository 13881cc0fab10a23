#!/usr/bin/env bash
# Steering jobs: holds, pauses, order, knobs, names; and names that mean what they mean to who asks.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world shared_buffers=4MB
sql -U shop_owner main "
	CREATE TABLE big (id int PRIMARY KEY, name text, pad text); INSERT INTO big SELECT g, 'n' || g, repeat('x', 60) FROM generate_series(1, 200000) g;
	CREATE TABLE held (id int PRIMARY KEY, name text); INSERT INTO held SELECT g, 'n' || g FROM generate_series(1, 500) g;
	CREATE FUNCTION slowly(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(\$1)' COST 10000;
	ANALYZE big, held"
has_column() {
	sql main "SELECT count(*) FROM pg_attribute WHERE attrelid = '$1'::regclass AND attname = '$2' AND NOT attisdropped"
}
daemon_start

note "holds"
enqueue held table_name=held column_name=v column_type=text value='upper(name)' not_null=true hold_before='{add,fill,seal}'
says held '^held before add: SELECT backfill.proceed\([0-9]+\)$'
expect_equal "nothing is touched before add" 0 "$(has_column held v)"
expect_sql "... and the plan is written, with what each step locks" "t|t|t" "SELECT count(*) >= 5, bool_or(statement ~ 'ADD COLUMN \"v\" text' AND lock_mode = 'ACCESS EXCLUSIVE'), NOT bool_or(rewrites_table)
	FROM backfill.plan_step WHERE job_id = $(job_id held)"
expect_equal "proceed says what it let go of" add "$(proceed held)"
says held '^held before fill: '
expect_equal "the column is there" 1 "$(has_column held v)"
expect_sql "... and empty" 0 "SELECT count(v) FROM held"
sql -U shop_app main "INSERT INTO held VALUES (-1, 'new')"
expect_sql "... but for what is written now" NEW "SELECT v FROM held WHERE id = -1"
expect_equal "the next one" fill "$(proceed held)"
says held '^held before seal: '
expect_sql "all rows are filled" 0 "SELECT count(*) FROM held WHERE v IS DISTINCT FROM upper(name)"
expect_sql "... and still may be NULL" f "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'held'::regclass AND attname = 'v'"
sql -U shop_app main "INSERT INTO held VALUES (-2, 'newer'); UPDATE held SET v = NULL WHERE id = 7"
expect_sql "writers are helped while it is held" "N7|NEWER" "SELECT string_agg(v, '|' ORDER BY v) FROM held WHERE id IN (-2, 7)"
steer held "hold_before = '{}'"
job_reaches held "done" 10
expect_sql "taking the hold away lets go, too" t "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'held'::regclass AND attname = 'v'"
expect_error "proceed of a job that is at no hold" 55000 'HINT' -U shop_owner "SELECT backfill.proceed($(job_id held))"

note "not_before, pause before the start, cancel before the start"
enqueue later table_name=held column_name=later column_type=int not_before="$(date -u -d '+1 hour' '+%F %T+00')"
enqueue paused table_name=held column_name=paused column_type=int wanted=pause
says later '^not before 20'
says paused '^paused: UPDATE backfill.job SET wanted = .run. WHERE id = [0-9]+$'
steer later "not_before = now()"
steer paused "wanted = 'run'"
job_reaches later "done" 10
job_reaches paused "done" 10
enqueue never table_name=held column_name=never column_type=int wanted=pause
steer never "wanted = 'cancel'"
expect_sql "a job that has not begun is cancelled at once" cancelled "SELECT stage FROM backfill.job WHERE name = 'never'"

note "pause and run in the middle, knobs"
enqueue big table_name=big column_name=v column_type=text value='slowly(name)' workers=1 batch_ms=2 hold_before='{fill}'
says big '^held before fill'
proceed big >/dev/null
wait_until 20 "the fill is under way" "SELECT rows_filled > 0, stage, rows_filled FROM (SELECT stage, (SELECT sum(b.rows_filled) FROM backfill.bookmark b WHERE b.job_id = j.id) AS rows_filled FROM backfill.job j WHERE name = 'big') x"
gauge_start
begun=${EPOCHREALTIME/./}
steer big "wanted = 'pause'"
wait_until 10 "it is put down" "SELECT count(*) = 0 FROM backfill.claim WHERE job_id = $(job_id big)"
pause_ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
gauge_stop
check "a pause takes effect within a batch ($pause_ms ms, up to $STALLED_MS of them the machine's)" test $((pause_ms - STALLED_MS)) -lt 1500
says big '^paused: '
xid=$(sql main "SELECT pg_snapshot_xmax(pg_current_snapshot())")
filled=$(sql main "SELECT count(v) FROM big")
check "... in the middle ($filled of 200000 rows)" test "$filled" -gt 0 -a "$filled" -lt 200000
expect_sql "its rows are counted" "$filled" "SELECT rows_filled FROM backfill.job WHERE name = 'big'"
expect_sql "no session of it is left" 0 "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^backfilld job'"
expect_sql "... and nothing is written while it is paused" "$filled|0" "SELECT count(v), count(*) FILTER (WHERE xmin::text::bigint >= $xid::text::bigint) FROM big"
fillers() {
	wait_until 20 "$1 connections fill" "SELECT count(*) = $1, count(*), (SELECT stage FROM backfill.job WHERE name = 'big') FROM pg_stat_activity
		WHERE application_name ~ '^backfilld job $(job_id big) filler' AND (state <> 'idle' OR state_change > clock_timestamp() - interval '300 ms')"
	ok "$1 connections fill"
}
steer big "wanted = 'run'"
fillers 1
gauge_start
begun=${EPOCHREALTIME/./}
steer big "workers = 3"
fillers 3
workers_ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
gauge_stop
check "more workers come within a second ($workers_ms ms, up to $STALLED_MS of them the machine's)" test $((workers_ms - STALLED_MS)) -lt 1500
steer big "workers = 1"
fillers 1
expect_sql "knob changes are on record" "workers: from 1 to 3|workers: from 3 to 1" "SELECT string_agg(detail, '|' ORDER BY id) FROM backfill.event WHERE name = 'big' AND kind = 'knob'"
steer big "workers = 2, batch_ms = 200, priority = 5"
job_reaches big "done" 60
expect_sql "each row has its value" "0|200000" "SELECT count(*) FILTER (WHERE v IS DISTINCT FROM upper(name)), count(*) FROM big"
expect_sql "... and was filled once" 200000 "SELECT rows_filled FROM backfill.job WHERE name = 'big'"

note "more workers while the end of the fill waits for a lock"
sql -U shop_owner main "CREATE TABLE locked (id int PRIMARY KEY, name text); INSERT INTO locked SELECT g, 'n' || g FROM generate_series(1, 20000) g; ANALYZE locked"
enqueue locked table_name=locked column_name=v column_type=text value='upper(name)' hold_before='{fill}'
says locked '^held before fill'
session_open writer main -U shop_app
session_do writer "BEGIN; INSERT INTO locked VALUES (-1, 'open')" >/dev/null
proceed locked >/dev/null
says locked 'a transaction \(pid [0-9]+, psql, idle in transaction\) has held RowExclusiveLock on public.locked for [0-9]+ s: INSERT INTO locked'
steer locked "workers = 3"
wait_until 10 "the daemon has looked since" "SELECT j.updated_at > e.at + interval '300 ms' FROM backfill.job j JOIN backfill.event e ON e.job_id = j.id AND e.kind = 'knob' WHERE j.name = 'locked'"
session_do writer "COMMIT" >/dev/null
session_close writer
job_reaches locked "done" 20
expect_sql "each row has its value" 0 "SELECT count(*) FROM locked WHERE v IS DISTINCT FROM upper(name)"
expect_sql "the trigger for updates was made once, each sweep done once" "1|t" "
	SELECT count(*) FILTER (WHERE kind = 'statement' AND detail ~ 'an UPDATE leaves NULL'),
	       count(*) FILTER (WHERE kind = 'sweep') = count(DISTINCT detail) FILTER (WHERE kind = 'sweep') FROM backfill.event WHERE name = 'locked'"
expect_clean "nothing of ours is left" locked

note "order: a job that depends on others"
enqueue "needs both" table_name=held column_name=needs_both column_type=text value='upper(name)' depends_on='{first of two,second of two}'
says "needs both" '^job first of two, which does not exist$'
enqueue "first of two" table_name=held column_name=first_of_two column_type=text value='upper(name)' hold_before='{fill}'
says "needs both" '^job first of two \(adding\) to be done first$'
enqueue "second of two" table_name=locked column_name=second_of_two column_type=text value='upper(name)' not_null=true
sql -U shop_owner main "UPDATE locked SET name = NULL WHERE id = 7"
proceed "first of two" >/dev/null
job_reaches "first of two" "done" 20
job_ends "second of two" failed 20
says "needs both" '^job second of two, which has failed: .*NULL'
expect_sql "a job that waits for others has touched nothing" "queued|0" "SELECT stage, (SELECT count(*) FROM pg_attribute WHERE attrelid = 'held'::regclass AND attname = 'needs_both')
	FROM backfill.job WHERE name = 'needs both'"
sql -U shop_owner main "UPDATE locked SET name = 'n7' WHERE id = 7"
again "second of two"
job_reaches "needs both" "done" 20
expect_sql "... and goes after all of them" t "SELECT j.started_at >= max(o.finished_at) FROM backfill.job j, backfill.job o
	WHERE j.name = 'needs both' AND o.name IN ('first of two', 'second of two') GROUP BY j.started_at"

note "order: one job a table, priority, jobs_at_once"
daemon_stop
daemon_option jobs_at_once 1
for column in a b c; do
	enqueue "order $column" table_name=held column_name="order_$column" column_type=text value='upper(name)' priority="$([[ $column == c ]] && echo 9 || echo 0)"
done
enqueue "order d" table_name=big column_name=order_d column_type=int priority=5
daemon_start
jobs_settle 20
expect_sql "higher priority first, then the older; one at a time" "order c, order d, order a, order b" \
	"SELECT string_agg(name, ', ' ORDER BY started_at) FROM backfill.job WHERE name LIKE 'order %' AND stage = 'done'"
expect_sql "no two at once" 0 "SELECT count(*) FROM backfill.job a JOIN backfill.job b ON a.id < b.id AND a.name LIKE 'order %' AND b.name LIKE 'order %'
	AND (a.started_at, a.finished_at) OVERLAPS (b.started_at, b.finished_at)"
daemon_stop
daemon_option jobs_at_once 4
for column in a b; do
	enqueue "same $column" table_name=held column_name="same_$column" column_type=text value='upper(name)' hold_before="$([[ $column == a ]] && echo '{seal}' || echo '{}')"
done
enqueue "same other" table_name=locked column_name=same column_type=text value='upper(name)'
daemon_start
job_reaches "same b" "done" 20
job_reaches "same other" "done" 20
expect_sql "a held job keeps no table from the next one" seal "SELECT held_at FROM backfill.job WHERE name = 'same a'"
proceed "same a" >/dev/null
job_reaches "same a" "done" 20
expect_sql "two jobs on one table have done both" 0 "SELECT count(*) FROM held WHERE same_a IS DISTINCT FROM upper(name) OR same_b IS DISTINCT FROM upper(name)"

note "names repeated quietly"
repeat="INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('same b', 'held', 'same_b', 'text') ON CONFLICT (name) DO NOTHING"
expect_equal "a migration run again says nothing and changes nothing" "" "$(sql -U shop_owner main "$repeat" 2>&1)"
expect_sql "... and there is one job" 1 "SELECT count(*) FROM backfill.job WHERE name = 'same b'"
expect_error "one live job a column" 23505 'HINT' -U shop_owner "INSERT INTO backfill.job (name, table_name, column_name, column_type, wanted) VALUES
	('one', 'held', 'x', 'int', 'pause'), ('two', 'held', 'x', 'int', 'pause')"

note "search_path"
sql -U shop_owner main "
	CREATE SCHEMA AUTHORIZATION shop_owner; CREATE SCHEMA \"my Tools\"; CREATE SCHEMA first;
	CREATE TYPE \"my Tools\".\"Mood\" AS ENUM ('sad', 'ok');
	CREATE TABLE \"my Tools\".names (id int, name text); INSERT INTO \"my Tools\".names VALUES (1, 'one'), (2, 'two');
	CREATE FUNCTION \"my Tools\".twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * \$1';
	CREATE FUNCTION first.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 20 * \$1';
	CREATE FUNCTION public.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
	CREATE TABLE first.target (id int PRIMARY KEY); INSERT INTO first.target SELECT generate_series(1, 300);
	CREATE TABLE public.target (id int PRIMARY KEY)"
sql -U shop_owner main "SET search_path = first, \"my Tools\", \"\$user\", public;
	INSERT INTO backfill.job (name, table_name, column_name, column_type, value, sync) VALUES
		('path function', 'target', 'twice', 'int', 'twice(id)', 'derive'),
		('path type', 'target', 'mood', '\"Mood\"', '''ok''::\"Mood\"', 'derive'),
		('path table', 'target', 'name', 'text', '(SELECT n.name FROM names n WHERE n.id = target.id)', 'fill'),
		('path default', 'target', 'd', 'int', NULL, 'auto');
	INSERT INTO backfill.job (name, table_name, column_name, column_type, default_expr) VALUES ('path default 2', 'target', 'e', 'int', 'twice(3)')"
jobs_settle 20
expect_done "path function" "path type" "path table" "path default" "path default 2"
expect_sql "names mean what they mean on the submitter's path" 0 "SELECT count(*) FROM first.target t
	WHERE twice IS DISTINCT FROM 20 * id OR mood::text <> 'ok' OR name IS DISTINCT FROM CASE id WHEN 1 THEN 'one' WHEN 2 THEN 'two' END OR e IS DISTINCT FROM 60"
sql main "SET search_path = public; INSERT INTO first.target (id) VALUES (-1)"
expect_sql "... in the trigger, too, whoever writes" "-20|ok|60" "SELECT twice, mood, e FROM first.target WHERE id = -1"
daemon_stop
