-- Dead rows of the tables $1 with their partitions or inheritance children.
SELECT t.oid AS table_oid, coalesce(d.dead_rows, 0) AS dead_rows
  FROM pg_catalog.unnest($1::oid[]) AS t (oid)
 CROSS JOIN LATERAL (WITH RECURSIVE part (oid) AS (
	SELECT t.oid UNION SELECT i.inhrelid FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
 ) SELECT sum(pg_catalog.pg_stat_get_dead_tuples(p.oid)) AS dead_rows FROM part p) AS d
