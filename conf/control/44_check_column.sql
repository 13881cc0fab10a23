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
			HINT = format('Use its base type %s, with check_expr for what the domain checks, not_null and default_expr for the rest.', base_type),
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
	IF job.field IS NOT NULL AND (NOT there OR a.atttypid <> 'jsonb'::regtype) THEN
		RAISE EXCEPTION USING ERRCODE = CASE WHEN there THEN 'datatype_mismatch' ELSE 'undefined_column' END,
			MESSAGE = CASE WHEN there THEN format('column %I of table %s is not jsonb', job.column_name, job.table_name)
			          ELSE format('table %s has no column %I', job.table_name, job.column_name) END,
			DETAIL = format('The job asks for field %s of its documents%s.', job.field, ', and it is of type ' || format_type(a.atttypid, a.atttypmod)),
			HINT = 'Name a jsonb column that exists: field adds a key to its documents.', COLUMN = 'field';
	END IF;
	IF NOT there AND job.column_type IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column',
			MESSAGE = format('table %s has no column %I, and the job gives no type to add it with', job.table_name, job.column_name),
			DETAIL = 'column_type may be null only for a column that exists.',
			HINT = 'Give column_type, or check the spelling: column_name is taken exactly as it stands.', COLUMN = 'column_type';
	END IF;
	IF job.identity IS NOT NULL AND there THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_column',
			MESSAGE = format('table %s has a column %I already', job.table_name, job.column_name),
			DETAIL = format('The job asks for identity = %L, and only a column that is added by it becomes one.', job.identity),
			HINT = 'Choose another name, or leave identity null and number the rows with a sequence of your own.', COLUMN = 'identity';
	END IF;
	IF job.identity IS NOT NULL AND job.type_oid <> ALL ('{smallint,int,bigint}'::regtype[]) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('an identity column cannot have type %s', job.column_type),
			DETAIL = format('The job asks for identity = %L for column %I of table %s.', job.identity, job.column_name, job.table_name),
			HINT = 'It can be smallint, int or bigint.', COLUMN = 'column_type';
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
