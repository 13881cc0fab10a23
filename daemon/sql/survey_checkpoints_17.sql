-- Checkpoints that were requested, not timed, ever: from PostgreSQL 17.
SELECT c.num_requested AS asked FROM pg_catalog.pg_stat_checkpointer c
