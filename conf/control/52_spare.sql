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
	RETURN OLD;
END $$;
