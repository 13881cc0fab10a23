-- What users look at.
DO $$
BEGIN
	CREATE OR REPLACE VIEW backfill.daemon AS
		SELECT d.holder, d.version, d.pid, d.since, d.last_seen, d.last_seen > clock_timestamp() - interval '15 s' AS serving
		  FROM backfill.daemon_seen d;

	CREATE OR REPLACE VIEW backfill.status AS
		SELECT j.id, j.name, j.table_name, j.column_name, j.stage,
		       -- a database whose encoding lacks the blocks gets # and -
		       repeat(chr(CASE WHEN getdatabaseencoding() = 'UTF8' THEN 9608 ELSE 35 END), trunc(p.part / 10)::int)
		       || repeat(chr(CASE WHEN getdatabaseencoding() = 'UTF8' THEN 9617 ELSE 45 END), 10 - trunc(p.part / 10)::int)
		       || ' ' || lpad(p.part::text, 5) || ' %' AS progress,
		       j.rows_filled, j.rows_per_s, j.eta, j.lag_ms,
		       CASE WHEN j.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back')
		                 AND NOT EXISTS (SELECT FROM backfill.daemon d WHERE d.serving)
		            THEN 'no daemon serves this database' ELSE j.waiting_for END AS waiting_for,
		       j.error, j.updated_at,
		       CASE j.forecast->>'state'
		       WHEN 'measuring' THEN 'measuring'
		       WHEN 'standing' THEN 'not in sight'
		       WHEN 'ranged' THEN coalesce(e.earliest || ' to ' || e.latest, e.earliest || ' or later')
		       END AS eta_range,
		       j.forecast->>'doing' AS doing, j.helped, j.last_helped_at
		  FROM backfill.job j
		 CROSS JOIN LATERAL (SELECT (j.forecast->>'earliest')::timestamptz AS earliest, (j.forecast->>'latest')::timestamptz AS latest) f
		 CROSS JOIN LATERAL (SELECT CASE WHEN coalesce(f.latest, f.earliest) < date_trunc('day', clock_timestamp()) + interval '1 day'
				THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END AS pattern) w
		 CROSS JOIN LATERAL (SELECT to_char(f.earliest, w.pattern) AS earliest, to_char(f.latest, w.pattern) AS latest) e
		 CROSS JOIN LATERAL (SELECT CASE j.stage WHEN 'failed' THEN j.resume_stage ELSE j.stage END AS reached) r
		 CROSS JOIN LATERAL (SELECT CASE
				WHEN r.reached = 'done' THEN 100.0
				-- the last tenth is kept for done
				WHEN r.reached IN ('indexing', 'sealing', 'analyzing') THEN 99.9
				WHEN r.reached = 'rolled_back' OR coalesce(j.blocks_total, 0) <= 0 THEN 0.0
				ELSE least(99.9, trunc(100.0 * greatest(j.blocks_done, 0) / j.blocks_total, 1)) END AS part) p
		 ORDER BY j.id;

	-- A stage lasts from its first event to the first one of the next.
	CREATE OR REPLACE VIEW backfill.job_summary AS
		SELECT j.id, j.name, j.table_name, j.column_name, j.stage, j.requested_by, j.requested_at, j.started_at, j.finished_at,
		       coalesce(j.finished_at, clock_timestamp()) - j.started_at AS took,
		       e.planning, e.adding, e.filling, e.indexing, e.sealing, e.analyzing,
		       j.throttled_ms * interval '1 ms' AS throttled,
		       e.statements, e.lock_waits, e.longest_lock_wait, e.errors, j.rows_filled,
		       j.helped, j.last_helped_at, j.helped_by
		  FROM backfill.job j
		 CROSS JOIN LATERAL (
			SELECT sum(s.lasted) FILTER (WHERE s.stage = 'planning') AS planning,
			       sum(s.lasted) FILTER (WHERE s.stage = 'adding') AS adding,
			       sum(s.lasted) FILTER (WHERE s.stage = 'filling') AS filling,
			       sum(s.lasted) FILTER (WHERE s.stage = 'indexing') AS indexing,
			       sum(s.lasted) FILTER (WHERE s.stage = 'sealing') AS sealing,
			       sum(s.lasted) FILTER (WHERE s.stage = 'analyzing') AS analyzing,
			       count(*) FILTER (WHERE s.statement IS NOT NULL AND s.duration_ms IS NOT NULL) AS statements,
			       coalesce(sum(s.lock_wait_ms), 0) * interval '1 ms' AS lock_waits,
			       coalesce(max(s.lock_wait_ms), 0) * interval '1 ms' AS longest_lock_wait,
			       count(*) FILTER (WHERE s.kind = 'error') AS errors
			  FROM (SELECT v.*, coalesce(lead(v.at) OVER (ORDER BY v.id), j.finished_at, clock_timestamp()) - v.at AS lasted
			          FROM backfill.event v WHERE v.job_id = j.id) s) e
		 ORDER BY j.id;
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'a view of schema backfill is being read by an open transaction',
		DETAIL = format('Replacing it needs a lock, which was not to be had within %s.', current_setting('lock_timeout')),
		HINT = 'End transactions that have read backfill.status (pg_stat_activity), then run backfilld --install again.';
END $$;
