-- Jobs that holder $1 has, jobs that could be claimed now, best first, and jobs that somebody else has: should that daemon be
-- dead they become claimable when its lease lapses.
-- $2 … $9: the config's batch_ms, workers, max_lag_ms, lock_timeout_ms, ddl_lock_timeout_ms, lag_target_ms, max_wal_rate, max_impact.
SELECT j.id, j.epoch, j.stage, j.wanted, j.table_oid, j.table_name, j.search_path, j.column_name, j.column_type,
       j."collation", j.default_expr, j.value, j.fill_where, j.sync, j.not_null, j.adopted, j.exact_type,
       j.fast_default, j.volatile_value, j.rows_estimate, j.throttled_ms,
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
    OR (    j.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back')
        AND j.wanted = 'run'
        AND (j.not_before IS NULL OR j.not_before <= pg_catalog.now())
        AND (j.held_at IS NULL OR j.held_at = ANY (j.released) OR j.held_at <> ALL (j.hold_before))
        AND NOT EXISTS (SELECT FROM backfill.claim other
                         WHERE other.root_oid = j.table_oid AND other.job_id <> j.id AND other.lease_until >= pg_catalog.now()))
 ORDER BY mine DESC, elsewhere, j.priority DESC, j.id
 LIMIT 100
