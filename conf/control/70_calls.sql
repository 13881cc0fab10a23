-- What users call.

CREATE OR REPLACE FUNCTION backfill.proceed(job_id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j record;
	let_go text;
BEGIN
	UPDATE backfill.job AS b SET released = b.released || b.held_at
	 WHERE b.id = proceed.job_id AND b.held_at IS NOT NULL AND NOT b.held_at = ANY (b.released)
	RETURNING b.held_at INTO let_go;
	IF FOUND THEN
		RETURN let_go;
	END IF;

	SELECT * INTO j FROM backfill.job b WHERE b.id = proceed.job_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no job %s', job_id),
			DETAIL = 'It was never inserted, or it has been deleted.',
			HINT = 'SELECT id, name, waiting_for FROM backfill.status lists what there is.';
	END IF;
	IF NOT backfill.may_steer(j.requested_by) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('job %s is not yours to steer', job_id),
			DETAIL = format('It was asked for by role %I.', j.requested_by),
			HINT = format('Call this as a member of %I or of backfill_admin.', j.requested_by);
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
		MESSAGE = format('job %s is at no hold', job_id),
		DETAIL = CASE WHEN j.held_at IS NULL THEN format('It is in stage %s, with hold_before = %L.', j.stage, j.hold_before)
		              ELSE format('The hold before %s has been let go already; the daemon goes on within a second.', j.held_at) END,
		HINT = 'A held job says "held before ..." in waiting_for of backfill.status.';
END $$;

CREATE OR REPLACE FUNCTION backfill.check_admin(what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT pg_has_role('backfill_admin', 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('%s is for members of backfill_admin', what),
			DETAIL = format('Role %I is not one; it may steer its own jobs only.', current_user),
			HINT = format('As an administrator: GRANT backfill_admin TO %I;', current_user);
	END IF;
END $$;

CREATE OR REPLACE FUNCTION backfill.pause_all() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	jobs bigint;
BEGIN
	PERFORM backfill.check_admin('pause_all()');
	UPDATE backfill.job SET wanted = 'pause'
	 WHERE (wanted = 'run' OR stage = 'rolling_back' AND wanted = 'roll_back') AND stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back');
	GET DIAGNOSTICS jobs = ROW_COUNT;
	RETURN jobs;
END $$;

CREATE OR REPLACE FUNCTION backfill.resume_all() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	jobs bigint;
BEGIN
	PERFORM backfill.check_admin('resume_all()');
	UPDATE backfill.job SET wanted = CASE stage WHEN 'rolling_back' THEN 'roll_back' ELSE 'run' END
	 WHERE wanted = 'pause' AND stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back');
	GET DIAGNOSTICS jobs = ROW_COUNT;
	RETURN jobs;
END $$;

CREATE OR REPLACE FUNCTION backfill.purge(older_than interval) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	jobs bigint;
BEGIN
	IF older_than IS NULL OR older_than < interval '0' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'purge() needs an age',
			DETAIL = format('It was called with %L.', older_than),
			HINT = 'SELECT backfill.purge(''30 days''); deletes jobs that ended longer ago than that.';
	END IF;
	-- What a live job waits for stays: gone, it would be waited for for ever. So does what keeps its column up to date.
	DELETE FROM backfill.job b
	 WHERE b.stage IN ('done', 'cancelled', 'rolled_back') AND b.finished_at < clock_timestamp() - older_than
	   AND backfill.job_kept_by(b) IS NULL
	   AND NOT EXISTS (SELECT FROM backfill.job d WHERE b.name = ANY (d.depends_on) AND d.stage NOT IN ('done', 'cancelled', 'rolled_back'));
	GET DIAGNOSTICS jobs = ROW_COUNT;
	RETURN jobs;
END $$;
