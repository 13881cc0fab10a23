-- The steps of a job that is not planned yet, as far as its own row tells them. Of a tree of tables only what the table at its top
-- hands down; the rest is told.
CREATE OR REPLACE FUNCTION backfill.job_sketch(job backfill.job) RETURNS SETOF backfill.plan_step
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	sync CONSTANT text := CASE WHEN job.sync = 'auto' THEN CASE WHEN job.value IS NULL THEN 'none' ELSE 'fill' END ELSE job.sync END;
	path CONSTANT text[] := parse_ident(job.table_name);
	fn CONSTANT text := format('%I.%I', path[1], 'sync_' || job.id);
	seq CONSTANT text := format('%I.%I', path[1], 'numbers_' || job.id);
	trg CONSTANT text := quote_ident('~sync_' || job.id);
	chk CONSTANT text := quote_ident('not_null_' || job.id);
	idx CONSTANT text := quote_ident(backfill.object_name(path[2], job.column_name, 'idx'));
	key CONSTANT text := quote_ident(backfill.object_name(path[2], job.column_name, 'key'));
	rule CONSTANT text := quote_ident(backfill.object_name(path[2], job.column_name, 'check'));
	there CONSTANT text := quote_ident(backfill.object_name(path[2], job.column_name, CASE WHEN job.check_expr IS NULL THEN 'check' ELSE 'check1' END));
	fkey CONSTANT text := quote_ident(backfill.object_name(path[2], job.column_name, 'fkey'));
	v CONSTANT text := quote_ident(job.column_name);
	expr CONSTANT text := CASE WHEN job.identity IS NOT NULL THEN format('nextval(%L)', seq) ELSE coalesce(job.value, job.default_expr) END;
	-- of the column that stands for %1$s
	missing CONSTANT text := CASE WHEN job.field IS NULL THEN '%1$s IS NOT DISTINCT FROM NULL'
	                              ELSE format('%%1$s IS NOT NULL AND %%1$s #> %s IS NULL', replace(quote_literal(job.field), '%', '%%')) END;
	-- each: what a table at the top of a tree cannot hand down
	each CONSTANT text := CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = job.table_oid) THEN '-- on each table of the tree: ' ELSE '' END;
	assigned text := v;
	s record;
	body text;
	tag text := '$body$';
	step backfill.plan_step;
