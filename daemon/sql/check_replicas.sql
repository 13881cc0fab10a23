-- Who replays this server's WAL: one row a standby, or a subscription.
SELECT r.application_name, coalesce(r.state, 'in a state that this login may not see') AS state,
       r.replay_lsn IS NULL AND r.state IS NOT NULL AS receives_only, a.datid IS NOT NULL AS logical
  FROM pg_catalog.pg_stat_replication r
  JOIN pg_catalog.pg_stat_get_activity(r.pid) a ON true
 ORDER BY r.application_name
