-- A job is deleted only when nothing works on it.
CREATE OR REPLACE FUNCTION backfill.job_spare() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF OLD.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('job %s is live and cannot be deleted', OLD.id),
			DETAIL = format('It is in stage %s, for column %I of table %s; a daemon goes on from this row.',
			                OLD.stage, OLD.column_name, OLD.table_name),
			HINT = format('Let it finish, or end it first: UPDATE backfill.job SET wanted = ''cancel'' WHERE id = %s; '
			              '(''roll_back'' takes away what it has made, too).', OLD.id);
	END IF;
	IF OLD.stage = 'failed' AND OLD.resume_stage NOT IN ('queued', 'planning') THEN
		RAISE WARNING USING
			MESSAGE = format('deleting job %s leaves on table %s what it has added so far', OLD.id, OLD.table_name),
			DETAIL = format('It failed in stage %s: column %I and perhaps a trigger of backfilld are there.', OLD.resume_stage, OLD.column_name),
			HINT = format('Next time: UPDATE backfill.job SET wanted = ''roll_back'' before; now see \d %s and drop what is left.', OLD.table_name);
	END IF;
	RETURN OLD;
END $$;
