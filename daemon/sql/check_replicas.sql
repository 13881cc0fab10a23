-- Who replays this server's WAL: one row a standby.
SELECT r.application_name, coalesce(r.state, 'in a state that this login may not see') AS state,
       r.replay_lsn IS NULL AND r.state IS NOT NULL AS receives_only
  FROM pg_catalog.pg_stat_replication r
 ORDER BY r.application_name
