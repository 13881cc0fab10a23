-- Made when missing only: each takes a lock on backfill.job that its readers or writers would wait for.
-- Triggers of one event fire in the order of their names.
DO $$
DECLARE
	steerable CONSTANT text := 'note, priority, not_before, daily_window, hold_before, seal_after_quiet, index, index_where, workers, batch_ms,
		max_lag_ms, lag_target_ms, max_impact, lock_timeout_ms, ddl_lock_timeout_ms, max_wal_rate, released';
	made record;
BEGIN
	FOR made IN
		SELECT * FROM (VALUES
			('backfill.job', 'job_1_resolve', 'BEFORE INSERT', '', 'job_resolve'),
			('backfill.job', 'job_2_check', 'BEFORE INSERT', '', 'job_check'),
			('backfill.job', 'job_3_tell', 'AFTER INSERT', '', 'job_tell'),
			('backfill.job', 'job_4_steer', 'BEFORE UPDATE OF ' || steerable, '', 'job_steer'),
			('backfill.job', 'job_5_want', 'BEFORE UPDATE OF wanted', '', 'job_want'),
			('backfill.job', 'job_6_forget', 'AFTER UPDATE OF wanted', 'WHEN (OLD.stage = ''rolled_back'' AND NEW.stage = ''planning'')', 'job_forget'),
			('backfill.job', 'job_6_tell', 'AFTER UPDATE OF wanted, ' || steerable, '', 'job_tell'),
			('backfill.job', 'job_7_moved', 'AFTER UPDATE OF stage', 'WHEN (OLD.stage IS DISTINCT FROM NEW.stage)', 'job_moved'),
			('backfill.job', 'job_8_spare', 'BEFORE DELETE', '', 'job_spare'),
			('backfill.job', 'job_9_tell', 'AFTER DELETE', '', 'job_tell'),
			('backfill.watched_query', 'watched_query_check', 'BEFORE INSERT OR UPDATE', '', 'watched_query_check')
		) AS t (relation, name, event, condition, function)
		 WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.relation::regclass AND g.tgname = t.name)
	LOOP
		EXECUTE format('CREATE TRIGGER %I %s ON %s FOR EACH ROW %s EXECUTE FUNCTION backfill.%I()',
		               made.name, made.event, made.relation, made.condition, made.function);
	END LOOP;

	FOR made IN
		SELECT * FROM (VALUES
			('job_read', 'SELECT USING (true)'),
			('job_ask', 'INSERT WITH CHECK (requested_by = current_user)'),
			('job_steer', 'UPDATE USING (backfill.may_steer(requested_by))'),
			('job_delete', 'DELETE USING (backfill.may_steer(requested_by))')
		) AS p (name, rule)
		 WHERE NOT EXISTS (SELECT FROM pg_policy y WHERE y.polrelid = 'backfill.job'::regclass AND y.polname = p.name)
	LOOP
		EXECUTE format('CREATE POLICY %I ON backfill.job FOR %s', made.name, made.rule);
	END LOOP;
	IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = 'backfill.job'::regclass) THEN
		ALTER TABLE backfill.job ENABLE ROW LEVEL SECURITY;
	END IF;
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'table backfill.job is in use by another transaction',
		DETAIL = format('Its triggers and policies need a lock, which was not to be had within %s.', current_setting('lock_timeout')),
		HINT = 'End transactions that have touched backfill.job (pg_stat_activity), then run backfilld --install again.';
END $$;
