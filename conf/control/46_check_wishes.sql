-- Do the expressions and options of a new job fit each other?
CREATE OR REPLACE FUNCTION backfill.job_check_wishes(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what text := format('column %I of table %s', job.column_name, job.table_name);
	sync CONSTANT text := CASE WHEN job.sync = 'auto' THEN CASE WHEN job.value IS NULL THEN 'none' ELSE 'fill' END ELSE job.sync END;
	r record;
BEGIN
	SELECT k.* INTO r
	  FROM (VALUES
		(btrim(job.name) = '', 'name', 'name is empty',
		 'A job''s name is what it is found by.', 'Leave it null, or give the change id of your version control.'),
		(job.sync NOT IN ('auto', 'none', 'fill', 'derive'), 'sync', format('sync = %L is not a way to keep up with writes', job.sync),
		 'It can be auto, none, fill or derive.', 'Leave it out: auto is fill when there is a value, else none.'),
		(btrim(job.default_expr, E' \t\r\n') = '', 'default_expr', 'default_expr is empty',
		 'An expression has some text; an empty string is two quotes inside it.', 'Leave it null, or write an expression such as now().'),
		(btrim(job.value, E' \t\r\n') = '', 'value', 'value is empty',
		 'An expression has some text; an empty string is two quotes inside it.', 'Leave it null, or write an expression such as upper(email).'),
		(btrim(job.fill_where, E' \t\r\n') = '', 'fill_where', 'fill_where is empty',
		 'A condition has some text.', 'Leave it null to fill every row.'),
		(job.sync = 'derive' AND job.value IS NULL, 'value', 'sync = derive needs a value',
		 'Its trigger would have nothing to compute.', 'Give value, an expression over the row''s other columns.'),
		(job.sync = 'fill' AND job.value IS NULL AND job.default_expr IS NULL, 'value', 'sync = fill needs a value or a default_expr',
		 'Its trigger would have nothing to fill in.', 'Give value or default_expr, or leave sync out.'),
		(job.fill_where IS NOT NULL AND job.value IS NULL AND job.default_expr IS NULL, 'fill_where',
		 'fill_where needs a value or a default_expr', 'There is nothing to fill the rows with.', 'Give value or default_expr, or leave fill_where out.'),
		(btrim(job.check_expr, E' \t\r\n') = '', 'check_expr', 'check_expr is empty',
		 'A condition has some text.', 'Leave it null, or write a condition such as total >= 0.'),

		(job.identity NOT IN ('always', 'by default'), 'identity', format('identity = %L is no kind of identity column', job.identity),
		 'It can be always or by default.', 'Write identity = ''always'', or leave it null for an ordinary column.'),
		(job.identity IS NOT NULL AND (job.default_expr IS NOT NULL OR job.value IS NOT NULL), 'identity',
		 format('identity goes without %s', CASE WHEN job.value IS NOT NULL THEN 'value' ELSE 'default_expr' END),
		 'The server itself numbers the rows: new ones as they come, those that are there in the fill.',
		 'Leave default_expr and value null; or leave identity null and number them with a sequence of your own.'),
		(job.identity IS NOT NULL AND job.fill_where IS NOT NULL, 'fill_where', 'identity goes without fill_where',
		 'Every row of an identity column has a number.', 'Leave fill_where null.'),
		(job.identity IS NOT NULL AND sync <> 'none', 'sync', format('identity goes without sync = %s', sync),
		 'Rows written meanwhile get their number from the column''s default.', 'Leave sync out.'),

		(job.field IS NOT NULL AND (cardinality(job.field) = 0 OR array_ndims(job.field) > 1 OR array_position(job.field, NULL) IS NOT NULL), 'field',
		 format('field = %L is not a path', job.field),
		 'It is a list of at least one key, each inside the one before, none of them null.', 'Write for example field = ''{address,zip}''.'),
		(job.field IS NOT NULL AND job.value IS NULL, 'value', 'field needs a value',
		 'There is nothing to put there.', 'Give value, an expression of type jsonb such as to_jsonb(lower(email)).'),
		(job.field IS NOT NULL AND (job.default_expr IS NOT NULL OR job.is_unique OR job.foreign_key IS NOT NULL OR job.collation IS NOT NULL), 'field',
		 format('field goes without %s', CASE WHEN job.default_expr IS NOT NULL THEN 'default_expr'
		                                      WHEN job.is_unique THEN 'is_unique' WHEN job.foreign_key IS NOT NULL THEN 'foreign_key' ELSE 'collation' END),
		 'That would be for the whole document, not for the field.',
		 'Leave it out; an index of the field alone is index = ''btree ((document #>> {address,zip}))''.'),
		(job.field IS NOT NULL AND sync = 'derive', 'sync', 'field goes without sync = derive',
		 'A trigger sets the field where it is missing, and never over what the application wrote.', 'Write sync = ''fill'' or ''none'', or leave it out.'),

		(job.seal_after_quiet <= interval '0', 'seal_after_quiet', format('seal_after_quiet = %L is no time to wait for', job.seal_after_quiet),
		 'The job is let go once no write has needed its trigger for that long.', 'Write for example seal_after_quiet = ''6 hours''.'),
		(job.seal_after_quiet IS NOT NULL AND NOT 'seal' = ANY (job.hold_before), 'seal_after_quiet', 'seal_after_quiet needs hold_before = {seal}',
		 'There is no hold that it could let go of.', 'Write hold_before = ''{seal}'' as well, or leave seal_after_quiet null.'),
		(job.seal_after_quiet IS NOT NULL AND sync <> 'fill', 'seal_after_quiet', format('seal_after_quiet goes without sync = %s', sync),
		 'Only the fill trigger counts the writes that need its help.', 'Write sync = ''fill'', or leave seal_after_quiet null and let go with backfill.proceed().'),

		(array_position(job.depends_on, NULL) IS NOT NULL OR '' = ANY (job.depends_on), 'depends_on', format('depends_on = %L names no job in one place', job.depends_on),
		 'Each of them is the name of a job.', 'Write for example depends_on = ''{add-region,add-zip}''.'),
		(job.name = ANY (job.depends_on), 'depends_on', format('job %L depends on itself', job.name),
		 'It would wait for ever.', 'Leave its own name out of depends_on.'),

		(job.wanted IN ('cancel', 'roll_back'), 'wanted', format('a new job cannot start with wanted = %L', job.wanted),
		 'There is nothing to stop or to take back yet.', 'Insert it with wanted = ''run'' or ''pause''.')
	  ) AS k (is_so, at, message, why, instead)
	 WHERE k.is_so LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = r.message, DETAIL = format('The job is for %s. %s', what, r.why), HINT = r.instead, COLUMN = r.at;
	END IF;
END $$;

-- Raises when jobs would wait for each other for ever. One that is done keeps nobody waiting.
CREATE OR REPLACE FUNCTION backfill.job_check_circle(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	circle text[];
BEGIN
	WITH RECURSIVE way AS (
		SELECT d.name, ARRAY[job.name, d.name] AS names FROM unnest(job.depends_on) AS d (name)
		UNION ALL
		SELECT d.name, w.names || d.name
		  FROM way w JOIN backfill.job j ON j.name = w.name AND j.stage <> 'done', unnest(j.depends_on) AS d (name)
		 WHERE w.name <> job.name AND NOT d.name = ANY (w.names[2:])
	)
	SELECT w.names INTO circle FROM way w WHERE w.name = job.name ORDER BY cardinality(w.names) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_object_definition',
			MESSAGE = format('job %L would wait for itself', job.name),
			DETAIL = format('Each of these depends on the next: %s.', array_to_string(circle, ' -> ')),
			HINT = format('Leave %s out of depends_on, or cancel and insert again the job that ought to come first.', quote_literal(circle[2])),
			COLUMN = 'depends_on';
	END IF;
END $$;
