#!/usr/bin/env bash
# Whoever waits for a lock of ours is served at once: batches, and statements that scan the table, are cancelled and taken
# up again. Rows that others have locked are left and come back. A watcher that cannot look says so.
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

rows=2000
job_world
sql -U shop_owner main <<-SQL
	CREATE TABLE public.parcels (id int PRIMARY KEY, body text NOT NULL, weight int NOT NULL DEFAULT 0);
	INSERT INTO public.parcels SELECT g, pg_catalog.repeat('x', 100) FROM pg_catalog.generate_series(1, $rows) g;
	VACUUM (ANALYZE) public.parcels;
	CREATE FUNCTION public.slowly(what text) RETURNS text LANGUAGE plpgsql STABLE AS
		\$\$ BEGIN PERFORM pg_catalog.pg_sleep(0.005); RETURN pg_catalog.upper(what); END \$\$;
	CREATE TABLE public.felt (ms double precision NOT NULL, rows bigint NOT NULL);
SQL
sql main "GRANT pg_read_all_stats TO shop_owner" # to see when a batch has begun
daemon_start

# A batch of this value takes far longer than anybody should wait.
enqueue parcels table_name=parcels column_name=label column_type=text value='slowly(body)' sync=fill batch_ms=2000 hold_before='{seal}'
job_reaches parcels filling 20
wait_until 20 "a window is being filled" "SELECT count(*) = 1 FROM backfill.bookmark WHERE window_to > window_from"

# Writes to the rows that a batch began with, when that has run for a while.
write_there() {
	sql -U shop_owner main <<-SQL
		DO \$\$
		DECLARE
			ids int[];
			begun timestamptz;
			count bigint;
		BEGIN
			FOR i IN 1 .. 300 LOOP
				PERFORM pg_stat_clear_snapshot();
				EXIT WHEN EXISTS (SELECT FROM pg_stat_activity
					WHERE application_name ~ 'filler 0$' AND state = 'active' AND query ~ 'UPDATE ONLY' AND query_start < clock_timestamp() - interval '40 ms');
				PERFORM pg_sleep(0.01);
			END LOOP;
			SELECT array_agg(f.id) INTO ids
			  FROM (SELECT p.id FROM backfill.bookmark b JOIN public.parcels p ON p.ctid >= format('(%s,0)', b.page)::tid
			         WHERE p.label IS NULL ORDER BY p.ctid LIMIT 8) f;
			begun := clock_timestamp();
			UPDATE public.parcels SET weight = weight + 1 WHERE id = ANY (ids);
			GET DIAGNOSTICS count = ROW_COUNT;
			INSERT INTO public.felt VALUES (extract(epoch FROM clock_timestamp() - begun) * 1000, count);
		END \$\$;
	SQL
}

