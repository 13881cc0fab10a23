-- Ends server sessions that job $1 had under an epoch before $2, or, where $3 is given, for that filler under this one: an ALTER or a batch of
-- a dead daemon may still be running. Returns how many are still there; ask again until it is none.
SELECT pg_catalog.count(*) AS left_over, pg_catalog.min(a.pid) AS pid,
       coalesce(pg_catalog.bool_and(pg_catalog.pg_terminate_backend(a.pid)), true) AS ended
  FROM backfill.backend b
  JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid AND a.backend_start = b.backend_start
 WHERE b.job_id = $1 AND (b.epoch < $2 OR (b.epoch = $2 AND b.filler = $3))
