-- The tables of the tree under table $1, itself first, then by depth: partitions at any depth, inheritance children. $2: the job's
-- column; $3, $4: our triggers for INSERT and UPDATE, $5: the comment in their function; $6 to $9: names of the job's index, UNIQUE,
-- CHECK and foreign key on its table, as chosen in planning; $10: the job.
-- An index is the job's when it came after the job had said that it would make one of that name (an intent that has not ended
-- otherwise since), or when it is attached to one that is the job's: the server gives one to each partition that is made or attached
-- later. What the table is called by now does not matter, nor does what else has the name.
-- Joined: it has become one of the tree behind the job's last walk over it.
-- A partition that is being detached is none of them any more.
WITH RECURSIVE tree (oid, parent_oid, depth) AS (
	SELECT c.oid, 0::oid, 0 FROM pg_catalog.pg_class c WHERE c.oid = $1
	UNION
	SELECT i.inhrelid, i.inhparent, t.depth + 1
	  FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
), member AS (
	SELECT DISTINCT ON (t.oid) t.oid, t.parent_oid, t.depth FROM tree t ORDER BY t.oid, t.depth, t.parent_oid
), said (id, kind, age, tail, name) AS MATERIALIZED ( -- once, however many indexes there are
	SELECT e.id, e.kind, pg_catalog.age(e.xmin), CASE WHEN pg_catalog.starts_with(e.statement, 'CREATE INDEX') THEN 'idx' ELSE 'key' END,
	       pg_catalog.replace(pg_catalog.substring(e.statement,
	           '^(?:CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?|ALTER TABLE ONLY .* ADD CONSTRAINT )"((?:[^"]|"")+)" (?:ON ONLY|UNIQUE \()'), '""', '"')
	  FROM backfill.event e
	 WHERE e.job_id = $10 AND e.kind IN ('intent', 'statement', 'error')
	   AND e.id > coalesce((SELECT pg_catalog.max(r.id) FROM backfill.event r
	                         WHERE r.job_id = $10 AND r.kind = 'stage' AND r.stage = 'rolled_back'), 0)
), made (oid, tail) AS (
	SELECT l.oid, l.tail
	  FROM (SELECT DISTINCT ON (x.oid) x.oid, s.tail, s.kind
	          FROM member m
	          JOIN pg_catalog.pg_index i ON i.indrelid = m.oid
	          JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
	          JOIN said s ON s.name = x.relname::text AND s.age >= pg_catalog.age(x.xmin)
	         ORDER BY x.oid, s.id DESC) l
	 WHERE l.kind IN ('intent', 'statement')
), attached (oid, tail) AS (
	SELECT c.oid, m.tail FROM made m JOIN pg_catalog.pg_class c ON c.oid = m.oid AND c.relkind = 'I'
	UNION
	SELECT i.inhrelid, a.tail FROM attached a JOIN pg_catalog.pg_inherits i ON i.inhparent = a.oid
), own (table_oid, tail, indexrelid, indisvalid, relname, relispartition) AS (
	SELECT DISTINCT ON (i.indrelid, o.tail) i.indrelid, o.tail, i.indexrelid, i.indisvalid, x.relname, x.relispartition
	  FROM (SELECT oid, tail, false AS attached FROM made UNION ALL SELECT oid, tail, true FROM attached) o
	  JOIN pg_catalog.pg_index i ON i.indexrelid = o.oid
	  JOIN pg_catalog.pg_class x ON x.oid = o.oid
	 ORDER BY i.indrelid, o.tail, o.attached DESC
)
SELECT m.oid, m.parent_oid,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
       pg_catalog.quote_ident(n.nspname) AS schema_name,
       c.relname AS bare_name,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       c.relkind, c.relpersistence = 't' AS temporary, c.relispartition AS is_partition, c.reltuples,
       CASE WHEN c.relkind = 'r'
            THEN coalesce(pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint, 0)
            ELSE 0 END AS pages,
       a.attnum IS NOT NULL AS column_exists,
       c.relkind = 'r'
         AND EXISTS (SELECT FROM backfill.walk w
                      WHERE w.job_id = $10 AND w.relation <> c.oid
                        AND NOT EXISTS (SELECT FROM backfill.leaf l WHERE l.job_id = $10 AND l.relation = c.oid)) AS joined,
       coalesce(a.attnotnull, false)
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                          WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) AS column_not_null,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(k.attname), ', ' ORDER BY pg_catalog.array_position(i.indkey::int2[], k.attnum))
          FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary) AS key_columns,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
                WHERE t.tgrelid = c.oid AND t.tgname = $3 AND pg_catalog.strpos(f.prosrc, $5) > 0) AS insert_trigger_exists,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
                WHERE t.tgrelid = c.oid AND t.tgname = $4 AND pg_catalog.strpos(f.prosrc, $5) > 0) AS update_trigger_exists,
       coalesce(ix.relname, name.index) AS index_name, ix.indexrelid IS NOT NULL AS index_exists, coalesce(ix.indisvalid, false) AS index_valid,
       coalesce(ix.relispartition, false) AS index_attached,
       coalesce(ux.relname, name.unique) AS unique_name, ux.indexrelid IS NOT NULL AS unique_exists, coalesce(ux.indisvalid, false) AS unique_valid,
       coalesce(ux.relispartition, false) AS unique_attached,
       EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = ux.indexrelid AND k.contype = 'u') AS unique_constrained,
       ck.oid IS NOT NULL AS check_exists, coalesce(ck.convalidated, false) AS check_valid,
       fk.oid IS NOT NULL AS foreign_key_exists, coalesce(fk.convalidated, false) AS foreign_key_valid
  FROM member m
  JOIN pg_catalog.pg_class c ON c.oid = m.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (
	SELECT CASE WHEN m.parent_oid = 0 THEN $6
	            ELSE backfill.member_name(m.oid, c.relname::text, $2, pg_catalog.substring($6, '_(idx[0-9]*)$')) END AS index,
	       CASE WHEN m.parent_oid = 0 THEN $7
	            ELSE backfill.member_name(m.oid, c.relname::text, $2, pg_catalog.substring($7, '_(key[0-9]*)$')) END AS unique) name
  LEFT JOIN own ix ON ix.table_oid = c.oid AND ix.tail = 'idx'
  LEFT JOIN own ux ON ux.table_oid = c.oid AND ux.tail = 'key'
  LEFT JOIN pg_catalog.pg_constraint ck ON ck.conrelid = c.oid AND ck.contype = 'c' AND ck.conname = $8
  LEFT JOIN pg_catalog.pg_constraint fk ON fk.conrelid = c.oid AND fk.contype = 'f' AND fk.conname = $9
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY m.depth, m.oid
