-- What a user writes as foreign_key, taken to pieces; null where it is anything but a table, perhaps a column, and what
-- PostgreSQL lets a foreign key of one column have. The rest is spelt and ordered as pg_get_constraintdef() does it, and what
-- is the default anyway is left out.
CREATE OR REPLACE FUNCTION backfill.foreign_key_read(written text, OUT named text, OUT key text, OUT rest text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	ident CONSTANT text := '(?:"(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_$]*)';
	parts CONSTANT text[] := regexp_match(btrim(written, E' \t\r\n'),
		format('^(?:references\s+)?(%1$s(?:\s*\.\s*%1$s)?)(?:\s*\(\s*(%1$s)\s*\))?(?:\s+(\S.*)|\s*)$', ident), 'i');
	options text := regexp_replace(upper(parts[3]), '\s+', ' ', 'g');
	said text[];
	matches text;
	updates text;
	deletes text;
	defers text;
	begins text;
BEGIN
	WHILE options <> '' LOOP
		said := regexp_match(options, '^(?:MATCH (FULL|SIMPLE)|ON (UPDATE|DELETE) (NO ACTION|RESTRICT|CASCADE|SET NULL|SET DEFAULT)'
			'|((?:NOT )?DEFERRABLE)|INITIALLY (DEFERRED|IMMEDIATE))(?: (.*))?$');
		-- unknown, or said twice
		IF said IS NULL OR (said[1] IS NOT NULL AND matches IS NOT NULL) OR (said[2] = 'UPDATE' AND updates IS NOT NULL)
		   OR (said[2] = 'DELETE' AND deletes IS NOT NULL) OR (said[4] IS NOT NULL AND defers IS NOT NULL)
		   OR (said[5] IS NOT NULL AND begins IS NOT NULL) THEN
			RETURN;
		END IF;
		matches := coalesce(matches, said[1]);
		updates := CASE said[2] WHEN 'UPDATE' THEN said[3] ELSE updates END;
		deletes := CASE said[2] WHEN 'DELETE' THEN said[3] ELSE deletes END;
		defers := coalesce(defers, said[4]);
		begins := coalesce(begins, said[5]);
		options := coalesce(said[6], '');
	END LOOP;
	IF defers = 'NOT DEFERRABLE' AND begins = 'DEFERRED' THEN
		RETURN;
	END IF;
	named := parts[1];
	key := (parse_ident(parts[2]))[1];
	rest := CASE matches WHEN 'FULL' THEN ' MATCH FULL' ELSE '' END
		|| coalesce(' ON UPDATE ' || nullif(updates, 'NO ACTION'), '')
		|| coalesce(' ON DELETE ' || nullif(deletes, 'NO ACTION'), '')
		|| CASE WHEN defers = 'DEFERRABLE' OR begins = 'DEFERRED' THEN ' DEFERRABLE' ELSE '' END
		|| CASE begins WHEN 'DEFERRED' THEN ' INITIALLY DEFERRED' ELSE '' END;
END $$;

-- The foreign key that a job asks for, as job_resolve has found its table, spelt as pg_get_constraintdef() does behind REFERENCES.
-- Raises when the table's owner could not add it. Whether the types can be compared is for the server to say.
CREATE OR REPLACE FUNCTION backfill.job_check_foreign_key(job backfill.job) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what CONSTANT text := format('The job for column %I of table %s', job.column_name, job.table_name);
	written record;
	t record;
	own record;
	keys text[];
	number int2;
	r record;
BEGIN
	IF job.foreign_key IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT * INTO written FROM backfill.foreign_key_read(job.foreign_key);
	SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name INTO t
	  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(written.named);
	SELECT c.*, pg_get_userbyid(c.relowner) AS owner INTO own FROM pg_class c WHERE c.oid = job.table_oid;

	IF written.key IS NULL THEN
		SELECT array_agg(a.attname ORDER BY a.attnum) INTO keys
		  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		 WHERE i.indrelid = t.oid AND i.indisprimary;
		IF cardinality(keys) = 1 THEN
			written.key := keys[1];
		END IF;
	END IF;

	SELECT a.attnum INTO number FROM pg_attribute a
	 WHERE a.attrelid = t.oid AND a.attname = written.key AND a.attnum > 0 AND NOT a.attisdropped;

	SELECT k.* INTO r
	  FROM (VALUES
		(t.relkind NOT IN ('r', 'p'), 'wrong_object_type', format('%s is not an ordinary table', t.name),
		 'Only tables have keys that can be referenced.', 'Name the table that the rows are in.'),
		(t.relpersistence = 't' OR (t.relpersistence = 'u' AND own.relpersistence = 'p'), 'invalid_table_definition',
		 format('%s is %s table', t.name, CASE t.relpersistence WHEN 't' THEN 'a temporary' ELSE 'an unlogged' END),
		 'Its rows do not stay as long as those that would refer to them.', 'Refer to a table that stays.'),
		(written.key IS NULL, 'undefined_object', format('table %s has %s', t.name,
		        CASE WHEN keys IS NULL THEN 'no primary key' ELSE format('a primary key of %s columns', cardinality(keys)) END),
		 'Where foreign_key names no column, the primary key is meant, and the job adds one column.',
		 format('Name a column with a unique constraint of its own: %s (...).', t.name)),
		(number IS NULL,
		 'undefined_column', format('table %s has no column %I', t.name, written.key),
		 'It is to be referenced.', 'Check the spelling; outside of double quotes capitals do not count.'),
		-- as in transformFkeyCheckAttrs() of src/backend/commands/tablecmds.c
		(NOT EXISTS (SELECT FROM pg_index i
		              WHERE i.indrelid = t.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
		                AND i.indnkeyatts = 1 AND i.indkey[0] = number),
		 'invalid_foreign_key', format('column %I of table %s is not unique by itself', written.key, t.name),
		 'A foreign key refers to a primary key, or to a unique constraint on just that column that is not deferrable.',
		 format('First: CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I); or refer to another column.', t.name, written.key)),
		(NOT has_schema_privilege(own.relowner, t.relnamespace, 'USAGE') OR NOT has_column_privilege(own.relowner, t.oid, number, 'REFERENCES'),
		 'insufficient_privilege', format('role %I may not refer to column %I of table %s', own.owner, written.key, t.name),
		 format('It owns table %s, and adds the constraint; that needs USAGE on the schema and REFERENCES on the column.', job.table_name),
		 format('As the owner of %s: GRANT USAGE ON SCHEMA %I TO %I; GRANT REFERENCES (%I) ON %1$s TO %3$I;', t.name, t.nspname, own.owner, written.key))
	  ) AS k (is_so, code, message, why, instead)
	 WHERE k.is_so LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = r.code,
			MESSAGE = r.message, DETAIL = format('%s has foreign_key = %L. %s', what, job.foreign_key, r.why), HINT = r.instead,
			COLUMN = 'foreign_key';
	END IF;
	RETURN format('%s(%I)%s', t.name, written.key, written.rest);
END $$;
