-- May the current user steer a job of that role? A role that is gone has no members.
CREATE OR REPLACE FUNCTION backfill.may_steer(requested_by name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_roles r
	                WHERE r.rolname IN (may_steer.requested_by, 'backfill_admin') AND pg_has_role(r.oid, 'USAGE'));
$$;

-- Fires when an UPDATE names a user's column other than `wanted`.
CREATE OR REPLACE FUNCTION backfill.job_steer() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.changed_by := current_user;
	NEW.index := coalesce(NEW.index, 'none');
	NEW.hold_before := coalesce(NEW.hold_before, '{}');
	NEW.priority := coalesce(NEW.priority, 0);
	PERFORM backfill.job_check_limits(NEW);
	IF NEW.daily_window IS DISTINCT FROM OLD.daily_window THEN
		NEW.daily_window := backfill.daily_window_read(NEW.daily_window);
	END IF;

	-- Users have the right to it for proceed(), which runs as they.
	IF NEW.released IS DISTINCT FROM OLD.released
	   AND NEW.released IS DISTINCT FROM OLD.released || OLD.held_at
	   AND NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('released of job %s cannot be set by hand', OLD.id),
			DETAIL = 'It remembers which holds were let go.',
			HINT = format('SELECT backfill.proceed(%s);', OLD.id), COLUMN = 'released';
	END IF;
	RETURN NEW;
END $$;

-- Fires when an UPDATE names `wanted`, also with the value it has: that is how a failed job is sent off again.
CREATE OR REPLACE FUNCTION backfill.job_want() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := format('Job %s (column %I of table %s)', OLD.id, OLD.column_name, OLD.table_name);
	verdict text;
BEGIN
	NEW.changed_by := current_user;
	NEW.wanted := coalesce(NEW.wanted, OLD.wanted);
	PERFORM backfill.job_check_limits(NEW);

	-- A stage's answer to each wish; the last row speaks for the stages of work.
	SELECT CASE NEW.wanted WHEN 'run' THEN v.run WHEN 'pause' THEN v.pause WHEN 'cancel' THEN v.cancel ELSE v.roll_back END
	  INTO verdict
	  FROM (VALUES
		('queued',       'take',   'take',   'cancel',  'unbuilt'),
		('failed',       'resume', 'take',   'unbuilt', 'unbuilt'),
		('done',         'pass',   'pass',   'refuse',  'unbuilt'),
		('cancelled',    'resume', 'pass',   'pass',    'unbuilt'),
		('rolling_back', 'refuse', 'take',   'refuse',  'take'),
		('rolled_back',  'again',  'pass',   'pass',    'pass'),
		(NULL,           'take',   'take',   'unbuilt', 'unbuilt')
	  ) AS v (stage, run, pause, cancel, roll_back)
	 WHERE v.stage = OLD.stage OR v.stage IS NULL
	 ORDER BY v.stage NULLS LAST LIMIT 1;
	-- A claimed job has begun, whatever its row says.
	IF verdict = 'cancel' AND EXISTS (SELECT FROM backfill.claim c WHERE c.job_id = OLD.id) THEN
		verdict := 'unbuilt';
	END IF;

	CASE verdict
	WHEN 'take' THEN
		NULL;
	WHEN 'pass' THEN
		NEW.wanted := OLD.wanted;
	WHEN 'cancel' THEN
		NEW.stage := 'cancelled';
		NEW.waiting_for := NULL;
		NEW.finished_at := clock_timestamp();
	WHEN 'resume', 'again' THEN
		NEW.stage := CASE verdict WHEN 'again' THEN 'planning' ELSE coalesce(OLD.resume_stage, 'queued') END;
		NEW.resume_stage := NULL;
		NEW.error := NULL;
		NEW.error_code := NULL;
		NEW.error_hint := NULL;
		NEW.waiting_for := NULL;
		NEW.finished_at := NULL;
		IF verdict = 'again' THEN
			NEW.blocks_done := 0;
			NEW.blocks_total := NULL;
		END IF;
	WHEN 'unbuilt' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('backfilld cannot do wanted = %s for a job in stage %s yet', NEW.wanted, OLD.stage),
			DETAIL = format('%s: ending it half-way or taking it back is planned but not built in this version.', who),
			HINT = CASE OLD.stage WHEN 'done' THEN 'To take the column back: ALTER TABLE ... DROP COLUMN.'
			       ELSE format('UPDATE backfill.job SET wanted = ''pause'' WHERE id = %s; stops it and keeps everything it has.', OLD.id) END,
			COLUMN = 'wanted';
	WHEN 'refuse' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('wanted = %s is not possible for a job in stage %s', NEW.wanted, OLD.stage),
			DETAIL = CASE OLD.stage WHEN 'done' THEN format('%s has done its work; there is nothing left to stop.', who)
			                        ELSE format('%s is being taken back; it cannot turn round half-way.', who) END,
			HINT = CASE OLD.stage WHEN 'done' THEN 'To take the column back: ALTER TABLE ... DROP COLUMN.'
			                      ELSE 'Wait for rolled_back, then set wanted = ''run''.' END,
			COLUMN = 'wanted';
	END CASE;
	RETURN NEW;
END $$;
