SELECT s.setting::bigint AS deadlock_timeout_ms FROM pg_catalog.pg_settings s WHERE s.name = 'deadlock_timeout'
