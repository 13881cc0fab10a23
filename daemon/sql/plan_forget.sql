-- Forgets the plan of job $1, held under epoch $2.
DELETE FROM backfill.plan_step p
 WHERE p.job_id = $1 AND EXISTS (SELECT FROM backfill.job j WHERE j.id = $1 AND j.epoch = $2)
