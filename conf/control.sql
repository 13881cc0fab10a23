-- The control schema: where users ask for columns, and where backfilld writes what became of it.
--
-- `backfilld --install` sends this file as one transaction, as the control login; by hand: psql -1 -f control.sql.
-- It may be sent again at any time, also beside a live daemon:
--   * tables, indexes, triggers and policies are made when they are missing: a second install takes no lock on
--     backfill.job that a reader or a writer would notice;
--   * functions, views, grants and comments are replaced every time;
--   * a later version raises the number in the first block, changes tables in a step of its own (search for
--     "upgrade steps"; jobs stay), and drops there what it wants made anew: the file then goes on as for a fresh one.
-- Later statements of the file rely on search_path being pg_catalog alone; every name outside it is qualified.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL client_min_messages = warning;
SET LOCAL lock_timeout = '5s';

----------------------------------------------------------------------------------------------- schema and version

DO $$
DECLARE
	offered CONSTANT int := 1;
	installed int := 0;
	owner name;
BEGIN
	IF current_setting('server_version_num')::int < 140000 THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('backfilld needs PostgreSQL 14 or newer, this server is %s', current_setting('server_version')),
			HINT = 'Upgrade the server first; versions 14 to 18 are supported.';
	END IF;
	IF pg_is_in_recovery() THEN
		RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
			MESSAGE = 'schema backfill cannot be installed on a hot standby',
			DETAIL = 'This server is in recovery and takes no writes.',
			HINT = 'Install on the primary; the standby receives the schema by replication.';
	END IF;

	BEGIN
		PERFORM pg_advisory_xact_lock(hashtextextended('backfill control schema', 0));
	EXCEPTION WHEN lock_not_available THEN
		RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
			MESSAGE = 'another install of schema backfill is running in this database',
			DETAIL = format('It held the install lock for longer than %s.', current_setting('lock_timeout')),
			HINT = 'Let it finish, then run backfilld --install again.';
	END;

	SELECT pg_get_userbyid(n.nspowner) INTO owner FROM pg_namespace n WHERE n.nspname = 'backfill';
	IF owner IS NULL THEN
		BEGIN
			CREATE SCHEMA backfill;
		EXCEPTION WHEN insufficient_privilege THEN
			RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
				MESSAGE = format('role %I may not create schema backfill in database %I', current_user, current_database()),
				DETAIL = 'The control login owns schema backfill and everything in it.',
				HINT = format('As a superuser: GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user);
		END;
	ELSIF NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('schema backfill belongs to role %I, not to %I', owner, current_user),
			DETAIL = 'Only the control login that installed the schema can upgrade it.',
			HINT = format('Install with the conninfo of %I, or as a superuser: ALTER SCHEMA backfill OWNER TO %I;', owner, current_user);
	ELSIF to_regclass('backfill.schema_version') IS NULL
	  AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'backfill') THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
			MESSAGE = format('database %I has a schema backfill that is not backfilld''s', current_database()),
			DETAIL = 'It holds tables or views, but no table schema_version.',
			HINT = 'Rename that schema: ALTER SCHEMA backfill RENAME TO ...; then run backfilld --install again.';
	END IF;

	CREATE TABLE IF NOT EXISTS backfill.schema_version (
		version int NOT NULL,
		installed_at timestamptz NOT NULL DEFAULT now()
	);
	CREATE UNIQUE INDEX IF NOT EXISTS schema_version_one_row ON backfill.schema_version ((true));

	SELECT v.version INTO installed FROM backfill.schema_version v;
	installed := coalesce(installed, 0);
	IF installed > offered THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('schema backfill in database %I is version %s, this backfilld brings version %s',
			                 current_database(), installed, offered),
			DETAIL = 'A newer backfilld has been installed here; going back would lose what its jobs rely on.',
			HINT = 'Install a newer backfilld.';
	END IF;
	PERFORM set_config('backfill.installed_version', installed::text, true);

	INSERT INTO backfill.schema_version (version) VALUES (offered)
		ON CONFLICT ((true)) DO UPDATE SET version = excluded.version, installed_at = now()
		WHERE schema_version.version <> excluded.version;
END $$;

------------------------------------------------------------------------------------------------------------ roles

DO $$
DECLARE
	wanted name;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['backfill_user', 'backfill_admin']::name[] LOOP
		CONTINUE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = wanted);
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
		EXCEPTION
			-- another database's install was faster
			WHEN duplicate_object OR unique_violation THEN
				NULL;
			WHEN insufficient_privilege THEN
				RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
					MESSAGE = format('role %I is missing and role %I may not create it', wanted, current_user),
					DETAIL = 'Users of backfilld are members of backfill_user or backfill_admin.',
					HINT = format('As a superuser: CREATE ROLE backfill_user NOLOGIN; CREATE ROLE backfill_admin NOLOGIN IN ROLE backfill_user;'
					              ' or ALTER ROLE %I CREATEROLE; then run backfilld --install again.', current_user);
		END;
	END LOOP;

	IF NOT EXISTS (SELECT FROM pg_auth_members m
	                WHERE m.roleid = 'backfill_user'::regrole AND m.member = 'backfill_admin'::regrole) THEN
		BEGIN
			GRANT backfill_user TO backfill_admin;
		EXCEPTION WHEN insufficient_privilege THEN
			RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
				MESSAGE = format('role %I may not make backfill_admin a member of backfill_user', current_user),
				DETAIL = 'An admin may do what every user may; both roles exist, the membership does not.',
				HINT = 'As a superuser: GRANT backfill_user TO backfill_admin; then run backfilld --install again.';
		END;
	END IF;
END $$;

