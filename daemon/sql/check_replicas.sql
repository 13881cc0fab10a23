-- Who replays this server's WAL: one row a standby.
SELECT r.application_name, r.state, r.replay_lsn IS NULL AS receives_only
  FROM pg_catalog.pg_stat_replication r
 ORDER BY r.application_name
