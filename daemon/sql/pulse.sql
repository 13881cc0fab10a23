-- Where the primary is, and those who replay its WAL; receive-only clients have no replay_lsn and are left out.
-- Whoever may not read all statistics sees nothing of any replica, which looks like having none: `sees` tells.
-- (What pg_stat_replication shows, without its look at every session of the server.)
SELECT pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_lsn AS flush_lsn,
       pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS insert_lsn,
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees,
       a.application_name, w.replay_lsn - '0/0'::pg_lsn AS replay_lsn, w.flush_lsn - '0/0'::pg_lsn AS received_lsn,
       a.datid IS NOT NULL AS logical
  FROM (SELECT) AS one
  LEFT JOIN (pg_catalog.pg_stat_get_wal_senders() AS w
             CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(w.pid) AS a) ON w.replay_lsn IS NOT NULL
