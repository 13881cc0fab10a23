-- What the catalogue says of table $1 and its column $2; $3, $4: our triggers for INSERT and UPDATE, $5: our function, $6: our CHECK,
-- $7: the comment in our function, $8: the job, $9: the number that the column had when it was last seen, $10, $11: the
-- sequences that our function counts in.
-- No row: the table is gone. Tree: the table, and whatever partitions and inheritance children it has (members.sql).
WITH RECURSIVE tree (oid) AS (
	SELECT $1::oid
	UNION
	SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
), using_index (oid, indexrelid) AS (
	SELECT i.indrelid, i.indexrelid
	  FROM tree t
	  JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
	  JOIN pg_catalog.pg_attribute x ON x.attrelid = t.oid AND x.attname = $2 AND x.attnum > 0 AND NOT x.attisdropped
	 WHERE x.attnum = ANY (i.indkey)
	    OR EXISTS (SELECT FROM pg_catalog.pg_depend e
	                WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = i.indexrelid
	                  AND e.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.refobjid = t.oid
	                  AND e.refobjsubid = x.attnum)
), own (oid, attnum, place) AS ( -- the column, wherever it goes with that of the table
	SELECT t.oid, a.attnum, CASE WHEN t.oid <> $1 THEN pg_catalog.format(' of %s', t.oid::pg_catalog.regclass) ELSE '' END
	  FROM tree t
	  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
	 WHERE t.oid = $1
	    OR NOT a.attislocal
	   AND a.attinhcount = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_inherits i JOIN tree p ON p.oid = i.inhparent WHERE i.inhrelid = t.oid)
)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS table_name,
       pg_catalog.quote_ident(n.nspname) AS schema_name,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       coalesce((SELECT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')
                   FROM backfill.job j JOIN pg_catalog.pg_roles r ON r.rolname = j.requested_by
                  WHERE j.id = $8), false) AS requester_may,
       pg_catalog.has_function_privilege(c.relowner, 'pg_catalog.pg_sleep(double precision)', 'EXECUTE') AS may_sleep,
       c.relkind,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       whole.relforcerowsecurity, whole.pages, coalesce(whole.reltuples, -1) AS reltuples,
       (SELECT coalesce(pg_catalog.max(i.indexes), 0)
          FROM (SELECT pg_catalog.count(*) AS indexes
                  FROM tree t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid AND NOT x.indisprimary
                 GROUP BY t.oid) AS i) AS secondary_indexes,
       EXISTS (SELECT FROM using_index) AS column_indexed,
       (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(t.tgname), ', ')
          FROM tree JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.oid
         WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype::int & 16 <> 0
           AND t.tgname NOT IN ($3, $4)) AS update_triggers,
       (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.rulename), ', ')
          FROM tree JOIN pg_catalog.pg_rewrite r ON r.ev_class = tree.oid
         WHERE r.ev_type = '2' AND r.ev_enabled <> 'D') AS update_rules,
       (SELECT pg_catalog.min(p.pubname)
          FROM tree
          JOIN pg_catalog.pg_class m ON m.oid = tree.oid AND m.relkind = 'r'
          JOIN pg_catalog.pg_namespace mn ON mn.oid = m.relnamespace
         CROSS JOIN pg_catalog.pg_publication p
         WHERE p.pubupdate
           AND EXISTS (SELECT FROM pg_catalog.pg_publication_tables pt
                        WHERE pt.pubname = p.pubname
                          AND (pt.schemaname = mn.nspname AND pt.tablename = m.relname
                            OR m.relispartition AND p.pubviaroot
                               AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', pt.schemaname, pt.tablename))
                                   IN (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(m.oid) a)))
           AND CASE m.relreplident
               WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = m.oid AND i.indisprimary)
               WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = m.oid AND i.indisreplident)
               ELSE m.relreplident = 'n'
               END) AS publication,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(k.attname), ', ' ORDER BY pg_catalog.array_position(i.indkey::int2[], k.attnum))
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary) AS key_columns,
       (SELECT pg_catalog.string_agg(g.attname, ',' ORDER BY g.attnum)
          FROM pg_catalog.pg_attribute g
         WHERE g.attrelid = c.oid AND g.attgenerated = 's' AND NOT g.attisdropped) AS stored_generated,
       a.attnum IS NOT NULL AS column_exists,
       a.attnum AS column_number,
       (SELECT pg_catalog.quote_ident(r.attname)
          FROM pg_catalog.pg_attribute r
         WHERE r.attrelid = c.oid AND r.attnum = $9 AND r.attname <> $2 AND NOT r.attisdropped) AS column_now,
       coalesce(a.attgenerated <> '' OR a.attidentity <> '', false) AS column_generated,
       -- DROP COLUMN would take these along without a word; what partitions have of an index of their parent goes with that
       (SELECT pg_catalog.string_agg(u.what, ', ' ORDER BY u.what)
          FROM (SELECT pg_catalog.format('index %I', i.relname) || o.place AS what
                  FROM own o
                  JOIN using_index x ON x.oid = o.oid
                  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
                 WHERE NOT i.relispartition
                   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid AND k.conrelid = o.oid)
                UNION ALL
                SELECT pg_catalog.format('constraint %I', k.conname) || o.place
                  FROM own o
                  JOIN pg_catalog.pg_constraint k ON k.conrelid = o.oid
                 WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.coninhcount = 0 AND o.attnum = ANY (k.conkey)) u) AS column_users,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS column_type,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS column_default,
       coalesce(a.attnotnull, false)
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                          WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) AS column_not_null,
       (SELECT pg_catalog.quote_ident(k.conname)
          FROM pg_catalog.pg_constraint k
         WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) AS not_null_unvalidated,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
                WHERE t.tgrelid = c.oid AND t.tgname = $3 AND pg_catalog.strpos(f.prosrc, $7) > 0) AS insert_trigger_exists,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
                WHERE t.tgrelid = c.oid AND t.tgname = $4 AND pg_catalog.strpos(f.prosrc, $7) > 0) AS update_trigger_exists,
       (SELECT pg_catalog.format('%I.%I', fn.nspname, f.proname)
          FROM pg_catalog.pg_proc f
          JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
         WHERE f.proname = $5 AND f.pronargs = 0 AND pg_catalog.strpos(f.prosrc, $7) > 0
           AND (f.pronamespace = n.oid
                OR EXISTS (SELECT FROM pg_catalog.pg_trigger t
                            WHERE t.tgrelid = c.oid AND t.tgname IN ($3, $4) AND t.tgfoid = f.oid))
         ORDER BY f.pronamespace = n.oid
         LIMIT 1) AS function_name,
       (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', sn.nspname, s.relname), ', ' ORDER BY s.oid)
          FROM pg_catalog.pg_class s
          JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
         WHERE s.relname IN ($10, $11) AND s.relkind = 'S' AND s.relowner = c.relowner) AS counters,
       current_user AS control_login,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
                WHERE f.proname = $5 AND t.tgname IN ($3, $4) AND pg_catalog.strpos(f.prosrc, $7) > 0
                  AND t.tgrelid NOT IN (SELECT m.oid FROM tree m)) AS has_strays,
       k.oid IS NOT NULL AS check_exists,
       coalesce(k.convalidated, false) AS check_valid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (SELECT pg_catalog.bool_or(m.relforcerowsecurity) AS relforcerowsecurity,
                    coalesce(pg_catalog.sum(pg_catalog.pg_relation_size(m.oid)) FILTER (WHERE m.relkind = 'r'), 0)::bigint
                      / pg_catalog.current_setting('block_size')::bigint AS pages,
                    pg_catalog.sum(m.reltuples) FILTER (WHERE m.relkind = 'r' AND m.reltuples >= 0) AS reltuples
               FROM tree JOIN pg_catalog.pg_class m ON m.oid = tree.oid) AS whole
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' AND k.conname = $6
 WHERE c.oid = $1
