-- Segments that wait to be archived, and the one that keeps failing. A failing archiver tries again after a minute at the latest:
-- a failure twice as old as that, with nothing after it, is of an archiver that has nothing left to do.
SELECT archives.really, w.waiting,
       CASE WHEN archives.really AND a.last_failed_time > coalesce(a.last_archived_time, '-infinity')
                 AND a.last_failed_time > pg_catalog.clock_timestamp() - interval '150 s'
            THEN a.last_failed_wal END AS failing
  FROM (SELECT pg_catalog.current_setting('archive_mode') <> 'off' AS really) AS archives
 CROSS JOIN pg_catalog.pg_stat_archiver a
 CROSS JOIN LATERAL (SELECT count(*) AS waiting
                       FROM pg_catalog.pg_ls_archive_statusdir() f
                      WHERE archives.really AND f.name LIKE '%.ready') AS w
