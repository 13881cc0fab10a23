-- A job is deleted only when nothing works on it.
CREATE OR REPLACE FUNCTION backfill.job_spare() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF OLD.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('job %s is live and cannot be deleted', OLD.id),
			DETAIL = format('It is in stage %s, for column %I of table %s; a daemon goes on from this row.',
			                OLD.stage, OLD.column_name, OLD.table_name),
			HINT = CASE OLD.stage WHEN 'queued'
				THEN format('First: UPDATE backfill.job SET wanted = ''cancel'' WHERE id = %s;', OLD.id)
				ELSE format('Let it finish, or stop it for now: UPDATE backfill.job SET wanted = ''pause'' WHERE id = %s;', OLD.id) END;
	END IF;
	IF OLD.stage = 'failed' AND OLD.resume_stage NOT IN ('queued', 'planning') THEN
		RAISE WARNING USING
			MESSAGE = format('deleting job %s leaves on table %s what it has added so far', OLD.id, OLD.table_name),
			DETAIL = format('It failed in stage %s: column %I and perhaps a trigger of backfilld are there.', OLD.resume_stage, OLD.column_name),
			HINT = format('Insert the job again to finish it, or see \d %s and drop them.', OLD.table_name);
	END IF;
	RETURN OLD;
END $$;
