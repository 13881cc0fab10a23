#!/usr/bin/env bash
# Knobs and the daily window of a job that runs: each change is on record with what it was and what it is, and takes effect
# within a second; the row says what is waited for, when it will be over, and for how long it was held back. Meanwhile another
# job finds out by itself how many workers it needs.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world shared_buffers=4MB # small windows, so that there is one for each worker
# Each batch notes under which limits it runs: those of the job's row, as the daemon has them. pg_settings would take longer than the rows.
sql -U shop_owner main "
	CREATE TABLE slow (id int PRIMARY KEY, name text, pad text); INSERT INTO slow SELECT g, 'n' || g, repeat('x', 60) FROM generate_series(1, 100000) g;
	CREATE TABLE limits (at timestamptz NOT NULL DEFAULT clock_timestamp(), backend int NOT NULL DEFAULT pg_backend_pid(),
		lock_ms int, statement_ms int);
	CREATE FUNCTION slowly(int, text) RETURNS text LANGUAGE plpgsql VOLATILE AS \$\$ BEGIN
		IF \$1 * 7919 % 5 = 0 THEN PERFORM pg_sleep(0.002); END IF;
		IF \$1 * 7919 % 15 = 0 THEN
			INSERT INTO limits (lock_ms, statement_ms)
			SELECT 1000 * extract(epoch FROM current_setting('lock_timeout')::interval), 1000 * extract(epoch FROM current_setting('statement_timeout')::interval);
		END IF;
		RETURN upper(\$2); END \$\$;
	ANALYZE slow;
	CREATE TABLE many (id int PRIMARY KEY, name text); INSERT INTO many SELECT g, 'n' || g FROM generate_series(1, 60000) g; ANALYZE many;
	CREATE FUNCTION more_slowly(text) RETURNS text LANGUAGE plpgsql STABLE AS \$\$ BEGIN PERFORM pg_sleep(0.001); RETURN upper(\$1); END \$\$"
