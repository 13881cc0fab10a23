#!/usr/bin/env bash
# An application at work beside a job that looks at it: the job pauses to learn how fast the application is, takes no more of the
# time than that allows and says so, and lets go when it need not look any more. What is allowed is shared with other jobs by their
# priority. tests/bench/foreground.sh measures what is kept.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world
daemon_option defaults.max_impact 2
sql -U shop_owner main "CREATE TABLE busy (id int PRIMARY KEY, name text, hits int NOT NULL DEFAULT 0);
	CREATE FUNCTION hard(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
		\$\$ BEGIN FOR i IN 1..50 LOOP t := md5(t); END LOOP; RETURN t; END \$\$; -- or it would be over before it is held back
	INSERT INTO busy (id, name) SELECT g, 'n' || g FROM generate_series(1, 200000) g; ANALYZE busy; GRANT SELECT, UPDATE ON busy TO shop_app"
# Two more, for jobs that share what there is; each batch is noted.
sql -U shop_owner main "CREATE TABLE filled (job text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), rows bigint NOT NULL);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
		\$\$ BEGIN INSERT INTO filled (job, rows) SELECT TG_TABLE_NAME, count(*) FROM new; RETURN NULL; END \$\$"
for name in one two; do
	sql -U shop_owner main "CREATE TABLE $name AS SELECT id, name FROM busy; ANALYZE $name;
		CREATE TRIGGER note AFTER UPDATE ON $name REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION note()"
done

# part_of_two ROWS SINCE: of the next rows since then $PART per cent are job two's.
part_of_two() {
	wait_until 30 "$1 rows are filled" "SELECT sum(rows) >= $1, sum(rows), (SELECT string_agg(concat_ws(' ', name, stage, waiting_for), '; ') FROM backfill.job) FROM filled WHERE at > $2"
	PART=$(sql main "SELECT round(100 * coalesce(sum(rows) FILTER (WHERE job = 'two'), 0) / sum(rows)) FROM filled WHERE at > $2")
}

# shares WHAT SET ROWS PART MOST [STRETCHES]: job two is changed so; of the next rows, once a second is over, so many per cent at least and
# at most are its own. Where more stretches are allowed, of those of one of them.
shares() {
	local since stretch
	steer two "$2"
	since=$(sql main "SELECT quote_literal(max(at) + interval '1 second') || '::timestamptz' FROM backfill.event WHERE kind = 'steer'")
	for ((stretch = 1; ; stretch++)); do
		part_of_two "$3" "$since"
		if ((stretch >= ${6:-1} || PART >= $4 && PART <= $5)); then
			break
		fi
		note "$1: not in stretch $stretch ($PART % of the rows)"
		since=$(sql main "SELECT quote_literal(clock_timestamp()) || '::timestamptz'")
	done
	check "$1 ($PART % of the rows)" test "$PART" -ge "$4" -a "$PART" -le "$5"
}

daemon_start
traffic_start app 4 500 <<-'SQL'
	\set id random(1, 200000)
	UPDATE busy SET hits = hits + 1 WHERE id = :id;
	SELECT count(*) FROM busy WHERE id BETWEEN :id AND :id + 200;
SQL
enqueue careful table_name=busy column_name=v column_type=text value='hard(name)'
wait_until 20 "it pauses" "SELECT EXISTS (SELECT FROM backfill.event WHERE kind = 'throttle on' AND detail ~ '^a short pause, to learn')
	OR EXISTS (SELECT FROM backfill.job WHERE waiting_for ~ '^a short pause, to learn')"
wait_until 60 "it is held back" "SELECT count(*) > 0 FROM backfill.event WHERE kind = 'throttle on' AND detail ~ 'slowed by more than max_impact'"
wait_until 20 "the row tells the impact, and what it may have" "SELECT forecast ? 'impact_percent' AND forecast->>'impact' = 'measured' AND (forecast->>'batches_at_once')::numeric < 1, forecast FROM backfill.job"
ok "beside an application it goes no faster than max_impact allows, and says what it measures"

enqueue one table_name=one column_name=v column_type=text value='hard(name)' priority=5 max_impact=10
enqueue two table_name=two column_name=v column_type=text value='hard(name)' priority=4 max_impact=10
wait_until 20 "both are at it" "SELECT count(*) = 2 FROM backfill.job WHERE name IN ('one', 'two') AND stage = 'filling'"
steer careful "wanted = 'pause'"
wait_until 20 "the lower one says that it comes second" "SELECT waiting_for ~ '; jobs of higher priority come first\$', waiting_for FROM backfill.job WHERE name = 'two'"
expect_sql "beside an application also the first batches are small" t "SELECT CASE WHEN max(first) < 500 THEN 't' ELSE max(first)::text END
	FROM (SELECT DISTINCT ON (job) rows AS first FROM filled ORDER BY job, at) AS f"
ok "of two jobs the one of lower priority says that the other comes first"
shares "a job of higher priority is served first, from a second after it was given that" "priority = 6" 2000 85 100
shares "and one of lower priority last" "priority = 4" 2000 0 15
# Both are held back by what the application suffers, which is a matter of chance in so few batches.
shares "equals get equal shares" "priority = 5" 2000 35 65 3
for name in one two; do
	steer $name "wanted = 'cancel'"
done

before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark WHERE job_id = $(job_id careful)")
steer careful "max_impact = 0, wanted = 'run'"
wait_until 10 "the limit is gone" "SELECT coalesce(NOT forecast ? 'batches_at_once', stage <> 'filling'), forecast FROM backfill.job WHERE name = 'careful'"
ok "with max_impact = 0 it does not look any more"
wait_until 20 "it goes on" "SELECT sum(b.rows_filled) > $before + 2000 FROM backfill.bookmark b WHERE b.job_id = $(job_id careful)"
expect_equal "the application had no errors" "" "$(traffic_stop app)"

note "an application in another database of the same server"
steer careful "wanted = 'cancel'"
sql -d postgres main "CREATE DATABASE elsewhere"
sql -d elsewhere main "CREATE TABLE rows AS SELECT g AS id FROM generate_series(1, 20000) g; GRANT SELECT ON rows TO shop_app"
TRAFFIC_DATABASE=elsewhere traffic_start elsewhere 4 150 <<-'SQL'
	SELECT count(*) FROM rows;
SQL
enqueue beside table_name=two column_name=w column_type=text value='hard(name)' max_impact=10
wait_until 30 "how fast that is has been learnt" "SELECT forecast->>'impact' = 'measured', concat_ws(' ', stage, waiting_for, forecast) FROM backfill.job WHERE name = 'beside'"
ok "one that is at work in another database is looked at, too"
expect_equal "it had no errors" "" "$(traffic_stop elsewhere)"
expect_sql "what was filled is right" "t|0" "SELECT count(*) > 2000, count(*) FILTER (WHERE v <> hard(name)) FROM busy WHERE v IS NOT NULL"
daemon_stop
