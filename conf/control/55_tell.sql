-- What is told of a job: to backfill.event, and to who listens.

-- SECURITY DEFINER, because users may not write backfill.event; the actor is what the triggers above have noted.
CREATE OR REPLACE FUNCTION backfill.job_tell() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	knobs CONSTANT text[] := '{workers,batch_ms,max_lag_ms,lag_target_ms,max_impact,lock_timeout_ms,ddl_lock_timeout_ms,max_wal_rate}';
	wishes CONSTANT text[] := '{wanted,note,priority,not_before,daily_window,seal_after_quiet,index,index_where}';
	lists CONSTANT text[] := '{hold_before,released}';
BEGIN
	IF TG_OP = 'DELETE' THEN
		-- There is no new row to note current_user in, and here that is the definer. "role" is what the session has SET
		-- ROLE to: never a role that it may not become.
		INSERT INTO backfill.event (job_id, name, actor, kind, stage, detail)
		VALUES (OLD.id, OLD.name, coalesce(nullif(current_setting('role'), 'none'), session_user), 'job', OLD.stage,
		        format('deleted: column %I of table %s', OLD.column_name, OLD.table_name));
		RETURN NULL;
	END IF;

	IF TG_OP = 'INSERT' THEN
		-- see job_resolve: a row that has passed unchecked must not stay
		IF NEW.table_oid IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
				MESSAGE = format('a job named %L was deleted while this one was being inserted', NEW.name),
				DETAIL = 'The new row was taken for a repeated one and has not been checked.',
				HINT = 'Run the INSERT again.';
		END IF;
		INSERT INTO backfill.event (job_id, name, actor, kind, stage, detail)
		VALUES (NEW.id, NEW.name, NEW.requested_by, 'job', NEW.stage,
		        format('asked for column %I%s of table %s', NEW.column_name, ' ' || NEW.column_type, NEW.table_name));
	ELSE
		INSERT INTO backfill.event (job_id, name, actor, kind, stage, detail)
		SELECT NEW.id, NEW.name, NEW.changed_by, CASE WHEN n.key = ANY (knobs) THEN 'knob' ELSE 'steer' END, NEW.stage,
		       format('%s: from %s to %s', n.key, coalesce(o.said, 'null'), coalesce(n.said, 'null'))
		  FROM (SELECT key, CASE WHEN key = ANY (lists) THEN translate(value, '[]"', '{}') ELSE value END AS said
		          FROM jsonb_each_text(to_jsonb(NEW))) n
		  JOIN (SELECT key, CASE WHEN key = ANY (lists) THEN translate(value, '[]"', '{}') ELSE value END AS said
		          FROM jsonb_each_text(to_jsonb(OLD))) o ON o.key = n.key
		 WHERE n.said IS DISTINCT FROM o.said AND n.key = ANY (knobs || wishes || lists || 'stage'::text)
		 ORDER BY n.key;
	END IF;
	PERFORM pg_notify('backfill', format('{"job":%s,"stage":"%s"}', NEW.id, NEW.stage));
	RETURN NULL;
END $$;

-- Every move of the daemon.
CREATE OR REPLACE FUNCTION backfill.job_moved() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM pg_notify('backfill', format('{"job":%s,"stage":"%s"}', NEW.id, NEW.stage));
	RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION backfill.watched_query_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
		MESSAGE = 'backfilld cannot watch the plans of queries yet',
		DETAIL = 'backfill.watched_query is planned but not built in this version.',
		HINT = 'Use hold_before = ''{seal}'' in the job and compare EXPLAIN of your queries there.';
END $$;