----------------------------------------------------------------------------------------------------------- tables

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
			search_path text,
			adopted boolean NOT NULL DEFAULT false,
			held_at text CHECK (held_at IN ('add', 'fill', 'seal')),
			released text[] NOT NULL DEFAULT '{}',
			resume_stage text CHECK (resume_stage IN ('queued', 'planning', 'adding', 'filling', 'indexing', 'sealing',
				'analyzing', 'rolling_back')),
			changed_by name NOT NULL DEFAULT current_user
		) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
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

	-- Upgrade steps, oldest first. Each changes what the step before left and keeps every job, for example:
	--   IF installed BETWEEN 1 AND 1 THEN
	--       ALTER TABLE backfill.job ADD COLUMN tablespace text;
	--       DROP TRIGGER job_2_check ON backfill.job;  -- made anew below, as this version has it
	--   END IF;
	-- and the CREATE TABLE above gains the same column, so that a fresh install needs no step.
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'a table of schema backfill is in use by another transaction',
		DETAIL = format('Upgrading it needs a lock, which was not to be had within %s.', current_setting('lock_timeout')),
		HINT = 'End transactions that have touched backfill.job (pg_stat_activity), then run backfilld --install again.';
END $$;

-------------------------------------------------------------------------------------------- what workers may call

CREATE OR REPLACE FUNCTION backfill.move_bookmark(job_id bigint, filler int, epoch bigint, pass int, page bigint, rows bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	lapsed timestamptz;
BEGIN
	UPDATE backfill.bookmark AS b
	   SET pass = move_bookmark.pass, page = move_bookmark.page,
	       rows_filled = b.rows_filled + move_bookmark.rows, sweep_rows = b.sweep_rows + move_bookmark.rows
	  FROM backfill.claim AS c
	 WHERE b.job_id = move_bookmark.job_id AND b.filler = move_bookmark.filler AND b.epoch = move_bookmark.epoch
	   AND b.login = session_user
	   AND c.job_id = b.job_id AND c.epoch = b.epoch AND c.lease_until > clock_timestamp();
	IF FOUND THEN
		RETURN rows;
	END IF;

	-- Only the bookmark's own login learns more than that it is not its bookmark.
	SELECT c.lease_until INTO lapsed
	  FROM backfill.bookmark b JOIN backfill.claim c ON c.job_id = b.job_id AND c.epoch = b.epoch
	 WHERE b.job_id = move_bookmark.job_id AND b.filler = move_bookmark.filler AND b.epoch = move_bookmark.epoch
	   AND b.login = session_user;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'BF001',
			MESSAGE = format('the lease on backfill job %s has lapsed', job_id),
			DETAIL = format('Epoch %s held it until %s; by the server''s clock it is now %s.', epoch, lapsed, clock_timestamp()),
			HINT = 'Roll back and claim the job again; the batch is repeated from its bookmark.';
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'BF001',
		MESSAGE = format('login %I holds no bookmark of filler %s of backfill job %s under epoch %s',
		                 session_user, filler, job_id, epoch),
		DETAIL = 'Another daemon has claimed the job since, the job is gone, or the bookmark belongs to another login.',
		HINT = 'Roll back and leave the job to whoever holds it now.';
END $$;

------------------------------------------------------------------------------------------------------------ views

DO $$
BEGIN
	CREATE OR REPLACE VIEW backfill.daemon AS
		SELECT holder, version, pid, since, last_seen, last_seen > clock_timestamp() - interval '15 s' AS serving
		  FROM backfill.daemon_seen;

	CREATE OR REPLACE VIEW backfill.status AS
		SELECT j.id, j.name, j.table_name, j.column_name, j.stage,
		       -- a database that cannot write the blocks gets # and -
		       repeat(chr(CASE WHEN getdatabaseencoding() = 'UTF8' THEN 9608 ELSE 35 END), trunc(f.part / 10)::int)
		       || repeat(chr(CASE WHEN getdatabaseencoding() = 'UTF8' THEN 9617 ELSE 45 END), 10 - trunc(f.part / 10)::int)
		       || ' ' || lpad(f.part::text, 5) || ' %' AS progress,
		       j.rows_filled, j.rows_per_s, j.eta, j.lag_ms,
		       CASE WHEN j.stage NOT IN ('done', 'cancelled', 'rolled_back', 'failed')
		                 AND NOT EXISTS (SELECT FROM backfill.daemon d WHERE d.serving)
		            THEN 'no daemon serves this database' ELSE j.waiting_for END AS waiting_for,
		       j.error, j.updated_at
		  FROM backfill.job j
		 CROSS JOIN LATERAL (SELECT CASE j.stage WHEN 'failed' THEN coalesce(j.resume_stage, 'queued') ELSE j.stage END AS reached) r
		 CROSS JOIN LATERAL (SELECT CASE
				WHEN r.reached = 'done' THEN 100.0
				WHEN r.reached IN ('indexing', 'sealing', 'analyzing') THEN 99.9
				WHEN r.reached = 'rolled_back' OR coalesce(j.blocks_total, 0) <= 0 THEN 0.0
				-- the last tenth is kept for done
				ELSE least(99.9, trunc(100.0 * greatest(j.blocks_done, 0) / j.blocks_total, 1)) END AS part) f
		 ORDER BY j.id;
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'a view of schema backfill is being read by an open transaction',
		DETAIL = format('Replacing it needs a lock, which was not to be had within %s.', current_setting('lock_timeout')),
		HINT = 'End transactions that have read backfill.status (pg_stat_activity), then run backfilld --install again.';
END $$;

----------------------------------------------------------------------------------------------------------- grants

GRANT USAGE ON SCHEMA backfill TO PUBLIC;