steer() { # NAME SET…
	sql -U shop_owner main "UPDATE backfill.job SET $2 WHERE name = '$1'"
}
changed="(SELECT max(at) FROM backfill.event WHERE kind IN ('knob', 'steer'))"
# within_second WHAT SET MOMENT: the change shows in time by the server's clock; MOMENT is an expression, NULL until it has shown.
within_second() {
	local ms
	gauge_start
	steer slow "$2"
	wait_until 10 "$1" "SELECT ($3) IS NOT NULL"
	gauge_stop
	ms=$(sql main "SELECT round(1000 * extract(epoch FROM ($3) - $changed))")
	check "$1, within a second ($ms ms, up to $STALLED_MS of them the machine's)" test $((ms - STALLED_MS)) -lt 1000
}
limits="FROM limits WHERE at > $changed"
# rows_around SET: $BEFORE are the rows of a second and a half before the change, $AFTER those of as long from a second after it.
rows_around() {
	steer slow "$1"
	wait_until 10 "$1 has been there for a while" "SELECT clock_timestamp() > $changed + interval '2.6 s'"
	IFS='|' read -r BEFORE AFTER < <(sql main "SELECT 15 * count(*) FILTER (WHERE at BETWEEN $changed - interval '1.5 s' AND $changed),
		15 * count(*) FILTER (WHERE at BETWEEN $changed + interval '1 s' AND $changed + interval '2.5 s') FROM limits")
}
filled() {
	sql main "SELECT sum(b.rows_filled) FROM backfill.bookmark b JOIN backfill.job j ON j.id = b.job_id WHERE j.name = 'slow'"
}
stands() {
	local before
	before=$(filled)
	sleep 1 # that nothing happens can only be seen by looking again
	expect_equal "$1" "$before" "$(filled)"
}
# What the row says of the end at first it does not say for long.
sql main "CREATE TABLE told (id int GENERATED ALWAYS AS IDENTITY, eta_range text, eta timestamptz);
	CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$ BEGIN
		INSERT INTO public.told (eta_range, eta) SELECT s.eta_range, s.eta FROM backfill.status s WHERE s.id = NEW.id; RETURN NULL; END \$\$;
	CREATE TRIGGER tell AFTER UPDATE OF forecast ON backfill.job FOR EACH ROW
		WHEN (NEW.name = 'slow' AND OLD.forecast->>'state' IS DISTINCT FROM NEW.forecast->>'state') EXECUTE FUNCTION tell()"

daemon_start
enqueue slow table_name=slow column_name=v column_type=text value='slowly(id, name)' batch_ms=150 workers=1
enqueue many table_name=many column_name=v column_type=text value='more_slowly(name)' workers=0
wait_until 20 "the fill is under way" "SELECT count(*) > 0 FROM limits"

note "what the row says of the end"
wait_until 20 "there is evidence" "SELECT forecast->>'state' = 'ranged', forecast FROM backfill.job WHERE name = 'slow'"
expect_sql "at first it is measured" "measuring|t" "SELECT eta_range, eta IS NULL FROM told WHERE eta_range IS NOT NULL ORDER BY id LIMIT 1"
expect_sql "then it is a range, and eta is in the middle of it" "t|t|t|t" "
	SELECT s.eta_range ~ '^[0-9].* to [0-9]', (j.forecast->>'earliest')::timestamptz < j.eta, j.eta < (j.forecast->>'latest')::timestamptz,
	       (j.forecast->>'rows_per_s_60s')::float > 0 AND (j.forecast->>'rows_per_s_15min')::float > 0 AND j.rows_per_s > 0
	  FROM backfill.job j JOIN backfill.status s USING (id) WHERE j.name = 'slow'"

note "knobs"
within_second "another lock_timeout_ms is obeyed" "lock_timeout_ms = 77" "SELECT min(at) $limits AND lock_ms = 77"
before=$(sql main "SELECT max(statement_ms) $limits")
within_second "a larger batch_ms is obeyed" "batch_ms = 300" "SELECT min(at) $limits AND statement_ms = 2 * $before"
within_second "more workers come" "workers = 3" \
	"SELECT CASE WHEN count(*) = 3 THEN max(first) END FROM (SELECT min(at) AS first $limits GROUP BY backend) AS b"
steer slow "workers = 1"
wait_until 10 "fewer workers stay" "SELECT count(DISTINCT backend) = 1 AND count(*) > 3, count(*) FROM limits WHERE at > clock_timestamp() - interval '1.5 s'"
ok "fewer workers stay, once each has done its window"
# A batch of 64 kB goes in any case.
rows_around "max_wal_rate = 50000"
full=$BEFORE
check "a limit on WAL binds, within a second ($BEFORE rows before, $AFTER after)" test "$BEFORE" -gt $((2 * AFTER))
wait_until 5 "the row says so" "SELECT (forecast->>'share_bytes_per_s')::float <= 50000 AND waiting_for = 'max_wal_rate', forecast, waiting_for FROM backfill.job WHERE name = 'slow'"
ok "the row says that it binds, and what is left"
# What the limit lets through varies: half of what there was without it is more than that.
rows_around "max_wal_rate = 0"
check "without it far more rows are filled, within a second ($BEFORE rows before, $AFTER after)" test "$AFTER" -gt $((2 * BEFORE)) -a "$AFTER" -gt $((full / 2))
steer slow "max_lag_ms = 700, lag_target_ms = 900"
steer slow "max_impact = 20"
steer slow "ddl_lock_timeout_ms = 300"
steer slow "workers = 0"
steer slow "batch_ms = NULL"
expect_sql "each change is on record, with what it was" \
	"lock_timeout_ms: from null to 77|batch_ms: from 150 to 300|workers: from 1 to 3|workers: from 3 to 1|max_wal_rate: from null to 50000|max_wal_rate: from 50000 to 0|lag_target_ms: from null to 900|max_lag_ms: from null to 700|max_impact: from null to 20|ddl_lock_timeout_ms: from null to 300|workers: from 1 to 0|batch_ms: from 300 to null" \
	"SELECT string_agg(detail, '|' ORDER BY id) FROM backfill.event WHERE kind = 'knob' AND actor = 'shop_owner'"

note "the daily window"
shut="to_char(now() + interval '2 hours', 'HH24:MI-') || to_char(now() + interval '3 hours', 'HH24:MI') || ' UTC'"
within_second "outside the window it waits, and says so" "daily_window = $shut" \
	"SELECT min(at) FROM backfill.event WHERE kind = 'throttle on' AND detail ~ 'daily_window.*20[0-9-]+ [0-9:]+ UTC'"
wait_until 20 "it says until when" "SELECT waiting_for ~ 'daily_window.*20[0-9-]+ [0-9:]+ UTC', waiting_for FROM backfill.job WHERE name = 'slow'"
ok "it says until when"
stands "nothing is filled outside the window"
wait_until 5 "the end is put where the window is open" "SELECT (forecast->>'earliest')::timestamptz > clock_timestamp() + interval '100 minutes', forecast FROM backfill.job WHERE name = 'slow'"
ok "the end is put where the window is open"
expect_sql "no daemon has let go of it" 1 "SELECT count(*) FROM backfill.claim WHERE job_id = $(job_id slow)"
wait_until 5 "the throttle is on record" "SELECT count(*) = 1 FROM backfill.event WHERE kind = 'throttle on' AND detail ~ 'daily_window'"
ok "the throttle is on record, with its reason"
expect_sql "time held back is counted while it lasts" t "SELECT throttled_ms > 900 FROM backfill.job WHERE name = 'slow'"

note "an on has its off, also when the job is put down"
steer slow "wanted = 'pause'"
wait_until 10 "it is put down" "SELECT count(*) = 0 FROM backfill.claim WHERE job_id = $(job_id slow)"
expect_sql "the pause ends the throttle on record" "0|t" "SELECT count(*) FILTER (WHERE kind = 'throttle on') - count(*) FILTER (WHERE kind = 'throttle off'),
	max(duration_ms) FILTER (WHERE kind = 'throttle off' AND detail ~ 'daily_window') > 900 FROM backfill.event WHERE name = 'slow'"
expect_sql "a job put down has no end in view" "t|t" "SELECT j.eta IS NULL AND j.forecast IS NULL, s.eta_range IS NULL FROM backfill.job j JOIN backfill.status s USING (id) WHERE j.name = 'slow'"
progress=$(sql main "SELECT blocks_done::numeric / blocks_total FROM backfill.job WHERE name = 'slow'")
steer slow "wanted = 'run'"
wait_until 10 "it is taken up again" "SELECT count(*) = 2 FROM backfill.event WHERE kind = 'throttle on' AND detail ~ 'daily_window'"
expect_sql "progress has not fallen" t "SELECT blocks_done::numeric / blocks_total >= $progress FROM backfill.job WHERE name = 'slow'"
within_second "inside the window it goes on" \
	"daily_window = to_char(now() - interval '1 hour', 'HH24:MI-') || to_char(now() + interval '1 hour', 'HH24:MI') || ' UTC', workers = 4" "SELECT min(at) $limits"
job_reaches slow "done" 60
expect_sql "each row has its value" 0 "SELECT count(*) FROM slow WHERE v IS DISTINCT FROM upper(name)"
# A limit lets a batch go now and then, which is no waiting.
expect_sql "throttled_ms is what the events add up to within a second each, or more, but not more than the job took" t "SELECT CASE
	WHEN j.throttled_ms >= sum(e.duration_ms) - 1000 * count(*) AND j.throttled_ms <= 1000 * extract(epoch FROM j.finished_at - j.requested_at) THEN 't'
	ELSE format('%s ms in the row, %s in %s events', j.throttled_ms, sum(e.duration_ms), count(*)) END
	FROM backfill.job j JOIN backfill.event e ON e.job_id = j.id AND e.kind = 'throttle off' WHERE j.name = 'slow' GROUP BY j.id"

note "as many workers as help"
if (($(nproc) > 1)); then
	wait_until 60 "a second one comes" "SELECT count(*) > 0, string_agg(detail, '; ') FROM backfill.event WHERE name = 'many' AND kind = 'workers' AND detail = '2 fillers: one filler more: the server has a core to spare'"
	wait_until 20 "it fills" "SELECT count(*) = 2, string_agg(b.filler || ': ' || b.rows_filled, ' ') FROM backfill.bookmark b WHERE b.job_id = $(job_id many) AND b.filler < 2 AND b.rows_filled > 0"
	ok "with workers = 0 a second filler comes to a server with a core to spare, and fills"
else
	skip_one "with workers = 0 a second filler comes to a server with a core to spare, and fills" "there is one core only"
fi
daemon_stop

note "progress never falls, and never passes 100 %"
enqueue bar table_name=slow column_name=bar column_type=text wanted=pause
while IFS='|' read -r what pages total part; do
	sql main "PREPARE report AS $(<"$TOP/daemon/sql/report.sql"); EXECUTE report ($(job_id bar), 0, NULL, 1, $pages, $total, NULL, 9, NULL, 0, '{}', 8, 10, NULL)"
	expect_sql "$what" "$part" "SELECT blocks_done || '/' || blocks_total FROM backfill.job WHERE name = 'bar'"
done <<'BAR'
a first part|300|1000|300/1000
a window is begun anew|100|1000|300/1000
the table has grown|300|2000|600/2000
... and it goes on|700|2000|700/2000
more than all|2100|2000|2000/2000
a sweep over more pages|5|2500|2500/2500
a table that is empty now|0|0|2500/2500
BAR
