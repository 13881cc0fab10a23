-- Progress of job $1 under epoch $2. Never waits: a row that a user has locked is reported next time.
-- $3 waiting_for, $4 rows estimate, $5 blocks done, $6 blocks total, $7 rows/s, $8 seconds left, $9 lag ms, $10 throttled ms,
-- $11 forecast, $12 and $13 its ends in seconds from now; $14 how far a long statement is; all seconds are those in which the job may fill.
-- Progress never falls: where fewer pages of more are done than before (the table has grown, a window is begun anew), the part
-- that was done is kept, of the pages that there are now.
UPDATE backfill.job j
   SET waiting_for = $3,
       rows_filled = (SELECT coalesce(pg_catalog.sum(b.rows_filled), 0) FROM backfill.bookmark b WHERE b.job_id = $1),
       rows_estimate = $4,
       blocks_done = CASE WHEN $6::bigint <= 0 THEN j.blocks_done
                          WHEN $5::bigint::numeric * j.blocks_total < j.blocks_done::numeric * $6::bigint
                          THEN least($6::bigint, pg_catalog.ceil(j.blocks_done::numeric * $6::bigint / j.blocks_total)::bigint)
                          ELSE least($5::bigint, $6::bigint) END,
       blocks_total = CASE WHEN $6::bigint <= 0 THEN coalesce(j.blocks_total, $6::bigint) ELSE $6::bigint END,
       rows_per_s = $7,
       eta = backfill.daily_window_after(j.daily_window, pg_catalog.clock_timestamp(), $8 * interval '1 second'), lag_ms = $9, throttled_ms = greatest(j.throttled_ms, $10),
       forecast = CASE WHEN $14::text IS NOT NULL THEN pg_catalog.jsonb_build_object('state', 'building', 'doing', $14::text)
                  ELSE $11::jsonb || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
                  'earliest', backfill.daily_window_after(j.daily_window, pg_catalog.clock_timestamp(), $12 * interval '1 second'),
                  'latest', backfill.daily_window_after(j.daily_window, pg_catalog.clock_timestamp(), $13 * interval '1 second'))) END,
       updated_at = pg_catalog.clock_timestamp()
 WHERE j.id = (SELECT l.id FROM backfill.job l WHERE l.id = $1 AND l.epoch = $2 FOR NO KEY UPDATE SKIP LOCKED)
