-- A tiny commit: a standby reports its position only when something was flushed.
SELECT pg_catalog.pg_logical_emit_message(true, 'backfilld', '')
