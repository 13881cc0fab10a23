# shellcheck shell=bash
# What the faults_*.sh share. Sourced after lib.sh.
#
#	slow_fill CLUSTER [SETTING=VALUE…]    one whose windows are 64 pages, so that a small table has many
#	numbers_table ROWS         public.numbers (id, body), and public.touched, where each UPDATE of a row leaves its id
#	numbers_job NAME [COLUMNS VALUES]    a job whose value is volatile and takes its time: a row filled twice would show
#	numbers_right              every row has a value, each its own, and was updated once
#	lease_lapses               as if the holder had been gone for as long as a lease lasts
#	kill_until NAME STAGE      starts the daemon and kills it at some moment, until the job is there; counts in KILLS
#	filled_beyond ROWS         waits until more rows than that are filled and committed
#	job_says NAME REGEX SECONDS   waits until waiting_for matches
#	backends [REGEX]           server processes of the daemon whose application_name matches

slow_fill() {
	cluster_start "$1" shared_buffers=4MB "${@:2}"
}

numbers_table() {
	sql -U shop_owner main <<-SQL
		CREATE TABLE public.numbers (id int PRIMARY KEY, body text NOT NULL);
		CREATE TABLE public.touched (id int NOT NULL);
		CREATE SEQUENCE public.drawn;
		INSERT INTO public.numbers SELECT g, repeat('x', 100) FROM generate_series(1, $1) g;
		CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS
			\$\$ BEGIN INSERT INTO public.touched VALUES (NEW.id); RETURN NULL; END \$\$;
		CREATE TRIGGER touch AFTER UPDATE ON public.numbers FOR EACH ROW EXECUTE FUNCTION public.touch();
		CREATE FUNCTION public.draw() RETURNS bigint LANGUAGE plpgsql AS
			\$\$ BEGIN PERFORM pg_catalog.pg_sleep(0.0001); RETURN pg_catalog.nextval('public.drawn'); END \$\$;
		VACUUM (ANALYZE) public.numbers;
	SQL
}

numbers_job() {
	sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value${2:+, $2})
		VALUES ('$1', 'numbers', 'number', 'bigint', 'draw()'${3:+, $3})"
}

numbers_right() {
	expect_sql "$1: no row is without its value" 0 "SELECT count(*) FROM numbers WHERE number IS NULL"
	expect_sql "$1: no value was given twice" 0 "SELECT count(*) - count(DISTINCT number) FROM numbers"
	expect_sql "$1: no row was filled twice" 0 "SELECT count(*) FROM (SELECT id FROM touched GROUP BY id HAVING count(*) > 1) AS twice"
	expect_sql "$1: rows_filled tells how many were" t \
		"SELECT j.rows_filled = (SELECT count(*) FROM touched) FROM backfill.job j WHERE j.table_name = 'public.numbers'"
}

lease_lapses() {
	sql main "UPDATE backfill.claim SET lease_until = pg_catalog.clock_timestamp() - interval '1 s'"
}

KILLS=0
kill_until() {
	local end=$((SECONDS + 60)) longest=90 delay binary config
	binary=$(daemon_binary)
	config=$(daemon_config)
	until [[ $(sql main "SELECT stage FROM backfill.job WHERE name = '$1'") == "$2" ]]; do
		become_server "$binary" --config "$config" </dev/null >>"$WORK/killed.log" 2>&1 &
		echo $! >"$WORK/pids/killed"
		delay=$((RANDOM % longest)) # the moment is the point; a busy machine needs longer to get anywhere
		longest=$((longest * 5 / 4))
		sleep "$(printf '0.%03d' $((delay > 999 ? 999 : delay)))"
		kill -KILL $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		KILLS=$((KILLS + 1))
		lease_lapses
		((SECONDS < end)) || give_up "job $1 is $2 between kills" "$(sql main "SELECT stage, waiting_for, error FROM backfill.job WHERE name = '$1'")"
	done
}

filled_beyond() {
	wait_until 20 "more than $1 rows are filled" "SELECT sum(rows_filled) > $1, sum(rows_filled) FROM backfill.bookmark"
}

job_says() {
	wait_until "$3" "job $1 says that it waits for: $2" \
		"SELECT waiting_for ~ '${2//\'/\'\'}', stage, waiting_for, error FROM backfill.job WHERE name = '$1'"
}

backends() {
	sql main "SELECT pid FROM pg_stat_activity WHERE application_name ~ '${1:-^backfilld}' AND usename LIKE 'backfilld%'"
}
