-- Leaves table $4 out of the walk of job $1, epoch $2: it is no longer one of the tree. The window that filler $3 has in it is
-- over, and there are no more behind it.
WITH passed AS (
	UPDATE backfill.walk w SET frontier = l.first_page + l.pages
	  FROM backfill.leaf l
	 WHERE w.job_id = $1 AND l.job_id = $1 AND l.relation = $4
	   AND w.frontier >= l.first_page AND w.frontier < l.first_page + l.pages
	   AND EXISTS (SELECT FROM backfill.claim c WHERE c.job_id = $1 AND c.epoch = $2)
)
UPDATE backfill.bookmark b SET pass = b.passes
 WHERE b.job_id = $1 AND b.filler = $3 AND b.epoch = $2 AND b.relation = $4
