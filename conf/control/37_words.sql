-- How long something has lasted, for people and as coarse as they would say it: 12 s, 10 min, 2 h 10 min, 3 d 4 h.
CREATE OR REPLACE FUNCTION backfill.in_words(lasted interval) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN s.seconds < 60 THEN format('%s s', s.seconds)
	            WHEN s.seconds < 3600 THEN format('%s min', s.seconds / 60)
	            WHEN s.seconds < 86400 THEN format('%s h %s min', s.seconds / 3600, s.seconds % 3600 / 60)
	            ELSE format('%s d %s h', s.seconds / 86400, s.seconds % 86400 / 3600) END
	  FROM (SELECT greatest(trunc(EXTRACT(epoch FROM lasted)), 0)::bigint AS seconds) s;
$$;
