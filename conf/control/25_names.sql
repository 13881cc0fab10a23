-- The name of something that a job makes: table_column_tail, shortened as PostgreSQL's own makeObjectName() does it
-- (src/backend/commands/indexcmds.c): 63 bytes at most, taken from the longer of table and column, no character cut in half.
CREATE OR REPLACE FUNCTION backfill.object_name(table_name text, column_name text, tail text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	room CONSTANT int := 63 - CASE WHEN column_name IS NULL THEN 0 ELSE 1 END - coalesce(octet_length(tail) + 1, 0);
	table_bytes int := octet_length(table_name);
	column_bytes int := coalesce(octet_length(column_name), 0);
BEGIN
	WHILE table_bytes + column_bytes > room LOOP
		IF table_bytes > column_bytes THEN
			table_bytes := table_bytes - 1;
		ELSE
			column_bytes := column_bytes - 1;
		END IF;
	END LOOP;
	table_name := left(table_name, table_bytes);
	WHILE octet_length(table_name) > table_bytes LOOP
		table_name := left(table_name, -1);
	END LOOP;
	column_name := left(column_name, column_bytes);
	WHILE octet_length(column_name) > column_bytes LOOP
		column_name := left(column_name, -1);
	END LOOP;
	RETURN concat_ws('_', table_name, column_name, tail);
END $$;

-- The name on another table of the job's tree. Where names have to be cut, those of partitions would become alike: the table's
-- number goes in.
CREATE OR REPLACE FUNCTION backfill.member_name(relation oid, table_name text, column_name text, tail text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN octet_length(concat_ws('_', table_name, column_name, tail)) < 64 THEN concat_ws('_', table_name, column_name, tail)
	            ELSE backfill.object_name(table_name, column_name, concat_ws('_', relation, tail)) END;
$$;
