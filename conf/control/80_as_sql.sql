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
			('fill existing rows in batches'
			 || CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = job.table_oid)
			         THEN format('; the same of each of its partitions or inheritance children that has rows, AS %I', path[2]) ELSE '' END,
			 expr IS NOT NULL,
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
			-- of a tree there is one for each of its tables that have rows
			leaf := coalesce(substring(step.statement FROM '^UPDATE ONLY ((?:"(?:[^"]|"")*"|[^". ]+)\.(?:"(?:[^"]|"")*"|[^". ]+))'), j.table_name);
			filled := format(E'DO %1$s\n#variable_conflict use_column\nDECLARE\n\tbackfill_page bigint := 0;\nBEGIN\n'
				|| E'\tWHILE backfill_page * pg_catalog.current_setting(''block_size'')::bigint < pg_catalog.pg_relation_size(%2$L) LOOP\n'
				|| E'\t\t%3$s\n\t\t WHERE ctid >= pg_catalog.format(''(%%s,0)'', backfill_page)::tid'
				|| E' AND ctid < pg_catalog.format(''(%%s,0)'', backfill_page + 128)::tid AND %4$s;\n'
				|| E'\t\tCOMMIT; -- look at replica lag here\n\t\tbackfill_page := backfill_page + 128;\n\tEND LOOP;\nEND %1$s;\n',
				tag, leaf, parts[1], parts[2]);
			s := s || filled;
			again := coalesce(again || E'\n', '') || filled;
		END IF;
	END LOOP;
	RETURN s;
END $$;
