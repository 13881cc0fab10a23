-- Cancels what sessions of ours do for which somebody else has waited for $1 milliseconds, and tells who that was, one row for each
-- of ours. $2: look at those who wait for an advisory lock, too.
WITH waiting AS MATERIALIZED (
	-- While there is none, pg_locks and the rest are not touched.
	SELECT a.pid, a.application_name
	  FROM pg_catalog.pg_stat_activity a
	 WHERE a.wait_event_type = 'Lock'
	   -- Those may wait for ever, and hardly ever for us: one that a trigger or the value has taken.
	   AND (a.wait_event <> 'advisory'
	        OR ($2::boolean AND pg_catalog.pg_blocking_pids(a.pid) && ARRAY (SELECT b.pid FROM backfill.backend b)))
	   AND NOT (a.usename = session_user
	            AND (a.application_name = pg_catalog.current_setting('application_name') OR a.application_name LIKE 'backfilld%'))
	   AND NOT EXISTS (SELECT FROM backfill.backend b WHERE b.pid = a.pid AND b.backend_start = a.backend_start)
), ours AS MATERIALIZED (
	SELECT b.job_id, b.epoch, b.filler, b.pid, a.query, a.query_start
	  FROM backfill.backend b
	  JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid AND a.backend_start = b.backend_start
	 WHERE EXISTS (SELECT FROM waiting)
	   AND a.state = 'active'
	   -- Committed already, and the standby would be taken for one that has it.
	   AND a.wait_event IS DISTINCT FROM 'SyncRep'
), locks AS MATERIALIZED (
	SELECT l.* FROM pg_catalog.pg_locks l WHERE EXISTS (SELECT FROM ours)
), candidates AS MATERIALIZED (
	SELECT DISTINCT o.job_id, o.epoch, o.filler, o.pid, o.query,
	       w.pid AS waiter, w.application_name, l.waitstart, l.locktype, l.mode,
	       coalesce(l.relation, (SELECT r.relation FROM locks r WHERE r.pid = l.pid AND r.locktype = 'tuple' LIMIT 1)) AS relation
	  FROM waiting w
	  JOIN locks l ON l.pid = w.pid AND NOT l.granted
	   AND l.waitstart <= pg_catalog.clock_timestamp() - $1::int * interval '1 millisecond'
	  JOIN locks h ON (h.locktype, h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid, h.objid, h.objsubid)
	       IS NOT DISTINCT FROM (l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid, l.objsubid)
	  JOIN ours o ON o.pid = h.pid
	 -- While it waits for its own lock, how long others may stand behind it is what ddl_lock_timeout_ms says. They have, when it
	 -- gets the lock: they are to wait for the statement itself.
	 WHERE o.filler >= 0
	    OR (h.granted AND o.query_start <= pg_catalog.clock_timestamp() - $1::int * interval '1 millisecond')
), blocked AS MATERIALIZED (
	SELECT DISTINCT ON (c.pid) c.*, pg_catalog.count(*) OVER (PARTITION BY c.pid) AS waiters
	  FROM candidates c
	 WHERE c.pid = ANY (pg_catalog.pg_blocking_pids(c.waiter))
	 ORDER BY c.pid, c.waitstart
)
SELECT b.job_id, b.epoch, j.stage, b.filler,
       pg_catalog.left(pg_catalog.regexp_replace(b.query, '\s+', ' ', 'g'), 80) AS query,
       b.waiters, b.waiter, b.application_name,
       (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - b.waitstart) * 1000)::bigint AS waited_ms,
       CASE WHEN b.locktype IN ('transactionid', 'tuple') THEN 'a row lock' || coalesce(' in ' || b.relation::regclass, '')
            WHEN b.relation IS NOT NULL THEN b.mode || ' on ' || b.relation::regclass
            ELSE b.mode || ' (' || b.locktype || ')'
       END AS wanted,
       pg_catalog.pg_cancel_backend(b.pid) AS cancelled
  FROM blocked b
  LEFT JOIN backfill.job j ON j.id = b.job_id
