-- Fires when an UPDATE names `wanted`, also with the value it has: that is how a failed job is sent off again.
CREATE OR REPLACE FUNCTION backfill.job_want() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who CONSTANT text := format('Job %s (column %I of table %s)', OLD.id, OLD.column_name, OLD.table_name);
	-- A claimed job has begun, whatever its row says; one at an end is only about to be let go.
	claimed CONSTANT boolean := OLD.stage NOT IN ('failed', 'done', 'cancelled') AND EXISTS (SELECT FROM backfill.claim c WHERE c.job_id = OLD.id);
	reached CONSTANT text := CASE WHEN OLD.stage IN ('failed', 'cancelled') THEN coalesce(OLD.resume_stage, 'queued') ELSE OLD.stage END;
	untouched CONSTANT boolean := NOT claimed AND reached IN ('queued', 'planning');
	verdict text;
	later bigint;
BEGIN
	NEW.changed_by := current_user;
	NEW.wanted := coalesce(NEW.wanted, OLD.wanted);
	PERFORM backfill.job_check_limits(NEW);

	-- A stage's answer to each wish; the last row speaks for the stages of work.
	SELECT CASE NEW.wanted WHEN 'run' THEN v.run WHEN 'pause' THEN v.pause WHEN 'cancel' THEN v.cancel ELSE v.roll_back END
	  INTO verdict
	  FROM (VALUES
		('failed',       'resume', 'take',   'stop',    'undo'),
		('done',         'pass',   'pass',   'refuse',  'undo'),
		('cancelled',    'resume', 'pass',   'pass',    'undo'),
		('rolling_back', 'refuse', 'take',   'refuse',  'take'),
		('rolled_back',  'again',  'pass',   'pass',    'pass'),
		(NULL,           'take',   'take',   'stop',    'undo')
	  ) AS v (stage, run, pause, cancel, roll_back)
	 WHERE v.stage = OLD.stage OR v.stage IS NULL
	 ORDER BY v.stage NULLS LAST LIMIT 1;

	-- Where nothing was made there is nothing to take away, and who has claimed a job reads its wish there.
	verdict := CASE
		WHEN verdict = 'stop' AND untouched THEN 'end'
		WHEN verdict = 'undo' AND untouched THEN 'end'
		WHEN verdict IN ('stop', 'undo') AND claimed THEN 'take'
		ELSE verdict END;

	IF verdict = 'undo' THEN
		SELECT max(j.id) INTO later FROM backfill.job j
		 WHERE j.table_oid = OLD.table_oid AND j.column_name = OLD.column_name AND j.id > OLD.id AND j.stage = 'done';
		IF later IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('job %s cannot be rolled back under job %s', OLD.id, later),
				DETAIL = format('%s made what job %s, which is done, has built upon.', who, later),
				HINT = format('First: UPDATE backfill.job SET wanted = ''roll_back'' WHERE id = %s;', later), COLUMN = 'wanted';
		END IF;
	END IF;

	IF verdict NOT IN ('take', 'pass', 'refuse') THEN
		NEW.stage := CASE verdict
			WHEN 'end' THEN CASE NEW.wanted WHEN 'cancel' THEN 'cancelled' ELSE 'rolled_back' END
			WHEN 'again' THEN 'planning'
			WHEN 'undo' THEN 'rolling_back'
			WHEN 'resume' THEN reached
			-- wherever it failed, it goes on as live for as long as it takes to end it
			ELSE CASE reached WHEN 'rolling_back' THEN 'adding' ELSE reached END
			END;
		NEW.resume_stage := CASE WHEN NEW.stage = 'cancelled' THEN reached END;
		NEW.error := NULL;
		NEW.error_code := NULL;
		NEW.error_hint := NULL;
		NEW.waiting_for := NULL;
		NEW.held_at := CASE verdict WHEN 'resume' THEN OLD.held_at END;
		NEW.held_since := CASE verdict WHEN 'resume' THEN OLD.held_since END;
		NEW.finished_at := CASE verdict WHEN 'end' THEN clock_timestamp() END;
	END IF;

	CASE verdict
	WHEN 'take', 'stop', 'undo', 'end' THEN
		NULL;
	WHEN 'pass' THEN
		NEW.wanted := OLD.wanted;
	WHEN 'resume' THEN
		IF NEW.stage = 'rolling_back' THEN
			NEW.wanted := 'roll_back';
		END IF;
	WHEN 'again' THEN
		-- job_forget does the same for the tables beside it
		NEW := backfill.job_unbegun(NEW);
		NEW.adopted := EXISTS (SELECT FROM pg_attribute a
		                        WHERE a.attrelid = OLD.table_oid AND a.attname = OLD.column_name AND NOT a.attisdropped);
	WHEN 'refuse' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('wanted = %s is not possible for a job in stage %s', NEW.wanted, OLD.stage),
			DETAIL = CASE OLD.stage WHEN 'done' THEN format('%s has done its work; there is nothing left to stop.', who)
			                        ELSE format('%s is being taken back; it cannot turn round half-way.', who) END,
			HINT = CASE OLD.stage WHEN 'done' THEN format('To take it all back: UPDATE backfill.job SET wanted = ''roll_back'' WHERE id = %s;', OLD.id)
			                      ELSE 'Wait for rolled_back, then set wanted = ''run''.' END,
			COLUMN = 'wanted';
	END CASE;
	IF OLD.stage IN ('done', 'cancelled', 'rolled_back') AND NEW.stage NOT IN ('done', 'cancelled', 'rolled_back') THEN
		PERFORM backfill.job_check_alone(NEW);
	END IF;
	RETURN NEW;
END $$;

-- A job that was rolled back and starts again knows nothing of its first time. SECURITY DEFINER, because users may not write
-- the tables beside backfill.job.
CREATE OR REPLACE FUNCTION backfill.job_forget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM backfill.walk w WHERE w.job_id = NEW.id;
	DELETE FROM backfill.bookmark b WHERE b.job_id = NEW.id;
	DELETE FROM backfill.leaf l WHERE l.job_id = NEW.id;
	DELETE FROM backfill.plan_step p WHERE p.job_id = NEW.id;
	RETURN NULL;
END $$;
