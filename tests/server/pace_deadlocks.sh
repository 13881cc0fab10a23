#!/usr/bin/env bash
# Transactions that lock rows in the opposite order to the batches, and the table after that: hundreds of deadlocks with
# us, and the application is the victim of none, with the server's own deadlock_timeout and with a short one. Among
# themselves its transactions cannot have any: each client has rows of its own, and one that locks the table has it, but
# for us, to itself. An ALTER waits for its table while it holds nothing, so those are all of batches, but for a foreign key,
# which needs another table as well: one deadlock with that. Environment: DEADLOCKS is how many there have to be (200).
# shellcheck disable=SC2119 # our functions have their own arguments
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/job_lib.sh
. "$TOP/tests/server/job_lib.sh"

job_world shared_buffers=4MB
sql -U shop_owner main <<-SQL
	CREATE FUNCTION public.slowly(what text) RETURNS text LANGUAGE plpgsql STABLE AS
		\$\$ BEGIN PERFORM pg_catalog.pg_sleep(0.004); RETURN pg_catalog.right(what, 5); END \$\$;
SQL
for table in {1..3}; do
	# 64 pages are a window; the order on disk is the reverse of the ids
	sql -U shop_owner main <<-SQL
		CREATE TABLE public.accounts$table (id int PRIMARY KEY, email text NOT NULL, balance int NOT NULL DEFAULT 0);
		INSERT INTO public.accounts$table SELECT g, pg_catalog.repeat('x', 560) || g FROM pg_catalog.generate_series(1, 1600) g ORDER BY g DESC;
		VACUUM (ANALYZE) public.accounts$table;
		CREATE FUNCTION public.tidy$table() RETURNS void LANGUAGE sql SECURITY DEFINER AS
			'ALTER TABLE public.accounts$table ALTER COLUMN balance SET DEFAULT 0';
	SQL
done
daemon_start

# They write where the fill is at work: first to a row it comes to, then to one it has.
transactions_start() {
	traffic_start rows 12 300 <<-SQL
		\set table :client_id / 4 + 1
		\set filler random(0, 1)
		\set pages random(1, 3)
		SELECT coalesce(min(b.page), 0) AS page FROM backfill.bookmark b WHERE b.filler = :filler AND b.relation = 'public.accounts:table'::regclass \gset
		\set end :page + :pages
		SELECT coalesce((array_agg(id ORDER BY ctid))[1], 0) AS near, coalesce((array_agg(id ORDER BY ctid DESC))[1], 0) AS far
		  FROM public.accounts:table WHERE ctid >= '(:page,0)' AND ctid < '(:end,0)' AND id % 4 = :client_id % 4 \gset
		BEGIN;
		SELECT pg_advisory_xact_lock_shared(:table);
		UPDATE public.accounts:table SET balance = balance + 1 WHERE id = :far;
		\sleep 15 ms
		UPDATE public.accounts:table SET balance = balance + 1 WHERE id = :near;
		COMMIT;
	SQL
	traffic_start table 1 5 <<-SQL
		\set table random(1, 3)
		\set a random(1, 800)
		\set b random(801, 1600)
		\set way random(1, 2)
		BEGIN;
		SELECT pg_advisory_xact_lock(:table);
		UPDATE public.accounts:table SET balance = balance + 1 WHERE id BETWEEN :a AND :a + 20;
		\if :way = 1
		LOCK TABLE public.accounts:table IN SHARE ROW EXCLUSIVE MODE;
		\else
		SELECT public.tidy:table();
		\endif
		UPDATE public.accounts:table SET balance = balance + 1 WHERE id BETWEEN :b AND :b + 5;
		COMMIT;
	SQL
}

# A line for each wait of ours for somebody who waits for us, and in which mode: a batch never asks for more than RowExclusiveLock on a
# table.
observer_start() {
	psql_at main -Atq >"$WORK/circles" 2>&1 <<-SQL &
		DO \$\$
		DECLARE
			ours record;
		BEGIN
			LOOP
				FOR ours IN
					SELECT l.pid, l.waitstart, l.locktype || l.mode AS what FROM pg_locks l
					 WHERE NOT l.granted AND l.pid IN (SELECT b.pid FROM backfill.backend b)
					   AND EXISTS (SELECT FROM unnest(pg_blocking_pids(l.pid)) AS o (pid) WHERE l.pid = ANY (pg_blocking_pids(o.pid)))
				LOOP
					RAISE NOTICE 'circle % % %', ours.pid, ours.waitstart, ours.what;
				END LOOP;
				PERFORM pg_sleep(0.003);
			END LOOP;
		END \$\$;
	SQL
	echo $! >"$WORK/pids/observer"
	disown $!
}

observer_count() { # [REGEX]
	grep -o "circle [0-9].*${1:-}" "$WORK/circles" | sort -u | wc -l || true
}

observer_stop() {
	kill "$(cat "$WORK/pids/observer")" 2>/dev/null || true
	rm -f "$WORK/pids/observer"
	sql main "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query ~ '^DO .*RAISE NOTICE'" >/dev/null
}

