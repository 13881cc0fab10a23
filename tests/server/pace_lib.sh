# shellcheck shell=bash
# What the tests of signals share. Sourced after faults_lib.sh.
#
#	slow_numbers               public.numbers, and a value that takes a millisecond a row: the fill lasts as long as a test needs;
#	                           public.touched also tells when each row was filled; no autovacuum comes, which would slow it down
#	moves_on WHAT              more rows are filled than before
#	waits WHAT REGEX [SECONDS] the job says what it waits for
#	throttle BODY              what the operator's query answers from now on: the body of a PL/pgSQL function
#	said KIND REGEX            how many events of this kind say so
#	setting CLUSTER NAME VALUE
#	holder_is WHAT REGEX       who the survey says holds the horizon, asked as the daemon asks

slow_numbers() {
	numbers_table 60000
	sql -U shop_owner main "ALTER TABLE public.touched ADD at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp();
		ALTER TABLE public.numbers SET (autovacuum_enabled = off)"
	sql -U shop_owner main "CREATE OR REPLACE FUNCTION public.draw() RETURNS bigint LANGUAGE plpgsql AS
		\$\$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN pg_catalog.nextval('public.drawn'); END \$\$"
	daemon_option defaults.batch_ms 20
}

moves_on() {
	local before
	before=$(sql main "SELECT sum(rows_filled) FROM backfill.bookmark")
	wait_until 10 "$1" "SELECT sum(rows_filled) > $before, (SELECT waiting_for FROM backfill.job) FROM backfill.bookmark"
	ok "$1"
}

waits() {
	job_says numbers "$2" "${3:-5}"
	ok "$1"
}

throttle() {
	sql main "CREATE OR REPLACE FUNCTION public.throttle() RETURNS TABLE (hold boolean, why text) LANGUAGE plpgsql AS \$\$ BEGIN $1 END \$\$"
}

said() {
	sql main "SELECT count(*) FROM backfill.event WHERE kind = '$1' AND detail ~ '$2'"
}

setting() {
	sql "$1" "ALTER SYSTEM SET $2 = '$3'"
	sql "$1" "SELECT pg_reload_conf()" >/dev/null
}

holder_is() {
	local query
	query=$(<"$TOP/daemon/sql/survey_horizon.sql")
	sql main "SELECT pg_current_xact_id()" >/dev/null
	wait_until -U backfilld 10 "$1" "WITH held AS ($query) SELECT bool_or(who ~ '$2'), max(who) FROM held"
	ok "$1"
}
