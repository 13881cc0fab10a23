-- What a worker login may do: one row for each role of $1 (a comma-separated list, or null: every role that owns a table here).
SELECT r.rolname AS role,
       pg_catalog.pg_has_role(r.oid, 'MEMBER') AS member,
       pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'TEMP') AS temp,
       (SELECT pg_catalog.string_agg(n.nspname, ', ' ORDER BY n.nspname)
          FROM pg_catalog.pg_namespace n
         WHERE n.nspname <> 'backfill' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND EXISTS (SELECT FROM pg_catalog.pg_class c
                        WHERE c.relnamespace = n.oid AND c.relowner = r.oid AND c.relkind IN ('r', 'p'))
           AND NOT pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')) AS cannot_create_in,
       session_user AS login
  FROM pg_catalog.pg_roles r
 WHERE CASE
       WHEN $1::text IS NOT NULL THEN r.rolname = ANY (pg_catalog.string_to_array($1, ','))
       ELSE EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                     WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')
                       AND n.nspname NOT IN ('backfill', 'information_schema') AND n.nspname !~ '^pg_')
       END
 ORDER BY r.rolname
