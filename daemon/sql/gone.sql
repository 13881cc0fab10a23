-- The daemon $1 stops in good order.
DELETE FROM backfill.daemon_seen d WHERE d.holder = $1
