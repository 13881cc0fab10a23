-- Do the expressions and options of a new job fit each other?
CREATE OR REPLACE FUNCTION backfill.job_check_wishes(job backfill.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what text := format('column %I of table %s', job.column_name, job.table_name);
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
		(job.wanted IN ('cancel', 'roll_back'), 'wanted', format('a new job cannot start with wanted = %L', job.wanted),
		 'There is nothing to stop or to take back yet.', 'Insert it with wanted = ''run'' or ''pause''.')
	  ) AS k (is_so, at, message, why, instead)
	 WHERE k.is_so LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = r.message, DETAIL = format('The job is for %s. %s', what, r.why), HINT = r.instead, COLUMN = r.at;
	END IF;
END $$;
