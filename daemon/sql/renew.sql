-- Holds on to everything holder $1 has claimed for $2 milliseconds more; returns what it still holds.
UPDATE backfill.claim c
   SET lease_until = pg_catalog.clock_timestamp() + $2 * interval '1 millisecond'
 WHERE c.holder = $1
RETURNING c.job_id, c.epoch
