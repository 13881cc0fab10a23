-- What the catalogue says of table $1 and its column $2; $3, $4: our triggers for INSERT and UPDATE, $5: our function, $6: our CHECK,
-- $7: the comment in our function, $8: the job.
-- No row: the table is gone.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS table_name,
       pg_catalog.quote_ident(n.nspname) AS schema_name,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       coalesce((SELECT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')
                   FROM backfill.job j JOIN pg_catalog.pg_roles r ON r.rolname = j.requested_by
                  WHERE j.id = $8), false) AS requester_may,
       c.relkind, c.relforcerowsecurity, c.reltuples,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint AS pages,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND NOT i.indisprimary) AS secondary_indexes,
       EXISTS (SELECT FROM pg_catalog.pg_index i
                WHERE i.indrelid = c.oid
                  AND (a.attnum = ANY (i.indkey)
                    OR EXISTS (SELECT FROM pg_catalog.pg_depend e
                                WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = i.indexrelid
                                  AND e.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.refobjid = c.oid
                                  AND e.refobjsubid = a.attnum))) AS column_indexed,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(t.tgname), ', ' ORDER BY t.tgname)
          FROM pg_catalog.pg_trigger t
         WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype::int & 16 <> 0
           AND t.tgname NOT IN ($3, $4)) AS update_triggers,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.rulename), ', ' ORDER BY r.rulename)
          FROM pg_catalog.pg_rewrite r
         WHERE r.ev_class = c.oid AND r.ev_type = '2' AND r.ev_enabled <> 'D') AS update_rules,
       (SELECT pg_catalog.min(p.pubname)
          FROM pg_catalog.pg_publication p
         WHERE p.pubupdate
           AND EXISTS (SELECT FROM pg_catalog.pg_publication_tables pt
                        WHERE pt.pubname = p.pubname AND pt.schemaname = n.nspname AND pt.tablename = c.relname)
           AND CASE c.relreplident
               WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
               WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
               ELSE c.relreplident = 'n'
               END) AS publication,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(k.attname), ', ' ORDER BY pg_catalog.array_position(i.indkey::int2[], k.attnum))
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary) AS key_columns,
       (SELECT pg_catalog.string_agg(g.attname, ',' ORDER BY g.attnum)
          FROM pg_catalog.pg_attribute g
         WHERE g.attrelid = c.oid AND g.attgenerated = 's' AND NOT g.attisdropped) AS stored_generated,
       a.attnum IS NOT NULL AS column_exists,
       coalesce(a.attgenerated <> '' OR a.attidentity <> '', false) AS column_generated,
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
       k.oid IS NOT NULL AS check_exists,
       coalesce(k.convalidated, false) AS check_valid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' AND k.conname = $6
 WHERE c.oid = $1
