-- Checkpoints that were requested, not timed, ever: up to PostgreSQL 16.
SELECT b.checkpoints_req AS asked FROM pg_catalog.pg_stat_bgwriter b
