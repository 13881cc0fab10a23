-- Moves job $1, held under epoch $2, to stage $3 for the reason $4; $5 ... $8: message, SQLSTATE, hint and the stage
-- to go on from, where it failed or was cancelled; $9: what stays of it; $10: the claim is there to take it back;
-- $11: the number of its column, 0: not known.
-- A wish that the claim does not know yet goes before: the row says that the job was overtaken, and it is where it was.
-- No row: it is no longer ours.
WITH held AS (
	SELECT j.id, j.name, j.stage,
	       CASE $3 WHEN 'failed' THEN NOT $10::boolean AND j.wanted IN ('cancel', 'roll_back')
	               WHEN 'cancelled' THEN j.wanted <> 'cancel'
	               WHEN 'adding' THEN $10::boolean AND j.wanted <> 'cancel'
	               WHEN 'rolling_back' THEN j.wanted <> 'roll_back'
	               ELSE false END AS overtaken
	  FROM backfill.job j
	 WHERE j.id = $1 AND j.epoch = $2
	   FOR NO KEY UPDATE
), moved AS (
	UPDATE backfill.job j
	   SET stage = $3, error = $5, error_code = $6, error_hint = $7, resume_stage = $8, waiting_for = $9,
	       eta = NULL, forecast = NULL, updated_at = pg_catalog.clock_timestamp(),
	       had = CASE WHEN $11::int > 0 THEN j.had || pg_catalog.jsonb_build_object('number', $11::int) ELSE j.had END,
	       finished_at = CASE WHEN $3 IN ('done', 'failed', 'cancelled', 'rolled_back') THEN pg_catalog.clock_timestamp() END
	  FROM held h
	 WHERE j.id = h.id AND NOT h.overtaken
	RETURNING j.id
), told AS (
	INSERT INTO backfill.event (job_id, name, kind, stage, detail)
	SELECT h.id, h.name, CASE WHEN $3 = 'failed' THEN 'error' ELSE 'stage' END,
	       CASE WHEN h.overtaken THEN h.stage ELSE $3 END, coalesce($5, $4)
	  FROM held h WHERE NOT h.overtaken OR $3 = 'failed'
), kept AS (
	INSERT INTO backfill.event (job_id, name, kind, stage, detail)
	SELECT h.id, h.name, 'kept', $3, $9 FROM held h WHERE NOT h.overtaken AND $9::text IS NOT NULL
), walk_over AS (
	-- Rows written from when its triggers go are pending again wherever they are. Tables that become part of its tree after it is
	-- done are no longer its own.
	DELETE FROM backfill.walk w USING moved m
	 WHERE w.job_id = m.id AND ($3 IN ('done', 'rolled_back') OR ($3 = 'cancelled' OR $3 = 'adding' AND $10::boolean) AND w.sweep > 0)
), bookmarks_over AS (
	DELETE FROM backfill.bookmark b USING moved m WHERE b.job_id = m.id AND $3 = 'rolled_back'
)
SELECT h.id, h.overtaken FROM held h
