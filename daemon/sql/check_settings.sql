SELECT pg_catalog.current_setting('track_activities') = 'on' AND pg_catalog.current_setting('track_counts') = 'on' AS tracks,
       (SELECT s.setting::bigint FROM pg_catalog.pg_settings s WHERE s.name = 'deadlock_timeout') AS deadlock_timeout_ms