# provoke NAME CIRCLES: jobs on each table, in the middle of it, until there were so many deadlocks, but not for ever. $LOST is what the
# application was told.
circles=0
provoke() {
	local number table seen from
	from=$(wc -l <"$(cluster_log main)")
	gauge_start
	transactions_start
	observer_start
	for ((number = 1; number <= 10 && $(observer_count) < $2; number++)); do
		for table in {1..3}; do
			enqueue "$1$number$table" table_name="accounts$table" column_name="$1$number" column_type=text value='slowly(email)' sync=fill \
				not_null=true workers=2 batch_ms=300
		done
		for table in {1..3}; do
			job_reaches "$1$number$table" "done" 60
			expect_sql "$1 $number, table $table: every row has its value" 0 "SELECT count(*) FROM accounts$table WHERE $1$number IS DISTINCT FROM right(email, 5)"
		done
	done
	observer_stop
	gauge_stop
	seen=$(observer_count)
	circles=$((circles + seen))
	LOST=$(traffic_stop rows && traffic_stop table && tail -n "+$from" "$(cluster_log main)" | grep 'shop_app@.*ERROR' | head -n 3) || true
	note "$1: $seen times we waited for somebody who waited for us; ours ended with: $(tail -n "+$from" "$(cluster_log main)" |
		sed -n 's/.*backfilld job .*ERROR:  //p' | sort | uniq -c | sort -rn | tr -s ' \n' ' ,')"
}

# round NAME CIRCLES DEADLOCK_TIMEOUT: half of that has gone when we cancel. Where the machine stood still for half of what is left then,
# a victim says nothing about us: once more.
round() {
	local try
	for try in '' _again _thrice; do
		provoke "$1$try" "$2"
		if [[ $LOST != *deadlock* ]] || ((STALLED_MS <= $3 / 4)); then
			break
		fi
		note "$1: the machine stood still for $STALLED_MS ms, and the application was a victim: $LOST"
	done
	expect_equal "$1: the application was the victim of no deadlock, and of nothing else" "" "$LOST"
}

# referred NAME: while a job makes a foreign key somebody has a row of the other table, and wants the job's own again and again, giving
# it back each time, until that has to wait: for an ALTER that has it, and waits for the other one.
referred() {
	local name=$1 from met=0 longest=0 tries
	from=$(wc -l <"$(cluster_log main)")
	gauge_start
	observer_start
	session_open "$name" main -U shop_app
	session_do "$name" "BEGIN; UPDATE mails SET hits = hits + 1 WHERE email = 'x1'" >/dev/null
	enqueue "$name" table_name=accounts1 column_name="$name" column_type=text value='right(email, 5)' foreign_key='public.mails(email)'
	wait_until 30 "the other table is waited for" "SELECT count(*) > 0, (SELECT stage FROM backfill.job WHERE name = '$name') FROM backfill.event WHERE name = '$name' AND kind = 'refused'"
	for ((tries = 0; tries < 20 && $(observer_count relationShareRowExclusiveLock) == 0; tries++)); do
		met=$(session_do "$name" "SELECT wait_for_us()" 60)
		longest=$((met > longest ? met : longest))
	done
	gauge_stop
	session_do "$name" "COMMIT" >/dev/null
	session_close "$name"
	job_reaches "$name" "done" 60
	observer_stop
	check "$name: an ALTER was in a deadlock" test "$(observer_count relationShareRowExclusiveLock)" -ge 1
	check "$name: ... for which the application waited $longest ms, up to $STALLED_MS of them for the machine" test $((longest - STALLED_MS)) -lt 300
	expect_equal "$name: ... and was not its victim" "" "$(tail -n "+$from" "$(cluster_log main)" | grep 'shop_app@.*ERROR' | head -n 3)"
	expect_sql "$name: ... and the ALTER was done later" 1 "SELECT count(*) FROM backfill.event WHERE name = '$name' AND kind = 'statement' AND statement ~ 'FOREIGN KEY'"
}

sql -U shop_owner main <<-'SQL'
	CREATE TABLE public.mails (email text PRIMARY KEY, hits int NOT NULL DEFAULT 0);
	INSERT INTO public.mails SELECT DISTINCT pg_catalog.right(email, 5) FROM public.accounts1 UNION SELECT 'x1';
	CREATE FUNCTION public.wait_for_us() RETURNS int LANGUAGE plpgsql AS $$
		DECLARE
			begun timestamptz;
			ms int := 0;
		BEGIN
			WHILE ms < 10 LOOP
				PERFORM pg_catalog.pg_sleep(0.002);
				begun := pg_catalog.clock_timestamp();
				BEGIN
					LOCK TABLE public.accounts1 IN ROW EXCLUSIVE MODE;
					RAISE EXCEPTION 'given back';
				EXCEPTION WHEN raise_exception THEN
					ms := 1000 * EXTRACT(epoch FROM pg_catalog.clock_timestamp() - begun);
				END;
			END LOOP;
			RETURN ms;
		END $$;
SQL
DEADLOCKS=${DEADLOCKS:-200}
round default "$DEADLOCKS" 1000
referred referred
# A quarter of it is less than what the watcher and lock_timeout_ms take otherwise.
sql main "ALTER SYSTEM SET deadlock_timeout = '190ms'"
sql main "SELECT pg_reload_conf()" >/dev/null
wait_until 10 "deadlock_timeout is short" "SELECT current_setting('deadlock_timeout') = '190ms'"
round short 30 190
referred referred_shortly
check "at least $DEADLOCKS deadlocks were provoked ($circles)" test "$circles" -ge "$DEADLOCKS"
expect_sql "nothing failed" "" "SELECT string_agg(detail, '; ') FROM backfill.event WHERE kind = 'error'"
note "the longest waits in the history: $(sql main "SELECT string_agg(lock_wait_ms::text, ' ' ORDER BY lock_wait_ms DESC) FROM (SELECT lock_wait_ms FROM backfill.event WHERE kind = 'yield' ORDER BY 1 DESC LIMIT 10) e")"
daemon_stop
