-- Where the primary and those who replay its WAL are; receive-only clients have no replay_lsn and are left out.
SELECT pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_lsn AS flush_lsn,
       r.application_name, r.replay_lsn - '0/0'::pg_lsn AS replay_lsn
  FROM (SELECT) AS one
  LEFT JOIN pg_catalog.pg_stat_replication r ON r.replay_lsn IS NOT NULL
