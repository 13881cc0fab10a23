-- What the expressions in view backfill_reads use; $1: the job's table.
SELECT EXISTS (SELECT FROM pg_catalog.regexp_matches(r.ev_action::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m
                 JOIN pg_catalog.pg_proc p ON p.oid = m[1]::oid
                WHERE p.provolatile = 'v') AS volatile,
       r.ev_action::text ~ '\{SUBLINK' AS subquery,
       -- stable, but another in each transaction
       r.ev_action::text ~ '\{SQLVALUEFUNCTION'
         OR EXISTS (SELECT FROM pg_catalog.regexp_matches(r.ev_action::text, ':(?:funcid|opfuncid) (\d+)', 'g') AS m
                     WHERE m[1]::oid IN ('pg_catalog.now()'::pg_catalog.regprocedure, 'pg_catalog.transaction_timestamp()'::pg_catalog.regprocedure,
                                         'pg_catalog.statement_timestamp()'::pg_catalog.regprocedure, 'pg_catalog.age(timestamptz)'::pg_catalog.regprocedure,
                                         'pg_catalog.age(timestamp)'::pg_catalog.regprocedure, 'pg_catalog.txid_current()'::pg_catalog.regprocedure,
                                         'pg_catalog.pg_current_xact_id()'::pg_catalog.regprocedure)) AS moment,
       (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum)
          FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::pg_catalog.regclass AND a.attgenerated = 's'
          JOIN pg_catalog.pg_attribute copied ON copied.attrelid = d.refobjid AND copied.attname = a.attname
         WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
           AND d.refobjid = 'pg_temp.backfill_probe'::pg_catalog.regclass
           AND d.refobjsubid = copied.attnum) AS generated
  FROM pg_catalog.pg_rewrite r
 WHERE r.ev_class = 'pg_temp.backfill_reads'::pg_catalog.regclass
