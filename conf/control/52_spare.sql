-- The function by whose triggers a job goes on keeping its column up to date, which only its row can take back; null: there is none.
CREATE OR REPLACE FUNCTION backfill.job_kept_by(job backfill.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p
	 WHERE job.sync = 'derive' AND p.proname = ('backfill_derive_' || job.id)::name
$$;

-- A job is deleted only when it has ended: a failed one is live, and what it has made would be nobody's.
CREATE OR REPLACE FUNCTION backfill.job_spare() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF OLD.stage NOT IN ('done', 'cancelled', 'rolled_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('job %s is live and cannot be deleted', OLD.id),
			DETAIL = format('It is in stage %s, for column %I of table %s; %s.',
			                OLD.stage, OLD.column_name, OLD.table_name,
			                CASE OLD.stage WHEN 'failed' THEN 'only this row knows what it has made so far' ELSE 'a daemon goes on from this row' END),
			HINT = format('Let it finish, or end it first: UPDATE backfill.job SET wanted = ''cancel'' WHERE id = %s; '
			              '(''roll_back'' takes away what it has made, too).', OLD.id);
	END IF;
	IF backfill.job_kept_by(OLD) IS NOT NULL THEN
		RAISE WARNING USING
			MESSAGE = format('the triggers of job %s stay, without a job that could take them back', OLD.id),
			DETAIL = format('They go on keeping column %I of table %s up to date.', OLD.column_name, OLD.table_name),
			HINT = format('To be rid of them: DROP FUNCTION %s CASCADE.', backfill.job_kept_by(OLD));
	END IF;
	RETURN OLD;
END $$;
