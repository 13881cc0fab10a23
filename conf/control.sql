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
	offered CONSTANT int := 2;
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
		EXCEPTION
			WHEN unique_violation THEN
				NULL;
			WHEN insufficient_privilege THEN
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
			exact_type text,
			search_path text,
			adopted boolean NOT NULL DEFAULT false,
			fast_default boolean NOT NULL DEFAULT false,
			volatile_value boolean NOT NULL DEFAULT false,
			held_at text CHECK (held_at IN ('add', 'fill', 'seal')),
			released text[] NOT NULL DEFAULT '{}',
			resume_stage text CHECK (resume_stage IN ('queued', 'planning', 'adding', 'filling', 'indexing', 'sealing',
				'analyzing', 'rolling_back')),
			changed_by name NOT NULL DEFAULT current_user
		) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
		-- Earlier jobs, of a schema that was dropped or not restored, have left triggers, functions and checks named after
		-- their ids: the ids go on after them.
		PERFORM setval(pg_get_serial_sequence('backfill.job', 'id'), max(substring(l.name FROM '[0-9]+')::bigint))
		   FROM (SELECT t.tgname AS name FROM pg_trigger t WHERE t.tgname ~ '^~backfill_[0-9]{1,18}_(insert|update)$'
		         UNION ALL
		         SELECT p.proname FROM pg_proc p WHERE p.proname ~ '^backfill_(fill|derive)_[0-9]{1,18}$'
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

	-- Version 2 changes functions and views only, and needs no step.
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

-------------------------------------------------------------------------------------------- what a job may ask for

-- What is asked for and not built yet: a later version deletes its line here. Judged at INSERT and at UPDATE.
CREATE OR REPLACE FUNCTION backfill.job_not_built(job backfill.job) RETURNS TABLE (feature text, instead text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.feature, r.instead
	  FROM (VALUES
		('identity', job.identity IS NOT NULL,
		 'Make a sequence and use it: default_expr = ''nextval(...)'' numbers the rows that are there, too.'),
		('field', job.field IS NOT NULL,
		 'Add a column of its own for the value, or fill the documents by hand.'),
		('is_unique', job.is_unique,
		 'Once the job is done: CREATE UNIQUE INDEX CONCURRENTLY, then ALTER TABLE ... ADD CONSTRAINT ... UNIQUE USING INDEX.'),
		('check_expr', job.check_expr IS NOT NULL,
		 'Once the job is done: ALTER TABLE ... ADD CONSTRAINT ... CHECK (...) NOT VALID, then VALIDATE CONSTRAINT.'),
		('foreign_key', job.foreign_key IS NOT NULL,
		 'Once the job is done: ALTER TABLE ... ADD FOREIGN KEY ... NOT VALID, then VALIDATE CONSTRAINT.'),
		('index', job.index <> 'none',
		 'Once the job is done: CREATE INDEX CONCURRENTLY.'),
		('index_where', job.index_where IS NOT NULL,
		 'Once the job is done: CREATE INDEX CONCURRENTLY ... WHERE ....'),
		('seal_after_quiet', job.seal_after_quiet IS NOT NULL,
		 'Use hold_before = ''{seal}'' and let go with SELECT backfill.proceed(id).'),
		('rehearse', coalesce(job.rehearse, false),
		 'Use hold_before = ''{add}'' to see the plan before anything is touched, and try the job on a copy.'),
		('hold_on_plan_regression', job.hold_on_plan_regression,
		 'Use hold_before = ''{seal}'' and compare EXPLAIN of your queries there.'),
		('depends_on', cardinality(job.depends_on) > 0,
		 'Give the earlier job a higher priority, or insert this one after CALL backfill.wait_for(...) of the other.'),
		('skip_triggers', job.skip_triggers,
		 'Leave it out: the table''s own UPDATE triggers fire for every row that is filled.')
	  ) AS r (feature, asked, instead)
	 WHERE r.asked;
$$;

-- Knobs outside their range, which is the config's (daemon/options_table.c); null follows the config and is always inside.
CREATE OR REPLACE FUNCTION backfill.job_bad_knob(job backfill.job) RETURNS TABLE (knob text, value bigint, low bigint, high bigint, unit text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.knob, r.value, r.low, r.high, r.unit
	  FROM (VALUES
		('workers', job.workers::bigint, 0::bigint, 32::bigint, 'connections'),
		('batch_ms', job.batch_ms, 1, 10000, 'ms'),
		('max_lag_ms', job.max_lag_ms, 100, 3600000, 'ms'),
		('lag_target_ms', job.lag_target_ms, 100, 3600000, 'ms'),
		('max_impact', job.max_impact, 0, 1000, 'per cent'),
		('lock_timeout_ms', job.lock_timeout_ms, 1, 900, 'ms'),
		('ddl_lock_timeout_ms', job.ddl_lock_timeout_ms, 1, 10000, 'ms'),
		('max_wal_rate', job.max_wal_rate, 0, 1000000000000, 'bytes per second')
	  ) AS r (knob, value, low, high, unit)
	 WHERE r.value NOT BETWEEN r.low AND r.high;
$$;

-- What an INSERT and an UPDATE are both held to.
CREATE OR REPLACE FUNCTION backfill.job_check_limits(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what text := format('column %I of table %s', job.column_name, job.table_name);
	r record;
BEGIN
	SELECT * INTO r FROM backfill.job_not_built(job) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('backfilld cannot do %s yet', r.feature),
			DETAIL = format('The job for %s asks for %s, which is planned but not built in this version.', what, r.feature),
			HINT = r.instead, COLUMN = r.feature;
	END IF;

	SELECT * INTO r FROM backfill.job_bad_knob(job) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%s = %s is out of range', r.knob, r.value),
			DETAIL = format('The job for %s takes %s from %s to %s %s.', what, r.knob, r.low, r.high, r.unit),
			HINT = 'Choose a value in the range, or leave it null to follow the daemon''s config.', COLUMN = r.knob;
	END IF;

	IF array_position(job.hold_before, NULL) IS NOT NULL OR NOT job.hold_before <@ '{add,fill,seal}' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('hold_before = %L names a place where no job can be held', job.hold_before),
			DETAIL = format('The job for %s can be held before add, fill and seal.', what),
			HINT = 'Write for example hold_before = ''{fill,seal}''.', COLUMN = 'hold_before';
	END IF;
	IF job.wanted NOT IN ('run', 'pause', 'cancel', 'roll_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('wanted = %L is not something a job can do', job.wanted),
			DETAIL = format('The job for %s can run, pause, cancel or roll_back.', what),
			HINT = 'Write one of run, pause, cancel, roll_back.', COLUMN = 'wanted';
	END IF;
END $$;

-------------------------------------------------------------------------------------------------- daily window

-- What a user writes as daily_window, with all of it spelt out: 22:00-05:30 Europe/Berlin. Where no zone is written, that of
-- the session counts.
CREATE OR REPLACE FUNCTION backfill.daily_window_read(written text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parts CONSTANT text[] := regexp_match(btrim(written, E' \t\r\n'),
		'^([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*(?:(24:00)|([01]?[0-9]|2[0-3]):([0-5][0-9]))(?:\s+(.+))?$');
	opens CONSTANT text := lpad(parts[1], 2, '0') || ':' || parts[2];
	closes CONSTANT text := CASE WHEN parts[3] IS NULL THEN lpad(parts[4], 2, '0') || ':' || parts[5] ELSE '00:00' END;
	asked CONSTANT text := coalesce(parts[6], current_setting('TimeZone'));
	zone text;
	near text;
BEGIN
	IF written IS NULL THEN
		RETURN NULL;
	END IF;
	IF parts IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('daily_window = %L is not a part of the day', written),
			DETAIL = 'It opens and closes at a time of the day, 00:00 to 23:59, and may name the time zone that these are in.',
			HINT = 'Write for example daily_window = ''22:00-05:30 Europe/Berlin''.', COLUMN = 'daily_window';
	END IF;
	IF opens = closes THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('daily_window = %L opens and closes at the same time', written),
			DETAIL = format('Both of its ends are %s: that could mean all day or never.', opens),
			HINT = 'For all day leave daily_window null; for never set wanted = ''pause''.', COLUMN = 'daily_window';
	END IF;

	SELECT z.name INTO zone FROM pg_timezone_names z WHERE lower(z.name) = lower(asked) ORDER BY z.name <> asked LIMIT 1;
	IF zone IS NULL THEN
		SELECT z.name INTO near FROM pg_timezone_names z
		 WHERE z.name ~ '^[A-Z][a-z]+/' AND strpos(lower(z.name), replace(lower(asked), ' ', '_')) > 0 ORDER BY length(z.name), z.name LIMIT 1;
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('daily_window = %L: this server knows no time zone %s', written, asked),
			DETAIL = CASE WHEN parts[6] IS NULL THEN format('No zone is written there, so that of the session counts: TimeZone is %s.', asked)
			              ELSE 'Zones have the names of pg_timezone_names; offsets and most abbreviations do not follow summer time.' END,
			HINT = format('Write for example daily_window = ''%s-%s %s''.', opens, closes, coalesce(near, 'Europe/Berlin')),
			COLUMN = 'daily_window';
	END IF;
	RETURN format('%s-%s %s', opens, closes, zone);
END $$;

-- Whether a window as daily_window_read() spells it is open at an instant, by the clock on the wall of its zone: when that is
-- put forward or back, the window is with it. While it is open: how far off by that clock its end is. When it opens next is for
-- people. A zone may go away with an upgrade of the system: then the window stays shut, and the job says so.
CREATE OR REPLACE FUNCTION backfill.daily_window_at(daily_window text, instant timestamptz)
RETURNS TABLE (is_open boolean, closes_in interval, opens_at text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	zone CONSTANT text := substr(daily_window, 13);
	opens CONSTANT time := substr(daily_window, 1, 5);
	closes CONSTANT time := substr(daily_window, 7, 5);
	wall timestamp;
BEGIN
	BEGIN
		wall := instant AT TIME ZONE zone;
	EXCEPTION WHEN invalid_parameter_value THEN
		is_open := false;
		opens_at := format('never: this server knows no time zone %s', zone);
		RETURN NEXT;
		RETURN;
	END;
	is_open := CASE WHEN opens < closes THEN wall::time >= opens AND wall::time < closes
	             ELSE wall::time >= opens OR wall::time < closes END;
	IF is_open THEN
		closes_in := closes - wall::time;
		closes_in := closes_in + CASE WHEN closes_in > interval '0' THEN interval '0' ELSE interval '24 hours' END;
	END IF;
	opens_at := to_char(wall::date + CASE WHEN wall::time < opens THEN 0 ELSE 1 END + opens, 'YYYY-MM-DD HH24:MI ') || zone;
	RETURN NEXT;
END $$;

-- When so much time inside the window will have passed since an instant; with no window: so much time. For forecasts: the nights
-- on which a clock is put forward or back are taken to be like others.
CREATE OR REPLACE FUNCTION backfill.daily_window_after(daily_window text, instant timestamptz, work interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	zone CONSTANT text := substr(daily_window, 13);
	opens CONSTANT time := substr(daily_window, 1, 5);
	closes CONSTANT time := substr(daily_window, 7, 5);
	a_day CONSTANT interval := closes - opens + CASE WHEN closes > opens THEN interval '0' ELSE interval '24 hours' END;
	w record;
	days int;
	wall timestamp;
BEGIN
	IF daily_window IS NULL OR work IS NULL THEN
		RETURN instant + work;
	END IF;
	SELECT * INTO w FROM backfill.daily_window_at(daily_window, instant);
	IF w.is_open AND work <= w.closes_in THEN
		RETURN instant + work;
	ELSIF w.is_open THEN
		work := work - w.closes_in;
	ELSIF w.opens_at LIKE 'never%' THEN
		RETURN NULL;
	END IF;
	days := greatest(ceil(EXTRACT(epoch FROM work) / EXTRACT(epoch FROM a_day)) - 1, 0);
	wall := instant AT TIME ZONE zone;
	wall := wall::date + CASE WHEN wall::time < opens THEN 0 ELSE 1 END + days + opens + (work - days * a_day);
	RETURN wall AT TIME ZONE zone;
END $$;

-------------------------------------------------------------------------------------------- a new job is looked at

-- First look at a new row, with the eyes of the submitter: names mean what they mean on the submitter's search_path.
-- Therefore no SET clause, and every name and operator is qualified. It decides nothing about rights.
CREATE OR REPLACE FUNCTION backfill.job_resolve() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	code pg_catalog.text;
	said pg_catalog.text;
	exact pg_catalog.text;
	collation_oid pg_catalog.oid;
BEGIN
	NEW.table_oid := NULL;
	NEW.type_oid := NULL;

	-- The effective path: without schemas that are missing or closed to the submitter, temporary tables last.
	NEW.search_path := pg_catalog.concat_ws(', ', (
		SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s.name), ', ' ORDER BY s.place)
		  FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS s (name, place)
		 WHERE s.name OPERATOR(pg_catalog.!~) '^pg_temp'), 'pg_temp');

	-- Triggers run before ON CONFLICT is looked at: a repeated migration passes unchecked, the unique name settles it.
	IF NEW.name IS NOT NULL
	   AND EXISTS (SELECT FROM backfill.job j WHERE j.name OPERATOR(pg_catalog.=) NEW.name) THEN
		RETURN NEW;
	END IF;

	IF NEW.table_name IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'not_null_violation',
			MESSAGE = 'the job names no table',
			DETAIL = 'table_name is null.',
			HINT = 'INSERT INTO backfill.job (table_name, column_name, column_type) VALUES (...).', COLUMN = 'table_name';
	END IF;
	BEGIN
		-- to_regclass alone raises for what is no name before version 16 only
		PERFORM pg_catalog.parse_ident(NEW.table_name);
		NEW.table_oid := pg_catalog.to_regclass(NEW.table_name);
	EXCEPTION WHEN invalid_parameter_value OR invalid_name OR syntax_error OR feature_not_supported THEN
		GET STACKED DIAGNOSTICS said = MESSAGE_TEXT;
	END;
	IF NEW.table_oid IS NULL THEN
		SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) INTO exact
		  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		 WHERE c.relname OPERATOR(pg_catalog.=) NEW.table_name
		   AND (c.relkind OPERATOR(pg_catalog.=) 'r' OR c.relkind OPERATOR(pg_catalog.=) 'p')
		 LIMIT 1;
		RAISE EXCEPTION USING
			ERRCODE = CASE WHEN said IS NULL THEN 'undefined_table' ELSE 'invalid_name' END,
			MESSAGE = CASE WHEN said IS NULL THEN pg_catalog.format('table %s does not exist', NEW.table_name)
			               ELSE pg_catalog.format('%L is not the name of a table', NEW.table_name) END,
			DETAIL = CASE WHEN said IS NULL THEN pg_catalog.format('It was looked for on your search_path: %s.', NEW.search_path)
			              ELSE pg_catalog.format('The server says: %s.', said) END,
			HINT = CASE WHEN exact IS NOT NULL THEN pg_catalog.format('There is a table %s: write it just so.', exact)
			            WHEN said IS NULL THEN 'Create the table first, or write schema.table.'
			            ELSE 'Write table_name as in SQL: orders, public.orders, or "Odd Name" in double quotes.' END,
			COLUMN = 'table_name';
	END IF;

	IF NEW.column_type IS NOT NULL THEN
		BEGIN
			NEW.type_oid := pg_catalog.to_regtype(NEW.column_type);
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
			RAISE EXCEPTION USING ERRCODE = code,
				MESSAGE = pg_catalog.format('column_type %L is not a type', NEW.column_type),
				DETAIL = pg_catalog.format('The server says: %s.', said),
				HINT = 'Write just the type, as in a column definition: numeric(10,2), text[], timestamptz. Constraints and defaults have columns of their own.',
				COLUMN = 'column_type';
		END;
		IF NEW.type_oid IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_object',
				MESSAGE = pg_catalog.format('type %s does not exist', NEW.column_type),
				DETAIL = pg_catalog.format('It was looked for on your search_path: %s.', NEW.search_path),
				HINT = CASE WHEN pg_catalog.lower(NEW.column_type) OPERATOR(pg_catalog.~) 'serial'
				            THEN 'serial is no type of its own: use int or bigint, with default_expr for the numbers of new rows.'
				            ELSE 'Check the spelling, or write schema.type.' END,
				COLUMN = 'column_type';
		END IF;
	END IF;

	IF NEW.collation IS NOT NULL THEN
		BEGIN
			collation_oid := pg_catalog.to_regcollation(NEW.collation);
		EXCEPTION WHEN OTHERS THEN
			collation_oid := NULL;
		END;
		-- en_US and C are meant as they stand
		IF collation_oid IS NULL THEN
			collation_oid := pg_catalog.to_regcollation(pg_catalog.quote_ident(NEW.collation));
		END IF;
		IF collation_oid IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_object',
				MESSAGE = pg_catalog.format('collation %s does not exist', NEW.collation),
				DETAIL = pg_catalog.format('It was looked for on your search_path: %s.', NEW.search_path),
				HINT = 'SELECT collname FROM pg_collation lists what there is; schema-qualified names with capitals need double quotes.',
				COLUMN = 'collation';
		END IF;
		NEW.collation := (
			SELECT pg_catalog.format('%I.%I', n.nspname, c.collname)
			  FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.collnamespace
			 WHERE c.oid OPERATOR(pg_catalog.=) collation_oid);
	END IF;
	RETURN NEW;
END $$;

-- Is the table one that a column can be added to, by this submitter?
CREATE OR REPLACE FUNCTION backfill.job_check_table(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
	r record;
BEGIN
	SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name, pg_get_userbyid(c.relowner) AS owner INTO t
	  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = job.table_oid;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_table',
			MESSAGE = format('table %s does not exist', job.table_name),
			DETAIL = 'It was just dropped, or made by a transaction that yours cannot see.',
			HINT = 'Try again in a transaction of its own.', COLUMN = 'table_name';
	END IF;

	SELECT k.* INTO r
	  FROM (VALUES
		(t.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') OR t.oid < 16384::oid, 'a system table',
		 'The server itself relies on its columns.', 'Add a column to a table of your own.'),
		(t.nspname = 'backfill', 'a table of backfilld itself',
		 'Schema backfill is changed by backfilld --install only.', 'Add a column to a table of your own.'),
		(t.relkind = 'v', 'a view',
		 'A view has no rows of its own to fill.', 'Name the table that the view reads, then CREATE OR REPLACE VIEW with the new column.'),
		(t.relkind = 'm', 'a materialized view',
		 'Its rows come from its query.', 'Name the table that its query reads, then make the materialized view anew.'),
		(t.relkind = 'f', 'a foreign table',
		 'Its rows are on another server.', 'Insert the job in the database that holds the table, then ALTER FOREIGN TABLE here.'),
		(t.relkind = 'S', 'a sequence',
		 'A sequence takes no columns.', 'Name a table.'),
		(t.relkind IN ('i', 'I'), 'an index',
		 'An index takes no columns this way.', 'Name the table of the index.'),
		(t.relkind = 'c', 'a composite type',
		 'A type has no rows to fill.', 'Use ALTER TYPE ... ADD ATTRIBUTE.'),
		(t.relkind NOT IN ('r', 'p'), 'not an ordinary table',
		 'Only tables take columns.', 'Name a table.'),
		(t.relpersistence = 't', 'a temporary table',
		 'Only the session that made it can see its rows.', 'Use ALTER TABLE in that session.'),
		(t.relispartition, 'a partition',
		 'PostgreSQL adds columns to the partitioned table, which hands them down.', 'Name the partitioned table it belongs to.'),
		(t.reloftype <> 0::oid, 'a typed table',
		 'Its columns come from a composite type.', 'Use ALTER TYPE ... ADD ATTRIBUTE ... CASCADE, or ALTER TABLE ... NOT OF first.')
	  ) AS k (is_so, kind, why, instead)
	 WHERE k.is_so LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('%s is %s', t.name, r.kind), DETAIL = r.why, HINT = r.instead, COLUMN = 'table_name';
	END IF;

	IF NOT pg_has_role(current_user, t.relowner, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('role %I may not add a column to table %s', current_user, t.name),
			DETAIL = format('The table belongs to role %I, and only who has that role''s privileges may change it.', t.owner),
			HINT = format('Insert the job as %I, or: GRANT %I TO %I;', t.owner, t.owner, current_user), COLUMN = 'table_name';
	END IF;
	IF t.relforcerowsecurity THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('table %s has FORCE ROW LEVEL SECURITY', t.name),
			DETAIL = 'Its policies would hide rows from its own owner, and these would never be filled.',
			HINT = format('For the time of the job: ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', t.name), COLUMN = 'table_name';
	END IF;

	-- Like the rows of job_not_built.
	IF t.relkind = 'p' OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = t.oid) THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('backfilld cannot add columns to %s yet, and %s is one',
			                 CASE t.relkind WHEN 'p' THEN 'a partitioned table' ELSE 'a table with inheritance children' END, t.name),
			DETAIL = format('The job asks for column %I of it; trees of tables are planned but not built in this version.', job.column_name),
			HINT = 'By hand: ADD COLUMN without a default (that is quick), SET DEFAULT, then fill each table of the tree in small batches.',
			COLUMN = 'table_name';
	END IF;
END $$;

-- Is the type one that a column can be added with, without a rewrite?
CREATE OR REPLACE FUNCTION backfill.job_check_type(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
	carries text;
	base_type text;
BEGIN
	SELECT y.typtype, n.nspname ~ '^pg_temp' AS temporary, format_type(y.oid, NULL) AS name INTO t
	  FROM pg_type y JOIN pg_namespace n ON n.oid = y.typnamespace WHERE y.oid = job.type_oid;
	IF t.temporary THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition',
			MESSAGE = format('column %I cannot have type %s', job.column_name, t.name),
			DETAIL = 'It is a temporary type: it goes away with your session.', HINT = 'Make the type in a schema that stays.', COLUMN = 'column_type';
	END IF;
	IF t.typtype = 'p' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition',
			MESSAGE = format('column %I cannot have type %s', job.column_name, t.name),
			DETAIL = 'It is a pseudo-type: only functions use it.', HINT = 'Choose a type that rows can hold.', COLUMN = 'column_type';
	END IF;
	IF t.typtype <> 'd' THEN
		RETURN;
	END IF;

	-- A domain may stand on a domain.
	WITH RECURSIVE domain AS (
		SELECT y.* FROM pg_type y WHERE y.oid = job.type_oid
		UNION ALL
		SELECT y.* FROM domain d JOIN pg_type y ON y.oid = d.typbasetype WHERE y.typtype = 'd'
	), burden AS (
		SELECT format('%s is NOT NULL', format_type(d.oid, NULL)) AS what FROM domain d WHERE d.typnotnull
		UNION ALL
		SELECT format('%s has a DEFAULT', format_type(d.oid, NULL)) FROM domain d WHERE d.typdefault IS NOT NULL
		UNION ALL
		SELECT format('%s has %s', format_type(d.oid, NULL), pg_get_constraintdef(c.oid))
		  FROM domain d JOIN pg_constraint c ON c.contypid = d.oid WHERE c.contype = 'c'
	)
	SELECT (SELECT string_agg(b.what, ', ') FROM burden b),
	       (SELECT format_type(d.typbasetype, d.typtypmod) FROM domain d JOIN pg_type y ON y.oid = d.typbasetype WHERE y.typtype <> 'd')
	  INTO carries, base_type;
	IF carries IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('a column of domain %s cannot be added without rewriting the table', job.column_type),
			DETAIL = format('For a domain with constraints or a default PostgreSQL rewrites the table under ACCESS EXCLUSIVE: %s.', carries),
			HINT = format('Use its base type %s, and once the job is done ALTER TABLE ... ADD CONSTRAINT ... CHECK (...) NOT VALID, then VALIDATE CONSTRAINT.', base_type),
			COLUMN = 'column_type';
	END IF;
END $$;

-- Does the column fit the table: new and well described, or there already and just so? True when it is there already.
CREATE OR REPLACE FUNCTION backfill.job_check_column(job backfill.job) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	a record;
	there boolean;
	collates text;
BEGIN
	IF job.column_name IS NULL OR job.column_name = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'not_null_violation',
			MESSAGE = format('the job for table %s names no column', job.table_name),
			DETAIL = 'column_name is null or empty.', HINT = 'Give the name of the column to add.', COLUMN = 'column_name';
	END IF;
	IF octet_length(job.column_name) > 63 THEN
		RAISE EXCEPTION USING ERRCODE = 'name_too_long',
			MESSAGE = format('column_name %L is too long', job.column_name),
			DETAIL = format('It has %s bytes; PostgreSQL keeps 63 of a name and would cut the rest off.', octet_length(job.column_name)),
			HINT = 'Choose a shorter name.', COLUMN = 'column_name';
	END IF;
	IF job.column_name ~ '^".*"$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_name',
			MESSAGE = format('column_name %L stands in double quotes', job.column_name),
			DETAIL = 'column_name is taken exactly as it stands, capitals and blanks included; quotes would become part of the name.',
			HINT = format('Write %L.', trim('"' FROM job.column_name)), COLUMN = 'column_name';
	END IF;
	IF job.column_name IN ('tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid') THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_column',
			MESSAGE = format('column_name %L is the name of a system column', job.column_name),
			DETAIL = 'Every table has that column already.', HINT = 'Choose another name.', COLUMN = 'column_name';
	END IF;
	-- Text that to_regtype accepts although it is more than a type.
	IF job.column_type ~ '--|/\*|%|^\s*\d*\s*$' THEN
		RAISE EXCEPTION USING ERRCODE = 'syntax_error',
			MESSAGE = format('column_type %L is not just a type', job.column_type),
			DETAIL = 'It may hold no comment, no %TYPE and no bare number.',
			HINT = 'Write the type as in a column definition: numeric(10,2), text[], timestamptz.', COLUMN = 'column_type';
	END IF;

	SELECT * INTO a FROM pg_attribute x
	 WHERE x.attrelid = job.table_oid AND x.attname = job.column_name AND x.attnum > 0 AND NOT x.attisdropped;
	there := FOUND;
	IF NOT there AND job.column_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('table %s has no column %I, and the job gives no type to add it with', job.table_name, job.column_name),
			DETAIL = 'column_type may be null only for a column that exists.',
			HINT = 'Give column_type, or check the spelling: column_name is taken exactly as it stands.', COLUMN = 'column_type';
	END IF;
	IF NOT there THEN
		PERFORM backfill.job_check_type(job);
	ELSIF a.attgenerated <> '' OR a.attidentity <> '' THEN
		RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
			MESSAGE = format('column %I of table %s is %s column', job.column_name, job.table_name,
			                 CASE WHEN a.attgenerated <> '' THEN 'a generated' ELSE 'an identity' END),
			DETAIL = 'The server itself gives every row its value; there is nothing to fill.',
			HINT = 'Add a column of another name.', COLUMN = 'column_name';
	ELSIF job.type_oid <> a.atttypid THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('table %s has a column %I of another type', job.table_name, job.column_name),
			DETAIL = format('It is of type %s; the job asks for %s.', format_type(a.atttypid, a.atttypmod), job.column_type),
			HINT = format('Leave column_type null or write %L to fill the column as it is, or choose another name.',
			              format_type(a.atttypid, a.atttypmod)), COLUMN = 'column_type';
	END IF;

	IF job.collation IS NOT NULL
	   AND (SELECT y.typcollation = 0::oid FROM pg_type y WHERE y.oid = coalesce(job.type_oid, a.atttypid)) THEN
		RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
			MESSAGE = format('type %s has no collation', format_type(coalesce(job.type_oid, a.atttypid), NULL)),
			DETAIL = format('The job for column %I asks for collation %s.', job.column_name, job.collation),
			HINT = 'Leave collation null.', COLUMN = 'collation';
	END IF;
	SELECT format('%I.%I', n.nspname, c.collname) INTO collates
	  FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE there AND c.oid = a.attcollation;
	IF collates <> job.collation THEN
		RAISE EXCEPTION USING ERRCODE = 'collation_mismatch',
			MESSAGE = format('table %s has a column %I of another collation', job.table_name, job.column_name),
			DETAIL = format('It has collation %s; the job asks for %s.', collates, job.collation),
			HINT = 'Leave collation null to fill the column as it is, or choose another name.', COLUMN = 'collation';
	END IF;
	RETURN there;
END $$;

-- Do the expressions and options of a new job fit each other?
CREATE OR REPLACE FUNCTION backfill.job_check_wishes(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what text := format('column %I of table %s', job.column_name, job.table_name);
	r record;
BEGIN
	SELECT k.* INTO r
	  FROM (VALUES
		(btrim(job.name) = '', 'name', 'name is empty',
		 'A job''s name is what it is found by.', 'Leave it null, or give the change id of your version control.'),
		(job.sync NOT IN ('auto', 'none', 'fill', 'derive'), 'sync', format('sync = %L is not a way to keep up with writes', job.sync),
		 'It can be auto, none, fill or derive.', 'Leave it out: auto is fill when there is a value, else none.'),
		(btrim(job.default_expr, E' \t\r\n') = '', 'default_expr', 'default_expr is empty',
		 'An expression has some text; an empty string is two quotes inside it.', 'Leave it null, or write an expression such as now().'),
		(btrim(job.value, E' \t\r\n') = '', 'value', 'value is empty',
		 'An expression has some text; an empty string is two quotes inside it.', 'Leave it null, or write an expression such as upper(email).'),
		(btrim(job.fill_where, E' \t\r\n') = '', 'fill_where', 'fill_where is empty',
		 'A condition has some text.', 'Leave it null to fill every row.'),
		(job.sync = 'derive' AND job.value IS NULL, 'value', 'sync = derive needs a value',
		 'Its trigger would have nothing to compute.', 'Give value, an expression over the row''s other columns.'),
		(job.sync = 'fill' AND job.value IS NULL AND job.default_expr IS NULL, 'value', 'sync = fill needs a value or a default_expr',
		 'Its trigger would have nothing to fill in.', 'Give value or default_expr, or leave sync out.'),
		(job.fill_where IS NOT NULL AND job.value IS NULL AND job.default_expr IS NULL, 'fill_where',
		 'fill_where needs a value or a default_expr', 'There is nothing to fill the rows with.', 'Give value or default_expr, or leave fill_where out.'),
		(job.wanted IN ('cancel', 'roll_back'), 'wanted', format('a new job cannot start with wanted = %L', job.wanted),
		 'There is nothing to stop or to take back yet.', 'Insert it with wanted = ''run'' or ''pause''.')
	  ) AS k (is_so, at, message, why, instead)
	 WHERE k.is_so LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = r.message, DETAIL = format('The job is for %s. %s', what, r.why), HINT = r.instead, COLUMN = r.at;
	END IF;
END $$;

-- Second look at a new row: who asks, and may they? Trusts nothing of the first but two oids, and judges these.
-- SECURITY INVOKER, so that current_user is the submitter.
CREATE OR REPLACE FUNCTION backfill.job_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	other record;
BEGIN
	NEW.requested_by := current_user;
	NEW.requested_at := clock_timestamp();
	NEW.changed_by := current_user;
	NEW.stage := 'queued';
	NEW.waiting_for := NULL;
	NEW.error := NULL;
	NEW.error_code := NULL;
	NEW.error_hint := NULL;
	NEW.rows_filled := 0;
	NEW.rows_estimate := NULL;
	NEW.blocks_done := 0;
	NEW.blocks_total := NULL;
	NEW.rows_per_s := NULL;
	NEW.eta := NULL;
	NEW.lag_ms := NULL;
	NEW.throttled_ms := 0;
	NEW.started_at := NULL;
	NEW.updated_at := NEW.requested_at;
	NEW.finished_at := NULL;
	NEW.holder := NULL;
	NEW.epoch := 0;
	NEW.forecast := NULL;
	NEW.exact_type := NULL;
	NEW.adopted := false;
	NEW.fast_default := false;
	NEW.volatile_value := false;
	NEW.held_at := NULL;
	NEW.released := '{}';
	NEW.resume_stage := NULL;

	-- null asks for nothing special
	NEW.sync := coalesce(NEW.sync, 'auto');
	NEW.not_null := coalesce(NEW.not_null, false);
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
	NEW.daily_window := backfill.daily_window_read(NEW.daily_window);

	SELECT j.id, j.name, j.stage INTO other FROM backfill.job j
	 WHERE j.table_oid = NEW.table_oid AND j.column_name = NEW.column_name
	   AND j.stage NOT IN ('done', 'cancelled', 'rolled_back');
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'unique_violation',
			MESSAGE = format('column %I of table %s has a live job already', NEW.column_name, NEW.table_name),
			DETAIL = format('It is job %s%s, in stage %s.', other.id, ' "' || other.name || '"', other.stage),
			HINT = CASE other.stage
				WHEN 'failed' THEN format('See error and error_hint of job %s and set wanted = ''run'' again, or DELETE it first.', other.id)
				WHEN 'queued' THEN format('Let it finish, or take it back first: UPDATE backfill.job SET wanted = ''cancel'' WHERE id = %s;', other.id)
				ELSE format('Let it finish: SELECT * FROM backfill.status WHERE id = %s;', other.id) END,
			COLUMN = 'column_name', CONSTRAINT = 'job_live_column';
	END IF;
	RETURN NEW;
END $$;

--------------------------------------------------------------------------------------- what a user may change

-- May the current user steer a job of that role? A role that is gone has no members.
CREATE OR REPLACE FUNCTION backfill.may_steer(requested_by name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_roles r
	                WHERE r.rolname IN (may_steer.requested_by, 'backfill_admin') AND pg_has_role(r.oid, 'USAGE'));
$$;

-- Fires when an UPDATE names a user's column other than `wanted`.
CREATE OR REPLACE FUNCTION backfill.job_steer() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.changed_by := current_user;
	NEW.index := coalesce(NEW.index, 'none');
	NEW.hold_before := coalesce(NEW.hold_before, '{}');
	NEW.priority := coalesce(NEW.priority, 0);
	PERFORM backfill.job_check_limits(NEW);
	IF NEW.daily_window IS DISTINCT FROM OLD.daily_window THEN
		NEW.daily_window := backfill.daily_window_read(NEW.daily_window);
	END IF;

	-- Users have the right to it for proceed(), which runs as they.
	IF NEW.released IS DISTINCT FROM OLD.released
	   AND NEW.released IS DISTINCT FROM OLD.released || OLD.held_at
	   AND NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('released of job %s cannot be set by hand', OLD.id),
			DETAIL = 'It remembers which holds were let go.',
			HINT = format('SELECT backfill.proceed(%s);', OLD.id), COLUMN = 'released';
	END IF;
	RETURN NEW;
END $$;

-- Fires when an UPDATE names `wanted`, also with the value it has: that is how a failed job is sent off again.
CREATE OR REPLACE FUNCTION backfill.job_want() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	who text := format('Job %s (column %I of table %s)', OLD.id, OLD.column_name, OLD.table_name);
	verdict text;
BEGIN
	NEW.changed_by := current_user;
	NEW.wanted := coalesce(NEW.wanted, OLD.wanted);
	PERFORM backfill.job_check_limits(NEW);

	-- A stage's answer to each wish; the last row speaks for the stages of work.
	SELECT CASE NEW.wanted WHEN 'run' THEN v.run WHEN 'pause' THEN v.pause WHEN 'cancel' THEN v.cancel ELSE v.roll_back END
	  INTO verdict
	  FROM (VALUES
		('queued',       'take',   'take',   'cancel',  'unbuilt'),
		('failed',       'resume', 'take',   'unbuilt', 'unbuilt'),
		('done',         'pass',   'pass',   'refuse',  'unbuilt'),
		('cancelled',    'resume', 'pass',   'pass',    'unbuilt'),
		('rolling_back', 'refuse', 'take',   'refuse',  'take'),
		('rolled_back',  'again',  'pass',   'pass',    'pass'),
		(NULL,           'take',   'take',   'unbuilt', 'unbuilt')
	  ) AS v (stage, run, pause, cancel, roll_back)
	 WHERE v.stage = OLD.stage OR v.stage IS NULL
	 ORDER BY v.stage NULLS LAST LIMIT 1;
	-- A claimed job has begun, whatever its row says.
	IF verdict = 'cancel' AND EXISTS (SELECT FROM backfill.claim c WHERE c.job_id = OLD.id) THEN
		verdict := 'unbuilt';
	END IF;

	CASE verdict
	WHEN 'take' THEN
		NULL;
	WHEN 'pass' THEN
		NEW.wanted := OLD.wanted;
	WHEN 'cancel' THEN
		NEW.stage := 'cancelled';
		NEW.waiting_for := NULL;
		NEW.finished_at := clock_timestamp();
	WHEN 'resume', 'again' THEN
		NEW.stage := CASE verdict WHEN 'again' THEN 'planning' ELSE coalesce(OLD.resume_stage, 'queued') END;
		NEW.resume_stage := NULL;
		NEW.error := NULL;
		NEW.error_code := NULL;
		NEW.error_hint := NULL;
		NEW.waiting_for := NULL;
		NEW.finished_at := NULL;
		IF verdict = 'again' THEN
			NEW.blocks_done := 0;
			NEW.blocks_total := NULL;
		END IF;
	WHEN 'unbuilt' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('backfilld cannot do wanted = %s for a job in stage %s yet', NEW.wanted, OLD.stage),
			DETAIL = format('%s: ending it half-way or taking it back is planned but not built in this version.', who),
			HINT = CASE OLD.stage WHEN 'done' THEN 'To take the column back: ALTER TABLE ... DROP COLUMN.'
			       ELSE format('UPDATE backfill.job SET wanted = ''pause'' WHERE id = %s; stops it and keeps everything it has.', OLD.id) END,
			COLUMN = 'wanted';
	WHEN 'refuse' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('wanted = %s is not possible for a job in stage %s', NEW.wanted, OLD.stage),
			DETAIL = CASE OLD.stage WHEN 'done' THEN format('%s has done its work; there is nothing left to stop.', who)
			                        ELSE format('%s is being taken back; it cannot turn round half-way.', who) END,
			HINT = CASE OLD.stage WHEN 'done' THEN 'To take the column back: ALTER TABLE ... DROP COLUMN.'
			                      ELSE 'Wait for rolled_back, then set wanted = ''run''.' END,
			COLUMN = 'wanted';
	END CASE;
	RETURN NEW;
END $$;

-- A job is deleted only when nothing works on it.
CREATE OR REPLACE FUNCTION backfill.job_spare() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF OLD.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('job %s is live and cannot be deleted', OLD.id),
			DETAIL = format('It is in stage %s, for column %I of table %s; a daemon goes on from this row.',
			                OLD.stage, OLD.column_name, OLD.table_name),
			HINT = CASE OLD.stage WHEN 'queued'
				THEN format('First: UPDATE backfill.job SET wanted = ''cancel'' WHERE id = %s;', OLD.id)
				ELSE format('Let it finish, or stop it for now: UPDATE backfill.job SET wanted = ''pause'' WHERE id = %s;', OLD.id) END;
	END IF;
	IF OLD.stage = 'failed' AND OLD.resume_stage NOT IN ('queued', 'planning') THEN
		RAISE WARNING USING
			MESSAGE = format('deleting job %s leaves on table %s what it has added so far', OLD.id, OLD.table_name),
			DETAIL = format('It failed in stage %s: column %I and perhaps a trigger of backfilld are there.', OLD.resume_stage, OLD.column_name),
			HINT = format('Insert the job again to finish it, or see \d %s and drop them.', OLD.table_name);
	END IF;
	RETURN OLD;
END $$;

------------------------------------------------------------------------------------------------ what is told

-- SECURITY DEFINER, because users may not write backfill.event; the actor is what the triggers above have noted.
CREATE OR REPLACE FUNCTION backfill.job_tell() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	knobs CONSTANT text[] := '{workers,batch_ms,max_lag_ms,lag_target_ms,max_impact,lock_timeout_ms,ddl_lock_timeout_ms,max_wal_rate}';
	wishes CONSTANT text[] := '{wanted,note,priority,not_before,daily_window,seal_after_quiet,index,index_where}';
	lists CONSTANT text[] := '{hold_before,released}';
BEGIN
	IF TG_OP = 'DELETE' THEN
		-- There is no new row to note current_user in, and here that is the definer. "role" is what the session has SET
		-- ROLE to: never a role that it may not become.
		INSERT INTO backfill.event (job_id, name, actor, kind, stage, detail)
		VALUES (OLD.id, OLD.name, coalesce(nullif(current_setting('role'), 'none'), session_user), 'job', OLD.stage,
		        format('deleted: column %I of table %s', OLD.column_name, OLD.table_name));
		RETURN NULL;
	END IF;

	IF TG_OP = 'INSERT' THEN
		-- see job_resolve: a row that has passed unchecked must not stay
		IF NEW.table_oid IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
				MESSAGE = format('a job named %L was deleted while this one was being inserted', NEW.name),
				DETAIL = 'The new row was taken for a repeated one and has not been checked.',
				HINT = 'Run the INSERT again.';
		END IF;
		INSERT INTO backfill.event (job_id, name, actor, kind, stage, detail)
		VALUES (NEW.id, NEW.name, NEW.requested_by, 'job', NEW.stage,
		        format('asked for column %I%s of table %s', NEW.column_name, ' ' || NEW.column_type, NEW.table_name));
	ELSE
		INSERT INTO backfill.event (job_id, name, actor, kind, stage, detail)
		SELECT NEW.id, NEW.name, NEW.changed_by, CASE WHEN n.key = ANY (knobs) THEN 'knob' ELSE 'steer' END, NEW.stage,
		       format('%s: from %s to %s', n.key, coalesce(o.said, 'null'), coalesce(n.said, 'null'))
		  FROM (SELECT key, CASE WHEN key = ANY (lists) THEN translate(value, '[]"', '{}') ELSE value END AS said
		          FROM jsonb_each_text(to_jsonb(NEW))) n
		  JOIN (SELECT key, CASE WHEN key = ANY (lists) THEN translate(value, '[]"', '{}') ELSE value END AS said
		          FROM jsonb_each_text(to_jsonb(OLD))) o ON o.key = n.key
		 WHERE n.said IS DISTINCT FROM o.said AND n.key = ANY (knobs || wishes || lists || 'stage'::text)
		 ORDER BY n.key;
	END IF;
	PERFORM pg_notify('backfill', format('{"job":%s,"stage":"%s"}', NEW.id, NEW.stage));
	RETURN NULL;
END $$;

-- Every move of the daemon.
CREATE OR REPLACE FUNCTION backfill.job_moved() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM pg_notify('backfill', format('{"job":%s,"stage":"%s"}', NEW.id, NEW.stage));
	RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION backfill.watched_query_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
		MESSAGE = 'backfilld cannot watch the plans of queries yet',
		DETAIL = 'backfill.watched_query is planned but not built in this version.',
		HINT = 'Use hold_before = ''{seal}'' in the job and compare EXPLAIN of your queries there.';
END $$;

--------------------------------------------------------------------------------------- triggers and policies

-- Made when missing only: each takes a lock on backfill.job that its readers or writers would wait for.
-- Triggers of one event fire in the order of their names.
DO $$
DECLARE
	steerable CONSTANT text := 'note, priority, not_before, daily_window, hold_before, seal_after_quiet, index, index_where, workers, batch_ms,
		max_lag_ms, lag_target_ms, max_impact, lock_timeout_ms, ddl_lock_timeout_ms, max_wal_rate, released';
	made record;
BEGIN
	FOR made IN
		SELECT * FROM (VALUES
			('backfill.job', 'job_1_resolve', 'BEFORE INSERT', '', 'job_resolve'),
			('backfill.job', 'job_2_check', 'BEFORE INSERT', '', 'job_check'),
			('backfill.job', 'job_3_tell', 'AFTER INSERT', '', 'job_tell'),
			('backfill.job', 'job_4_steer', 'BEFORE UPDATE OF ' || steerable, '', 'job_steer'),
			('backfill.job', 'job_5_want', 'BEFORE UPDATE OF wanted', '', 'job_want'),
			('backfill.job', 'job_6_tell', 'AFTER UPDATE OF wanted, ' || steerable, '', 'job_tell'),
			('backfill.job', 'job_7_moved', 'AFTER UPDATE OF stage', 'WHEN (OLD.stage IS DISTINCT FROM NEW.stage)', 'job_moved'),
			('backfill.job', 'job_8_spare', 'BEFORE DELETE', '', 'job_spare'),
			('backfill.job', 'job_9_tell', 'AFTER DELETE', '', 'job_tell'),
			('backfill.watched_query', 'watched_query_check', 'BEFORE INSERT OR UPDATE', '', 'watched_query_check')
		) AS t (relation, name, event, condition, function)
		 WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.relation::regclass AND g.tgname = t.name)
	LOOP
		EXECUTE format('CREATE TRIGGER %I %s ON %s FOR EACH ROW %s EXECUTE FUNCTION backfill.%I()',
		               made.name, made.event, made.relation, made.condition, made.function);
	END LOOP;

	FOR made IN
		SELECT * FROM (VALUES
			('job_read', 'SELECT USING (true)'),
			('job_ask', 'INSERT WITH CHECK (requested_by = current_user)'),
			('job_steer', 'UPDATE USING (backfill.may_steer(requested_by))'),
			('job_delete', 'DELETE USING (backfill.may_steer(requested_by))')
		) AS p (name, rule)
		 WHERE NOT EXISTS (SELECT FROM pg_policy y WHERE y.polrelid = 'backfill.job'::regclass AND y.polname = p.name)
	LOOP
		EXECUTE format('CREATE POLICY %I ON backfill.job FOR %s', made.name, made.rule);
	END LOOP;
	IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = 'backfill.job'::regclass) THEN
		ALTER TABLE backfill.job ENABLE ROW LEVEL SECURITY;
	END IF;
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'table backfill.job is in use by another transaction',
		DETAIL = format('Its triggers and policies need a lock, which was not to be had within %s.', current_setting('lock_timeout')),
		HINT = 'End transactions that have touched backfill.job (pg_stat_activity), then run backfilld --install again.';
END $$;

---------------------------------------------------------------------------------------- what workers call

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

-------------------------------------------------------------------------------------------- what users call

CREATE OR REPLACE FUNCTION backfill.proceed(job_id bigint) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j record;
	let_go text;
BEGIN
	UPDATE backfill.job AS b SET released = b.released || b.held_at
	 WHERE b.id = proceed.job_id AND b.held_at IS NOT NULL AND NOT b.held_at = ANY (b.released)
	RETURNING b.held_at INTO let_go;
	IF FOUND THEN
		RETURN let_go;
	END IF;

	SELECT * INTO j FROM backfill.job b WHERE b.id = proceed.job_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no job %s', job_id),
			DETAIL = 'It was never inserted, or it has been deleted.',
			HINT = 'SELECT id, name, waiting_for FROM backfill.status lists what there is.';
	END IF;
	IF NOT backfill.may_steer(j.requested_by) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('job %s is not yours to steer', job_id),
			DETAIL = format('It was asked for by role %I.', j.requested_by),
			HINT = format('Call this as a member of %I or of backfill_admin.', j.requested_by);
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
		MESSAGE = format('job %s is at no hold', job_id),
		DETAIL = CASE WHEN j.held_at IS NULL THEN format('It is in stage %s, with hold_before = %L.', j.stage, j.hold_before)
		              ELSE format('The hold before %s has been let go already; the daemon goes on within a second.', j.held_at) END,
		HINT = 'A held job says "held before ..." in waiting_for of backfill.status.';
END $$;

CREATE OR REPLACE FUNCTION backfill.check_admin(what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT pg_has_role('backfill_admin', 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('%s is for members of backfill_admin', what),
			DETAIL = format('Role %I is not one; it may steer its own jobs only.', current_user),
			HINT = format('As an administrator: GRANT backfill_admin TO %I;', current_user);
	END IF;
END $$;

CREATE OR REPLACE FUNCTION backfill.pause_all() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	jobs bigint;
BEGIN
	PERFORM backfill.check_admin('pause_all()');
	UPDATE backfill.job SET wanted = 'pause'
	 WHERE wanted = 'run' AND stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back');
	GET DIAGNOSTICS jobs = ROW_COUNT;
	RETURN jobs;
END $$;

CREATE OR REPLACE FUNCTION backfill.resume_all() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	jobs bigint;
BEGIN
	PERFORM backfill.check_admin('resume_all()');
	UPDATE backfill.job SET wanted = CASE stage WHEN 'rolling_back' THEN 'roll_back' ELSE 'run' END
	 WHERE wanted = 'pause' AND stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back');
	GET DIAGNOSTICS jobs = ROW_COUNT;
	RETURN jobs;
END $$;

CREATE OR REPLACE FUNCTION backfill.purge(older_than interval) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	jobs bigint;
BEGIN
	IF older_than IS NULL OR older_than < interval '0' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'purge() needs an age',
			DETAIL = format('It was called with %L.', older_than),
			HINT = 'SELECT backfill.purge(''30 days''); deletes jobs that ended longer ago than that.';
	END IF;
	DELETE FROM backfill.job
	 WHERE stage IN ('done', 'cancelled', 'rolled_back') AND finished_at < clock_timestamp() - older_than;
	GET DIAGNOSTICS jobs = ROW_COUNT;
	RETURN jobs;
END $$;

-- One look of wait_for: true when the stage is reached or passed, false to go on waiting.
CREATE OR REPLACE FUNCTION backfill.wait_look(name text, stage text, until timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	stages CONSTANT text[] := '{queued,planning,adding,filling,indexing,sealing,analyzing,done}';
	j record;
BEGIN
	IF array_position(stages, wait_look.stage) IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('%L is not a stage that can be waited for', stage),
			DETAIL = format('The stages are %s.', array_to_string(stages, ', ')),
			HINT = format('CALL backfill.wait_for(%L, ''done'', ''1 hour'');', name);
	END IF;
	SELECT b.*, s.waiting_for AS waits INTO j FROM backfill.job b JOIN backfill.status s ON s.id = b.id WHERE b.name = wait_look.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no job named %L', name),
			DETAIL = 'It was never inserted, has not been committed yet, or has been deleted.',
			HINT = 'Commit the INSERT of the job first; SELECT id, name FROM backfill.status lists what there is.';
	END IF;
	IF j.stage IN ('failed', 'cancelled', 'rolling_back', 'rolled_back') THEN
		RAISE EXCEPTION USING ERRCODE = 'raise_exception',
			MESSAGE = format('job %s %L will not reach stage %s: it is %s', j.id, name, stage, j.stage),
			DETAIL = CASE j.stage WHEN 'failed' THEN format('%s%s', j.error, ' (SQLSTATE ' || j.error_code || ')')
			                      ELSE format('wanted = %s was set by %I.', j.wanted, j.changed_by) END,
			HINT = concat_ws(' ', j.error_hint, format('UPDATE backfill.job SET wanted = ''run'' WHERE id = %s; sends it off again.', j.id));
	END IF;
	IF array_position(stages, j.stage) >= array_position(stages, wait_look.stage) THEN
		RETURN true;
	END IF;
	IF clock_timestamp() >= until THEN
		RAISE EXCEPTION USING ERRCODE = 'query_canceled',
			MESSAGE = format('job %s %L did not reach stage %s in time', j.id, name, stage),
			DETAIL = format('It is in stage %s%s.', j.stage, ', waiting: ' || j.waits),
			HINT = 'The job goes on; call wait_for again, or with a longer timeout.';
	END IF;
	RETURN false;
END $$;

-- No SET clause: a procedure with one may not commit. So every name is qualified.
CREATE OR REPLACE PROCEDURE backfill.wait_for(name text, stage text DEFAULT 'done', timeout interval DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
	until pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) timeout;
BEGIN
	-- A transaction that began before this very statement has a BEGIN of its own.
	IF pg_catalog.now() OPERATOR(pg_catalog.<) pg_catalog.statement_timestamp() THEN
		RAISE EXCEPTION USING ERRCODE = 'active_sql_transaction',
			MESSAGE = 'wait_for cannot run inside a transaction block',
			DETAIL = 'It commits between looks: an open snapshot would hold back the horizon that the fill needs.',
			HINT = 'CALL it on its own: COMMIT first, or leave out BEGIN (psql: no -1; migration tools: outside the transaction).';
	END IF;
	WHILE NOT backfill.wait_look(name, stage, until) LOOP
		COMMIT;
		PERFORM pg_catalog.pg_sleep(0.2);
	END LOOP;
END $$;

CREATE OR REPLACE FUNCTION backfill.history(job_id bigint)
RETURNS TABLE (at timestamptz, after interval, actor text, stage text, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT e.at, date_trunc('milliseconds', e.at - min(e.at) OVER ()), e.actor, e.stage,
	       concat_ws('; ', e.kind || coalesce(': ' || e.detail, ''), e.statement, e.rows || ' rows',
	                 'waited ' || nullif(e.lock_wait_ms, 0) || ' ms for the lock', 'took ' || e.duration_ms || ' ms')
	  FROM backfill.event e
	 WHERE e.job_id = history.job_id
	 ORDER BY e.id;
$$;

-- A name may have been used again after its job was deleted: the story has all of them.
CREATE OR REPLACE FUNCTION backfill.history(name text)
RETURNS TABLE (at timestamptz, after interval, actor text, stage text, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT h.*
	  FROM (SELECT DISTINCT e.job_id FROM backfill.event e WHERE e.name = history.name) j
	 CROSS JOIN LATERAL backfill.history(j.job_id) h
	 ORDER BY j.job_id, h.at;
$$;

-- What this version does for a job, as a patient DBA would write it.
-- The steps of a job that is not planned yet, as far as its own row tells them.
CREATE OR REPLACE FUNCTION backfill.job_sketch(job backfill.job) RETURNS SETOF backfill.plan_step
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	sync CONSTANT text := CASE WHEN job.sync = 'auto' THEN CASE WHEN job.value IS NULL THEN 'none' ELSE 'fill' END ELSE job.sync END;
	expr CONSTANT text := coalesce(job.value, job.default_expr);
	path CONSTANT text[] := parse_ident(job.table_name);
	fn CONSTANT text := format('%I.%I', path[1], 'sync_' || job.id);
	trg CONSTANT text := quote_ident('~sync_' || job.id);
	chk CONSTANT text := quote_ident('not_null_' || job.id);
	v CONSTANT text := quote_ident(job.column_name);
	s record;
	body text;
	tag text := '$body$';
	step backfill.plan_step;
BEGIN
	-- a sub-select over the new row gives its columns the names that the expressions know
	body := E'\n#variable_conflict use_column\nBEGIN\n'
	  || CASE WHEN job.fill_where IS NULL THEN ''
	          ELSE format(E'\tIF NOT EXISTS (SELECT FROM (SELECT NEW.*) AS %I WHERE (%s\n)) THEN\n\t\tRETURN NEW;\n\tEND IF;\n', path[2],
	                      job.fill_where) END
	  || format(E'\tSELECT (%s\n) INTO NEW.%s FROM (SELECT NEW.*) AS %I;\n', expr, v, path[2])
	  || E'\tRETURN NEW;\nEND\n';
	WHILE strpos(body || '$', tag) > 0 LOOP
		tag := format('$body%s$', length(tag));
	END LOOP;

	step.job_id := job.id;
	step.step := 0;
	FOR s IN
		SELECT w.note, w.statement FROM (VALUES
			('add the column', NOT job.adopted,
			 format(E'ALTER TABLE %s ADD COLUMN %s %s%s%s', job.table_name, v, coalesce(job.exact_type, job.column_type),
			        ' COLLATE ' || job.collation,
			        CASE WHEN job.default_expr IS NOT NULL THEN format(E', ALTER COLUMN %s SET DEFAULT (%s\n)', v, job.default_expr) END)),
			('set the default', job.adopted AND job.default_expr IS NOT NULL,
			 format(E'ALTER TABLE %s ALTER COLUMN %s SET DEFAULT (%s\n)', job.table_name, v, job.default_expr)),
			('fill rows that are written meanwhile', sync <> 'none',
			 format(E'CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = %s AS %s;\n', fn,
			        job.search_path, tag || body || tag)
			 || format(E'REVOKE ALL ON FUNCTION %s() FROM PUBLIC;\n', fn)
			 || format(E'CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW %sEXECUTE FUNCTION %s()', trg, job.table_name,
			           CASE sync WHEN 'fill' THEN format('WHEN (NEW.%s IS NOT DISTINCT FROM NULL) ', v) END, fn)),
			('fill existing rows in batches', expr IS NOT NULL,
			 format(E'UPDATE ONLY %s SET %s = (%s\n) WHERE ctid >= ? AND ctid < ? AND ', job.table_name, v, expr)
			 || CASE sync WHEN 'derive' THEN '' ELSE format('(%s IS NOT DISTINCT FROM NULL) IS TRUE AND ', v) END
			 || CASE WHEN job.fill_where IS NULL THEN '' ELSE format(E'(%s\n) IS TRUE AND ', job.fill_where) END
			 || format(E'%s IS DISTINCT FROM (%s\n)', v, expr)),
			('require NOT NULL of new rows', job.not_null,
			 format('ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS DISTINCT FROM NULL) NOT VALID', job.table_name, chk, v)),
			('validate NOT NULL', job.not_null, format('ALTER TABLE %s VALIDATE CONSTRAINT %s', job.table_name, chk)),
			('set NOT NULL', job.not_null, format('ALTER TABLE %s ALTER COLUMN %s SET NOT NULL', job.table_name, v)),
			('drop the CHECK that NOT NULL replaces', job.not_null, format('ALTER TABLE %s DROP CONSTRAINT %s', job.table_name, chk)),
			('drop the fill trigger', sync = 'fill', format(E'DROP TRIGGER %s ON %s;\nDROP FUNCTION %s()', trg, job.table_name, fn)),
			('analyze the column', true, format('ANALYZE %s (%s)', job.table_name, v))
		) AS w (note, wanted, statement)
		WHERE w.wanted
	LOOP
		step.step := step.step + 1;
		step.statement := s.statement;
		step.note := s.note;
		RETURN NEXT step;
	END LOOP;
END $$;

CREATE OR REPLACE FUNCTION backfill.as_sql(job_id bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j backfill.job;
	step backfill.plan_step;
	steps backfill.plan_step[];
	planned boolean;
	parts text[];
	again text;
	tag text;
	tags int := 0;
	number int := 0;
	s text;
BEGIN
	SELECT * INTO j FROM backfill.job b WHERE b.id = as_sql.job_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('there is no job %s', job_id),
			DETAIL = 'It was never inserted, or it has been deleted.',
			HINT = 'SELECT id, name FROM backfill.status lists what there is.';
	END IF;
	SELECT array_agg(p ORDER BY p.step) INTO steps FROM backfill.plan_step p WHERE p.job_id = j.id;
	planned := steps IS NOT NULL;
	IF NOT planned THEN
		SELECT array_agg(p ORDER BY p.step) INTO steps FROM backfill.job_sketch(j) p;
	END IF;

	-- the texts that dollar quotes have to hold
	LOOP
		tag := format('$byhand%s$', tags);
		EXIT WHEN NOT EXISTS (SELECT FROM unnest(steps) p WHERE strpos(p.statement || '$', tag) > 0);
		tags := tags + 1;
	END LOOP;

	s := format(E'-- Job %s%s by hand: with psql -f, as the owner of the table, outside of a transaction.\n',
	            j.id, ' ("' || translate(j.name, E'\r\n', '  ') || '")')
	  || CASE WHEN planned THEN E'-- The statements are those of backfill.plan_step. Where a lock is not to be had in time, repeat that step.\n'
	          ELSE E'-- The job is not planned yet: this is a sketch. Its expressions have not been tried, nor has the catalogue been read.\n' END
	  || format(E'SET search_path = %s;\n', j.search_path);
	FOREACH step IN ARRAY steps LOOP
		number := number + 1;
		s := s || format(E'\n-- %s. %s\n', number, translate(step.note, E'\r\n', '  '));
		-- PostgreSQL 18 names the constraint only when it is made
		IF step.statement LIKE '% VALIDATE CONSTRAINT (its name);' THEN
			s := s || E'-- (should the server have shortened the name or found it taken: see \\d)\n';
			step.statement := replace(step.statement, '(its name)',
			                          quote_ident((parse_ident(j.table_name))[2] || '_' || j.column_name || '_not_null'));
		END IF;
		parts := regexp_match(step.statement, '^(UPDATE ONLY .*?\n\)) WHERE ctid >= \S+ AND ctid < \S+ AND (.*)$');
		IF parts IS NULL THEN
			s := s || format(E'BEGIN;\nSET LOCAL lock_timeout = ''%sms'';\n%s;\nCOMMIT;\n',
			                 coalesce(j.ddl_lock_timeout_ms, 200), rtrim(step.statement, E'; \n'));
			IF again IS NOT NULL AND step.statement LIKE 'CREATE TRIGGER %' THEN
				number := number + 1;
				s := s || format(E'\n-- %s. once more: what was left NULL before that trigger\n', number) || again;
			END IF;
		ELSE
			again := format(E'DO %1$s\n#variable_conflict use_column\nDECLARE\n\tbackfill_page bigint := 0;\nBEGIN\n'
				|| E'\tWHILE backfill_page * pg_catalog.current_setting(''block_size'')::bigint < pg_catalog.pg_relation_size(%2$L) LOOP\n'
				|| E'\t\t%3$s\n\t\t WHERE ctid >= pg_catalog.format(''(%%s,0)'', backfill_page)::tid'
				|| E' AND ctid < pg_catalog.format(''(%%s,0)'', backfill_page + 128)::tid AND %4$s;\n'
				|| E'\t\tCOMMIT; -- look at replica lag here\n\t\tbackfill_page := backfill_page + 128;\n\tEND LOOP;\nEND %1$s;\n',
				tag, j.table_name, parts[1], parts[2]);
			s := s || again;
		END IF;
	END LOOP;
	RETURN s;
END $$;

------------------------------------------------------------------------------------------------------- views

DO $$
BEGIN
	CREATE OR REPLACE VIEW backfill.daemon AS
		SELECT d.holder, d.version, d.pid, d.since, d.last_seen, d.last_seen > clock_timestamp() - interval '15 s' AS serving
		  FROM backfill.daemon_seen d;

	CREATE OR REPLACE VIEW backfill.status AS
		SELECT j.id, j.name, j.table_name, j.column_name, j.stage,
		       -- a database whose encoding lacks the blocks gets # and -
		       repeat(chr(CASE WHEN getdatabaseencoding() = 'UTF8' THEN 9608 ELSE 35 END), trunc(p.part / 10)::int)
		       || repeat(chr(CASE WHEN getdatabaseencoding() = 'UTF8' THEN 9617 ELSE 45 END), 10 - trunc(p.part / 10)::int)
		       || ' ' || lpad(p.part::text, 5) || ' %' AS progress,
		       j.rows_filled, j.rows_per_s, j.eta, j.lag_ms,
		       CASE WHEN j.stage NOT IN ('done', 'failed', 'cancelled', 'rolled_back')
		                 AND NOT EXISTS (SELECT FROM backfill.daemon d WHERE d.serving)
		            THEN 'no daemon serves this database' ELSE j.waiting_for END AS waiting_for,
		       j.error, j.updated_at,
		       CASE j.forecast->>'state'
		       WHEN 'measuring' THEN 'measuring'
		       WHEN 'standing' THEN 'not in sight'
		       WHEN 'ranged' THEN coalesce(e.earliest || ' to ' || e.latest, e.earliest || ' or later')
		       END AS eta_range
		  FROM backfill.job j
		 CROSS JOIN LATERAL (SELECT (j.forecast->>'earliest')::timestamptz AS earliest, (j.forecast->>'latest')::timestamptz AS latest) f
		 CROSS JOIN LATERAL (SELECT CASE WHEN coalesce(f.latest, f.earliest) < date_trunc('day', clock_timestamp()) + interval '1 day'
				THEN 'HH24:MI:SS' ELSE 'YYYY-MM-DD HH24:MI' END AS pattern) w
		 CROSS JOIN LATERAL (SELECT to_char(f.earliest, w.pattern) AS earliest, to_char(f.latest, w.pattern) AS latest) e
		 CROSS JOIN LATERAL (SELECT CASE j.stage WHEN 'failed' THEN j.resume_stage ELSE j.stage END AS reached) r
		 CROSS JOIN LATERAL (SELECT CASE
				WHEN r.reached = 'done' THEN 100.0
				-- the last tenth is kept for done
				WHEN r.reached IN ('indexing', 'sealing', 'analyzing') THEN 99.9
				WHEN r.reached = 'rolled_back' OR coalesce(j.blocks_total, 0) <= 0 THEN 0.0
				ELSE least(99.9, trunc(100.0 * greatest(j.blocks_done, 0) / j.blocks_total, 1)) END AS part) p
		 ORDER BY j.id;

	-- A stage lasts from its first event to the first one of the next.
	CREATE OR REPLACE VIEW backfill.job_summary AS
		SELECT j.id, j.name, j.table_name, j.column_name, j.stage, j.requested_by, j.requested_at, j.started_at, j.finished_at,
		       coalesce(j.finished_at, clock_timestamp()) - j.started_at AS took,
		       e.planning, e.adding, e.filling, e.indexing, e.sealing, e.analyzing,
		       j.throttled_ms * interval '1 ms' AS throttled,
		       e.statements, e.lock_waits, e.longest_lock_wait, e.errors, j.rows_filled
		  FROM backfill.job j
		 CROSS JOIN LATERAL (
			SELECT sum(s.lasted) FILTER (WHERE s.stage = 'planning') AS planning,
			       sum(s.lasted) FILTER (WHERE s.stage = 'adding') AS adding,
			       sum(s.lasted) FILTER (WHERE s.stage = 'filling') AS filling,
			       sum(s.lasted) FILTER (WHERE s.stage = 'indexing') AS indexing,
			       sum(s.lasted) FILTER (WHERE s.stage = 'sealing') AS sealing,
			       sum(s.lasted) FILTER (WHERE s.stage = 'analyzing') AS analyzing,
			       count(*) FILTER (WHERE s.statement IS NOT NULL AND s.duration_ms IS NOT NULL) AS statements,
			       coalesce(sum(s.lock_wait_ms), 0) * interval '1 ms' AS lock_waits,
			       coalesce(max(s.lock_wait_ms), 0) * interval '1 ms' AS longest_lock_wait,
			       count(*) FILTER (WHERE s.kind = 'error') AS errors
			  FROM (SELECT v.*, coalesce(lead(v.at) OVER (ORDER BY v.id), j.finished_at, clock_timestamp()) - v.at AS lasted
			          FROM backfill.event v WHERE v.job_id = j.id) s) e
		 ORDER BY j.id;
EXCEPTION WHEN lock_not_available THEN
	RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
		MESSAGE = 'a view of schema backfill is being read by an open transaction',
		DETAIL = format('Replacing it needs a lock, which was not to be had within %s.', current_setting('lock_timeout')),
		HINT = 'End transactions that have read backfill.status (pg_stat_activity), then run backfilld --install again.';
END $$;

------------------------------------------------------------------------------------------------------ grants

-- Workers' logins call move_bookmark as whoever owns the table: USAGE is for everybody, the rest for members.
GRANT USAGE ON SCHEMA backfill TO PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA backfill FROM PUBLIC, backfill_user, backfill_admin;
REVOKE ALL ON ALL ROUTINES IN SCHEMA backfill FROM PUBLIC, backfill_user, backfill_admin;
GRANT SELECT ON ALL TABLES IN SCHEMA backfill TO backfill_user;
GRANT EXECUTE ON FUNCTION backfill.move_bookmark TO PUBLIC;
-- Not the trigger functions: on a table of somebody's own, job_tell would write events that never happened.
GRANT EXECUTE ON ROUTINE backfill.proceed, backfill.pause_all, backfill.resume_all, backfill.purge, backfill.wait_for,
	backfill.history(bigint), backfill.history(text), backfill.as_sql, backfill.may_steer, backfill.check_admin, backfill.wait_look,
	backfill.job_not_built, backfill.job_bad_knob, backfill.job_check_limits, backfill.job_check_table, backfill.job_check_type,
	backfill.job_check_column, backfill.job_check_wishes, backfill.job_sketch, backfill.daily_window_read, backfill.daily_window_at,
	backfill.daily_window_after TO backfill_user;
GRANT INSERT (name, note, table_name, column_name, column_type, "collation", identity, default_expr, value, fill_where, field, sync,
	not_null, is_unique, check_expr, foreign_key, index, index_where, seal_after_quiet, rehearse, hold_on_plan_regression, depends_on,
	skip_triggers, hold_before, priority, not_before, daily_window, workers, batch_ms, max_lag_ms, lag_target_ms, max_impact,
	lock_timeout_ms, ddl_lock_timeout_ms, max_wal_rate, wanted) ON backfill.job TO backfill_user;
-- released: for proceed(), which runs as its caller; job_steer lets nobody else set it
GRANT UPDATE (wanted, note, priority, not_before, daily_window, hold_before, seal_after_quiet, index, index_where, workers, batch_ms,
	max_lag_ms, lag_target_ms, max_impact, lock_timeout_ms, ddl_lock_timeout_ms, max_wal_rate, released) ON backfill.job TO backfill_user;
GRANT DELETE ON backfill.job TO backfill_user;
GRANT INSERT (job_id, table_name, label, query), DELETE ON backfill.watched_query TO backfill_user;

---------------------------------------------------------------------------------------------------- comments

-- \d+ is documentation. A line for each object; the tests hold that none is missing.
DO $$
DECLARE
	said record;
BEGIN
	FOR said IN
		SELECT * FROM (VALUES
			('SCHEMA backfill', 'Columns for big, busy tables: INSERT into backfill.job, look at backfill.status.'),

			('TABLE backfill.job', 'One row is one column to be added; users write what they want, backfilld writes what became of it.'),
			('COLUMN backfill.job.id', 'Number of the job.'),
			('COLUMN backfill.job.name', 'Change id from version control; with ON CONFLICT (name) DO NOTHING a migration can be repeated.'),
			('COLUMN backfill.job.note', 'Free text: ticket, commit, why.'),
			('COLUMN backfill.job.table_name', 'The table, found on the submitter''s search_path at INSERT and stored as schema.table, quoted where needed.'),
			('COLUMN backfill.job.column_name', 'The column, exactly as it stands in the catalogue: capitals count, no quotes.'),
			('COLUMN backfill.job.column_type', 'Its type with modifiers, such as numeric(10,2); null only for a column that exists.'),
			('COLUMN backfill.job."collation"', 'Its collation, when not the type''s own; "collation" needs double quotes in SQL.'),
			('COLUMN backfill.job.identity', 'always or by default: an identity column (not built yet).'),
			('COLUMN backfill.job.default_expr', 'The column''s DEFAULT for new rows, and the value of existing rows when value is null.'),
			('COLUMN backfill.job.value', 'Expression over the row''s own columns for existing rows; null: default_expr, evaluated for each row.'),
			('COLUMN backfill.job.fill_where', 'Only rows matching this condition are filled, also by the trigger.'),
			('COLUMN backfill.job.field', 'Path of a key inside an existing jsonb column (not built yet).'),
			('COLUMN backfill.job.sync', 'Who fills rows written meanwhile: none, fill (trigger where null), derive (trigger always, stays), auto (fill when there is a value).'),
			('COLUMN backfill.job.not_null', 'The column becomes NOT NULL once it is filled.'),
			('COLUMN backfill.job.is_unique', 'The column becomes UNIQUE (not built yet).'),
			('COLUMN backfill.job.check_expr', 'Becomes a CHECK constraint (not built yet).'),
			('COLUMN backfill.job.foreign_key', 'Becomes a foreign key, such as public.org(id) (not built yet).'),
			('COLUMN backfill.job.index', 'none, advise, or the method of an index to build after the fill (only none is built yet).'),
			('COLUMN backfill.job.index_where', 'Predicate of that index (not built yet).'),
			('COLUMN backfill.job.seal_after_quiet', 'With hold_before = {seal}: goes on by itself after this long without the trigger''s help (not built yet).'),
			('COLUMN backfill.job.rehearse', 'Try the whole job on a sample first; null lets the daemon decide (true is not built yet).'),
			('COLUMN backfill.job.hold_on_plan_regression', 'Hold before seal when a watched query''s plan got worse (not built yet).'),
			('COLUMN backfill.job.depends_on', 'Names of jobs that must be done first (not built yet).'),
			('COLUMN backfill.job.skip_triggers', 'Fill without firing the table''s own UPDATE triggers (not built yet).'),
			('COLUMN backfill.job.hold_before', 'Any of add, fill, seal: the job waits there for SELECT backfill.proceed(id); {add} is the dry run.'),
			('COLUMN backfill.job.priority', 'Higher goes first; ties go by id.'),
			('COLUMN backfill.job.not_before', 'The job is not begun before this time.'),
			('COLUMN backfill.job.daily_window', 'Fill only in these hours, such as 22:00-05:30 Europe/Berlin; where no zone is written, that of the session is taken; null: at any time.'),
			('COLUMN backfill.job.workers', 'Connections that fill side by side, 1 to 32, or 0 for as many as the signals allow; null follows the config.'),
			('COLUMN backfill.job.batch_ms', 'Milliseconds that one batch should take, 1 to 10000; null follows the config.'),
			('COLUMN backfill.job.max_lag_ms', 'Milliseconds of replica lag above which the fill waits; null follows the config.'),
			('COLUMN backfill.job.lag_target_ms', 'Milliseconds of replica lag to steer towards, never above max_lag_ms; null follows the config.'),
			('COLUMN backfill.job.max_impact', 'Per cent by which the application''s transactions may become slower, 0 to not look; null follows the config.'),
			('COLUMN backfill.job.lock_timeout_ms', 'Milliseconds that a batch waits for a lock; null follows the config.'),
			('COLUMN backfill.job.ddl_lock_timeout_ms', 'Milliseconds that ALTER TABLE waits for its lock; null follows the config.'),
			('COLUMN backfill.job.max_wal_rate', 'Bytes of WAL that the fill may write per second, 0 for no limit; null follows the config.'),
			('COLUMN backfill.job.wanted', 'What the user wants now: run, pause, cancel, roll_back; naming it sends a failed job off again.'),
			('COLUMN backfill.job.requested_by', 'The role that inserted the job, set by the server.'),
			('COLUMN backfill.job.requested_at', 'When it was inserted.'),
			('COLUMN backfill.job.stage', 'queued, planning, adding, filling, indexing, sealing, analyzing, done; or failed, cancelled, rolling_back, rolled_back.'),
			('COLUMN backfill.job.waiting_for', 'A sentence about what the job waits for; null while it moves.'),
			('COLUMN backfill.job.error', 'What went wrong, when the stage is failed.'),
			('COLUMN backfill.job.error_code', 'SQLSTATE of the error.'),
			('COLUMN backfill.job.error_hint', 'What to do about the error.'),
			('COLUMN backfill.job.rows_filled', 'Rows that the job has given their value.'),
			('COLUMN backfill.job.rows_estimate', 'Rows of the table, as the planner estimates them.'),
			('COLUMN backfill.job.blocks_done', 'Pages that the fill has passed; where the table grows or a daemon comes back, scaled so that progress never falls.'),
			('COLUMN backfill.job.blocks_total', 'Pages that the fill has to pass.'),
			('COLUMN backfill.job.rows_per_s', 'Rows filled per second over the last minute, waiting included; 0 outside daily_window.'),
			('COLUMN backfill.job.eta', 'When the walk over the table is expected to end, daily_window considered: the middle of the range in forecast; null while that is measured or nothing moves.'),
			('COLUMN backfill.job.lag_ms', 'Milliseconds that the slowest replica is behind.'),
			('COLUMN backfill.job.throttled_ms', 'Milliseconds for which the fill was held back by replicas and other limits so far; events throttle on and off tell when and why.'),
			('COLUMN backfill.job.started_at', 'When a daemon first took the job.'),
			('COLUMN backfill.job.updated_at', 'When the daemon last wrote to this row.'),
			('COLUMN backfill.job.finished_at', 'When the job ended.'),
			('COLUMN backfill.job.holder', 'Which daemon works on it.'),
			('COLUMN backfill.job.epoch', 'Fencing number: each claim raises it, and older ones can write nothing more.'),
			('COLUMN backfill.job.forecast', 'While it fills: state (measuring, ranged, standing), earliest and latest end, rows_per_s_60s and rows_per_s_15min (of time inside daily_window), and its pace: capacity_, allowance_, foreground_ and share_bytes_per_s of WAL, impact_percent on the application, batches_at_once, batch_pages; what is not known or has no limit is left out.'),
			('COLUMN backfill.job.table_oid', 'Internal: oid of the table; null only while a repeated INSERT is being turned away.'),
			('COLUMN backfill.job.type_oid', 'Internal: oid of column_type.'),
			('COLUMN backfill.job.exact_type', 'Internal: the type as format_type writes it, found in planning.'),
			('COLUMN backfill.job.search_path', 'Internal: the submitter''s effective search_path, by which names in the expressions are found.'),
			('COLUMN backfill.job.adopted', 'Internal: the column was there before the job.'),
			('COLUMN backfill.job.fast_default', 'Internal: PostgreSQL can add the column with its default and rewrite nothing, so nothing is filled.'),
			('COLUMN backfill.job.volatile_value', 'Internal: the value may differ each time that it is evaluated.'),
			('COLUMN backfill.job.held_at', 'Internal: the hold that the job is at (add, fill, seal), or null.'),
			('COLUMN backfill.job.released', 'Internal: holds let go by backfill.proceed().'),
			('COLUMN backfill.job.resume_stage', 'Internal: the stage in which the job failed, where run goes on.'),
			('COLUMN backfill.job.changed_by', 'Internal: the role that last changed a user''s column, for backfill.event.'),

			('TABLE backfill.event', 'Append-only history of all jobs: moves, statements (intent before, outcome after), changes, errors.'),
			('COLUMN backfill.event.id', 'Number of the event, in the order of writing.'),
			('COLUMN backfill.event.job_id', 'The job; its events stay when it is deleted.'),
			('COLUMN backfill.event.name', 'Name of the job.'),
			('COLUMN backfill.event.at', 'When it happened.'),
			('COLUMN backfill.event.actor', 'Who did it: a role, or the daemon.'),
			('COLUMN backfill.event.kind', 'What it is: job, steer and knob are users'' doing, all else is the daemon''s, such as claim, stage and error.'),
			('COLUMN backfill.event.stage', 'Stage of the job then.'),
			('COLUMN backfill.event.detail', 'What happened, in words.'),
			('COLUMN backfill.event.statement', 'The SQL statement, if it was one.'),
			('COLUMN backfill.event.lock_wait_ms', 'Milliseconds waited for locks.'),
			('COLUMN backfill.event.duration_ms', 'Milliseconds taken.'),
			('COLUMN backfill.event.rows', 'Rows filled.'),

			('TABLE backfill.plan_step', 'What a job is going to do, statement by statement, written in planning before anything is touched.'),
			('COLUMN backfill.plan_step.job_id', 'The job.'),
			('COLUMN backfill.plan_step.step', 'Place in the order of steps.'),
			('COLUMN backfill.plan_step.statement', 'The SQL statement, or the pattern of many.'),
			('COLUMN backfill.plan_step.lock_mode', 'The strongest lock it takes on the table.'),
			('COLUMN backfill.plan_step.blocks_reads', 'Whether readers wait while it runs.'),
			('COLUMN backfill.plan_step.blocks_writes', 'Whether writers wait while it runs.'),
			('COLUMN backfill.plan_step.rewrites_table', 'Whether it writes the whole table anew.'),
			('COLUMN backfill.plan_step.scans_table', 'Whether it reads the whole table.'),
			('COLUMN backfill.plan_step.estimated_ms', 'Milliseconds it is expected to take.'),
			('COLUMN backfill.plan_step.estimated_wal_bytes', 'Bytes of WAL it is expected to write.'),
			('COLUMN backfill.plan_step.note', 'What else is worth knowing.'),

			('TABLE backfill.watched_query', 'Queries whose plans are compared before and after a job (not built yet).'),
			('COLUMN backfill.watched_query.id', 'Number of the query.'),
			('COLUMN backfill.watched_query.job_id', 'The job it is watched for; null: every job on table_name.'),
			('COLUMN backfill.watched_query.table_name', 'The table it is watched for.'),
			('COLUMN backfill.watched_query.label', 'What reports call it.'),
			('COLUMN backfill.watched_query.query', 'Its SQL text.'),
			('COLUMN backfill.watched_query.author', 'The role that inserted it, set by the server.'),

			('TABLE backfill.plan_change', 'How the plans of watched queries changed with a job (not built yet).'),
			('COLUMN backfill.plan_change.id', 'Number of the comparison.'),
			('COLUMN backfill.plan_change.job_id', 'The job.'),
			('COLUMN backfill.plan_change.query_label', 'The query''s label.'),
			('COLUMN backfill.plan_change.phase', 'After which part of the job it was compared.'),
			('COLUMN backfill.plan_change.changed', 'Whether the plan is another.'),
			('COLUMN backfill.plan_change.cost_before', 'Estimated cost before the job.'),
			('COLUMN backfill.plan_change.cost_after', 'Estimated cost after it.'),
			('COLUMN backfill.plan_change.shape_before', 'The plan before, without figures.'),
			('COLUMN backfill.plan_change.shape_after', 'The plan after, without figures.'),
			('COLUMN backfill.plan_change.verdict', 'Better, worse or the same, in words.'),

			('TABLE backfill.claim', 'Internal: which daemon works on which job, and never two jobs on one table.'),
			('COLUMN backfill.claim.job_id', 'The job.'),
			('COLUMN backfill.claim.root_oid', 'Its table, or the root of the partition tree that the table is in.'),
			('COLUMN backfill.claim.holder', 'The daemon.'),
			('COLUMN backfill.claim.epoch', 'The fencing number of this claim.'),
			('COLUMN backfill.claim.lease_until', 'Until when the claim holds, by the server''s clock, unless it is renewed.'),
			('COLUMN backfill.claim.claimed_at', 'Since when.'),

			('TABLE backfill.backend', 'Internal: server sessions that a claim uses; who takes a job over ends them first.'),
			('COLUMN backfill.backend.pid', 'Process id of the session.'),
			('COLUMN backfill.backend.backend_start', 'When the session began; with pid it is never used twice.'),
			('COLUMN backfill.backend.job_id', 'The job it works for.'),
			('COLUMN backfill.backend.epoch', 'The claim it works for.'),
			('COLUMN backfill.backend.filler', 'The filler it works as; -1 changes the catalogue.'),
			('COLUMN backfill.backend.login', 'The role it logged in as.'),

			('TABLE backfill.walk', 'Internal: how far a job''s walk over its table has got.'),
			('COLUMN backfill.walk.job_id', 'The job.'),
			('COLUMN backfill.walk.relation', 'The table that is walked.'),
			('COLUMN backfill.walk.sweep', '0 is the fill itself; higher numbers look for rows that it missed.'),
			('COLUMN backfill.walk.frontier', 'Pages below it have been handed out as windows.'),
			('COLUMN backfill.walk.pages', 'Pages of this walk.'),
			('COLUMN backfill.walk.rows_found', 'Rows filled in this walk by windows that have ended.'),

			('TABLE backfill.bookmark', 'Internal: where each connection that fills a job is, moved in each batch''s own transaction.'),
			('COLUMN backfill.bookmark.job_id', 'The job.'),
			('COLUMN backfill.bookmark.filler', 'Number of the connection within the job.'),
			('COLUMN backfill.bookmark.epoch', 'The claim under which it may be moved.'),
			('COLUMN backfill.bookmark.login', 'The role that may move it.'),
			('COLUMN backfill.bookmark.relation', 'The table that is filled.'),
			('COLUMN backfill.bookmark.window_from', 'First page of the window.'),
			('COLUMN backfill.bookmark.window_to', 'Page after the window''s last.'),
			('COLUMN backfill.bookmark.passes', 'Passes that this window gets.'),
			('COLUMN backfill.bookmark.pass', 'The pass it is in, from 0.'),
			('COLUMN backfill.bookmark.page', 'The next page of this pass.'),
			('COLUMN backfill.bookmark.rows_filled', 'Rows filled by this filler in all.'),
			('COLUMN backfill.bookmark.sweep_rows', 'Rows filled by this filler in this walk.'),

			('TABLE backfill.daemon_seen', 'Internal: heartbeats of the daemons that serve this database.'),
			('COLUMN backfill.daemon_seen.holder', 'The daemon: host, process and start.'),
			('COLUMN backfill.daemon_seen.version', 'Its version.'),
			('COLUMN backfill.daemon_seen.pid', 'Its process id on its own host.'),
			('COLUMN backfill.daemon_seen.since', 'When it began to serve.'),
			('COLUMN backfill.daemon_seen.last_seen', 'Its last heartbeat.'),

			('TABLE backfill.schema_version', 'One row: the version of this schema.'),
			('COLUMN backfill.schema_version.version', 'Raised by backfilld --install.'),
			('COLUMN backfill.schema_version.installed_at', 'When this version was installed.'),

			('VIEW backfill.status', 'All jobs with their progress: made for \watch.'),
			('COLUMN backfill.status.eta_range', 'Between when and when the walk over the table is expected to end, by the session''s clock; measuring: too early to say; not in sight: nothing moves.'),
			('VIEW backfill.daemon', 'Who serves this database, since when, last seen.'),
			('VIEW backfill.job_summary', 'Durations, lock waits and throttled time of each job.'),

			('FUNCTION backfill.proceed', 'Lets go of the hold that a job is at, and returns it.'),
			('FUNCTION backfill.pause_all', 'Pauses every job that runs; returns how many; for backfill_admin.'),
			('FUNCTION backfill.resume_all', 'Lets every paused job run; returns how many; for backfill_admin.'),
			('FUNCTION backfill.purge', 'Deletes jobs that ended longer ago than this; returns how many; their events stay.'),
			('PROCEDURE backfill.wait_for', 'Returns when the job has reached the stage; raises when it cannot or the time is up; CALL it outside a transaction block.'),
			('FUNCTION backfill.history(text)', 'The story of the job of that name.'),
			('FUNCTION backfill.history(bigint)', 'The story of that job.'),
			('FUNCTION backfill.as_sql', 'The migration that does by hand what the job does.'),
			('FUNCTION backfill.move_bookmark', 'Moves a filler''s bookmark in its batch''s own transaction; raises BF001 unless login, epoch and lease are right.'),
			('FUNCTION backfill.may_steer', 'Internal: whether the current user may steer jobs of that role.'),
			('FUNCTION backfill.check_admin', 'Internal: raises unless the current user is an admin.'),
			('FUNCTION backfill.wait_look', 'Internal: one look of wait_for.'),
			('FUNCTION backfill.job_not_built', 'Internal: what a job asks for that this version cannot do.'),
			('FUNCTION backfill.job_bad_knob', 'Internal: knobs of a job outside their range.'),
			('FUNCTION backfill.job_sketch', 'Internal: the steps of a job that is not planned yet.'),
			('FUNCTION backfill.job_check_limits', 'Internal: raises when a job asks for what is not built or out of range.'),
			('FUNCTION backfill.job_check_table', 'Internal: raises when the job''s table cannot take a column from this submitter.'),
			('FUNCTION backfill.job_check_type', 'Internal: raises when a column of the job''s type cannot be added without a rewrite.'),
			('FUNCTION backfill.job_check_column', 'Internal: raises when the job''s column does not fit its table; true when it is there already.'),
			('FUNCTION backfill.job_check_wishes', 'Internal: raises when the job''s options do not fit each other.'),
			('FUNCTION backfill.daily_window_read', 'Internal: a daily_window spelt out, with its zone; raises when it is none.'),
			('FUNCTION backfill.daily_window_at', 'Internal: whether a daily_window is open at an instant, how long still, or when it opens next.'),
			('FUNCTION backfill.daily_window_after', 'Internal: when so much time inside a daily_window will have passed.'),
			('FUNCTION backfill.job_resolve', 'Trigger: finds a new job''s table, type and collation on the submitter''s search_path.'),
			('FUNCTION backfill.job_check', 'Trigger: sets what the server sets in a new job, and checks all else.'),
			('FUNCTION backfill.job_steer', 'Trigger: checks what a user changes in a job.'),
			('FUNCTION backfill.job_want', 'Trigger: answers a user''s wish by the stage that the job is in.'),
			('FUNCTION backfill.job_spare', 'Trigger: keeps live jobs from being deleted.'),
			('FUNCTION backfill.job_tell', 'Trigger: writes what users do into backfill.event, and notifies the daemon.'),
			('FUNCTION backfill.job_moved', 'Trigger: notifies channel backfill of every move.'),
			('FUNCTION backfill.watched_query_check', 'Trigger: refuses watched queries until they are built.')
		) AS c (object, sentence)
	LOOP
		EXECUTE format('COMMENT ON %s IS %L', said.object, said.sentence);
	END LOOP;
END $$;
