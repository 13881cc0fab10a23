-- The document with the value at the path, where nothing is there yet; parents that are missing are made. A value that is NULL
-- asks for nothing. A batch calls it for each row, on the submitter's search_path: everything is qualified, and no SET slows it down.
CREATE OR REPLACE FUNCTION backfill.field_set(document jsonb, path text[], value jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	depth CONSTANT int := pg_catalog.cardinality(path);
	place jsonb := document;
	made jsonb := value;
	kind text;
BEGIN
	IF document IS NULL OR value IS NULL THEN
		RETURN document;
	END IF;
	FOR i IN 1 .. depth LOOP
		kind := pg_catalog.jsonb_typeof(place);
		IF kind OPERATOR(pg_catalog.<>) 'object' THEN
			RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
				MESSAGE = pg_catalog.format('field %s needs an object %s, and there is %s', path,
					CASE WHEN i OPERATOR(pg_catalog.=) 1 THEN 'as document' ELSE pg_catalog.format('at %s', path[1:i OPERATOR(pg_catalog.-) 1]) END,
					CASE kind WHEN 'array' THEN 'an array' WHEN 'null' THEN 'a null of JSON' ELSE pg_catalog.format('a %s', kind) END),
				HINT = 'Mend that document, or leave it out with fill_where; then set wanted = ''run''.';
		END IF;
		place := pg_catalog.jsonb_object_field(place, path[i]);
		IF place IS NULL THEN
			FOR j IN REVERSE depth .. i OPERATOR(pg_catalog.+) 1 LOOP
				made := pg_catalog.jsonb_build_object(path[j], made);
			END LOOP;
			RETURN pg_catalog.jsonb_set(document, path[1:i], made, true);
		END IF;
	END LOOP;
	RETURN document;
END $$;
