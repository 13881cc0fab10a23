#!/usr/bin/env bash
# conf/control/*.sql: fresh, again, beside others, over a newer version, without the rights it needs.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

# install_refused WHAT REGEX [USER]: the install fails so.
install_refused() {
	local said
	if said=$(control_install "${3:-backfilld}"); then
		not_ok "$1" "the install went through"
	else
		expect_match "$1" "$2" "$said"
	fi
}

cluster_start main
sql main "CREATE ROLE stranger LOGIN; CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE shop TO plain;"

install_refused "without CREATE on the database" 'stranger may not create schema backfill.*GRANT CREATE ON DATABASE shop TO stranger' stranger
install_refused "without CREATEROLE, roles missing" 'role backfill_user is missing and role plain may not create it.*CREATE ROLE backfill_admin' plain
expect_sql "a refused install leaves nothing" f "SELECT to_regnamespace('backfill') IS NOT NULL"
sql main "CREATE SCHEMA backfill AUTHORIZATION backfilld; CREATE TABLE backfill.mine (id int);"
install_refused "a schema backfill of somebody's own" "that is not backfilld's.*RENAME TO"
sql main "DROP TABLE backfill.mine"

expect_equal "a fresh install says nothing, also into an empty schema" "" "$(control_install)"
expect_sql "it is version 3" 3 "SELECT version FROM backfill.schema_version"
expect_sql "an admin may do what a user may" t "SELECT pg_has_role('backfill_admin', 'backfill_user', 'USAGE')"
expect_sql "everything belongs to the control login" 0 "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'backfill' AND pg_get_userbyid(c.relowner) <> 'backfilld'"
expect_sql "every table, view and column of a table says what it is" "" "SELECT c.oid::regclass, a.attname
	FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND c.relkind = 'r'
	WHERE c.relnamespace = 'backfill'::regnamespace AND c.relkind IN ('r', 'v')
	AND (obj_description(c.oid, 'pg_class') IS NULL OR (a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL))"
expect_sql "every function says what it is" "" "SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'backfill'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL"
expect_sql "what runs as its owner, and what cannot be resolved wrongly, has a pinned search_path" "field_set job_resolve wait_for" \
	"SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = 'backfill'::regnamespace
	AND (p.proconfig IS NULL OR NOT 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig))"
expect_sql "these do not run as their owner" 0 "SELECT count(*) FROM pg_proc p
	WHERE p.pronamespace = 'backfill'::regnamespace AND p.prosecdef AND p.proconfig IS NULL"
expect_sql "the public may call what batches call" "backfill.field_set backfill.move_bookmark" "SELECT string_agg('backfill.' || p.proname, ' ' ORDER BY p.proname) FROM pg_proc p
	WHERE p.pronamespace = 'backfill'::regnamespace AND has_function_privilege('stranger', p.oid, 'EXECUTE')"

# Again
sql main "GRANT backfill_user TO shop_owner"
sql -U shop_owner main "CREATE TABLE public.orders (id int)"
enqueue shop_owner kept orders v text >/dev/null
before=$(sql main "SELECT id, stage, requested_by FROM backfill.job")
installed=$(sql main "SELECT xmin, installed_at FROM backfill.schema_version")
triggers=$(sql main "SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgrelid = 'backfill.job'::regclass")
expect_equal "a second install says nothing" "" "$(control_install)"
expect_sql "it keeps the jobs" "$before" "SELECT id, stage, requested_by FROM backfill.job"
expect_sql "it does not claim to be new" "$installed" "SELECT xmin, installed_at FROM backfill.schema_version"
expect_sql "it makes no trigger anew" "$triggers" "SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgrelid = 'backfill.job'::regclass"

# Beside a live daemon and a user in the middle of something
coproc held { psql_at main -d shop -Atq; }
holder=$!
echo "BEGIN; UPDATE backfill.job SET note = 'open' RETURNING 'held';" >&"${held[1]}"
read -r seen <&"${held[0]}"
expect_equal "a transaction is open on the job" held "$seen"
expect_equal "an install does not mind it" "" "$(control_install)"
echo "SELECT stage FROM backfill.status;" >&"${held[1]}"
read -r seen <&"${held[0]}"
install_refused "a reader of the view is waited for, then named" 'view of schema backfill is being read.*pg_stat_activity'
echo "COMMIT; SELECT pg_advisory_lock(hashtextextended('backfill control schema', 0)) IS NOT NULL;" >&"${held[1]}"
read -r seen <&"${held[0]}"
install_refused "two installs at once" 'another install of schema backfill is running.*run backfilld --install again'
eval "exec ${held[1]}>&-"
wait "$holder"

sql main "DROP TRIGGER job_7_moved ON backfill.job; DROP POLICY job_read ON backfill.job"
expect_equal "an install repairs" "" "$(control_install)"
expect_sql "what has gone missing" "1|1" "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = 'job_7_moved'), (SELECT count(*) FROM pg_policy WHERE polname = 'job_read')"

install_refused "somebody else's upgrade" 'schema backfill belongs to role backfilld, not to plain.*conninfo of backfilld' plain

