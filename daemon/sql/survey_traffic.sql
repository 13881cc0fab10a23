-- What sessions have done since some start, in all databases, since one that is busy there shares the processors with us: but for
-- databases in which a backfilld is at home, whose batches would be taken for an application (scope: who is counted, so that it is
-- known when that changes); and how many sessions of others execute something right now: those that wait for a lock, for their client
-- or for time to pass do not. Our own are left out, as in survey_horizon.sql.
SELECT d.transactions, d.active_ms, d.scope,
       (SELECT count(*)
          FROM pg_catalog.pg_stat_get_activity(NULL) s
         WHERE s.state IN ('active', 'disabled') -- nothing is told of what it does
           AND s.backend_type IN ('client backend', 'parallel worker')
           AND coalesce(s.wait_event_type NOT IN ('Lock', 'Client', 'Timeout'), true)
           AND s.pid <> pg_catalog.pg_backend_pid()
           AND s.pid <> ALL (o.pids) AND coalesce(s.leader_pid <> ALL (o.pids), true)
           AND NOT (s.usesysid = o.login AND (s.application_name LIKE 'backfilld%' OR s.application_name = pg_catalog.current_setting('application_name')))) AS busy_sessions,
       CASE WHEN pg_catalog.inet_server_addr() IS NULL THEN 'socket'
            WHEN pg_catalog.inet_client_addr() << '127.0.0.0/8' OR pg_catalog.inet_client_addr() = '::1' THEN 'loopback'
            ELSE 'network' END AS way,
       pg_catalog.pg_backend_pid() AS server_pid
  FROM (SELECT sum(pg_catalog.pg_stat_get_db_xact_commit(oid) + pg_catalog.pg_stat_get_db_xact_rollback(oid))::bigint AS transactions,
               sum(pg_catalog.pg_stat_get_db_active_time(oid)) AS active_ms, sum(oid::bigint)::bigint AS scope
          FROM pg_catalog.pg_database
         WHERE datname = pg_catalog.current_database()
            OR oid <> ALL (ARRAY(SELECT s.datid FROM pg_catalog.pg_stat_get_activity(NULL) s
                                  WHERE s.application_name LIKE 'backfilld%' AND s.datid IS NOT NULL))) AS d
 CROSS JOIN (SELECT ARRAY(SELECT b.pid FROM backfill.backend b) AS pids,
                    (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS login) AS o
