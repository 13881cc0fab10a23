-- What may go wrong with job $1, held under epoch $2, as step 0 of its plan: findings for people, one a line. $3: its table, $4: does it
-- change rows; $5: the connections it takes; $6: the plan of its value (EXPLAIN's JSON) or null.
WITH RECURSIVE tree (oid) AS (
	SELECT $3::oid
	UNION
	SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
), plan AS (
	SELECT pg_catalog.jsonb_path_query($6::jsonb, '$.**?(@."Parent Relationship" == "SubPlan").**?(@."Node Type" == "Seq Scan")') AS node
), finding (place, said) AS (
	SELECT 1, pg_catalog.format('trigger %s fires for each row that is filled: what it does is done once a row, and it may undo the value; skip_triggers = true fills without it',
	              pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(t.tgname), ', '))
	  FROM tree JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.oid
	  JOIN backfill.job j ON j.id = $1 AND NOT j.skip_triggers
	 WHERE $4::boolean AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype::int & 16 <> 0
	HAVING pg_catalog.count(*) > 0
	UNION ALL
	SELECT 2, pg_catalog.format('publication %s sends each row that is filled to its subscribers', pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(p.pubname), ', '))
	  FROM tree
	  JOIN pg_catalog.pg_class c ON c.oid = tree.oid
	  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	  JOIN pg_catalog.pg_publication_tables pt ON pt.schemaname = n.nspname AND pt.tablename = c.relname
	  JOIN pg_catalog.pg_publication p ON p.pubname = pt.pubname AND p.pubupdate
	 WHERE $4::boolean
	HAVING pg_catalog.count(*) > 0
	UNION ALL
	SELECT 3, pg_catalog.format('for each row it reads all of table %s (%s pages; %s): an index for that is missing', s.name, s.pages, s.filter)
	  FROM (SELECT DISTINCT pg_catalog.format('%I.%I', p.node->>'Schema', p.node->>'Relation Name') AS name,
	               pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint AS pages,
	               coalesce(p.node->>'Filter', 'no condition') AS filter
	          FROM plan p
	          JOIN pg_catalog.pg_namespace n ON n.nspname = p.node->>'Schema'
	          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.node->>'Relation Name') s
	 WHERE s.pages > 8
	UNION ALL
	(SELECT 4, pg_catalog.format('a transaction of %s (pid %s%s) is open since %s: while it is, space of old row versions is not used again and index builds wait for it',
	              coalesce(a.usename::text, 'the server'), a.pid, coalesce(', ' || nullif(a.application_name, ''), ''),
	              pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start))
	  FROM pg_catalog.pg_stat_activity a
	 WHERE a.datname = pg_catalog.current_database() AND a.xact_start < pg_catalog.clock_timestamp() - interval '10 s'
	   AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.backend_type = 'client backend'
	 ORDER BY a.xact_start
	 LIMIT 3)
	UNION ALL
	SELECT 5, pg_catalog.format('prepared transaction %I is open since %s: end it (COMMIT PREPARED, or roll it back)', x.gid,
	              pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - x.prepared))
	  FROM pg_catalog.pg_prepared_xacts x
	 WHERE x.database = pg_catalog.current_database() AND x.prepared < pg_catalog.clock_timestamp() - interval '10 s'
	UNION ALL
	SELECT 6, pg_catalog.format('an autovacuum against wraparound works on it (pid %s) and does not give way: changes of the table wait until it is through', a.pid)
	  FROM tree
	  JOIN pg_catalog.pg_stat_progress_vacuum v ON v.relid = tree.oid
	  JOIN pg_catalog.pg_stat_activity a ON a.pid = v.pid AND a.query LIKE '%(to prevent wraparound)%'
	UNION ALL
	SELECT 7, pg_catalog.format('only %s connections are free, and the job takes up to %s: raise max_connections, or lower workers', f.free, $5::int + 3)
	  FROM (SELECT pg_catalog.current_setting('max_connections')::int - pg_catalog.current_setting('superuser_reserved_connections')::int
	               - (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'client backend') AS free) f
	 WHERE f.free < $5::int + 3
	UNION ALL
	SELECT 8, 'a prepared statement with SELECT * fails once when the column comes or goes (cached plan must not change result type): let the application prepare it again'
	  FROM backfill.job j WHERE j.id = $1 AND NOT j.adopted
)
INSERT INTO backfill.plan_step (job_id, step, statement, note)
SELECT j.id, 0, '-- before anything is touched', (SELECT pg_catalog.string_agg(f.said, E'\n' ORDER BY f.place, f.said) FROM finding f)
  FROM backfill.job j
 WHERE j.id = $1 AND j.epoch = $2 AND EXISTS (SELECT FROM finding)
