-- Which tree of tables is a table in? The smallest oid of all that hang together by partitioning or inheritance, its own where
-- it stands alone: a child may have several parents, and two jobs that meet in it are on one tree.
CREATE OR REPLACE FUNCTION backfill.tree_of(relation oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE tree (oid) AS (
		SELECT relation
		UNION
		SELECT CASE WHEN i.inhrelid = t.oid THEN i.inhparent ELSE i.inhrelid END
		  FROM tree t JOIN pg_inherits i ON i.inhrelid = t.oid OR i.inhparent = t.oid
	)
	SELECT min(t.oid) FROM tree t;
$$;
