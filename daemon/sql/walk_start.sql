-- Starts sweep $3 of job $1 over relation $2 of $4 pages, unless it is under way already; returns where the walk stands.
WITH started AS (
	INSERT INTO backfill.walk AS w (job_id, relation, sweep, frontier, pages)
	VALUES ($1, $2, $3, 0, $4)
	ON CONFLICT (job_id) DO UPDATE SET relation = excluded.relation, sweep = excluded.sweep, frontier = 0, pages = excluded.pages
	WHERE w.relation <> excluded.relation OR w.sweep < excluded.sweep
	RETURNING sweep, frontier, pages
), cleared AS (
	UPDATE backfill.bookmark b
	   SET relation = $2, window_from = 0, window_to = 0, passes = 1, pass = 1, page = 0, sweep_rows = 0
	 WHERE b.job_id = $1 AND EXISTS (SELECT FROM started)
)
SELECT s.sweep, s.frontier AS done, s.pages, true AS fresh FROM started s
UNION ALL
SELECT w.sweep,
       w.frontier - (SELECT coalesce(pg_catalog.sum(b.window_to - b.window_from), 0)
                       FROM backfill.bookmark b WHERE b.job_id = $1 AND b.pass < b.passes),
       w.pages, false
  FROM backfill.walk w
 WHERE w.job_id = $1 AND NOT EXISTS (SELECT FROM started)