# Fifteen, and more where fewer than three of them came to a row of the batch, which is luck.
gauge_start
tries=0
while ((tries++ < 40)) && [[ $(sql main "SELECT stage = 'filling' AND (SELECT count(*) < 15 OR count(*) FILTER (WHERE ms > 40) < 3 FROM felt)
	FROM backfill.job WHERE name = 'parcels'") == t ]]; do
	write_there
done
gauge_stop
note "waits: $(sql main "SELECT count(*) || ' writes, ' || count(*) FILTER (WHERE ms > 40) || ' had to wait; ms: '
	|| string_agg(round(ms::numeric)::text, ' ' ORDER BY ms) FROM felt WHERE rows > 0")"
expect_sql "writes to rows of a batch that runs for long have met it" t "SELECT count(*) >= 3 FROM felt WHERE ms > 40"
expect_sql "none of them waited for 200 ms, but for the machine ($STALLED_MS ms)" 0 "SELECT count(*) FROM felt WHERE ms >= 200 + $STALLED_MS"
expect_sql "the history says who waited, for how long, and for what" t "SELECT count(*) > 0 FROM backfill.event
	WHERE kind = 'yield' AND lock_wait_ms BETWEEN 50 AND 199 + $STALLED_MS AND stage = 'filling' AND job_id = $(job_id parcels)
	  AND detail ~ '^cancelled the batch of filler 0: session \d+ \(psql\) had waited \d+ ms for a row lock( in public\.parcels)?'"
expect_sql "... not more than once a second" t "SELECT coalesce(min(gap) > interval '0.5 s', true)
	FROM (SELECT at - lag(at) OVER (ORDER BY at) AS gap FROM backfill.event WHERE kind = 'yield') g"

# Locked rows are left, the others are filled, and they come back.
session_open user main -U shop_app
session_do user "BEGIN; SELECT count(*) FROM (SELECT FROM parcels WHERE id BETWEEN 1 AND 40 FOR UPDATE) x" >/dev/null
wait_until 40 "all rows but the locked ones are filled" \
	"SELECT count(*) FILTER (WHERE id > 40) = 0 AND count(*) > 0, count(*) FROM parcels WHERE label IS NULL"
ok "the fill goes round locked rows"
session_do user "COMMIT" >/dev/null
wait_until 30 "held before it seals" "SELECT held_at = 'seal', waiting_for FROM backfill.job WHERE name = 'parcels'"
expect_sql "every row has its value" 0 "SELECT count(*) FROM parcels WHERE label IS DISTINCT FROM upper(body)"
expect_sql "waiting for others never failed it" "" "SELECT string_agg(detail, '; ') FROM backfill.event WHERE kind = 'error'"

# Somebody wants the table while it is analyzed, at leisure.
sql main "ALTER ROLE backfilld_shop SET vacuum_cost_delay = '50ms'; ALTER ROLE backfilld_shop SET vacuum_cost_limit = 1"
sql -U shop_owner main "SELECT backfill.proceed($(job_id parcels))" >/dev/null
wait_until 20 "the table is being analyzed" "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name ~ '^backfilld job' AND query ~ '^ANALYZE' AND state = 'active'"
session_open owner main -U shop_owner
# server_ms STATEMENT: how long it takes by the server's clock.
server_ms() {
	echo "DO \$\$ DECLARE begun timestamptz := clock_timestamp(); BEGIN $1; RAISE NOTICE '%', round(1000 * extract(epoch FROM clock_timestamp() - begun)); END \$\$"
}
gauge_start
waited=$(session_do owner "$(server_ms "LOCK TABLE parcels IN SHARE UPDATE EXCLUSIVE MODE")")
gauge_stop
waited=${waited##* }
check "who wants the table has it within 300 ms (it took $waited ms, up to $STALLED_MS of them for the machine)" test $((waited - STALLED_MS)) -lt 300
job_reaches parcels "done" 30
sql main "ALTER ROLE backfilld_shop RESET ALL"
expect_sql "the ANALYZE was cancelled, and done later" "t|t" "SELECT
	(SELECT count(*) > 0 FROM backfill.event WHERE kind = 'yield' AND detail ~ '^cancelled ANALYZE .*for ShareUpdateExclusiveLock on public.parcels'),
	(SELECT count(*) = 1 FROM backfill.event WHERE kind = 'statement' AND statement ~ 'ANALYZE')"

# An advisory lock that a value takes is ours; those of others are waited for as long as a leader is elected.
sql -U shop_owner main "CREATE SEQUENCE public.naps; CREATE FUNCTION public.advised(id int, what text) RETURNS text LANGUAGE plpgsql AS
	\$\$ BEGIN
		IF id = 1000 THEN
			PERFORM pg_catalog.pg_advisory_xact_lock(4711);
			PERFORM pg_catalog.pg_sleep(CASE WHEN pg_catalog.nextval('public.naps') <= 2 THEN 6 ELSE 0 END);
		END IF;
		RETURN pg_catalog.upper(what);
	END \$\$"
session_open leader main -U shop_app
session_do leader "SELECT pg_advisory_lock(1)" >/dev/null
session_open elect main -U shop_app
session_send elect "SELECT pg_advisory_lock(1)"
session_waits elect
enqueue advised table_name=parcels column_name=advised column_type=text value='advised(id, body)' batch_ms=2000
wait_until 20 "a batch has an advisory lock" "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND granted"
whose() {
	sql -U backfilld main "PREPARE whose AS $(<"$TOP/daemon/sql/waiters.sql"); EXPLAIN (ANALYZE, COSTS off, TIMING off) EXECUTE whose$1" |
		grep -o 'pg_lock_status.*' | grep -o '(.*'
}
expect_equal "while others wait for an advisory lock of others pg_locks is not read" "(never executed)" "$(whose "(50, true)")"
expect_equal "nor where it is not asked whose that is" "(never executed)" "$(whose "(50, false)")"
session_open wants main -U shop_app
gauge_start
waited=$(session_do wants "$(server_ms "PERFORM pg_advisory_lock(4711), pg_advisory_unlock(4711)")")
gauge_stop
waited=${waited##* }
check "who waits for an advisory lock of a batch has it in little more than a second (it took $waited ms)" test $((waited - STALLED_MS)) -lt 2000
job_reaches advised "done" 60
expect_sql "the history says that the batch gave way" 1 "SELECT count(*) FROM backfill.event
	WHERE kind = 'yield' AND job_id = $(job_id advised) AND detail ~ '^cancelled the batch of filler 0: session \d+ \(psql\) had waited \d+ ms for ExclusiveLock \(advisory\)\$'"
session_close elect
session_close leader

# Without its connection the watcher says so, and comes back.
enqueue again table_name=parcels column_name=again column_type=text value='slowly(body)' sync=fill fill_where='id <= 600'
wait_until 20 "the watcher is there" "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'backfilld watcher' AND query ~ 'AS anybody'"
sql main "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backfilld watcher'" >/dev/null
wait_until 10 "it says that it cannot see, and sees again" "SELECT count(*) = 2 AND min(detail) ~ '^cannot see who waits', string_agg(detail, '; ') FROM backfill.event WHERE kind = 'watcher'"
ok "a watcher that has lost its connection says so once, and when it is back"
sql main "REVOKE SELECT ON pg_catalog.pg_locks FROM PUBLIC; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'backfilld watcher'" >/dev/null
wait_until 10 "no batch goes while nobody sees who waits for it" "SELECT waiting_for ~ '^nobody sees who waits for locks of the backfill: permission denied', stage, waiting_for FROM backfill.job WHERE name = 'again'"
ok "no batch goes while nobody sees who waits for it"
sql main "GRANT SELECT ON pg_catalog.pg_locks TO PUBLIC"
job_reaches again "done" 30
wait_until 10 "nothing is watched when nothing is done" "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'backfilld watcher'"
ok "nothing is watched when nothing is done"
daemon_stop
