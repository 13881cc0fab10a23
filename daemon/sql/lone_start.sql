-- How a session starts that carries out a statement which no transaction may hold: as the table's owner $1, with the submitter's
-- path $2. It waits for as long as it takes: a build that gave up would leave an invalid index behind.
SELECT pg_catalog.set_config('search_path', $2, false),
       pg_catalog.set_config('lock_timeout', '0', false),
       pg_catalog.set_config('idle_in_transaction_session_timeout', '0', false),
       pg_catalog.set_config('row_security', 'off', false),
       pg_catalog.set_config('standard_conforming_strings', 'on', false),
       pg_catalog.set_config('role', $1, false)
