-- Without these rights much of the rest is not refused but shown empty, which looks like health.
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
       AND pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE') AS sees
