-- What is asked for and not built yet: a later version deletes its line here. Judged at INSERT and at UPDATE.
CREATE OR REPLACE FUNCTION backfill.job_not_built(job backfill.job) RETURNS TABLE (feature text, instead text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.feature, r.instead
	  FROM (VALUES
		('index', job.index = 'advise',
		 'Leave it out, and set it once you know: UPDATE backfill.job SET index = ''btree'' of a job that is done.'),
		('rehearse', coalesce(job.rehearse, false),
		 'Use hold_before = ''{add}'' to see the plan before anything is touched, and try the job on a copy.'),
		('hold_on_plan_regression', job.hold_on_plan_regression,
		 'Use hold_before = ''{seal}'' and compare EXPLAIN of your queries there.')
	  ) AS r (feature, asked, instead)
	 WHERE r.asked;
$$;

-- Knobs outside their range, which is the config's (daemon/options_table.c); null follows the config and is always inside.
CREATE OR REPLACE FUNCTION backfill.job_bad_knob(job backfill.job) RETURNS TABLE (knob text, value bigint, low bigint, high bigint, unit text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.knob, r.value, r.low, r.high, r.unit
	  FROM (VALUES
		('workers', job.workers::bigint, 0::bigint, 32::bigint, 'connections'),
		('batch_ms', job.batch_ms, 1, 10000, 'ms'),
		('max_lag_ms', job.max_lag_ms, 100, 3600000, 'ms'),
		('lag_target_ms', job.lag_target_ms, 100, 3600000, 'ms'),
		('max_impact', job.max_impact, 0, 1000, 'per cent'),
		('lock_timeout_ms', job.lock_timeout_ms, 1, 900, 'ms'),
		('ddl_lock_timeout_ms', job.ddl_lock_timeout_ms, 1, 10000, 'ms'),
		('max_wal_rate', job.max_wal_rate, 0, 1000000000000, 'bytes per second')
	  ) AS r (knob, value, low, high, unit)
	 WHERE r.value NOT BETWEEN r.low AND r.high;
$$;

-- What an INSERT and an UPDATE are both held to.
CREATE OR REPLACE FUNCTION backfill.job_check_limits(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what text := format('column %I of table %s', job.column_name, job.table_name);
	r record;
BEGIN
	SELECT * INTO r FROM backfill.job_not_built(job) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('backfilld cannot do %s yet', r.feature),
			DETAIL = format('The job for %s asks for %s, which is planned but not built in this version.', what, r.feature),
			HINT = r.instead, COLUMN = r.feature;
	END IF;

	SELECT * INTO r FROM backfill.job_bad_knob(job) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s = %s is out of range', r.knob, r.value),
			DETAIL = format('The job for %s takes %s from %s to %s %s.', what, r.knob, r.low, r.high, r.unit),
			HINT = 'Choose a value in the range, or leave it null to follow the daemon''s config.', COLUMN = r.knob;
	END IF;

	IF array_position(job.hold_before, NULL) IS NOT NULL OR NOT job.hold_before <@ '{add,fill,seal}' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('hold_before = %L names a place where no job can be held', job.hold_before),
			DETAIL = format('The job for %s can be held before add, fill and seal.', what),
			HINT = 'Write for example hold_before = ''{fill,seal}''.', COLUMN = 'hold_before';
	END IF;
	IF job.wanted NOT IN ('run', 'pause', 'cancel', 'roll_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('wanted = %L is not something a job can do', job.wanted),
			DETAIL = format('The job for %s can run, pause, cancel or roll_back.', what),
			HINT = 'Write one of run, pause, cancel, roll_back.', COLUMN = 'wanted';
	END IF;
END $$;
