#!/usr/bin/env bash
# A database whose encoding has no character beyond Latin 1: what the daemon says there must fit.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"

cluster_start main
sql -d postgres main "DROP DATABASE shop"
sql -d postgres main "CREATE DATABASE shop ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0 OWNER shop_owner"
sql main "GRANT CREATE ON DATABASE shop TO backfilld; ALTER SCHEMA public OWNER TO shop_owner"
daemon_install
sql -U shop_owner main "CREATE TABLE menu (id int PRIMARY KEY, dish text); INSERT INTO menu VALUES (1, 'K' || chr(228) || 'se'), (2, 'Fisch')"
daemon_start
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, not_null)
	VALUES ('menu', 'menu', 'loud', 'text', 'dish || ''!''', true), ('bad', 'menu', 'none', 'text', 'nothing', false)"
job_reaches menu "done" 30
job_reaches bad failed 30
expect_sql "the column is filled" 2 "SELECT count(*) FROM menu WHERE loud = dish || '!'"
expect_sql "the plan was written, and the failure told with what to do" "t|t" \
	"SELECT EXISTS (SELECT FROM backfill.plan_step WHERE lock_mode = 'ROW EXCLUSIVE'), (SELECT error_hint IS NOT NULL FROM backfill.job WHERE name = 'bad')"
daemon_stop
