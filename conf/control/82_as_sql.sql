-- The fill by hand of one table, or where leaf is null of every table of the job's tree, one behind the other; head, tail: what
-- stands around the name of the table.
CREATE OR REPLACE FUNCTION backfill.as_sql_fill(job backfill.job, leaf text, tag text, head text, tail text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	pages CONSTANT text := $pages$pg_catalog.current_setting('block_size')::bigint$pages$;
	-- what is EXECUTEd knows the pages as parameters, all else by their name
	low CONSTANT text := $low$pg_catalog.format('(%s,0)', backfill_page)::tid$low$;
	high CONSTANT text := $high$pg_catalog.format('(%s,0)', backfill_page + 128)::tid$high$;
BEGIN
	IF leaf IS NOT NULL THEN
		RETURN format(E'DO %1$s\n#variable_conflict use_column\nDECLARE\n\tbackfill_page bigint := 0;\nBEGIN\n'
			|| E'\tWHILE backfill_page * %2$s < pg_catalog.pg_relation_size(%3$L) LOOP\n'
			|| E'\t\tUPDATE ONLY %3$s%4$s\n\t\t WHERE ctid >= %5$s AND ctid < %6$s AND %7$s;\n'
			|| E'\t\tCOMMIT; -- look at replica lag here\n\t\tbackfill_page := backfill_page + 128;\n\tEND LOOP;\nEND %1$s;\n',
			tag, pages, leaf, head, low, high, tail);
	END IF;
	RETURN format(E'DO %1$s\nDECLARE\n\tbackfill_table regclass;\n\tbackfill_page bigint;\nBEGIN\n'
		|| E'\tFOR backfill_table IN\n'
		|| E'\t\tWITH RECURSIVE tree (oid) AS (\n\t\t\tSELECT %3$L::regclass::oid\n\t\t\tUNION\n'
		|| E'\t\t\tSELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid\n\t\t)\n'
		|| E'\t\tSELECT c.oid FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid WHERE c.relkind = ''r''\n\tLOOP\n'
		|| E'\t\tbackfill_page := 0;\n'
		|| E'\t\tWHILE backfill_page * %2$s < pg_catalog.pg_relation_size(backfill_table) LOOP\n'
		|| E'\t\t\tEXECUTE ''UPDATE ONLY '' || backfill_table || %4$s\n\t\t\t  USING %5$s, %6$s;\n'
		|| E'\t\t\tCOMMIT; -- look at replica lag here\n\t\t\tbackfill_page := backfill_page + 128;\n\t\tEND LOOP;\n\tEND LOOP;\nEND %1$s;\n',
		tag, pages, job.table_name,
		quote_literal(format(E' AS %I%s WHERE ctid >= $1 AND ctid < $2 AND %s', (parse_ident(job.table_name))[2], head, tail)), low, high);
END $$;

-- What this version does for a job, as a patient DBA would write it.
CREATE OR REPLACE FUNCTION backfill.as_sql(job_id bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	j backfill.job;
	step backfill.plan_step;
	steps backfill.plan_step[];
	planned boolean;
	parts text[];
	-- what stands for backfill.field_set where the statements are run
	helper text := 'backfill.field_set';
	leaf text;
	filled text;
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
	SELECT array_agg(p ORDER BY p.step) INTO steps FROM backfill.plan_step p WHERE p.job_id = j.id AND p.step > 0;
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
	-- where there is no schema backfill the function comes along
	IF planned AND j.field IS NOT NULL THEN
		helper := format('%I.%I', (parse_ident(j.table_name))[1], 'backfill_field_set_' || j.id);
		s := s || format(E'\n-- what sets the field\n%s;\n', rtrim(replace(pg_get_functiondef('backfill.field_set'::regproc), 'backfill.field_set', helper), E'\n'));
	END IF;
	FOREACH step IN ARRAY steps LOOP
		number := number + 1;
		step.statement := replace(step.statement, 'backfill.field_set(', helper || '(');
		s := s || format(E'\n-- %s. %s\n', number, translate(step.note, E'\r\n', '  '));
		-- by hand there is no daemon to read what the fill trigger counts, and perhaps not even its login
		step.statement := regexp_replace(step.statement, '\nGRANT SELECT ON SEQUENCE [^\n]*backfill_helped_at_[0-9]+ TO [^\n]*;', '');
		-- PostgreSQL 18 names the constraint only when it is made
		IF step.statement LIKE '% VALIDATE CONSTRAINT (its name);' THEN
			s := s || E'-- (should the server have shortened the name or found it taken: see \\d)\n';
			step.statement := replace(step.statement, '(its name)',
			                          quote_ident((parse_ident(j.table_name))[2] || '_' || j.column_name || '_not_null'));
		END IF;
		parts := regexp_match(step.statement, '^UPDATE ONLY (.*?\n\)+) WHERE ctid >= \S+ AND ctid < \S+ AND (.*)$');
		IF step.statement LIKE '--%' THEN
			s := s || regexp_replace(step.statement, '^(--)? *', '-- ', 'ng') || E'\n';
		ELSIF parts IS NOT NULL THEN
			-- of a tree that is planned there is one for each of its tables that have rows
			leaf := coalesce(substring(parts[1] FROM '^((?:"(?:[^"]|"")*"|[^". ]+)\.(?:"(?:[^"]|"")*"|[^". ]+))'), j.table_name);
			filled := backfill.as_sql_fill(j, CASE WHEN planned OR NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = j.table_oid) THEN leaf END,
			                               tag, substr(parts[1], length(leaf) + 1), parts[2]);
			s := s || filled;
			again := coalesce(again || E'\n', '') || filled;
		ELSIF step.statement ~ '^(CREATE|DROP|REINDEX) (UNIQUE )?INDEX CONCURRENTLY ' THEN
			-- no lock_timeout: it waits for old transactions, and blocks nobody
			s := s || format(E'%s; -- outside of BEGIN; should it fail: DROP INDEX CONCURRENTLY, and again\n', rtrim(step.statement, E'; \n'));
		ELSE
			s := s || format(E'BEGIN;\nSET LOCAL lock_timeout = ''%sms'';\n%s;\nCOMMIT;\n',
			                 coalesce(j.ddl_lock_timeout_ms, 200), rtrim(step.statement, E'; \n'));
			IF again IS NOT NULL AND step.statement LIKE 'CREATE TRIGGER %' THEN
				number := number + 1;
				s := s || format(E'\n-- %s. once more: what was left NULL before that trigger\n', number) || again;
			END IF;
		END IF;
	END LOOP;
	RETURN s || CASE WHEN planned AND j.field IS NOT NULL THEN format(E'\nDROP FUNCTION %s;\n', helper) ELSE '' END;
END $$;
