#!/usr/bin/env bash
# A COMMIT that fails (a deferred trigger): the batch is repeated, and the one that was sent behind it does not go on without it.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

rows=40000
slow_fill main
daemon_install
daemon_option defaults.max_impact 0 # or it would begin with one batch at a time
sql -U shop_owner main <<-SQL
	CREATE TABLE public.parcels (id int PRIMARY KEY, body text NOT NULL);
	INSERT INTO public.parcels SELECT g, pg_catalog.repeat('x', 100) FROM pg_catalog.generate_series(1, $rows) g;
	CREATE SEQUENCE public.refused;
	CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
		IF pg_catalog.nextval('public.refused') % 2 = 1 THEN -- each of them once
			RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'not now';
		END IF;
		RETURN NULL;
	END \$\$;
	CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON public.parcels DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.id % 2000 = 0) EXECUTE FUNCTION public.refuse();
	VACUUM (ANALYZE) public.parcels;
	INSERT INTO backfill.job (name, table_name, column_name, column_type, value) VALUES ('parcels', 'parcels', 'label', 'text', 'upper(body)');
SQL
daemon_start
job_reaches parcels "done" 60
expect_sql "the COMMIT of batches has failed" t "SELECT last_value >= 2 * $rows / 2000 FROM public.refused"
check "one that was sent behind it was refused" grep -q "a batch of filler 0 of backfill job 1 is not kept" "$WORK/main/log"
expect_sql "every row has its value" 0 "SELECT count(*) FROM parcels WHERE label IS DISTINCT FROM upper(body)"
expect_sql "each row was filled by a batch that counts, and none was left to the sweep" $rows "
	SELECT sum(rows) FROM backfill.event
	 WHERE kind = 'window' AND id < (SELECT min(id) FROM backfill.event WHERE kind = 'sweep')"
expect_sql "a batch that failed with the one before it is no news" "" "SELECT string_agg(detail, '; ') FROM backfill.event WHERE kind = 'error'"
daemon_stop
