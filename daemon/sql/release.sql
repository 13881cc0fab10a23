-- Puts job $1 down, if it is still held under epoch $2; $3: the hold it waits at, or null; $4: the number of its column, 0: not known. Sessions that are still there stay on
-- record: whoever takes the job up ends them first. A user who has the job's row locked keeps nobody from giving the claim
-- back; only a hold must be written.
WITH freed AS (
	DELETE FROM backfill.claim c WHERE c.job_id = $1 AND c.epoch = $2 RETURNING c.job_id
), forgotten AS (
	DELETE FROM backfill.backend b
	 WHERE b.job_id = $1 AND b.epoch <= $2
	   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = b.pid AND a.backend_start = b.backend_start)
)
UPDATE backfill.job j
   SET holder = NULL, held_at = $3::text, held_since = CASE WHEN $3::text IS NOT NULL THEN pg_catalog.clock_timestamp() END,
       had = CASE WHEN $4::int > 0 THEN j.had || pg_catalog.jsonb_build_object('number', $4::int) ELSE j.had END,
       rows_per_s = NULL, eta = NULL, forecast = NULL, updated_at = pg_catalog.clock_timestamp()
  FROM freed f
 WHERE j.id = f.job_id
   AND ($3::text IS NOT NULL OR j.id = (SELECT l.id FROM backfill.job l WHERE l.id = $1 FOR NO KEY UPDATE SKIP LOCKED))
