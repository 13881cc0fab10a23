-- Where these are off, pg_stat_activity and the counters show a server at rest.
SELECT pg_catalog.current_setting('track_activities') = 'on' AND pg_catalog.current_setting('track_counts') = 'on' AS tracks
