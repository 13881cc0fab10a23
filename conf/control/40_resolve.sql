-- First look at a new row, with the eyes of the submitter: names mean what they mean on the submitter's search_path.
-- Therefore no SET clause, and every name and operator is qualified. It decides nothing about rights.
CREATE OR REPLACE FUNCTION backfill.job_resolve() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	code pg_catalog.text;
	said pg_catalog.text;
	exact pg_catalog.text;
	collation_oid pg_catalog.oid;
	key pg_catalog.record;
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

	IF NEW.foreign_key IS NOT NULL THEN
		key := backfill.foreign_key_read(NEW.foreign_key);
		IF key.named IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'syntax_error',
				MESSAGE = pg_catalog.format('foreign_key %L is not what follows REFERENCES', NEW.foreign_key),
				DETAIL = 'It is a table, perhaps one of its columns, and MATCH FULL, ON UPDATE, ON DELETE (NO ACTION, RESTRICT, CASCADE, SET NULL, SET DEFAULT), DEFERRABLE and INITIALLY DEFERRED, each at most once.',
				HINT = 'Write for example foreign_key = ''public.org(id) ON DELETE SET NULL''.', COLUMN = 'foreign_key';
		END IF;
		BEGIN
			exact := (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
			            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
			           WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(key.named));
		EXCEPTION WHEN insufficient_privilege THEN
			GET STACKED DIAGNOSTICS said = MESSAGE_TEXT;
			RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
				MESSAGE = pg_catalog.format('role %I may not refer to table %s', current_user, key.named),
				DETAIL = pg_catalog.format('foreign_key %L: the server says: %s.', NEW.foreign_key, said),
				HINT = pg_catalog.format('As the owner of that schema: GRANT USAGE ON SCHEMA ... TO %I;', current_user), COLUMN = 'foreign_key';
		END;
		IF exact IS NULL THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_table',
				MESSAGE = pg_catalog.format('table %s does not exist', key.named),
				DETAIL = pg_catalog.format('foreign_key %L refers to it; it was looked for on your search_path: %s.', NEW.foreign_key, NEW.search_path),
				HINT = 'Check the spelling, or write schema.table.', COLUMN = 'foreign_key';
		END IF;
		NEW.foreign_key := pg_catalog.concat(exact, CASE WHEN key.key IS NOT NULL THEN pg_catalog.format('(%I)', key.key) END, key.rest);
	END IF;
	RETURN NEW;
END $$;
