-- Replication slots, of whatever kind; one that was never used keeps nothing.
SELECT s.slot_name, coalesce(s.wal_status, 'reserved') AS wal_status, s.safe_wal_size AS safe_bytes,
       coalesce(pg_catalog.pg_current_wal_lsn() - s.restart_lsn, 0) AS retained_bytes
  FROM pg_catalog.pg_replication_slots s
 ORDER BY s.slot_name
