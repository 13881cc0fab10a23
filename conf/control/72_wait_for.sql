-- One look of wait_for: true when the stage is reached or passed, false to go on waiting.
CREATE OR REPLACE FUNCTION backfill.wait_look(name text, stage text, until timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	stages CONSTANT text[] := '{queued,planning,adding,filling,indexing,sealing,analyzing,done}';
	j record;
BEGIN
	IF array_position(stages, wait_look.stage) IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%L is not a stage that can be waited for', stage),
			DETAIL = format('The stages are %s.', array_to_string(stages, ', ')),
			HINT = format('CALL backfill.wait_for(%L, ''done'', ''1 hour'');', name);
	END IF;
	SELECT b.*, s.waiting_for AS waits INTO j FROM backfill.job b JOIN backfill.status s ON s.id = b.id WHERE b.name = wait_look.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no job named %L', name),
			DETAIL = 'It was never inserted, has not been committed yet, or has been deleted.',
			HINT = 'Commit the INSERT of the job first; SELECT id, name FROM backfill.status lists what there is.';
	END IF;
	IF j.stage IN ('failed', 'cancelled', 'rolling_back', 'rolled_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'raise_exception',
			MESSAGE = format('job %s %L will not reach stage %s: it is %s', j.id, name, stage, j.stage),
			DETAIL = CASE j.stage WHEN 'failed' THEN format('%s%s', j.error, ' (SQLSTATE ' || j.error_code || ')')
			                      ELSE format('wanted = %s was set by %I.', j.wanted, j.changed_by) END,
			HINT = concat_ws(' ', j.error_hint, format('UPDATE backfill.job SET wanted = ''run'' WHERE id = %s; sends it off again.', j.id));
	END IF;
	IF array_position(stages, j.stage) >= array_position(stages, wait_look.stage) THEN
		RETURN true;
	END IF;
	IF clock_timestamp() >= until THEN
		RAISE EXCEPTION USING ERRCODE = 'query_canceled',
			MESSAGE = format('job %s %L did not reach stage %s in time', j.id, name, stage),
			DETAIL = format('It is in stage %s%s.', j.stage, ', waiting: ' || j.waits),
			HINT = 'The job goes on; call wait_for again, or with a longer timeout.';
	END IF;
	RETURN false;
END $$;

-- What wait_for has to tell who waits, who was told `said` at `said_at`: each stage at once, other news after 10 s, and something
-- once a minute: a client that is gone without a word is noticed only by sending to it.
CREATE OR REPLACE FUNCTION backfill.wait_says(name text, said text, said_at timestamptz) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	stage text;
	news text;
BEGIN
	SELECT format('job %s %L is in stage %s', s.id, s.name, s.stage), format('job %s %L is in stage %s', s.id, s.name, s.stage) || coalesce(', waiting: ' || s.waiting_for, '')
	  INTO stage, news
	  FROM backfill.status s WHERE s.name = wait_says.name;
	RETURN CASE WHEN said IS NULL OR NOT starts_with(said, stage) OR said_at < clock_timestamp() - interval '1 minute'
	              OR said_at < clock_timestamp() - interval '10 s' AND said <> news THEN news END;
END $$;

-- No SET clause: a procedure with one may not commit. So every name is qualified.
CREATE OR REPLACE PROCEDURE backfill.wait_for(name text, stage text DEFAULT 'done', timeout interval DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
	until pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) timeout;
	said pg_catalog.text;
	said_at pg_catalog.timestamptz;
	news pg_catalog.text;
BEGIN
	-- A transaction that began before this very statement has a BEGIN of its own.
	IF pg_catalog.now() OPERATOR(pg_catalog.<) pg_catalog.statement_timestamp() THEN
		RAISE EXCEPTION USING ERRCODE = 'active_sql_transaction',
			MESSAGE = 'wait_for cannot run inside a transaction block',
			DETAIL = 'It commits between looks: an open snapshot would hold back the horizon that the fill needs.',
			HINT = 'CALL it on its own: COMMIT first, or leave out BEGIN (psql: no -1; migration tools: outside the transaction).';
	END IF;
	WHILE NOT backfill.wait_look(name, stage, until) LOOP
		news := backfill.wait_says(name, said, said_at);
		IF news IS NOT NULL THEN
			RAISE NOTICE USING MESSAGE = news;
			said := news;
			said_at := pg_catalog.clock_timestamp();
		END IF;
		COMMIT;
		PERFORM pg_catalog.pg_sleep(0.2);
	END LOOP;
END $$;
