-- The daemon's sign of life: $1 holder, $2 version of the program, $3 its process id.
INSERT INTO backfill.daemon_seen AS d (holder, version, pid)
VALUES ($1, $2, $3)
ON CONFLICT (holder) DO UPDATE SET last_seen = pg_catalog.clock_timestamp(), version = excluded.version, pid = excluded.pid
