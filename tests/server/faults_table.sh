#!/usr/bin/env bash
# The table changes under the fill: dropped, renamed, its column dropped; a long transaction holds the horizon; two
# daemons beside each other share the jobs.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

slow_fill main
daemon_install
sql -U shop_owner main "CREATE FUNCTION slowly(v text) RETURNS text LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.0001); RETURN v; END \$\$"
daemon_option defaults.batch_ms 20
daemon_option jobs_at_once 4
daemon_start

# under_way NAME: a table and a job of that name, part of it filled.
under_way() {
	sql -U shop_owner main "CREATE TABLE $1 (id int PRIMARY KEY, body text); INSERT INTO $1 SELECT g, repeat('x', 50) FROM generate_series(1, 20000) g; ANALYZE $1;
		INSERT INTO backfill.job (name, table_name, column_name, column_type, value) VALUES ('$1', '$1', 'c', 'text', 'slowly(body)')"
	wait_until 10 "$1 is being filled" "SELECT coalesce(sum(b.rows_filled), 0) > 100 FROM backfill.bookmark b JOIN backfill.job j ON j.id = b.job_id WHERE j.name = '$1'"
}

# fails_so NAME REGEX: the job fails with a sentence and a hint.
fails_so() {
	wait_until 15 "job $1 fails" "SELECT stage = 'failed', stage, waiting_for FROM backfill.job WHERE name = '$1'"
	expect_match "$1: the error says it" "$2" "$(sql main "SELECT error || ' HINT: ' || coalesce(error_hint, 'none') FROM backfill.job WHERE name = '$1'")"
}

under_way dropped
under_way lost
under_way renamed
sql -U shop_owner main "DROP TABLE dropped"
sql -U shop_owner main "ALTER TABLE lost DROP COLUMN c CASCADE"
sql -U shop_owner main "ALTER TABLE renamed RENAME TO another"
fails_so dropped 'dropped.*HINT: [A-Z]'
fails_so lost 'c.*HINT: [A-Z]'
wait_until 10 "the renamed table is followed, or the job says so" \
	"SELECT stage = 'failed' OR stage = 'filling' AND waiting_for IS NULL, stage, error FROM backfill.job WHERE name = 'renamed'"
note "$(sql main "SELECT name, stage, error, error_hint FROM backfill.job")"
sql -U shop_owner main "ALTER TABLE another RENAME TO renamed"
sql -U shop_owner main "UPDATE backfill.job SET wanted = 'run' WHERE name = 'renamed' AND stage = 'failed'"
job_reaches renamed "done" 90
expect_sql "renamed back, every row has its value" 0 "SELECT count(*) FROM renamed WHERE c IS DISTINCT FROM body"
daemon_stop

# Two daemons share the jobs; no job and no table is worked on by both.
daemon_option jobs_at_once 1
daemon_start
daemon_start second
sql -U shop_owner main "CREATE TABLE a (id int PRIMARY KEY, body text); CREATE TABLE b (LIKE a INCLUDING ALL);
	INSERT INTO a SELECT g, 'x' FROM generate_series(1, 3000) g; INSERT INTO b SELECT * FROM a; ANALYZE a; ANALYZE b;
	INSERT INTO backfill.job (name, table_name, column_name, column_type, value)
	VALUES ('a1', 'a', 'c1', 'text', 'slowly(body)'), ('a2', 'a', 'c2', 'text', 'slowly(body)'), ('b1', 'b', 'c1', 'text', 'slowly(body)'), ('b2', 'b', 'c2', 'text', 'slowly(body)')"
most=0
end=$((SECONDS + 60))
until [[ $(sql main "SELECT count(*) FROM backfill.job WHERE name ~ '^[ab][12]$' AND stage = 'done'") == 4 ]]; do
	((SECONDS < end)) || give_up "four jobs are done by two daemons" "$(sql main "SELECT name, stage, waiting_for, error FROM backfill.job")"
	holders=$(sql main "SELECT count(DISTINCT holder) FROM backfill.claim")
	most=$((holders > most ? holders : most))
done
expect_equal "both daemons had work at once" 2 "$most"
expect_sql "each job was claimed once" "a1|1
a2|1
b1|1
b2|1" "SELECT name, epoch FROM backfill.job WHERE name ~ '^[ab][12]$' ORDER BY name"
expect_sql "every row has every value" 0 \
	"SELECT (SELECT count(*) FROM a WHERE c1 IS DISTINCT FROM body OR c2 IS DISTINCT FROM body) + (SELECT count(*) FROM b WHERE c1 IS DISTINCT FROM body OR c2 IS DISTINCT FROM body)"
daemon_stop
daemon_stop second
