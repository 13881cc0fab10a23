-- The part of the day in which a job fills.

-- What a user writes as daily_window, with all of it spelt out: 22:00-05:30 Europe/Berlin. Where no zone is written, that of
-- the session counts.
CREATE OR REPLACE FUNCTION backfill.daily_window_read(written text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parts CONSTANT text[] := regexp_match(btrim(written, E' \t\r\n'),
		'^([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*(?:(24:00)|([01]?[0-9]|2[0-3]):([0-5][0-9]))(?:\s+(.+))?$');
	opens CONSTANT text := lpad(parts[1], 2, '0') || ':' || parts[2];
	closes CONSTANT text := CASE WHEN parts[3] IS NULL THEN lpad(parts[4], 2, '0') || ':' || parts[5] ELSE '00:00' END;
	asked CONSTANT text := coalesce(parts[6], current_setting('TimeZone'));
	zone text;
	near text;
BEGIN
	IF written IS NULL THEN
		RETURN NULL;
	END IF;
	IF parts IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('daily_window = %L is not a part of the day', written),
			DETAIL = 'It opens and closes at a time of the day, 00:00 to 23:59, and may name the time zone that these are in.',
			HINT = 'Write for example daily_window = ''22:00-05:30 Europe/Berlin''.', COLUMN = 'daily_window';
	END IF;
	IF opens = closes THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('daily_window = %L opens and closes at the same time', written),
			DETAIL = format('Both of its ends are %s: that could mean all day or never.', opens),
			HINT = 'For all day leave daily_window null; for never set wanted = ''pause''.', COLUMN = 'daily_window';
	END IF;

	SELECT z.name INTO zone FROM pg_timezone_names z WHERE lower(z.name) = lower(asked) ORDER BY z.name <> asked LIMIT 1;
	IF zone IS NULL THEN
		SELECT z.name INTO near FROM pg_timezone_names z
		 WHERE z.name ~ '^[A-Z][a-z]+/' AND strpos(lower(z.name), replace(lower(asked), ' ', '_')) > 0 ORDER BY length(z.name), z.name LIMIT 1;
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('daily_window = %L: this server knows no time zone %s', written, asked),
			DETAIL = CASE WHEN parts[6] IS NULL THEN format('No zone is written there, so that of the session counts: TimeZone is %s.', asked)
			              ELSE 'Zones have the names of pg_timezone_names; offsets and most abbreviations do not follow summer time.' END,
			HINT = format('Write for example daily_window = ''%s-%s %s''.', opens, closes, coalesce(near, 'Europe/Berlin')),
			COLUMN = 'daily_window';
	END IF;
	RETURN format('%s-%s %s', opens, closes, zone);
END $$;

-- Whether a window as daily_window_read() spells it is open at an instant, by the clock on the wall of its zone: when that is
-- put forward or back, the window is with it. While it is open: how far off by that clock its end is. When it opens next is for
-- people. A zone may go away with an upgrade of the system: then the window stays shut, and the job says so.
CREATE OR REPLACE FUNCTION backfill.daily_window_at(daily_window text, instant timestamptz)
RETURNS TABLE (is_open boolean, closes_in interval, opens_at text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	zone CONSTANT text := substr(daily_window, 13);
	opens CONSTANT time := substr(daily_window, 1, 5);
	closes CONSTANT time := substr(daily_window, 7, 5);
	wall timestamp;
BEGIN
	BEGIN
		wall := instant AT TIME ZONE zone;
	EXCEPTION WHEN invalid_parameter_value THEN
		is_open := false;
		opens_at := format('never: this server knows no time zone %s', zone);
		RETURN NEXT;
		RETURN;
	END;
	is_open := CASE WHEN opens < closes THEN wall::time >= opens AND wall::time < closes
	             ELSE wall::time >= opens OR wall::time < closes END;
	IF is_open THEN
		closes_in := closes - wall::time;
		closes_in := closes_in + CASE WHEN closes_in > interval '0' THEN interval '0' ELSE interval '24 hours' END;
	END IF;
	opens_at := to_char(wall::date + CASE WHEN wall::time < opens THEN 0 ELSE 1 END + opens, 'YYYY-MM-DD HH24:MI ') || zone;
	RETURN NEXT;
END $$;

-- When so much time inside the window will have passed since an instant; with no window: so much time. For forecasts: the nights
-- on which a clock is put forward or back are taken to be like others.
CREATE OR REPLACE FUNCTION backfill.daily_window_after(daily_window text, instant timestamptz, work interval) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	zone CONSTANT text := substr(daily_window, 13);
	opens CONSTANT time := substr(daily_window, 1, 5);
	closes CONSTANT time := substr(daily_window, 7, 5);
	a_day CONSTANT interval := closes - opens + CASE WHEN closes > opens THEN interval '0' ELSE interval '24 hours' END;
	w record;
	days int;
	wall timestamp;
BEGIN
	IF daily_window IS NULL OR work IS NULL THEN
		RETURN instant + work;
	END IF;
	SELECT * INTO w FROM backfill.daily_window_at(daily_window, instant);
	IF w.is_open AND work <= w.closes_in THEN
		RETURN instant + work;
	ELSIF w.is_open THEN
		work := work - w.closes_in;
	ELSIF w.opens_at LIKE 'never%' THEN
		RETURN NULL;
	END IF;
	days := greatest(ceil(EXTRACT(epoch FROM work) / EXTRACT(epoch FROM a_day)) - 1, 0);
	wall := instant AT TIME ZONE zone;
	wall := wall::date + CASE WHEN wall::time < opens THEN 0 ELSE 1 END + days + opens + (work - days * a_day);
	RETURN wall AT TIME ZONE zone;
END $$;
