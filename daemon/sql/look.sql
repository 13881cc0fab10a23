-- Jobs that holder $1 has, jobs that could be claimed now, best first (before all others those to be
-- cancelled or rolled back, which wait for nothing that the job itself waits for), and jobs that somebody else has: should that daemon be
-- dead they become claimable when its lease lapses.
-- $2 … $9: the config's batch_ms, workers, max_lag_ms, lock_timeout_ms, ddl_lock_timeout_ms, lag_target_ms, max_wal_rate, max_impact.
SELECT j.id, j.epoch, j.stage, j.wanted, j.table_oid, j.table_name, j.search_path, j.column_name, j.column_type,
       j."collation", pg_catalog.upper(j.identity) AS identity, j.default_expr, j.value, j.fill_where, j.field::text AS field, j.skip_triggers, j.sync, j.not_null, j.adopted, j.exact_type,
       j.is_unique, j.check_expr, j.foreign_key, CASE WHEN j.index NOT IN ('none', 'advise') THEN j.index END AS index, j.index_where,
       j.object_names->>'index' AS index_name, j.object_names->>'unique' AS unique_name, j.object_names->>'check' AS check_name,
       j.object_names->>'foreign_key' AS foreign_key_name,
       j.fast_default, j.volatile_value, j.rows_estimate, j.throttled_ms, j.rows_filled,
       coalesce((j.had ->> 'not_null')::boolean, true) AS had_not_null,
       coalesce((j.had ->> 'default')::boolean, true) AS had_default,
       (j.had ->> 'number')::int AS column_number,
       -- No ADD COLUMN goes out before its intent is on record: without one the column is not ours, whatever planning saw.
       CASE WHEN j.stage = 'rolling_back' OR j.wanted = 'roll_back'
            THEN EXISTS (SELECT FROM backfill.event e
                          WHERE e.job_id = j.id AND e.kind = 'intent' AND e.statement LIKE '%ALTER TABLE % ADD COLUMN %'
                            AND e.id > coalesce((SELECT pg_catalog.max(r.id) FROM backfill.event r
                                                  WHERE r.job_id = j.id AND r.kind = 'stage' AND r.stage = 'rolled_back'), 0))
            ELSE false END AS added,
       'add' = ANY (j.hold_before) AND 'add' <> ALL (j.released) AS hold_add,
       'fill' = ANY (j.hold_before) AND 'fill' <> ALL (j.released) AS hold_fill,
       'seal' = ANY (j.hold_before) AND 'seal' <> ALL (j.released) AS hold_seal,
       coalesce(j.batch_ms, $2) AS batch_ms,
       coalesce(j.workers, $3) AS workers,
       coalesce(j.max_lag_ms, $4) AS max_lag_ms,
       coalesce(j.lock_timeout_ms, $5) AS lock_timeout_ms,
       coalesce(j.ddl_lock_timeout_ms, $6) AS ddl_lock_timeout_ms,
       least(coalesce(j.lag_target_ms, $7), coalesce(j.max_lag_ms, $4)) AS lag_target_ms,
       coalesce(j.max_wal_rate, $8) AS max_wal_rate,
       coalesce(j.max_impact, $9) AS max_impact,
       j.priority,
       NOT coalesce(w.is_open, true) AS outside_window,
       CASE WHEN w.is_open THEN pg_catalog.trunc(1000 * EXTRACT(epoch FROM w.closes_in))::bigint END AS window_closes_in_ms,
       w.opens_at,
       coalesce(c.holder = $1 AND c.epoch = j.epoch, false) AS mine,
       coalesce(c.holder <> $1 AND c.lease_until >= pg_catalog.now(), false) AS elsewhere
  FROM backfill.job j
  LEFT JOIN backfill.claim c ON c.job_id = j.id
  LEFT JOIN LATERAL backfill.daily_window_at(j.daily_window, pg_catalog.clock_timestamp()) w ON j.daily_window IS NOT NULL
 WHERE (c.holder = $1 AND c.epoch = j.epoch)
    OR (    CASE WHEN j.stage = 'rolling_back' THEN j.wanted <> 'pause'
                 WHEN j.wanted = 'roll_back' THEN j.stage <> 'rolled_back' AND (j.stage <> 'failed' OR j.resume_stage IS DISTINCT FROM 'rolling_back')
                 WHEN j.stage IN ('done', 'failed', 'cancelled', 'rolled_back') THEN false
                 WHEN j.wanted = 'cancel' THEN true
                 ELSE j.wanted = 'run'
                  AND (j.not_before IS NULL OR j.not_before <= pg_catalog.now())
                  AND (j.held_at IS NULL OR j.held_at = ANY (j.released) OR j.held_at <> ALL (j.hold_before))
                  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(j.depends_on) AS d (name)
                                   WHERE NOT EXISTS (SELECT FROM backfill.job o WHERE o.name = d.name AND o.stage = 'done'))
            END
        AND NOT EXISTS (SELECT FROM backfill.claim other
                         WHERE other.root_oid = backfill.tree_of(j.table_oid) AND other.job_id <> j.id AND other.lease_until >= pg_catalog.now()))
 ORDER BY mine DESC, elsewhere, j.wanted = 'run' AND j.stage <> 'rolling_back', j.priority DESC, j.id
 LIMIT 100
