-- Says of the jobs that nobody works on what they wait for, where that changed. $1: this daemon has no place free.
WITH reason AS (
	SELECT j.id, j.waiting_for AS before,
	       CASE
	       WHEN j.wanted = 'pause' THEN
	            pg_catalog.format('paused: UPDATE backfill.job SET wanted = ''%s'' WHERE id = %s',
	                              CASE j.stage WHEN 'rolling_back' THEN 'roll_back' ELSE 'run' END, j.id)
	       WHEN j.wanted = 'run' AND j.stage <> 'rolling_back' AND j.held_at IS NOT NULL AND j.held_at = ANY (j.hold_before) AND j.held_at <> ALL (j.released) THEN
	            pg_catalog.format('held before %s: SELECT backfill.proceed(%s)', j.held_at, j.id)
	       WHEN j.wanted = 'run' AND j.stage <> 'rolling_back' AND j.not_before > pg_catalog.now() THEN
	            pg_catalog.format('not before %s', j.not_before)
	       WHEN j.wanted = 'run' AND j.stage <> 'rolling_back' AND first.name IS NOT NULL THEN
	            pg_catalog.format(CASE WHEN first.stage IS NULL THEN 'job %s, which does not exist'
	                                   WHEN first.stage = 'failed' THEN 'job %s, which has failed: %s'
	                                   ELSE 'job %s (%s) to be done first' END,
	                              first.name, CASE first.stage WHEN 'failed' THEN first.error ELSE first.stage END)
	       WHEN other.job_id IS NOT NULL THEN
	            pg_catalog.format('job %s works on the same table or tree of tables', other.job_id)
	       WHEN $1 THEN 'a free place: jobs_at_once jobs of this database are running'
	       END AS now
	  FROM backfill.job j
	  LEFT JOIN backfill.claim c ON c.job_id = j.id
	  LEFT JOIN LATERAL (SELECT d.name, o.stage, o.error
                       FROM pg_catalog.unnest(j.depends_on) WITH ORDINALITY AS d (name, place)
                       LEFT JOIN backfill.job o ON o.name = d.name
                      WHERE o.stage IS DISTINCT FROM 'done'
                      ORDER BY d.place LIMIT 1) AS first ON true
  LEFT JOIN backfill.claim other ON other.root_oid = backfill.tree_of(j.table_oid) AND other.job_id <> j.id
	 WHERE j.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back')
	   AND c.job_id IS NULL
)
UPDATE backfill.job j
   SET waiting_for = r.now
  FROM reason r
 WHERE j.id IN (SELECT l.id FROM backfill.job l JOIN reason w ON w.id = l.id AND w.now IS DISTINCT FROM w.before
                 FOR NO KEY UPDATE OF l SKIP LOCKED)
   AND r.id = j.id
