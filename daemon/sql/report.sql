-- Progress of job $1 under epoch $2. Never waits: a row that a user has locked is reported next time.
-- $3 waiting_for, $4 rows estimate, $5 blocks done, $6 blocks total, $7 rows/s, $8 seconds left, $9 lag ms, $10 throttled ms.
UPDATE backfill.job j
   SET waiting_for = $3,
       rows_filled = (SELECT coalesce(pg_catalog.sum(b.rows_filled), 0) FROM backfill.bookmark b WHERE b.job_id = $1),
       rows_estimate = $4, blocks_done = greatest(j.blocks_done, $5), blocks_total = greatest($6, j.blocks_done, $5), rows_per_s = $7,
       eta = pg_catalog.clock_timestamp() + $8 * interval '1 second', lag_ms = $9, throttled_ms = $10,
       updated_at = pg_catalog.clock_timestamp()
 WHERE j.id = (SELECT l.id FROM backfill.job l WHERE l.id = $1 AND l.epoch = $2 FOR NO KEY UPDATE SKIP LOCKED)
