#!/usr/bin/env bash
# Sessions of the daemon end under it, one after the other; the server restarts; connections run out; rows of the
# control table are locked.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

moves_on() {
	local before
	before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
	filled_beyond "$before"
	ok "$1"
}

slow_fill main
daemon_install
numbers_table 60000
daemon_option defaults.batch_ms 20
daemon_option defaults.ddl_lock_timeout_ms 3000
daemon_start
numbers_job numbers "workers" "2"
filled_beyond 500

for name in '^backfilld$' '^backfilld monitor$' '^backfilld job 1$' '^backfilld job 1 filler 0$' '^backfilld job 1 filler 1$' '^backfilld'; do
	wait_until 10 "a session $name is there" "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name ~ '$name'"
	for pid in $(backends "$name"); do
		sql main "SELECT pg_terminate_backend($pid, 5000)" >/dev/null
	done
	moves_on "the fill goes on after the end of session $name"
done
expect_sql "all that under one claim" 1 "SELECT epoch FROM backfill.job"

sql main "ALTER ROLE backfilld_shop CONNECTION LIMIT 0"
for pid in $(backends '^backfilld job'); do
	sql main "SELECT pg_terminate_backend($pid, 5000)" >/dev/null
done
job_says numbers "too many connections for role" 10
ok "waiting_for says that there are too many connections"
sql main "ALTER ROLE backfilld_shop CONNECTION LIMIT -1"
moves_on "the fill goes on once there are connections again"
wait_until 10 "waiting_for is empty again" "SELECT waiting_for IS NULL, waiting_for FROM backfill.job"

session_open user main -U shop_owner
session_do user "BEGIN" >/dev/null
session_do user "UPDATE backfill.job SET note = 'being looked at' WHERE name = 'numbers'" >/dev/null
moves_on "batches go on while a user's open transaction has the job's row locked"
sql -U shop_owner main "CREATE TABLE other (id int)"
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('other', 'other', 'c', 'int')"
job_reaches other "done" 10
ok "another job is done meanwhile"
session_do user "COMMIT" >/dev/null

cluster_restart main
moves_on "the fill goes on after a restart of the server"
# The value has taken its time until here, so that the fill lasts through all that; the rest need not. In the same language: sessions are
# in the middle of calling it.
sql -U shop_owner main "CREATE OR REPLACE FUNCTION public.draw() RETURNS bigint LANGUAGE plpgsql AS
	\$\$ BEGIN RETURN pg_catalog.nextval('public.drawn'); END \$\$"
job_reaches numbers "done" 40
numbers_right "after all that"
daemon_stop
