-- The tables of this database that an autovacuum is at work on, one a worker at most, and whether it is against wraparound of transaction ids.
SELECT p.relid AS table_oid, a.query LIKE '%(to prevent wraparound)' AS wraparound
  FROM pg_catalog.pg_stat_get_progress_info('VACUUM') p
 CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(p.pid) a
 WHERE p.datid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND p.relid <> 0 AND a.backend_type = 'autovacuum worker'
