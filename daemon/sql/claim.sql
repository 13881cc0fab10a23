-- Takes job $1 for holder $2 for $3 milliseconds, under a new epoch; no row: somebody else was faster, or a user
-- has the row locked.
-- An expired claim on the same table, or on another of its tree, goes first, whoever's it was: "never two jobs on one table" is its unique index.
WITH lapsed AS (
	DELETE FROM backfill.claim c
	 USING backfill.job j
	 WHERE j.id = $1 AND (c.job_id = j.id OR c.root_oid = backfill.tree_of(j.table_oid)) AND c.lease_until < pg_catalog.clock_timestamp()
	RETURNING c.job_id
), claimed AS (
	UPDATE backfill.job j
	   SET epoch = j.epoch + 1, holder = $2, waiting_for = NULL, held_at = NULL, held_since = NULL,
	       started_at = coalesce(j.started_at, pg_catalog.clock_timestamp()), updated_at = pg_catalog.clock_timestamp()
	 WHERE j.id = (SELECT l.id FROM backfill.job l WHERE l.id = $1 FOR NO KEY UPDATE SKIP LOCKED)
	   AND CASE WHEN j.stage = 'rolling_back' THEN j.wanted <> 'pause'
	            WHEN j.wanted = 'roll_back' THEN j.stage <> 'rolled_back' AND (j.stage <> 'failed' OR j.resume_stage IS DISTINCT FROM 'rolling_back')
	            ELSE j.wanted IN ('run', 'cancel') AND j.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back') END
	   AND (SELECT pg_catalog.count(*) FROM lapsed) >= 0
	RETURNING j.id, j.epoch, j.table_oid, j.name, j.stage
), taken AS (
	INSERT INTO backfill.claim (job_id, root_oid, holder, epoch, lease_until)
	SELECT c.id, coalesce(backfill.tree_of(c.table_oid), 0), $2, c.epoch, pg_catalog.clock_timestamp() + $3 * interval '1 millisecond' FROM claimed c
	RETURNING job_id
), throttle AS ( -- a holder that died could not tell the end of it; it was alive when it last wrote the row
	SELECT e.kind, e.detail, pg_catalog.date_part('epoch', greatest(j.updated_at - e.at, interval '0')) * 1000 AS ms
	  FROM backfill.event e
	  JOIN backfill.job j ON j.id = e.job_id
	 WHERE e.job_id = $1 AND e.kind IN ('throttle on', 'throttle off')
	 ORDER BY e.id DESC
	 LIMIT 1
), told AS (
	INSERT INTO backfill.event (job_id, name, kind, stage, detail, duration_ms)
	SELECT c.id, c.name, t.kind, c.stage, t.detail, t.ms
	  FROM claimed c
	 CROSS JOIN LATERAL (
		SELECT 1 AS place, 'throttle off' AS kind, detail, ms FROM throttle WHERE kind = 'throttle on'
		 UNION ALL
		SELECT 2, 'claim', pg_catalog.format('claimed by %s under epoch %s', $2, c.epoch), NULL) AS t
	 ORDER BY t.place
)
SELECT c.epoch FROM claimed c JOIN taken t ON t.job_id = c.id
