-- Job $1, held under epoch $2, has followed its table, which was called $3 and is called $4 now.
WITH renamed AS (
	UPDATE backfill.job j
	   SET table_name = $4, updated_at = pg_catalog.clock_timestamp()
	 WHERE j.id = (SELECT l.id FROM backfill.job l WHERE l.id = $1 AND l.epoch = $2 FOR NO KEY UPDATE SKIP LOCKED)
	RETURNING j.id, j.name, j.stage
)
INSERT INTO backfill.event (job_id, name, kind, stage, detail)
SELECT r.id, r.name, 'renamed', r.stage, pg_catalog.format('table %s is called %s now', $3::text, $4::text) FROM renamed r
