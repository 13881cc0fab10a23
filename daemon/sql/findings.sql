-- Keeps what planning found out about job $1 under epoch $2.
UPDATE backfill.job j
   SET exact_type = $3, adopted = $4, fast_default = $5, volatile_value = $6, rows_estimate = $7, blocks_total = $8, blocks_done = 0,
       had = pg_catalog.jsonb_build_object('not_null', $9::boolean, 'default', $10::boolean)
 WHERE j.id = $1 AND j.epoch = $2
RETURNING j.id
