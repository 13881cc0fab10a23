-- The story of a job, out of its events: an intent's statement is told with its outcome, a function without its body.
CREATE OR REPLACE FUNCTION backfill.history(job_id bigint)
RETURNS TABLE (at timestamptz, after interval, actor text, stage text, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT e.at, date_trunc('milliseconds', e.at - min(e.at) OVER ()), e.actor, e.stage,
	       concat_ws('; ', e.kind || coalesce(': ' || e.detail, ''),
	                 CASE WHEN e.kind <> 'intent' THEN regexp_replace(e.statement, '(\$body[0-9]*\$).*\1', '\1 ... \1') END, e.rows || ' rows',
	                 'waited ' || nullif(e.lock_wait_ms, 0) || ' ms for the lock', 'took ' || e.duration_ms || ' ms')
	  FROM backfill.event e
	 WHERE e.job_id = history.job_id
	 ORDER BY e.id;
$$;

-- A name may have been used again after its job was deleted: the story has all of them.
CREATE OR REPLACE FUNCTION backfill.history(name text)
RETURNS TABLE (at timestamptz, after interval, actor text, stage text, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT h.*
	  FROM (SELECT DISTINCT e.job_id FROM backfill.event e WHERE e.name = history.name) j
	 CROSS JOIN LATERAL backfill.history(j.job_id) h
	 ORDER BY j.job_id, h.at;
$$;
