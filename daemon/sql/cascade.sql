-- The replicas of a standby; as pulse.sql for the primary.
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees,
       a.application_name, w.replay_lsn - '0/0'::pg_lsn AS replay_lsn, w.flush_lsn - '0/0'::pg_lsn AS received_lsn,
       a.datid IS NOT NULL AS logical
  FROM (SELECT) AS one
  LEFT JOIN (pg_catalog.pg_stat_get_wal_senders() AS w
             CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(w.pid) AS a) ON w.replay_lsn IS NOT NULL
