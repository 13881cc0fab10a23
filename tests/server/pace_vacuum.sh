#!/usr/bin/env bash
# The VACUUM beside a fill keeps to what the operator says, also when that changes while it is at work: a session cannot be given
# another cost limit then, so it ends and begins anew. It is owed where it is refused. (What else makes it end has a table in tests/unit/test_vacuum.c.)
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world shared_buffers=4MB # small windows: the first VACUUM comes early
# Rows that take a while; and for each page the VACUUM sleeps for 8 ms, whatever limit it is given.
sql -U shop_owner main "
	CREATE TABLE slow (id int PRIMARY KEY, name text, pad text) WITH (autovacuum_enabled = off);
	INSERT INTO slow SELECT g, 'n' || g, repeat('x', 400) FROM generate_series(1, 150000) g;
	CREATE FUNCTION slowly(int, text) RETURNS text LANGUAGE plpgsql STABLE AS \$\$ BEGIN
		IF \$1 * 7919 % 5 = 0 THEN PERFORM pg_sleep(0.001); END IF;
		RETURN upper(\$2) || repeat('y', 30); END \$\$;
	ANALYZE slow"
# What the role has by default is not meant for a VACUUM.
sql main "
	ALTER ROLE backfilld_shop SET vacuum_cost_page_hit = 10000;
	ALTER ROLE backfilld_shop SET statement_timeout = '2 s';
	CREATE TABLE hold AS SELECT false AS hold; GRANT SELECT ON hold TO PUBLIC"
daemon_option database.throttle_query '"SELECT hold, '"'the books are being closed'"' FROM public.hold"'

# begun NUMBER WHAT: so many have begun.
begun() {
	wait_until 30 "$2" "SELECT count(*) = $1, count(*) FROM backfill.event WHERE kind = 'intent' AND statement ~ '^VACUUM'"
	wait_until 10 "it is at work" "SELECT count(*) = 1 FROM pg_stat_progress_vacuum"
	ok "$2"
}
# ended WHAT WHY SECONDS: it is told once the VACUUM is gone.
ended() {
	wait_until "$3" "$1" "SELECT count(*) = 1, string_agg(detail, '; ') FROM backfill.event WHERE kind = 'vacuum' AND detail = 'ended early: $2'"
	ok "$1"
}

daemon_start
enqueue slow table_name=slow column_name=v column_type=text value='slowly(id, name)'
wait_until 20 "rows are filled" "SELECT sum(rows_filled) > 0 FROM backfill.bookmark"
session_open other main
session_do other "BEGIN; LOCK TABLE slow IN SHARE UPDATE EXCLUSIVE MODE" >/dev/null
wait_until 30 "a VACUUM that is refused is told" "SELECT count(*) = 1, string_agg(kind || ' ' || detail, '; ') FROM backfill.event WHERE kind = 'refused' AND detail ~ 'lock timeout' AND statement ~ '^VACUUM'"
session_do other "ROLLBACK" >/dev/null
begun 2 "what it was for is owed: it comes again, ten seconds later"
sql main "UPDATE hold SET hold = true"
ended "the operator holds the fill: the VACUUM ends too" "nothing of the fill may go now" 40 # ten seconds, and what a busy machine takes
expect_sql "none is at work" 0 "SELECT count(*) FROM pg_stat_progress_vacuum"
expect_sql "meanwhile the job has waited for that" t "SELECT waiting_for ~ 'the books are being closed' FROM backfill.job"
sql main "UPDATE hold SET hold = false"
begun 3 "the fill goes on, and so does its VACUUM"
sql -U shop_owner main "UPDATE backfill.job SET max_wal_rate = 1000000"
ended "a limit on WAL binds it" "it must be slower now" 8
begun 4 "more slowly"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'pause'"
wait_until 20 "a pause ends it" "SELECT count(*) = 0 FROM pg_stat_progress_vacuum"
ok "a pause ends it"
wait_until 10 "the job is put down" "SELECT count(*) = 0 FROM backfill.claim"
expect_sql "it has not failed" filling "SELECT stage FROM backfill.job"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'cancel'"
job_reaches slow cancelled 20

# Nobody holds the horizon, and index entries are left behind all the same.
sql main "ALTER ROLE backfilld_shop RESET vacuum_cost_page_hit"
sql -U shop_owner main "
	CREATE TABLE outgrown (id int PRIMARY KEY, body text) WITH (autovacuum_enabled = off);
	CREATE INDEX ON outgrown (md5(body));
	INSERT INTO outgrown SELECT g, md5(g::text) FROM generate_series(1, 40000) g;
	ANALYZE outgrown"
enqueue outgrown table_name=outgrown column_name=v column_type=text value='repeat(body, 40)'
job_reaches outgrown "done" 60
expect_sql "rows that outgrow their pages are said to, not that somebody holds the horizon" 1 \
	"SELECT count(*) FROM backfill.event WHERE name = 'outgrown' AND kind = 'passes' AND detail ~ '^updates find no room in their pages: their rows grow by more'"
expect_sql "and their index entries are taken away" t "SELECT count(*) > 1 FROM backfill.event WHERE name = 'outgrown' AND kind = 'vacuum'"
expect_sql "nothing has failed" 0 "SELECT count(*) FROM backfill.event WHERE kind = 'error'"
daemon_stop
