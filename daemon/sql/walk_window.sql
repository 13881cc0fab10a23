-- Gives filler $3 of job $1, epoch $2, a window to walk in $5 passes: first its own or an orphan's unfinished one, then the
-- next $4 pages behind the frontier, or up to the end of the leaf that it is in. $6: the login of its session. No row: the walk
-- has no windows left.
-- Frontier and bookmark move in one statement, so a crash loses no window. When the claim is not ours any more move_bookmark()
-- says so (BF001): no row would mean that the walk is over.
-- The bookmark's pages are the leaf's own. Its name as it is now; null: it is the job's table itself, or (gone) it no longer is of
-- the tree, or no more.
WITH RECURSIVE held AS (
	SELECT CASE WHEN pg_catalog.count(*) = 0 THEN backfill.move_bookmark($1, $3, $2, 0, 0, 0) END AS none
	  FROM (SELECT FROM backfill.claim c WHERE c.job_id = $1 AND c.epoch = $2 FOR KEY SHARE) AS mine
), unfinished AS (
	SELECT b.filler, b.relation, b.window_from, b.window_to, b.passes, b.pass, b.page
	  FROM backfill.bookmark b
	 WHERE b.job_id = $1 AND b.pass < b.passes AND b.window_from < b.window_to AND (b.filler = $3 OR b.epoch < $2)
	   AND EXISTS (SELECT FROM held WHERE none IS NULL)
	 ORDER BY b.filler = $3 DESC, b.filler
	 LIMIT 1
), advanced AS (
	UPDATE backfill.walk w SET frontier = least(w.frontier + $4, old.leaf_end)
	  FROM (SELECT o.frontier, coalesce(l.relation, o.relation) AS relation, coalesce(l.first_page, 0) AS leaf_start,
	               coalesce(l.first_page + l.pages, o.pages) AS leaf_end
	          FROM backfill.walk o
	          LEFT JOIN backfill.leaf l ON l.job_id = o.job_id AND o.frontier >= l.first_page AND o.frontier < l.first_page + l.pages
	         WHERE o.job_id = $1) AS old
	 WHERE w.job_id = $1 AND w.frontier < w.pages AND NOT EXISTS (SELECT FROM unfinished)
	RETURNING old.relation, old.frontier - old.leaf_start AS window_from, w.frontier - old.leaf_start AS window_to
), orphan AS (
	UPDATE backfill.bookmark b SET pass = b.passes, epoch = $2
	  FROM unfinished u
	 WHERE b.job_id = $1 AND b.filler = u.filler AND u.filler <> $3
), given AS (
	SELECT u.relation, u.window_from, u.window_to, u.passes, u.pass, u.page
	  FROM unfinished u
	UNION ALL
	SELECT a.relation, a.window_from, a.window_to, $5, 0, a.window_from FROM advanced a
), kept AS (
	INSERT INTO backfill.bookmark AS b (job_id, filler, epoch, login, relation, window_from, window_to, passes, pass, page)
	SELECT $1, $3, $2, $6, g.relation, g.window_from, g.window_to, g.passes, g.pass, g.page FROM given g
	ON CONFLICT (job_id, filler) DO UPDATE
	   SET epoch = excluded.epoch, login = excluded.login, relation = excluded.relation, window_from = excluded.window_from,
	       window_to = excluded.window_to, passes = excluded.passes, pass = excluded.pass, page = excluded.page
	RETURNING b.job_id, b.relation, b.window_from, b.window_to, b.passes, b.pass, b.page
), above (oid) AS (
	SELECT k.relation FROM kept k
	UNION
	SELECT i.inhparent FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.oid AND NOT i.inhdetachpending
)
SELECT k.relation, k.window_from, k.window_to, k.passes, k.pass, k.page,
       CASE WHEN k.relation <> w.relation AND c.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, c.relname) END AS leaf,
       k.relation <> w.relation AND (c.oid IS NULL OR w.relation NOT IN (SELECT a.oid FROM above a)) AS gone
  FROM kept k
  JOIN backfill.walk w ON w.job_id = k.job_id
  LEFT JOIN pg_catalog.pg_class c ON c.oid = k.relation
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
