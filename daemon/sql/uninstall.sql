-- Removes schema backfill where no job is live. The roles stay: other databases may use them.
DO $uninstall$
DECLARE
	live text;
BEGIN
	IF pg_catalog.to_regclass('backfill.job') IS NULL THEN
		RETURN;
	END IF;
	SELECT pg_catalog.string_agg(pg_catalog.format('job %s on %s.%I (%s)', j.id, j.table_name, j.column_name, j.stage), ', ' ORDER BY j.id)
	  INTO live
	  FROM backfill.job j
	 WHERE j.stage NOT IN ('done', 'cancelled', 'rolled_back');
	IF live IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_in_use',
			MESSAGE = 'schema backfill has live jobs',
			DETAIL = live,
			HINT = 'Let them finish, or cancel them (roll_back takes away what they have made, too), then run backfilld --uninstall again.';
	END IF;
	SET LOCAL client_min_messages = warning;
	DROP SCHEMA backfill CASCADE;
END $uninstall$
