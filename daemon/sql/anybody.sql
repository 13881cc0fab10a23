-- Does anybody in this database wait for a lock, whoever holds it? Asked many times a second, so of the statistics' own function: the
-- view joins two catalogues. Advisory locks count for themselves: whoever elects a leader by one waits for ever. tolerated_ms: so
-- much waiting is not too long. A quarter of a short deadlock_timeout, so that in a deadlock with one of ours nobody else waits
-- long enough to be its victim.
SELECT greatest(5, least(50, pg_catalog.date_part('epoch', pg_catalog.current_setting('deadlock_timeout')::interval) * 250))::int AS tolerated_ms,
       pg_catalog.bool_or(a.wait_event <> 'advisory') AS anybody,
       pg_catalog.bool_or(a.wait_event = 'advisory') AS for_advisory
  FROM pg_catalog.pg_stat_get_activity(NULL) a
 WHERE a.wait_event_type = 'Lock'
   AND a.datid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
