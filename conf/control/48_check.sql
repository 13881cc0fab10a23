-- A job of which nothing is known yet: a new one, or one that was rolled back and starts again.
CREATE OR REPLACE FUNCTION backfill.job_unbegun(job backfill.job) RETURNS backfill.job
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	job.rows_filled := 0;
	job.rows_estimate := NULL;
	job.blocks_done := 0;
	job.blocks_total := NULL;
	job.rows_per_s := NULL;
	job.eta := NULL;
	job.forecast := NULL;
	job.released := '{}';
	job.object_names := '{}';
	job.had := '{}';
	job.helped := 0;
	job.last_helped_at := NULL;
	job.helped_by := NULL;
	job.helped_unread := NULL;
	job.held_since := NULL;
	RETURN job;
END $$;

-- Second look at a new row: who asks, and may they? Trusts nothing of the first but two oids, and judges these.
-- SECURITY INVOKER, so that current_user is the submitter.
CREATE OR REPLACE FUNCTION backfill.job_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW := backfill.job_unbegun(NEW);
	NEW.requested_by := current_user;
	NEW.requested_at := clock_timestamp();
	NEW.changed_by := current_user;
	NEW.stage := 'queued';
	NEW.waiting_for := NULL;
	NEW.error := NULL;
	NEW.error_code := NULL;
	NEW.error_hint := NULL;
	NEW.lag_ms := NULL;
	NEW.throttled_ms := 0;
	NEW.started_at := NULL;
	NEW.updated_at := NEW.requested_at;
	NEW.finished_at := NULL;
	NEW.holder := NULL;
	NEW.epoch := 0;
	NEW.exact_type := NULL;
	NEW.adopted := false;
	NEW.fast_default := false;
	NEW.volatile_value := false;
	NEW.held_at := NULL;
	NEW.resume_stage := NULL;
	NEW.born_in := 'backfill.job'::regclass;

	-- null asks for nothing special
	NEW.sync := coalesce(NEW.sync, 'auto');
	NEW.not_null := coalesce(NEW.not_null, false) OR NEW.identity IS NOT NULL;
	NEW.is_unique := coalesce(NEW.is_unique, false);
	NEW.index := coalesce(NEW.index, 'none');
	NEW.hold_on_plan_regression := coalesce(NEW.hold_on_plan_regression, false);
	NEW.depends_on := coalesce(NEW.depends_on, '{}');
	NEW.skip_triggers := coalesce(NEW.skip_triggers, false);
	NEW.hold_before := coalesce(NEW.hold_before, '{}');
	NEW.priority := coalesce(NEW.priority, 0);
	NEW.wanted := coalesce(NEW.wanted, 'run');

	-- the name exists: see job_resolve
	IF NEW.table_oid IS NULL THEN
		RETURN NEW;
	END IF;

	PERFORM backfill.job_check_table(NEW);
	SELECT format('%I.%I', n.nspname, c.relname) INTO NEW.table_name
	  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = NEW.table_oid;
	NEW.adopted := backfill.job_check_column(NEW);
	PERFORM backfill.job_check_limits(NEW);
	PERFORM backfill.job_check_wishes(NEW);
	-- Two that are inserted at once would not see each other, and each would wait for the other for ever.
	IF NEW.name IS NOT NULL AND cardinality(NEW.depends_on) > 0 THEN
		PERFORM pg_advisory_xact_lock(hashtextextended('backfill depends_on', 0));
	END IF;
	PERFORM backfill.job_check_circle(NEW);
	PERFORM backfill.job_check_unique(NEW);
	NEW.foreign_key := backfill.job_check_foreign_key(NEW);
	NEW.index := backfill.job_check_index(NEW);
	NEW.daily_window := backfill.daily_window_read(NEW.daily_window);

	PERFORM backfill.job_check_alone(NEW);
	RETURN NEW;
END $$;
