-- Autovacuums at work on the tables $1 or on their partitions or inheritance children (against wraparound of transaction ids or not), and dead rows.
SELECT t.oid AS table_oid, coalesce(v.wraparound, false) AS wraparound, v.wraparound IS NOT NULL AS autovacuum,
       coalesce(d.dead_rows, 0) AS dead_rows
  FROM pg_catalog.unnest($1::oid[]) AS t (oid)
 CROSS JOIN LATERAL (WITH RECURSIVE part (oid) AS (
	SELECT t.oid UNION SELECT i.inhrelid FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
 ) SELECT ARRAY(SELECT p.oid FROM part p) AS parts) AS tree
 CROSS JOIN LATERAL (SELECT sum(pg_catalog.pg_stat_get_dead_tuples(part.oid)) AS dead_rows
                       FROM pg_catalog.unnest(tree.parts) AS part (oid)) AS d
 CROSS JOIN LATERAL (SELECT bool_or(a.query LIKE '%(to prevent wraparound)') AS wraparound
                       FROM pg_catalog.pg_stat_get_progress_info('VACUUM') p
                      CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(p.pid) a
                      WHERE p.relid = ANY (tree.parts) AND a.backend_type = 'autovacuum worker') AS v
