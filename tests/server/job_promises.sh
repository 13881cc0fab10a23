#!/usr/bin/env bash
# Where a job cannot do what was asked: it says so, and the application goes on as before.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
sql -U shop_owner main "
	CREATE TABLE holes (id int PRIMARY KEY, n int, other int);
	INSERT INTO holes SELECT g, nullif(g, 321), 0 FROM generate_series(1, 1000) g;
	CREATE TABLE stubborn (id int PRIMARY KEY, name text);
	INSERT INTO stubborn SELECT g, 'n' || g FROM generate_series(1, 100) g;
	CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id > 90 THEN RETURN NULL; END IF; RETURN NEW; END';
	CREATE TRIGGER keep BEFORE UPDATE ON stubborn FOR EACH ROW EXECUTE FUNCTION keep();
	CREATE TABLE given (id int PRIMARY KEY, name text);
	INSERT INTO given SELECT g, 'n' || g FROM generate_series(1, 100) g;
	ANALYZE holes, stubborn, given"
daemon_start
enqueue holes table_name=holes column_name=v column_type=int value='n * 2' not_null=true
enqueue stubborn table_name=stubborn column_name=v column_type=text value='upper(name)'
jobs_settle 30
expect_failed "NOT NULL with a NULL left fails in sealing and names the row" holes sealing 'key \(id\)=\(321\).*still NULL'
said=$(sql -U shop_app main "UPDATE holes SET other = 1 WHERE id = 321" 2>&1) || true
expect_equal "... and the application can still write that row" "" "$said"
expect_failed "rows that the table's own trigger keeps from being updated are told, not passed over" stubborn filling 'trigger'

enqueue given table_name=given column_name=v column_type=text value='upper(name)' hold_before='{add}'
wait_until 20 "the job is held" "SELECT held_at = 'add' FROM backfill.job WHERE name = 'given'"
sql main "ALTER TABLE given OWNER TO shop_app"
sql -U shop_owner main "SELECT backfill.proceed($(job_id given))" >/dev/null
jobs_settle 20
expect_failed "a table that was given to somebody else is not touched in the new owner's name" given planning 'no longer has the privileges of shop_app'
daemon_stop
