-- Chooses the names of what job $1, held under epoch $2, is going to make, unless they are chosen already: as PostgreSQL names
-- them itself, with a number behind where one of them is taken, on its table or on any of the tree under it. $3: what stands for
-- the column in the name of the CHECK.
WITH RECURSIVE job AS (
	SELECT j.id, j.table_oid, j.column_name, j.object_names FROM backfill.job j WHERE j.id = $1 AND j.epoch = $2
), tree (oid) AS (
	SELECT j.table_oid FROM job j
	UNION
	SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
), try (number, taken) AS ( -- one after the other: each asks for names on the whole tree
	SELECT -1, true
	UNION ALL
	SELECT n.number, EXISTS (
		SELECT FROM job j
		  JOIN pg_catalog.pg_class top ON top.oid = j.table_oid
		 CROSS JOIN tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid
		 CROSS JOIN LATERAL (
			SELECT CASE WHEN t.oid = j.table_oid THEN backfill.object_name(c.relname::text, j.column_name, 'idx' || n.tail)
			            ELSE backfill.member_name(t.oid, c.relname::text, j.column_name, 'idx' || n.tail) END AS index,
			       CASE WHEN t.oid = j.table_oid THEN backfill.object_name(c.relname::text, j.column_name, 'key' || n.tail)
			            ELSE backfill.member_name(t.oid, c.relname::text, j.column_name, 'key' || n.tail) END AS "unique") name
		 WHERE EXISTS (SELECT FROM pg_catalog.pg_class o WHERE o.relnamespace = c.relnamespace AND o.relname IN (name.index, name.unique))
		    OR EXISTS (SELECT FROM pg_catalog.pg_constraint k
		                WHERE k.conrelid = c.oid
		                  AND k.conname IN (name.unique, backfill.object_name(top.relname::text, $3, 'check' || n.tail),
		                                    backfill.object_name(top.relname::text, j.column_name, 'fkey' || n.tail))))
	  FROM (SELECT t.number + 1 AS number, coalesce(nullif(t.number + 1, 0)::text, '') AS tail
	          FROM try t
	         WHERE t.taken AND t.number < 999) n
), free (tail) AS (
	SELECT coalesce(nullif(t.number, 0)::text, '') FROM try t WHERE NOT t.taken
), chosen (names) AS (
	SELECT pg_catalog.jsonb_build_object(
	       'index', backfill.object_name(c.relname::text, j.column_name, 'idx' || f.tail),
	       'unique', backfill.object_name(c.relname::text, j.column_name, 'key' || f.tail),
	       'check', backfill.object_name(c.relname::text, $3, 'check' || f.tail),
	       'foreign_key', backfill.object_name(c.relname::text, j.column_name, 'fkey' || f.tail))
	  FROM free f CROSS JOIN job j JOIN pg_catalog.pg_class c ON c.oid = j.table_oid
)
UPDATE backfill.job b
   SET object_names = CASE WHEN b.object_names ? 'index' THEN b.object_names ELSE b.object_names || c.names END
  FROM chosen c
 WHERE b.id = $1 AND b.epoch = $2
RETURNING b.object_names->>'index' AS index_name, b.object_names->>'unique' AS unique_name, b.object_names->>'check' AS check_name,
          b.object_names->>'foreign_key' AS foreign_key_name
