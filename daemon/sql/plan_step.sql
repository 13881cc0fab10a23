-- $1 job, $2 step, $3 statement, $4 lock mode, $5 blocks reads, $6 blocks writes, $7 scans, $8 note, $9 epoch, $10 and $11: milliseconds and bytes of WAL, as
-- estimated.
INSERT INTO backfill.plan_step (job_id, step, statement, lock_mode, blocks_reads, blocks_writes, scans_table, note, estimated_ms, estimated_wal_bytes)
SELECT j.id, $2, $3, $4, $5, $6, $7, $8, $10, $11 FROM backfill.job j WHERE j.id = $1 AND j.epoch = $9
