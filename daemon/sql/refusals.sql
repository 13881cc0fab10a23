-- What stands against the job with table $1 and column $2 before anything is touched: $3, does it make functions, sequences or
-- indexes; $4, does it fill without triggers. The first of it: what, its SQLSTATE, what to do.
WITH RECURSIVE tree (oid) AS (
	SELECT $1::oid
	UNION
	SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
), place AS (
	SELECT DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)::text) AS owner, c.relowner, n.oid AS schema_oid,
	       pg_catalog.quote_ident(n.nspname) AS schema_name
	  FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
), refusal (message, sqlstate, hint) AS (
	SELECT pg_catalog.format('%s, the owner of the table, has no %s right on schema %s', p.owner, r.name, p.schema_name), '42501',
	       pg_catalog.format('GRANT %s ON SCHEMA %s TO %s: %s. Then set wanted = ''run''.', r.name, p.schema_name, p.owner, r.why)
	  FROM place p
	 CROSS JOIN (VALUES ('USAGE', true, 'without it the owner cannot name the table'),
	                    ('CREATE', $3::boolean, 'the functions of triggers, sequences and indexes are made there')) AS r (name, wanted, why)
	 WHERE r.wanted AND NOT pg_catalog.has_schema_privilege(p.relowner, p.schema_oid, r.name)
	UNION ALL
	SELECT pg_catalog.format('%s, the owner of the table, may not make temporary tables', p.owner), '42501',
	       pg_catalog.format('GRANT TEMPORARY ON DATABASE %I TO %s: planning tries the job on an empty temporary copy. Then set wanted = ''run''.',
	                         pg_catalog.current_database(), p.owner)
	  FROM place p WHERE NOT pg_catalog.has_database_privilege(p.relowner, pg_catalog.current_database(), 'TEMPORARY')
	UNION ALL
	SELECT pg_catalog.format('skip_triggers would skip the check of foreign key %I as well, which the column has', k.conname), '55000',
	       'Enqueue the job without skip_triggers, or drop the foreign key for its time and let the job add it (foreign_key).'
	  FROM tree
	  JOIN pg_catalog.pg_attribute a ON a.attrelid = tree.oid AND a.attname = $2 AND NOT a.attisdropped
	  JOIN pg_catalog.pg_constraint k ON k.conrelid = tree.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
	 WHERE $4::boolean
)
SELECT r.message, r.sqlstate, r.hint FROM refusal r LIMIT 1
