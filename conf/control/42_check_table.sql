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
END $$;
