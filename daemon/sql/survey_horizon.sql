-- Who holds back the horizon of this database's tables the furthest. After ComputeXidHorizons() in procarray.c: the snapshots of
-- this database's sessions and of standbys that send feedback, transaction ids of all databases (they are in everybody's
-- snapshots), slots' xmin; not their catalog_xmin, which keeps rows of catalogs only, and neither VACUUMs nor logical decoding.
-- Our own sessions are those of backfill.backend, and of this login those with our name or the name that conninfo gives us.
WITH ours AS (
	SELECT ARRAY(SELECT b.pid FROM backfill.backend b) AS pids,
	       (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS login
), session AS (
	SELECT s.pid, s.application_name, s.state, s.backend_type,
	       greatest(pg_catalog.age(s.backend_xid), pg_catalog.age(s.backend_xmin)
	                 * CASE WHEN s.datid IS NULL OR s.datid = d.oid THEN 1 END) AS xids,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
	                 - CASE WHEN s.state LIKE 'idle%' THEN s.state_change ELSE s.xact_start END)::bigint AS age_s,
	       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - s.xact_start)::bigint AS held_s
	  FROM pg_catalog.pg_stat_get_activity(NULL) s
	  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
	 CROSS JOIN ours o
	 WHERE (s.backend_xid IS NOT NULL OR s.backend_xmin IS NOT NULL)
	   AND s.pid <> ALL (o.pids) AND coalesce(s.leader_pid <> ALL (o.pids), true)
	   AND s.pid <> pg_catalog.pg_backend_pid()
	   AND NOT (s.usesysid = o.login AND (s.application_name LIKE 'backfilld%' OR s.application_name = pg_catalog.current_setting('application_name')))
	   AND NOT (s.backend_type = 'walsender' AND s.datid IS NOT NULL)
	   AND s.pid <> ALL (ARRAY(SELECT v.pid FROM pg_catalog.pg_stat_get_progress_info('VACUUM') v))
), holder AS (
	SELECT xids, held_s,
	       CASE WHEN backend_type = 'walsender' THEN pg_catalog.format('standby %s (hot_standby_feedback)', application_name)
	            WHEN backend_type = 'client backend' THEN
	                 pg_catalog.format('session %s (%s%s%s)', pid, application_name || CASE WHEN application_name <> '' THEN ', ' ELSE '' END,
	                        coalesce(state, 'at work'), ' for ' || age_s || ' s')
	            ELSE pg_catalog.format('%s %s', backend_type, pid) END AS who
	  FROM session
	UNION ALL
	SELECT pg_catalog.age(s.xmin), NULL, pg_catalog.format('replication slot %s', s.slot_name)
	  FROM pg_catalog.pg_get_replication_slots() s
	 WHERE s.xmin IS NOT NULL
	UNION ALL
	SELECT pg_catalog.age(x.transaction), x.held_s,
	       pg_catalog.format('prepared transaction %s (for %s s)', pg_catalog.regexp_replace(x.gid, '[^ -~]', '?', 'g'), x.held_s)
	  FROM (SELECT p.transaction, p.gid, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.prepared)::bigint AS held_s
	          FROM pg_catalog.pg_prepared_xact() p) x
)
SELECT h.xids, h.held_s, h.who
  FROM holder h
 WHERE h.xids > 0
 ORDER BY h.xids DESC, h.who
 LIMIT 1
