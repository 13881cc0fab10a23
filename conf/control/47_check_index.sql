-- The type that a job's column has, or is to have.
CREATE OR REPLACE FUNCTION backfill.job_type(job backfill.job) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(job.type_oid, (SELECT a.atttypid FROM pg_attribute a
	                                WHERE a.attrelid = job.table_oid AND a.attname = job.column_name AND NOT a.attisdropped));
$$;

-- Does a type sort or hash or whatever by itself in that kind of index: has it a default operator class there?
CREATE OR REPLACE FUNCTION backfill.has_opclass(method name, type_oid oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	-- A domain is indexed as what it stands on, at whatever depth.
	WITH RECURSIVE base AS (
		SELECT y.* FROM pg_type y WHERE y.oid = has_opclass.type_oid
		UNION ALL
		SELECT y.* FROM base b JOIN pg_type y ON y.oid = b.typbasetype WHERE b.typtype = 'd'
	)
	SELECT EXISTS (
		SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod JOIN base b ON b.typtype <> 'd'
		 WHERE m.amname = has_opclass.method AND o.opcdefault
		   AND (o.opcintype = b.oid
		        OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = b.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b'
		                                         AND k.castcontext = 'i')
		        OR o.opcintype = CASE WHEN b.typelem <> 0::oid AND b.typlen = -1 THEN 'anyarray'::regtype
		                              WHEN b.typtype = 'e' THEN 'anyenum'::regtype WHEN b.typtype = 'r' THEN 'anyrange'::regtype
		                              WHEN b.typtype = 'm' THEN 'anymultirange'::regtype WHEN b.typtype = 'c' THEN 'record'::regtype END));
$$;

-- Can the column be unique by itself?
CREATE OR REPLACE FUNCTION backfill.job_check_unique(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what CONSTANT text := format('column %I of table %s', job.column_name, job.table_name);
	type oid;
	cut record;
BEGIN
	IF NOT job.is_unique THEN
		RETURN;
	END IF;
	type := backfill.job_type(job);
	IF NOT backfill.has_opclass('btree', type) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('%s cannot be unique', what),
			DETAIL = format('Values of type %s have no order: it has no default operator class for btree.', format_type(type, NULL)),
			HINT = 'Choose another type, or a unique index on an expression of it, by hand.', COLUMN = 'is_unique';
	END IF;

	-- A unique constraint of a partitioned table holds the keys by which it, and each partitioned one below it, is cut.
	SELECT (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p.partrelid) AS table_name, pg_get_partkeydef(p.partrelid) AS key INTO cut
	  FROM pg_partition_tree(job.table_oid) t JOIN pg_partitioned_table p ON p.partrelid = t.relid
	 WHERE p.partnatts > 1 OR p.partexprs IS NOT NULL
	    OR NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] AND a.attname = job.column_name)
	 ORDER BY t.level LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s cannot be unique by itself', what),
			DETAIL = format('Table %s is partitioned by %s, and PostgreSQL keeps unique over a partitioned table only what contains its key.', cut.table_name, cut.key),
			HINT = format('Leave is_unique out; once the job is done make it unique together with the key: CREATE UNIQUE INDEX CONCURRENTLY on each partition, then ALTER TABLE %s ADD UNIQUE (..., %I); or unique within each partition alone.',
			              job.table_name, job.column_name),
			COLUMN = 'is_unique';
	END IF;
END $$;

-- The index that a job asks for, as the daemon takes it: none, advise, METHOD or METHOD (what the user wrote). Raises when there is
-- no such method, or the text is more than what stands between the parentheses of CREATE INDEX; what it means is for the server to
-- say.
CREATE OR REPLACE FUNCTION backfill.job_check_index(job backfill.job) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what CONSTANT text := format('The job for column %I of table %s', job.column_name, job.table_name);
	parts CONSTANT text[] := regexp_match(btrim(job.index, E' \t\r\n'), '^([A-Za-z_][A-Za-z0-9_]*)(?:\s*\((.*)\))?$');
	method CONSTANT text := lower(parts[1]);
	-- in one go, as the server reads: a quote of one kind inside quotes of the other opens nothing
	bare CONSTANT text := regexp_replace(parts[2], '''[^'']*''|"[^"]*"', '', 'g');
	depth int := 0;
	letter text;
	type oid;
BEGIN
	IF btrim(job.index_where, E' \t\r\n') = '' OR (job.index_where IS NOT NULL AND method IN ('none', 'advise')) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = CASE WHEN method IN ('none', 'advise') THEN 'index_where needs an index' ELSE 'index_where is empty' END,
			DETAIL = format('%s has index = %L.', what, job.index),
			HINT = 'Give a method such as index = ''btree'', or leave index_where null.', COLUMN = 'index_where';
	END IF;
	IF method IN ('none', 'advise') AND parts[2] IS NULL THEN
		RETURN method;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_am m WHERE m.amtype = 'i' AND m.amname = method) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('index = %L is no kind of index of this server', job.index),
			DETAIL = format('%s may have one of: %s.', what, (SELECT string_agg(m.amname, ', ' ORDER BY m.amname) FROM pg_am m WHERE m.amtype = 'i')),
			HINT = 'Write none, a method such as btree, or a method with what is to be indexed: gin (payload jsonb_path_ops).', COLUMN = 'index';
	END IF;

	IF parts[2] IS NULL THEN
		type := backfill.job_type(job);
		IF NOT backfill.has_opclass(method, type) THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_object',
				MESSAGE = format('a %s index cannot be built of type %s just so', method, format_type(type, NULL)),
				DETAIL = format('%s asks for index = %L; the type has no default operator class for that.', what, job.index),
				HINT = format('Choose another method, or name an operator class: %s (%I ..._ops).', method, job.column_name), COLUMN = 'index';
		END IF;
		RETURN method;
	END IF;

	IF bare ~ '[;''"\\$]|--|/\*' THEN
		depth := -1;
	ELSE
		FOREACH letter IN ARRAY regexp_split_to_array(bare, '') LOOP
			depth := depth + CASE letter WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END;
			EXIT WHEN depth < 0;
		END LOOP;
	END IF;
	IF depth <> 0 OR parts[2] ~ '\\' OR btrim(parts[2], E' \t\r\n') = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'syntax_error',
			MESSAGE = format('index = %L is not just what is to be indexed', job.index),
			DETAIL = format('%s may have between the parentheses what CREATE INDEX takes there: columns, expressions, operator classes; no comment, no semicolon, no backslash, and each parenthesis closed.', what),
			HINT = 'Write for example index = ''gin (payload jsonb_path_ops)''; other clauses of CREATE INDEX have no place in a job.', COLUMN = 'index';
	END IF;
	RETURN format('%s (%s)', method, btrim(parts[2], E' \t\r\n'));
END $$;
