-- Moves job $1, held under epoch $2, to stage $3 for the reason $4; $5 … $8: message, SQLSTATE, hint and the stage
-- to go on from, where it failed. One row, or it is no longer ours.
WITH moved AS (
	UPDATE backfill.job j
	   SET stage = $3, error = $5, error_code = $6, error_hint = $7, resume_stage = $8, waiting_for = NULL,
	       eta = NULL, forecast = NULL, updated_at = pg_catalog.clock_timestamp(),
	       finished_at = CASE WHEN $3 IN ('done', 'failed', 'cancelled', 'rolled_back') THEN pg_catalog.clock_timestamp() END
	 WHERE j.id = $1 AND j.epoch = $2
	RETURNING j.id, j.name
), told AS (
	INSERT INTO backfill.event (job_id, name, kind, stage, detail)
	SELECT m.id, m.name, CASE WHEN $3 = 'failed' THEN 'error' ELSE 'stage' END, $3, coalesce($5, $4) FROM moved m
)
SELECT m.id FROM moved m
