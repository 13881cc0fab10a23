-- Which writes still needed the fill triggers' help, of all jobs that have such triggers: into the job's row where that has changed,
-- into its events at the first one and then once a minute. A job held before seal whose seal_after_quiet is over is let go;
-- never one whose evidence cannot be read. Rows that a user has locked wait for the next look.
-- What the sequences hold: daemon/trigger.h. Whose transaction has needed help holds a lock on them until its end.
WITH job AS (
	SELECT j.id, j.name, j.stage, j.table_oid, j.table_name, j.helped, j.last_helped_at, j.helped_by, j.helped_unread, j.seal_after_quiet,
	       j.held_since, j.held_at = 'seal' AS held,
	       j.wanted = 'run' AND j.held_at = 'seal' AND 'seal' = ANY (j.hold_before) AND 'seal' <> ALL (j.released) AS may_go
	  FROM backfill.job j
	 WHERE j.stage IN ('adding', 'filling', 'indexing', 'sealing') AND j.wanted IN ('run', 'pause')
	   AND (j.sync = 'fill' OR j.sync = 'auto' AND j.value IS NOT NULL)
), counter AS (
	SELECT j.id, t.enabled, h.oid AS helped_oid, a.oid AS at_oid, h.name AS helped_name, a.name AS at_name,
	       pg_catalog.has_sequence_privilege(h.oid, 'SELECT') AND pg_catalog.has_sequence_privilege(a.oid, 'SELECT') AS allowed
	  FROM job j
	 CROSS JOIN LATERAL (SELECT pg_catalog.count(*) FILTER (WHERE t.tgenabled IN ('O', 'A')) AS enabled, pg_catalog.min(t.tgfoid) AS function
	                       FROM pg_catalog.pg_trigger t
	                      WHERE t.tgrelid = j.table_oid
	                        AND t.tgname IN (pg_catalog.format('~backfill_%s_insert', j.id), pg_catalog.format('~backfill_%s_update', j.id))) t
	  LEFT JOIN pg_catalog.pg_proc f ON f.oid = t.function
	  LEFT JOIN LATERAL (SELECT s.oid, s.oid::pg_catalog.regclass::text AS name
	                       FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
	                      WHERE s.relname = pg_catalog.format('backfill_helped_%s', j.id) AND s.relkind = 'S'
	                        AND pg_catalog.strpos(f.prosrc, '(' || pg_catalog.quote_literal(pg_catalog.format('%I.%I', n.nspname, s.relname))) > 0
	                    ) h ON true
	  LEFT JOIN LATERAL (SELECT s.oid, s.oid::pg_catalog.regclass::text AS name
	                       FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
	                      WHERE s.relname = pg_catalog.format('backfill_helped_at_%s', j.id) AND s.relkind = 'S'
	                        AND pg_catalog.strpos(f.prosrc, '(' || pg_catalog.quote_literal(pg_catalog.format('%I.%I', n.nspname, s.relname))) > 0
	                    ) a ON true
), value AS MATERIALIZED (
	SELECT c.id, c.at_oid,
	       CASE WHEN c.allowed THEN coalesce(pg_catalog.pg_sequence_last_value(c.helped_oid), 0) END AS helped,
	       CASE WHEN c.allowed THEN pg_catalog.pg_sequence_last_value(c.at_oid) END AS at_and_pid,
	       CASE WHEN c.enabled < 2 THEN 'a fill trigger of the table is gone or disabled'
	            WHEN c.helped_oid IS NULL OR c.at_oid IS NULL THEN 'the sequences that the fill trigger counts in are gone, or it knows of none'
	            WHEN NOT c.allowed THEN pg_catalog.format('the daemon lacks a privilege: GRANT SELECT ON SEQUENCE %s, %s TO %I',
	                                                      c.helped_name, c.at_name, current_user)
	       END AS unread
	  FROM counter c
), moment AS (
	SELECT v.id, v.at_oid, v.helped, (v.at_and_pid % 4194304)::int AS pid, last.at,
	       -- before the hold a trigger may be missing for good reasons
	       CASE WHEN j.held THEN v.unread END AS unread,
	       -- Who comes before the count (daemon/trigger.c): seen without it, it is news already.
	       v.helped > j.helped OR last.at IS NOT NULL AND last.at IS DISTINCT FROM j.last_helped_at AS moved
	  FROM value v JOIN job j ON j.id = v.id
	 CROSS JOIN LATERAL (SELECT pg_catalog.to_timestamp((v.at_and_pid / 4194304 + 1577836800000)::float8 / 1000) AS at) AS last
), seen AS MATERIALIZED (
	SELECT j.id, j.name, j.stage, j.seal_after_quiet, j.helped_unread, m.unread,
	       coalesce(m.helped, j.helped) AS helped, coalesce(m.at, j.last_helped_at) AS at,
	       CASE WHEN m.moved THEN (
			SELECT pg_catalog.string_agg(w.app, ', ' ORDER BY w.place, w.app)
			  FROM (SELECT u.app, pg_catalog.min(u.place) AS place
			          FROM (SELECT coalesce(nullif(a.application_name, ''), 'unnamed, role ' || a.usename) AS app, 0 AS place
			                  FROM pg_catalog.pg_stat_activity a
			                 WHERE a.pid <> pg_catalog.pg_backend_pid()
			                   AND (a.pid % 4194304 = m.pid AND a.backend_start <= m.at
			                     OR a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l
			                                   WHERE l.locktype = 'relation' AND l.relation = m.at_oid AND l.mode = 'RowExclusiveLock' AND l.granted
			                                     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())))
			                UNION ALL
			                SELECT o.app, o.place FROM pg_catalog.string_to_table(j.helped_by, ', ') WITH ORDINALITY AS o (app, place)) u
			         WHERE u.app IS NOT NULL
			         GROUP BY u.app ORDER BY pg_catalog.min(u.place), u.app LIMIT 5) w)
	       ELSE j.helped_by END AS by,
	       m.helped <> j.helped OR m.moved OR m.unread IS DISTINCT FROM j.helped_unread AS changed,
	       j.may_go AND m.unread IS NULL AND m.helped IS NOT NULL
	         AND pg_catalog.clock_timestamp() - greatest(m.at, j.held_since) > j.seal_after_quiet AND j.held_since IS NOT NULL AS due,
	       pg_catalog.clock_timestamp() - greatest(m.at, j.held_since) AS quiet
	  FROM job j JOIN moment m ON m.id = j.id
), locked AS (
	SELECT l.id FROM backfill.job l JOIN seen s ON s.id = l.id
	 WHERE s.changed OR s.due AND l.wanted = 'run' AND l.seal_after_quiet = s.seal_after_quiet AND 'seal' = ANY (l.hold_before)
	   FOR NO KEY UPDATE OF l SKIP LOCKED
), noted AS (
	UPDATE backfill.job j
	   SET helped = s.helped, last_helped_at = s.at, helped_by = s.by, helped_unread = s.unread, updated_at = pg_catalog.clock_timestamp()
	  FROM seen s
	 WHERE s.id = j.id AND NOT coalesce(s.due, false) AND j.id IN (SELECT k.id FROM locked k)
), let_go AS (
	UPDATE backfill.job j
	   SET helped = s.helped, last_helped_at = s.at, helped_by = s.by, helped_unread = s.unread, updated_at = pg_catalog.clock_timestamp(),
	       released = j.released || 'seal'::text
	  FROM seen s
	 WHERE s.id = j.id AND s.due AND j.wanted = 'run' AND j.seal_after_quiet = s.seal_after_quiet AND j.id IN (SELECT k.id FROM locked k)
	RETURNING j.id, j.name, j.stage, s.quiet, j.seal_after_quiet
)
INSERT INTO backfill.event (job_id, name, kind, stage, detail)
SELECT s.id, s.name, 'evidence', s.stage,
       pg_catalog.format('%s needed the trigger''s help, the last at %s%s', CASE s.helped WHEN 1 THEN '1 write' ELSE s.helped || ' writes' END,
                         pg_catalog.to_char(s.at, 'YYYY-MM-DD HH24:MI:SS'), ' by ' || s.by)
  FROM seen s
  LEFT JOIN LATERAL (SELECT e.at, e.detail FROM backfill.event e
                      WHERE s.helped > 0 AND e.job_id = s.id AND e.kind = 'evidence' AND e.detail LIKE '% write%needed%' ORDER BY e.id DESC LIMIT 1) e ON true
 WHERE s.helped > 0 AND s.at IS NOT NULL AND s.unread IS NULL
   AND (e.at IS NULL OR e.at < pg_catalog.clock_timestamp() - interval '1 minute' AND e.detail NOT LIKE s.helped || ' write%')
UNION ALL
SELECT g.id, g.name, 'evidence', g.stage,
       pg_catalog.format('let go before seal: no write has needed help for %s (seal_after_quiet is %s)', backfill.in_words(g.quiet), g.seal_after_quiet)
  FROM let_go g
