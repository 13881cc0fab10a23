-- The tables: made by a fresh install, and by a later version brought up step by step.
DO $$
DECLARE
	installed CONSTANT int := current_setting('backfill.installed_version')::int;
BEGIN
	IF installed < 1 THEN
		CREATE TABLE backfill.job (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			-- what the user writes
			name text CONSTRAINT job_name_key UNIQUE,
			note text,
			table_name text NOT NULL,
			column_name text NOT NULL,
			column_type text,
			"collation" text,
			identity text,
			default_expr text,
			value text,
			fill_where text,
			field text[],
			sync text NOT NULL DEFAULT 'auto' CHECK (sync IN ('auto', 'none', 'fill', 'derive')),
			not_null boolean NOT NULL DEFAULT false,
			is_unique boolean NOT NULL DEFAULT false,
			check_expr text,
			foreign_key text,
			index text NOT NULL DEFAULT 'none',
			index_where text,
			seal_after_quiet interval,
			rehearse boolean,
			hold_on_plan_regression boolean NOT NULL DEFAULT false,
			depends_on text[] NOT NULL DEFAULT '{}',
			skip_triggers boolean NOT NULL DEFAULT false,
			hold_before text[] NOT NULL DEFAULT '{}' CHECK (hold_before <@ '{add,fill,seal}'),
			priority int NOT NULL DEFAULT 0,
			not_before timestamptz,
			daily_window text,
			workers int,
			batch_ms int,
			max_lag_ms int,
			lag_target_ms int,
			max_impact int,
			lock_timeout_ms int,
			ddl_lock_timeout_ms int,
			max_wal_rate bigint,
			wanted text NOT NULL DEFAULT 'run' CHECK (wanted IN ('run', 'pause', 'cancel', 'roll_back')),
			-- what the server and the daemon write
			requested_by name NOT NULL DEFAULT current_user,
			requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			stage text NOT NULL DEFAULT 'queued' CHECK (stage IN ('queued', 'planning', 'adding', 'filling', 'indexing',
				'sealing', 'analyzing', 'done', 'failed', 'cancelled', 'rolling_back', 'rolled_back')),
			waiting_for text,
			error text,
			error_code text,
			error_hint text,
			rows_filled bigint NOT NULL DEFAULT 0,
			rows_estimate bigint,
			blocks_done bigint NOT NULL DEFAULT 0,
			blocks_total bigint,
			rows_per_s double precision,
			eta timestamptz,
			lag_ms bigint,
			throttled_ms bigint NOT NULL DEFAULT 0,
			started_at timestamptz,
			updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
			finished_at timestamptz,
			holder text,
			epoch bigint NOT NULL DEFAULT 0,
			forecast jsonb,
			-- internal
			table_oid oid,
			type_oid oid,
			exact_type text,
			search_path text,
			adopted boolean NOT NULL DEFAULT false,
			fast_default boolean NOT NULL DEFAULT false,
			volatile_value boolean NOT NULL DEFAULT false,
			held_at text CHECK (held_at IN ('add', 'fill', 'seal')),
			released text[] NOT NULL DEFAULT '{}',
			resume_stage text CHECK (resume_stage IN ('queued', 'planning', 'adding', 'filling', 'indexing', 'sealing',
				'analyzing', 'rolling_back')),
			changed_by name NOT NULL DEFAULT current_user,
			object_names jsonb NOT NULL DEFAULT '{}',
			had jsonb NOT NULL DEFAULT '{}',
			helped bigint NOT NULL DEFAULT 0,
			last_helped_at timestamptz,
			helped_by text,
			helped_unread text,
			held_since timestamptz,
			born_in oid
		) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
		-- Earlier jobs, of a schema that was dropped or not restored, have left triggers, functions, sequences and checks named after
		-- their ids: the ids go on after them.
		PERFORM setval(pg_get_serial_sequence('backfill.job', 'id'), max(substring(l.name FROM '[0-9]+')::bigint))
		   FROM (SELECT t.tgname AS name FROM pg_trigger t WHERE t.tgname ~ '^~backfill_[0-9]{1,18}_(insert|update)$'
		         UNION ALL
		         SELECT p.proname FROM pg_proc p WHERE p.proname ~ '^backfill_(fill|derive)_[0-9]{1,18}$'
		         UNION ALL
		         SELECT c.relname FROM pg_class c WHERE c.relkind = 'S' AND c.relname ~ '^backfill_(identity|helped|helped_at)_[0-9]{1,18}$'
		         UNION ALL
		         SELECT c.conname FROM pg_constraint c WHERE c.conname ~ '^backfill_[0-9]{1,18}_not_null$') l
		 HAVING max(substring(l.name FROM '[0-9]+')::bigint) > 0;
		CREATE UNIQUE INDEX job_live_column ON backfill.job (table_oid, column_name)
			WHERE stage NOT IN ('done', 'cancelled', 'rolled_back');

		CREATE TABLE backfill.event (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			job_id bigint,
			name text,
			at timestamptz NOT NULL DEFAULT clock_timestamp(),
			actor text NOT NULL DEFAULT current_user,
			kind text NOT NULL,
			stage text,
			detail text,
			statement text,
			lock_wait_ms bigint,
			duration_ms bigint,
			rows bigint
		);
		CREATE INDEX event_job ON backfill.event (job_id, id);
		CREATE INDEX event_name ON backfill.event (name, id) WHERE name IS NOT NULL;

		CREATE TABLE backfill.plan_step (
			job_id bigint NOT NULL REFERENCES backfill.job (id) ON DELETE CASCADE,
			step int NOT NULL,
			statement text NOT NULL,
			lock_mode text,
			blocks_reads boolean NOT NULL DEFAULT false,
			blocks_writes boolean NOT NULL DEFAULT false,
			rewrites_table boolean NOT NULL DEFAULT false,
			scans_table boolean NOT NULL DEFAULT false,
			estimated_ms bigint,
			estimated_wal_bytes bigint,
			note text,
			PRIMARY KEY (job_id, step)
		);

		CREATE TABLE backfill.watched_query (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			job_id bigint REFERENCES backfill.job (id) ON DELETE CASCADE,
			table_name text,
			label text,
			query text NOT NULL,
			author name NOT NULL DEFAULT current_user
		);
		CREATE INDEX watched_query_job ON backfill.watched_query (job_id);

		CREATE TABLE backfill.plan_change (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			job_id bigint NOT NULL REFERENCES backfill.job (id) ON DELETE CASCADE,
			query_label text,
			phase text NOT NULL,
			changed boolean,
			cost_before double precision,
			cost_after double precision,
			shape_before text,
			shape_after text,
			verdict text
		);
		CREATE INDEX plan_change_job ON backfill.plan_change (job_id);

		CREATE TABLE backfill.claim (
			job_id bigint PRIMARY KEY REFERENCES backfill.job (id) ON DELETE CASCADE,
			root_oid oid NOT NULL CONSTRAINT claim_one_per_table UNIQUE,
			holder text NOT NULL,
			epoch bigint NOT NULL,
			lease_until timestamptz NOT NULL,
			claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
		) WITH (fillfactor = 50);

		CREATE TABLE backfill.backend (
			pid int NOT NULL,
			backend_start timestamptz NOT NULL,
			job_id bigint NOT NULL,
			epoch bigint NOT NULL,
			filler int NOT NULL DEFAULT -1,
			login name NOT NULL,
			PRIMARY KEY (pid, backend_start)
		);
		CREATE INDEX backend_job ON backfill.backend (job_id);

		CREATE TABLE backfill.walk (
			job_id bigint PRIMARY KEY REFERENCES backfill.job (id) ON DELETE CASCADE,
			relation oid NOT NULL,
			sweep int NOT NULL DEFAULT 0,
			frontier bigint NOT NULL DEFAULT 0,
			pages bigint NOT NULL DEFAULT 0,
			rows_found bigint NOT NULL DEFAULT 0
		) WITH (fillfactor = 50);

		CREATE TABLE backfill.leaf (
			job_id bigint NOT NULL REFERENCES backfill.job (id) ON DELETE CASCADE,
			relation oid NOT NULL,
			first_page bigint NOT NULL,
			pages bigint NOT NULL,
			PRIMARY KEY (job_id, relation)
		);

		CREATE TABLE backfill.bookmark (
			job_id bigint NOT NULL REFERENCES backfill.job (id) ON DELETE CASCADE,
			filler int NOT NULL,
			epoch bigint NOT NULL,
			login name NOT NULL,
			relation oid NOT NULL,
			window_from bigint NOT NULL,
			window_to bigint NOT NULL,
			passes int NOT NULL,
			pass int NOT NULL,
			page bigint NOT NULL,
			rows_filled bigint NOT NULL DEFAULT 0,
			sweep_rows bigint NOT NULL DEFAULT 0,
			PRIMARY KEY (job_id, filler)
		) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

		CREATE TABLE backfill.daemon_seen (
			holder text PRIMARY KEY,
			version text,
			pid int,
			since timestamptz NOT NULL DEFAULT clock_timestamp(),
			last_seen timestamptz NOT NULL DEFAULT clock_timestamp()
		) WITH (fillfactor = 50);
	END IF;

	-- Upgrade steps, oldest first. Each changes what the step before left and keeps every job; what a step drops of triggers
	-- and policies is made anew below, as this version has it. The CREATE TABLE above has the same columns, so that a fresh
	-- install needs no step. Version 2 has changed functions and views only.
	IF installed BETWEEN 1 AND 2 THEN
		ALTER TABLE backfill.job
			ADD COLUMN object_names jsonb NOT NULL DEFAULT '{}',
			ADD COLUMN had jsonb NOT NULL DEFAULT '{}',
			ADD COLUMN helped bigint NOT NULL DEFAULT 0,
			ADD COLUMN last_helped_at timestamptz,
			ADD COLUMN helped_by text,
			ADD COLUMN helped_unread text,
			ADD COLUMN held_since timestamptz,
			ADD COLUMN born_in oid;
		UPDATE backfill.job
		   SET born_in = 'backfill.job'::regclass, held_since = CASE WHEN held_at IS NOT NULL THEN clock_timestamp() END;
		CREATE TABLE backfill.leaf (
			job_id bigint NOT NULL REFERENCES backfill.job (id) ON DELETE CASCADE,
			relation oid NOT NULL,
			first_page bigint NOT NULL,
			pages bigint NOT NULL,
			PRIMARY KEY (job_id, relation)
		);
	END IF;
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'a table of schema backfill is in use by another transaction',
		DETAIL = format('Upgrading it needs a lock, which was not to be had within %s.', current_setting('lock_timeout')),
		HINT = 'End transactions that have touched backfill.job (pg_stat_activity), then run backfilld --install again.';
END $$;
