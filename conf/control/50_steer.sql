-- May the current user steer a job of that role? A role that is gone has no members.
CREATE OR REPLACE FUNCTION backfill.may_steer(requested_by name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_roles r
	                WHERE r.rolname IN (may_steer.requested_by, 'backfill_admin') AND pg_has_role(r.oid, 'USAGE'));
$$;

-- Raises when another job that is live has the job's column.
CREATE OR REPLACE FUNCTION backfill.job_check_alone(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	other record;
BEGIN
	SELECT j.id, j.name, j.stage INTO other FROM backfill.job j
	 WHERE j.table_oid = job.table_oid AND j.column_name = job.column_name AND j.id <> job.id
	   AND j.stage NOT IN ('done', 'cancelled', 'rolled_back');
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'unique_violation',
			MESSAGE = format('column %I of table %s has a live job already', job.column_name, job.table_name),
			DETAIL = format('It is job %s%s, in stage %s%s.', other.id, ' "' || other.name || '"', other.stage,
			                CASE WHEN EXISTS (SELECT FROM backfill.job j WHERE j.id = job.id) THEN format(', so that job %s cannot go to %s', job.id, job.stage) END),
			HINT = CASE other.stage
				WHEN 'failed' THEN format('See error and error_hint of job %s and set wanted = ''run'' again, or end it: UPDATE backfill.job SET wanted = ''cancel'' WHERE id = %1$s;', other.id)
				WHEN 'queued' THEN format('Let it finish, or take it back first: UPDATE backfill.job SET wanted = ''cancel'' WHERE id = %s;', other.id)
				ELSE format('Let it finish: SELECT * FROM backfill.status WHERE id = %s;', other.id) END,
			COLUMN = 'column_name', CONSTRAINT = 'job_live_column';
	END IF;
END $$;

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

	IF NEW.seal_after_quiet IS DISTINCT FROM OLD.seal_after_quiet THEN
		PERFORM backfill.job_check_wishes(NEW);
	END IF;

	IF (NEW.index, NEW.index_where) IS DISTINCT FROM (OLD.index, OLD.index_where) THEN
		IF OLD.stage <> 'done' OR OLD.index NOT IN ('none', 'advise') THEN
			RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('the index of job %s cannot be changed now', OLD.id),
				DETAIL = CASE WHEN OLD.stage = 'done' THEN format('It has built its %s index.', OLD.index)
				              ELSE format('It is in stage %s, and its plan is made; an index may be asked for once it is done.', OLD.stage) END,
				HINT = CASE WHEN OLD.stage = 'done' THEN 'For another one: CREATE INDEX CONCURRENTLY, then DROP INDEX CONCURRENTLY of this one, by hand.'
				            ELSE format('CALL backfill.wait_for(...), then UPDATE backfill.job SET index = ... WHERE id = %s;', OLD.id) END,
				COLUMN = 'index';
		END IF;
		NEW.index := backfill.job_check_index(NEW);
		IF NEW.index NOT IN ('none', 'advise') THEN
			NEW.stage := 'indexing';
			NEW.wanted := 'run';
			NEW.finished_at := NULL;
			-- What planning chose may have been taken since: by an index that was made by hand and is not ours.
			NEW.object_names := NEW.object_names || (
				WITH RECURSIVE tree (oid) AS (
					SELECT NEW.table_oid
					UNION
					SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
				)
				SELECT jsonb_build_object('index', backfill.object_name(c.relname, NEW.column_name, f.tail))
				  FROM pg_class c CROSS JOIN generate_series(0, 999) g CROSS JOIN LATERAL concat('idx', nullif(g, 0)) AS f (tail)
				 WHERE c.oid = NEW.table_oid
				   AND NOT EXISTS (SELECT FROM tree t JOIN pg_class m ON m.oid = t.oid JOIN pg_class o ON o.relnamespace = m.relnamespace
				                    WHERE o.relname = CASE WHEN m.oid = c.oid THEN backfill.object_name(m.relname, NEW.column_name, f.tail)
				                                           ELSE backfill.member_name(m.oid, m.relname, NEW.column_name, f.tail) END)
				 ORDER BY g LIMIT 1);
			PERFORM backfill.job_check_alone(NEW);
		END IF;
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
