-- Jobs that came with a dump: their oids are those of another database, or of before. The table is found by its name again, or
-- not at all; where its rows are now nobody knows, so the walk over it starts anew.
WITH stale AS (
	SELECT j.id, t.oid AS table_oid
	  FROM backfill.job j
	  LEFT JOIN (pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace AND t.relkind IN ('r', 'p'))
	         ON n.nspname = (pg_catalog.parse_ident(j.table_name))[1] AND t.relname = (pg_catalog.parse_ident(j.table_name))[2]
	 WHERE j.born_in IS DISTINCT FROM 'backfill.job'::pg_catalog.regclass::oid
	   FOR NO KEY UPDATE OF j SKIP LOCKED
), found AS (
	UPDATE backfill.job j
	   SET born_in = 'backfill.job'::pg_catalog.regclass, table_oid = s.table_oid, type_oid = NULL,
	       holder = NULL, had = j.had - 'number'
	  FROM stale s
	 WHERE j.id = s.id
	RETURNING j.id, j.name, j.stage, j.table_name, j.table_oid
), claims_over AS (
	DELETE FROM backfill.claim c USING found f WHERE c.job_id = f.id
), sessions_over AS (
	DELETE FROM backfill.backend b USING found f WHERE b.job_id = f.id
), walks_over AS (
	DELETE FROM backfill.walk w USING found f WHERE w.job_id = f.id
), leaves_over AS (
	DELETE FROM backfill.leaf l USING found f WHERE l.job_id = f.id
)
INSERT INTO backfill.event (job_id, name, kind, stage, detail)
SELECT f.id, f.name, 'restored', f.stage,
       pg_catalog.format(CASE WHEN f.table_oid IS NULL THEN 'restored from a dump, and there is no table %s here'
                              ELSE 'restored from a dump: table %s is found by its name again, and a walk over it starts anew' END, f.table_name)
  FROM found f
