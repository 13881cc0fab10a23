-- Workers' logins call move_bookmark as whoever owns the table: USAGE is for everybody, the rest for members.
GRANT USAGE ON SCHEMA backfill TO PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA backfill FROM PUBLIC, backfill_user, backfill_admin;
REVOKE ALL ON ALL ROUTINES IN SCHEMA backfill FROM PUBLIC, backfill_user, backfill_admin;
GRANT SELECT ON ALL TABLES IN SCHEMA backfill TO backfill_user;
GRANT EXECUTE ON FUNCTION backfill.move_bookmark, backfill.field_set TO PUBLIC;
-- Not the trigger functions: on a table of somebody's own, job_tell would write events that never happened.
GRANT EXECUTE ON ROUTINE backfill.proceed, backfill.pause_all, backfill.resume_all, backfill.purge, backfill.wait_for,
	backfill.history(bigint), backfill.history(text), backfill.as_sql, backfill.may_steer, backfill.check_admin, backfill.wait_look, backfill.wait_says,
	backfill.job_not_built, backfill.job_bad_knob, backfill.job_check_limits, backfill.job_check_table, backfill.job_check_type,
	backfill.job_check_column, backfill.job_check_wishes, backfill.job_check_index, backfill.has_opclass, backfill.job_type,
	backfill.job_check_unique, backfill.job_check_circle, backfill.job_check_foreign_key, backfill.foreign_key_read, backfill.job_check_alone,
	backfill.job_unbegun, backfill.job_kept_by,
	backfill.job_sketch, backfill.as_sql_fill, backfill.daily_window_read, backfill.daily_window_at,
	backfill.daily_window_after, backfill.object_name, backfill.member_name TO backfill_user;
GRANT INSERT (name, note, table_name, column_name, column_type, "collation", identity, default_expr, value, fill_where, field, sync,
	not_null, is_unique, check_expr, foreign_key, index, index_where, seal_after_quiet, rehearse, hold_on_plan_regression, depends_on,
	skip_triggers, hold_before, priority, not_before, daily_window, workers, batch_ms, max_lag_ms, lag_target_ms, max_impact,
	lock_timeout_ms, ddl_lock_timeout_ms, max_wal_rate, wanted) ON backfill.job TO backfill_user;
-- released: for proceed(), which runs as its caller; job_steer lets nobody else set it
GRANT UPDATE (wanted, note, priority, not_before, daily_window, hold_before, seal_after_quiet, index, index_where, workers, batch_ms,
	max_lag_ms, lag_target_ms, max_impact, lock_timeout_ms, ddl_lock_timeout_ms, max_wal_rate, released) ON backfill.job TO backfill_user;
GRANT DELETE ON backfill.job TO backfill_user;
GRANT INSERT (job_id, table_name, label, query), DELETE ON backfill.watched_query TO backfill_user;
