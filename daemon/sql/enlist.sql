-- Records that server session $4 works for job $1, epoch $2, as filler $3 (-1: the one that changes the catalogue), and gives
-- it the job's bookmark of that filler. No row: the claim is not ours any more, or there is no such session, so something
-- stands between us and the server.
WITH held AS (
	SELECT c.job_id FROM backfill.claim c WHERE c.job_id = $1 AND c.epoch = $2 FOR KEY SHARE
), forgotten AS (
	DELETE FROM backfill.backend b USING held h WHERE b.job_id = h.job_id AND (b.epoch < $2 OR b.filler = $3)
), enlisted AS (
	INSERT INTO backfill.backend (pid, backend_start, job_id, epoch, filler, login)
	SELECT a.pid, a.backend_start, $1, $2, $3, a.usename
	  FROM pg_catalog.pg_stat_activity a CROSS JOIN held
	 WHERE a.pid = $4 AND a.datname = pg_catalog.current_database() AND a.backend_start IS NOT NULL
	RETURNING login
), bookmarked AS (
	UPDATE backfill.bookmark b SET epoch = $2, login = e.login
	  FROM enlisted e
	 WHERE b.job_id = $1 AND b.filler = $3
)
SELECT e.login FROM enlisted e
