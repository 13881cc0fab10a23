-- Transactions older than $2 milliseconds that hold a lock on one of the tables $1 which conflicts with one we are about to ask for: mode $3.
-- The oldest only; $4: our own session.
SELECT coalesce(a.pid, 0) AS pid, a.application_name, a.state,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - coalesce(a.xact_start, x.prepared)) AS age_s,
       x.gid AS prepared,
       a.backend_type = 'autovacuum worker' AS autovacuum,
       l.mode,
       (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = l.relation) AS table_name,
       pg_catalog.left(pg_catalog.regexp_replace(a.query, '\s+', ' ', 'g'), 60) AS query
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_catalog.pg_locks v ON l.pid IS NULL AND v.virtualtransaction = l.virtualtransaction AND v.locktype = 'transactionid'
  LEFT JOIN pg_catalog.pg_prepared_xacts x ON x.transaction = v.transactionid
 WHERE l.locktype = 'relation'
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND l.relation = ANY ($1::oid[])
   AND l.granted
   AND coalesce(l.pid, 0) <> $4
   AND CASE $3
       WHEN 'ACCESS EXCLUSIVE' THEN true
       WHEN 'ROW EXCLUSIVE' THEN l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
       WHEN 'SHARE ROW EXCLUSIVE' THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock')
       ELSE l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
       END
   AND coalesce(a.xact_start, x.prepared) < pg_catalog.clock_timestamp() - $2 * interval '1 millisecond'
 ORDER BY coalesce(a.xact_start, x.prepared)
 LIMIT 1
