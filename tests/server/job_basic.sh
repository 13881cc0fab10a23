#!/usr/bin/env bash
# The main job: a column is added and filled on a table with a replica, and becomes NOT NULL.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"

cluster_start main
replica_start standby1 main
daemon_install
sql -U shop_owner main "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, note text);
	CREATE INDEX ON users (email);
	INSERT INTO users SELECT g, 'u' || g || '@example.org', repeat('x', 40) FROM generate_series(1, 50000) g;
	ANALYZE users"
daemon_start
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value, not_null)
	VALUES ('users-upper', 'users', 'email_upper', 'text', 'upper(email)', true)"
job_reaches users-upper "done" 60
expect_sql "every row has its value" 0 "SELECT count(*) FROM users WHERE email_upper IS DISTINCT FROM upper(email)"
expect_sql "the column is NOT NULL" t "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'email_upper'"
expect_sql "no constraint, trigger or function of ours is left" 0 \
	"SELECT (SELECT count(*) FROM pg_constraint WHERE conname LIKE 'backfill%') + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~%') +
	        (SELECT count(*) FROM pg_proc WHERE proname LIKE 'backfill\_%' AND pronamespace = 'public'::regnamespace)"
expect_sql "the job row tells it" "done|50000|100.0 %" \
	"SELECT j.stage, j.rows_filled, btrim(split_part(s.progress, ' ', 2) || ' %') FROM backfill.job j JOIN backfill.status s USING (id)"
expect_sql "nobody holds it any more" 0 "SELECT count(*) FROM backfill.claim"
daemon_stop
