DELETE FROM backfill.plan_step p WHERE p.job_id = $1
