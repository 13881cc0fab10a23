-- $1 job, $2 kind, $3 stage, $4 detail, $5 statement, $6 lock wait ms, $7 duration ms, $8 rows, $9 epoch: who was taken over from tells nothing more.
INSERT INTO backfill.event (job_id, name, kind, stage, detail, statement, lock_wait_ms, duration_ms, rows)
SELECT j.id, j.name, $2, $3, $4, $5, $6, $7, $8 FROM backfill.job j WHERE j.id = $1 AND j.epoch = $9
