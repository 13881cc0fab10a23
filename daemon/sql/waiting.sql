-- Says of the jobs that nobody works on what they wait for, where that changed. $1: this daemon has no place free.
WITH reason AS (
	SELECT j.id, j.waiting_for AS before,
	       CASE
	       WHEN j.wanted = 'pause' THEN
	            pg_catalog.format('paused: UPDATE backfill.job SET wanted = ''%s'' WHERE id = %s',
	                              CASE j.stage WHEN 'rolling_back' THEN 'roll_back' ELSE 'run' END, j.id)
	       WHEN j.wanted = 'run' AND j.stage <> 'rolling_back' AND j.held_at IS NOT NULL AND j.held_at = ANY (j.hold_before) AND j.held_at <> ALL (j.released) THEN
	            pg_catalog.format('held before %s: %sSELECT backfill.proceed(%s)', j.held_at, evidence.says || '; ', j.id)
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
  -- Coarse, so that it is written once a minute: what writers have still needed, and when the job is let go by itself.
  LEFT JOIN LATERAL (
	SELECT CASE
	       WHEN j.helped_unread IS NOT NULL THEN
	            pg_catalog.format('whether writes still need help cannot be read (%s)%s', j.helped_unread,
	                              CASE WHEN j.seal_after_quiet IS NOT NULL THEN ', so seal_after_quiet does not let go' END)
	       ELSE CASE
	            WHEN j.last_helped_at IS NOT NULL THEN
	                 pg_catalog.format('last write that needed help %s ago%s',
	                                   CASE WHEN pg_catalog.clock_timestamp() - j.last_helped_at < interval '1 minute' THEN 'less than a minute'
	                                        ELSE backfill.in_words(pg_catalog.clock_timestamp() - j.last_helped_at) END,
	                                   ' (app ' || j.helped_by || ')')
	            ELSE pg_catalog.format('no write has needed help since %s', pg_catalog.to_char(since.at, day.pattern)) END
	         || coalesce('; goes on by itself at ' || pg_catalog.to_char(quiet.at,
	                     CASE WHEN quiet.at < pg_catalog.date_trunc('day', pg_catalog.clock_timestamp()) + interval '1 day'
	                          THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END) || ' at the earliest', '')
	       END AS says
	  FROM (SELECT greatest(j.last_helped_at, j.held_since) + j.seal_after_quiet AS at) AS quiet
	 -- Help for an UPDATE comes last, between the fill and its first sweep.
	 CROSS JOIN LATERAL (SELECT coalesce((SELECT pg_catalog.max(e.at) FROM backfill.event e
	                                       WHERE j.last_helped_at IS NULL AND e.job_id = j.id AND e.kind = 'statement' AND e.statement LIKE 'CREATE TRIGGER %'),
	                                     j.held_since) AS at) AS since
	 CROSS JOIN LATERAL (SELECT CASE WHEN since.at >= pg_catalog.date_trunc('day', pg_catalog.clock_timestamp()) THEN 'HH24:MI' ELSE 'YYYY-MM-DD HH24:MI' END AS pattern) AS day
	 WHERE j.held_at = 'seal' AND (j.sync = 'fill' OR j.sync = 'auto' AND j.value IS NOT NULL)) AS evidence ON true
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
