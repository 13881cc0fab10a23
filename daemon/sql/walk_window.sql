-- Gives filler $3 of job $1, epoch $2, a window to walk in $5 passes: first its own or an orphan's unfinished one, then the
-- next $4 pages behind the frontier. $6: the login of its session. No row: the walk has no windows left.
-- Frontier and bookmark move in one statement, so a crash loses no window. When the claim is not ours any more move_bookmark()
-- says so (BF001): no row would mean that the walk is over.
WITH held AS (
	SELECT CASE WHEN pg_catalog.count(*) = 0 THEN backfill.move_bookmark($1, $3, $2, 0, 0, 0) END AS none
	  FROM (SELECT FROM backfill.claim c WHERE c.job_id = $1 AND c.epoch = $2 FOR KEY SHARE) AS mine
), unfinished AS (
	SELECT b.filler, b.window_from, b.window_to, b.passes, b.pass, b.page
	  FROM backfill.bookmark b
	 WHERE b.job_id = $1 AND b.pass < b.passes AND b.window_from < b.window_to AND (b.filler = $3 OR b.epoch < $2)
	   AND EXISTS (SELECT FROM held WHERE none IS NULL)
	 ORDER BY b.filler = $3 DESC, b.filler
	 LIMIT 1
), advanced AS (
	UPDATE backfill.walk w SET frontier = least(w.frontier + $4, w.pages)
	  FROM (SELECT o.frontier FROM backfill.walk o WHERE o.job_id = $1) AS old
	 WHERE w.job_id = $1 AND w.frontier < w.pages AND NOT EXISTS (SELECT FROM unfinished)
	RETURNING w.relation, old.frontier AS window_from, w.frontier AS window_to
), orphan AS (
	UPDATE backfill.bookmark b SET pass = b.passes, epoch = $2
	  FROM unfinished u
	 WHERE b.job_id = $1 AND b.filler = u.filler AND u.filler <> $3
), given AS (
	SELECT w.relation, u.window_from, u.window_to, u.passes, u.pass, u.page
	  FROM unfinished u JOIN backfill.walk w ON w.job_id = $1
	UNION ALL
	SELECT a.relation, a.window_from, a.window_to, $5, 0, a.window_from FROM advanced a
)
INSERT INTO backfill.bookmark AS b (job_id, filler, epoch, login, relation, window_from, window_to, passes, pass, page)
SELECT $1, $3, $2, $6, g.relation, g.window_from, g.window_to, g.passes, g.pass, g.page FROM given g
ON CONFLICT (job_id, filler) DO UPDATE
   SET epoch = excluded.epoch, login = excluded.login, relation = excluded.relation, window_from = excluded.window_from,
       window_to = excluded.window_to, passes = excluded.passes, pass = excluded.pass, page = excluded.page
RETURNING b.window_from, b.window_to, b.passes, b.pass, b.page