BEGIN
	-- a key inside a document: its parents are made on the way
	FOR i IN 1 .. coalesce(cardinality(job.field), 0) - 1 LOOP
		assigned := format('jsonb_set(%s, %L, coalesce(%s #> %2$L, ''{}''))', assigned, job.field[1:i], v);
	END LOOP;
	assigned := CASE WHEN job.field IS NULL THEN format(E'%s\n', expr)
	                 ELSE format(E'coalesce(jsonb_set(%s, %L, (%s\n)), %s)', assigned, job.field, expr, v) END;

	-- a sub-select over the new row gives its columns the names that the expressions know
	body := E'\n#variable_conflict use_column\nBEGIN\n'
	  || CASE WHEN job.fill_where IS NULL THEN ''
	          ELSE format(E'\tIF NOT EXISTS (SELECT FROM (SELECT NEW.*) AS %I WHERE (%s\n)) THEN\n\t\tRETURN NEW;\n\tEND IF;\n', path[2],
	                      job.fill_where) END
	  || format(E'\tSELECT (%s) INTO NEW.%s FROM (SELECT NEW.*) AS %I;\n', assigned, v, path[2])
	  || E'\tRETURN NEW;\nEND\n';
	WHILE strpos(body || '$', tag) > 0 LOOP
		tag := format('$body%s$', length(tag));
	END LOOP;

	step.job_id := job.id;
	step.step := 0;
	FOR s IN
		SELECT w.note, w.statement FROM (VALUES
			('add the column', NOT job.adopted AND job.identity IS NULL,
			 format(E'ALTER TABLE %s ADD COLUMN %s %s%s%s', job.table_name, v, coalesce(job.exact_type, job.column_type),
			        ' COLLATE ' || job.collation,
			        CASE WHEN job.default_expr IS NOT NULL THEN format(E', ALTER COLUMN %s SET DEFAULT (%s\n)', v, job.default_expr) END)),
			('add the column, numbered by a sequence for as long as it is filled', job.identity IS NOT NULL,
			 format(E'CREATE SEQUENCE %1$s AS %2$s;\nGRANT USAGE ON SEQUENCE %1$s TO PUBLIC;\n'
			        'ALTER TABLE %3$s ADD COLUMN %4$s %2$s, ALTER COLUMN %4$s SET DEFAULT nextval(%1$L)', seq, job.column_type, job.table_name, v)),
			('set the default', job.adopted AND job.default_expr IS NOT NULL,
			 format(E'ALTER TABLE %s ALTER COLUMN %s SET DEFAULT (%s\n)', job.table_name, v, job.default_expr)),
			('fill rows that are written meanwhile', sync <> 'none',
			 format(E'CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = %s AS %s;\n', fn,
			        job.search_path, tag || body || tag)
			 || format(E'REVOKE ALL ON FUNCTION %s() FROM PUBLIC;\n', fn)
			 || format(E'CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW %sEXECUTE FUNCTION %s()', trg, job.table_name,
			           CASE sync WHEN 'fill' THEN format('WHEN (%s) ', format(missing, 'NEW.' || v)) END, fn)),
			('fill existing rows in batches', expr IS NOT NULL,
			 format(E'UPDATE ONLY %s SET %s = (%s', job.table_name, v, rtrim(assigned, E'\n')) || E'\n) WHERE ctid >= ? AND ctid < ? AND '
			 || CASE sync WHEN 'derive' THEN '' ELSE format('(%s) IS TRUE AND ', format(missing, v)) END
			 || CASE WHEN job.fill_where IS NULL THEN '' ELSE format(E'(%s\n) IS TRUE AND ', job.fill_where) END
			 || CASE WHEN sync = 'derive' THEN format(E'%s IS DISTINCT FROM (%s\n)', v, expr) WHEN job.identity IS NOT NULL THEN 'true'
			         ELSE format(E'(%s\n) IS DISTINCT FROM NULL', expr) END),
			('build the index', job.index NOT IN ('none', 'advise'),
			 each || format('CREATE INDEX CONCURRENTLY %s ON %s USING %s%s', idx, job.table_name,
			                CASE WHEN job.index ~ '\(' THEN job.index ELSE format('%s (%s)', job.index, v) END, ' WHERE (' || job.index_where || E'\n)')),
			('require the CHECK of new rows', job.check_expr IS NOT NULL,
			 format(E'ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s\n) NOT VALID', job.table_name, rule, job.check_expr)),
			('validate the CHECK', job.check_expr IS NOT NULL, format('ALTER TABLE %s VALIDATE CONSTRAINT %s', job.table_name, rule)),
			('require the field of new documents', job.not_null AND job.field IS NOT NULL,
			 format('ALTER TABLE %s ADD CONSTRAINT %s CHECK (%3$s IS NULL OR %3$s #> %4$L IS NOT NULL) NOT VALID', job.table_name, there, v, job.field)),
			('validate it', job.not_null AND job.field IS NOT NULL, format('ALTER TABLE %s VALIDATE CONSTRAINT %s', job.table_name, there)),
			('require NOT NULL of new rows', job.not_null AND job.field IS NULL,
			 format('ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS DISTINCT FROM NULL) NOT VALID', job.table_name, chk, v)),
			('validate NOT NULL', job.not_null AND job.field IS NULL, format('ALTER TABLE %s VALIDATE CONSTRAINT %s', job.table_name, chk)),
			('set NOT NULL', job.not_null AND job.field IS NULL, format('ALTER TABLE %s ALTER COLUMN %s SET NOT NULL', job.table_name, v)),
			('drop the CHECK that NOT NULL replaces', job.not_null AND job.field IS NULL,
			 format('ALTER TABLE %s DROP CONSTRAINT %s', job.table_name, chk)),
			('require the foreign key of new rows', job.foreign_key IS NOT NULL,
			 each || format('ALTER TABLE %s ADD CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s NOT VALID', job.table_name, fkey, v, job.foreign_key)),
			('validate the foreign key', job.foreign_key IS NOT NULL, each || format('ALTER TABLE %s VALIDATE CONSTRAINT %s', job.table_name, fkey)),
			('build the unique index', job.is_unique,
			 each || format('CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)', key, job.table_name, v)),
			('make it a constraint', job.is_unique,
			 each || format('ALTER TABLE %s ADD CONSTRAINT %s UNIQUE USING INDEX %2$s', job.table_name, key)),
			('make the column an identity column', job.identity IS NOT NULL,
			 format(E'LOCK TABLE %1$s IN ACCESS EXCLUSIVE MODE;\nALTER TABLE %1$s ALTER COLUMN %2$s DROP DEFAULT;\n'
			        'DO $identity$\nBEGIN\n\tEXECUTE format(%3$L, nextval(%4$L));\nEND $identity$;\nDROP SEQUENCE %4$s', job.table_name, v,
			        format('ALTER TABLE %s ALTER COLUMN %s ADD GENERATED %s AS IDENTITY (START %%s)', replace(job.table_name, '%', '%%'),
			               replace(v, '%', '%%'), upper(job.identity)), seq)),
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
