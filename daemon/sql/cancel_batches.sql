-- Cancels what the sessions of job $1 under epoch $2 are doing; $3: only that of this filler (-1: the one that changes the
-- catalogue), or NULL.
SELECT pg_catalog.count(pg_catalog.pg_cancel_backend(b.pid)) AS cancelled
  FROM backfill.backend b
  JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid AND a.backend_start = b.backend_start AND a.state = 'active'
 WHERE b.job_id = $1 AND b.epoch = $2 AND ($3::int IS NULL OR b.filler = $3)
