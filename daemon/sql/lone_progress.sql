-- What session $1 is doing to an index, how far it is, and whom it waits for. No row: it is gone.
SELECT p.phase,
       CASE WHEN p.tuples_total > 0 THEN pg_catalog.trunc(100.0 * p.tuples_done / p.tuples_total)
            WHEN p.blocks_total > 0 THEN pg_catalog.trunc(100.0 * p.blocks_done / p.blocks_total) END AS per_cent,
       w.pid AS waits_for, w.application_name, w.state,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - w.xact_start) AS age_s,
       pg_catalog.left(pg_catalog.regexp_replace(w.query, '\s+', ' ', 'g'), 60) AS query
  FROM pg_catalog.pg_stat_activity a
  LEFT JOIN pg_catalog.pg_stat_progress_create_index p ON p.pid = a.pid
  LEFT JOIN LATERAL (
	SELECT s.* FROM pg_catalog.pg_stat_activity s
	 WHERE a.wait_event_type = 'Lock' AND s.pid = ANY (pg_catalog.pg_blocking_pids(a.pid) || p.current_locker_pid)
	 ORDER BY s.xact_start LIMIT 1) w ON true
 WHERE a.pid = $1