# A later version: a step of its own, and what it drops is made anew
sed -e 's/offered CONSTANT int := 3;/offered CONSTANT int := 4;/' \
	-e 's/^\t-- Upgrade steps, .*/\tIF installed = 3 THEN ALTER TABLE backfill.job ADD COLUMN tablespace text; DROP TRIGGER job_2_check ON backfill.job; END IF;/' \
	"$TOP"/conf/control/*.sql >"$WORK/later.sql"
expect_equal "an upgrade says nothing" "" "$(control_send "$WORK/later.sql" -U backfilld)"
expect_sql "it keeps the jobs, with what is new" "1|queued|shop_owner|" "SELECT id, stage, requested_by, tablespace FROM backfill.job"
expect_sql "and makes anew what it has dropped" 1 "SELECT count(*) FROM pg_trigger WHERE tgname = 'job_2_check'"
expect_equal "once" "" "$(control_send "$WORK/later.sql" -U backfilld)"

# Over a newer one
install_refused "over a newer version" 'is version 4, this backfilld brings version 3.*Install a newer backfilld'
expect_sql "and nothing is changed then" 4 "SELECT version FROM backfill.schema_version"

# From earlier versions: what they have kept from running
columns() {
	sql main "SELECT c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
			|| coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), ''), ', ' ORDER BY a.attname)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relnamespace = 'backfill'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped GROUP BY c.relname ORDER BY c.relname"
}
for version in 2 1; do
	sql main "DROP SCHEMA backfill CASCADE"
	control_install >/dev/null
	fresh=$(columns)
	sql main "GRANT backfill_user TO shop_owner"
	enqueue shop_owner kept orders v text >/dev/null
	earlier="DROP TABLE backfill.leaf; DROP VIEW backfill.status, backfill.job_summary; DROP FUNCTION backfill.object_name; ALTER TABLE backfill.job DROP COLUMN object_names,
		DROP COLUMN had, DROP COLUMN helped, DROP COLUMN last_helped_at, DROP COLUMN helped_by, DROP COLUMN helped_unread, DROP COLUMN held_since, DROP COLUMN born_in"
	if ((version < 2)); then
		earlier+="; DROP FUNCTION backfill.daily_window_read, backfill.daily_window_at, backfill.daily_window_after"
	fi
	sql main "$earlier; UPDATE backfill.schema_version SET version = $version"
	expect_equal "an upgrade from version $version says nothing" "" "$(control_install)"
	expect_sql "it is version 3 now, and keeps the jobs" "3|kept|queued" "SELECT v.version, j.name, j.stage FROM backfill.schema_version v, backfill.job j"
	expect_equal "its tables are those of a fresh install" "$fresh" "$(columns)"
	expect_sql "whose status says when they end" 1 "SELECT count(*) FROM backfill.status WHERE eta_range IS NULL AND doing IS NULL"
	expect_sql "which know that their oids are this database's" t "SELECT born_in = 'backfill.job'::regclass FROM backfill.job"
done

# What jobs of a schema that is gone have left: their ids are not used again
sql main "DROP SCHEMA backfill CASCADE; CREATE FUNCTION public.backfill_derive_41() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER \"~backfill_40_insert\" BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.backfill_derive_41();
	CREATE FUNCTION public.backfill_fill_x() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION public.backfill_fill_() RETURNS int LANGUAGE sql AS 'SELECT 1'"
expect_equal "an install beside leftovers of earlier jobs" "" "$(control_install)"
sql main "GRANT backfill_user TO shop_owner"
expect_equal "starts after the highest of their ids" 42 "$(enqueue shop_owner after orders v text)"
sql main "ALTER TRIGGER \"~backfill_40_insert\" ON public.orders RENAME TO \"~backfill_50_update\"; DROP SCHEMA backfill CASCADE"
control_install >/dev/null
expect_equal "whatever has it" 51 "$(enqueue shop_owner after orders v text)"

# Several databases at once share the roles
sql main "REVOKE backfill_user FROM backfill_admin, shop_owner; DROP SCHEMA backfill CASCADE; DROP OWNED BY backfill_user, backfill_admin; DROP ROLE backfill_user, backfill_admin"
for database in one two three; do
	sql main "CREATE DATABASE $database"
	sql main "GRANT CREATE ON DATABASE $database TO backfilld"
done
pids=()
for database in one two three; do
	control_send - -U backfilld -d "$database" >"$WORK/$database.out" &
	pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || true
done
for database in one two three; do
	expect_equal "database $database is installed beside the others" "" "$(<"$WORK/$database.out")"
done

# A database that cannot write the bar's blocks
sql main "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
sql main "GRANT CREATE ON DATABASE latin TO backfilld"
expect_equal "a LATIN1 database is installed" "" "$(control_send - -U backfilld -d latin)"
sql -d latin main "CREATE TABLE public.t (id int); INSERT INTO backfill.job (table_name, column_name, column_type) VALUES ('t', 'v', 'int')"
expect_sql "and shows progress in its own letters" "----------   0.0 %" -d latin "SELECT progress FROM backfill.status"
