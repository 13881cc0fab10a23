-- The control schema: where users ask for columns, and where backfilld writes what became of it.
--
-- The build puts the files of conf/control one behind the other, in the order of their names, into one control.sql.
-- `backfilld --install` sends that as one transaction, as the control login; by hand: psql -1 -f control.sql.
-- It may be sent again at any time, also beside a live daemon:
--   * tables, indexes, triggers and policies are made when they are missing: a second install takes no lock on
--     backfill.job that a reader or a writer would notice;
--   * functions, views, grants and comments are replaced every time;
--   * a later version raises the number in the first block, changes tables in a step of its own (20_tables.sql;
--     jobs stay), and drops there what it wants made anew: the text then goes on as for a fresh one.
-- Later statements rely on search_path being pg_catalog alone; every name outside it is qualified.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL client_min_messages = warning;
SET LOCAL lock_timeout = '5s';

DO $$
DECLARE
	offered CONSTANT int := 3;
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
