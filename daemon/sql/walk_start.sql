-- Starts sweep $3 of job $1 over relation $2 of $4 pages, unless it is under way already or
-- the claim of epoch $5 is not ours any more; returns where the walk stands.
-- Where that is a tree, $6 are its tables that have rows and $7 their pages: they are walked as one, one behind the other.
WITH started AS (
	INSERT INTO backfill.walk AS w (job_id, relation, sweep, frontier, pages)
	SELECT c.job_id, $2::oid, $3::int, 0, $4::bigint FROM backfill.claim c WHERE c.job_id = $1 AND c.epoch = $5 FOR KEY SHARE
	ON CONFLICT (job_id) DO UPDATE SET relation = excluded.relation, sweep = excluded.sweep, frontier = 0, pages = excluded.pages
	WHERE w.relation <> excluded.relation OR w.sweep < excluded.sweep
	RETURNING job_id, sweep, frontier, pages
), cleared AS (
	UPDATE backfill.bookmark b
	   SET relation = $2, window_from = 0, window_to = 0, passes = 1, pass = 1, page = 0, sweep_rows = 0
	 WHERE b.job_id = $1 AND EXISTS (SELECT FROM started)
), forgotten AS (
	DELETE FROM backfill.leaf l USING started s WHERE l.job_id = s.job_id RETURNING l.relation
), leaves AS (
	INSERT INTO backfill.leaf (job_id, relation, first_page, pages)
	SELECT s.job_id, l.oid, pg_catalog.sum(l.pages) OVER (ORDER BY l.number) - l.pages, l.pages
	  FROM started s
	 CROSS JOIN ROWS FROM (pg_catalog.unnest($6::oid[]), pg_catalog.unnest($7::bigint[])) WITH ORDINALITY AS l (oid, pages, number)
	 WHERE (SELECT pg_catalog.count(*) FROM forgotten) >= 0
)
SELECT s.sweep, s.frontier AS done, s.pages, true AS fresh FROM started s
UNION ALL
SELECT w.sweep,
       w.frontier - (SELECT coalesce(pg_catalog.sum(b.window_to - b.window_from), 0)
                       FROM backfill.bookmark b WHERE b.job_id = $1 AND b.pass < b.passes),
       w.pages, false
  FROM backfill.walk w
 WHERE w.job_id = $1 AND NOT EXISTS (SELECT FROM started)
