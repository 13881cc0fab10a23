-- What a database is like, before anything is asked of it.
SELECT pg_catalog.current_setting('server_version') AS server_version,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.pg_backend_pid() AS backend_pid,
       pg_catalog.to_regclass('backfill.schema_version') IS NOT NULL AS installed,
       pg_catalog.pg_has_role('pg_monitor', 'USAGE') AS monitors,
       pg_catalog.pg_has_role('pg_signal_backend', 'USAGE') AS signals,
       coalesce(pg_catalog.pg_has_role(n.nspowner, 'USAGE'), true) AS owns,
       (SELECT s.setting::bigint FROM pg_catalog.pg_settings s WHERE s.name = 'shared_buffers') AS shared_buffers,
       pg_catalog.current_setting('block_size')::int AS block_size
  FROM (SELECT) AS one
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'backfill'
