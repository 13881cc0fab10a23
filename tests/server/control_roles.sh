#!/usr/bin/env bash
# Who may do what to which job, and what a hostile search_path, a forged column or a repeated migration come to.
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/control_lib.sh
. "$(dirname "$0")/control_lib.sh"

control_cluster
ours=$(enqueue alice ours alice.items v text)
theirs=$(enqueue bob theirs bob.parts v text)

# Who asks
expect_sql "the server says who asked" alice "SELECT requested_by FROM backfill.job WHERE id = $ours"
for column in requested_by stage rows_filled epoch error table_oid held_at changed_by id; do
	expect_error "$column cannot be inserted" 42501 'permission denied' -U alice \
		"INSERT INTO backfill.job (table_name, column_name, column_type, $column) VALUES ('items', 'w', 'text', DEFAULT)"
	expect_error "$column cannot be updated" 42501 'permission denied' -U alice "UPDATE backfill.job SET $column = DEFAULT"
done
for column in table_name column_name value not_null name; do
	expect_error "$column cannot be updated" 42501 'permission denied' -U alice "UPDATE backfill.job SET $column = DEFAULT"
done
expect_sql "the owner of everything cannot forge it either" "postgres|queued|0" "BEGIN;
	INSERT INTO backfill.job (table_name, column_name, column_type, requested_by, stage, rows_filled)
	VALUES ('alice.items', 'w', 'text', 'alice', 'done', 99) RETURNING requested_by, stage, rows_filled; ROLLBACK"
expect_sql "after SET ROLE it is that role" alice "BEGIN; SET LOCAL ROLE alice;
	INSERT INTO backfill.job (table_name, column_name, column_type) VALUES ('alice.items', 'w', 'text') RETURNING requested_by; ROLLBACK"
sql main "SET ROLE alice; INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('passing', 'alice.items', 'p', 'text');
	UPDATE backfill.job SET wanted = 'cancel' WHERE name = 'passing';
	DELETE FROM backfill.job WHERE name = 'passing' RETURNING set_config('backfill.deleted_by', 'boss', true)" >/dev/null
expect_sql "and so it is when a job is deleted" alice "SELECT actor FROM backfill.event WHERE name = 'passing' AND detail LIKE 'deleted: %'"
expect_error "another's table is refused" 42501 'role bob may not add a column to table alice.items.*belongs to role alice.*GRANT alice TO bob' -U postgres \
	"GRANT USAGE ON SCHEMA alice TO bob; SET ROLE bob;
	INSERT INTO backfill.job (table_name, column_name, column_type) VALUES ('alice.items', 'w', 'text')"
expect_error "who is no user may not ask" 42501 'permission denied for table job' -U shop_app \
	"INSERT INTO backfill.job (table_name, column_name, column_type) VALUES ('public.orders', 'w', 'text')"

# Whose jobs
expect_sql "all can be read" "ours theirs" -U alice "SELECT string_agg(name, ' ' ORDER BY id) FROM backfill.status WHERE name IN ('ours', 'theirs')"
expect_sql "another's job stays as it is" "" -U alice "UPDATE backfill.job SET wanted = 'pause' WHERE id = $theirs RETURNING id"
expect_sql "and there" "" -U alice "DELETE FROM backfill.job WHERE id = $theirs RETURNING id"
expect_error "and held" 42501 "job $theirs is not yours to steer.*asked for by role bob.*backfill_admin" -U alice "SELECT backfill.proceed($theirs)"
expect_sql "my own job is mine" pause -U alice "UPDATE backfill.job SET wanted = 'pause', batch_ms = 50 WHERE id = $ours RETURNING wanted"
expect_sql "what changed is told, by whom" "alice|knob|batch_ms: from null to 50
alice|steer|wanted: from run to pause" "SELECT actor, kind, detail FROM backfill.event WHERE job_id = $ours AND kind <> 'job' ORDER BY id"
expect_sql "an admin steers any" "run" -U boss "UPDATE backfill.job SET wanted = 'run' WHERE id = $ours RETURNING wanted"
expect_sql "and is named" boss "SELECT actor FROM backfill.event WHERE job_id = $ours ORDER BY id DESC LIMIT 1"
expect_error "pause_all is for admins" 42501 'pause_all\(\) is for members of backfill_admin.*GRANT backfill_admin TO alice' -U alice "SELECT backfill.pause_all()"
expect_error "resume_all too" 42501 'resume_all\(\)' -U alice "SELECT backfill.resume_all()"
expect_sql "an admin pauses all" 2 -U boss "SELECT backfill.pause_all()"
expect_sql "and all are paused" 0 "SELECT count(*) FROM backfill.job WHERE wanted = 'run'"
expect_sql "and lets them go" "2" -U boss "SELECT backfill.resume_all()"
expect_error "events are not to be written" 42501 'permission denied' -U alice "INSERT INTO backfill.event (kind) VALUES ('lie')"
expect_error "nor deleted" 42501 'permission denied' -U boss "DELETE FROM backfill.event"
expect_error "nor through a table of one's own" 42501 'permission denied for function .*job_tell' -U alice \
	"CREATE TABLE alice.fake (LIKE backfill.job); CREATE TRIGGER t AFTER INSERT ON alice.fake FOR EACH ROW EXECUTE FUNCTION backfill.job_tell()"
expect_error "bookmarks are not to be written" 42501 'permission denied' -U boss "UPDATE backfill.bookmark SET page = 0"
expect_error "knobs keep their range" 22023 'batch_ms = 99999 is out of range.*DETAIL.*HINT' -U alice "UPDATE backfill.job SET batch_ms = 99999 WHERE id = $ours"
expect_error "seal_after_quiet is a time" 22023 'is no time to wait for.*DETAIL.*HINT' -U alice "UPDATE backfill.job SET seal_after_quiet = '-1 h' WHERE id = $ours"
expect_error "a window of the day is looked at" 22023 'no time zone Berlin.*DETAIL.*HINT.*Europe/Berlin' -U alice "UPDATE backfill.job SET daily_window = '22:00-05:30 Berlin' WHERE id = $ours"
expect_sql "... and spelt out" "22:00-05:30 Europe/Paris" -U alice "BEGIN; SET LOCAL TimeZone = 'Europe/Paris';
	UPDATE backfill.job SET daily_window = '22:00-5:30' WHERE id = $ours RETURNING daily_window; ROLLBACK"
expect_sql "... once: another zone of the session changes nothing later" "22:00-05:30 Europe/Paris|7" -U alice "BEGIN; SET LOCAL TimeZone = 'Europe/Paris';
	DO \$\$ BEGIN UPDATE backfill.job SET daily_window = '22:00-5:30' WHERE id = $ours; END \$\$; SET LOCAL TimeZone = 'UTC';
	UPDATE backfill.job SET priority = 7 WHERE id = $ours RETURNING daily_window, priority; ROLLBACK"
expect_error "a hold cannot be let go by hand" 42501 'released of job .* cannot be set by hand.*backfill.proceed' -U alice \
	"UPDATE backfill.job SET released = '{add,fill,seal}' WHERE id = $ours"
sql main "DROP OWNED BY bob; DROP ROLE bob"
expect_sql "the job of a role that is gone hinders nobody" "$ours" -U alice "UPDATE backfill.job SET note = 'mine' RETURNING id"
expect_sql "and an admin can end it" cancelled -U boss "UPDATE backfill.job SET wanted = 'cancel' WHERE id = $theirs RETURNING stage"

# A migration run twice
migration="INSERT INTO backfill.job (name, table_name, column_name, column_type, batch_ms) VALUES ('ours', 'items', 'v', 'text', 7) ON CONFLICT (name) DO NOTHING RETURNING id"
expect_sql "a repeated migration stays quiet" "" -U alice "$migration"
expect_sql "also with what would be refused now" "" -U alice "${migration/items/nowhere}"
expect_sql "also somebody else's" "" -U shop_owner "$migration"
expect_sql "and leaves no event" 1 "SELECT count(*) FROM backfill.event WHERE name = 'ours' AND kind = 'job'"
expect_error "without ON CONFLICT it is a duplicate" 23505 'job_name_key' -U alice "${migration/ON CONFLICT (name) DO NOTHING/}"
expect_sql "twice in one statement is once" "1" -U alice "BEGIN; WITH i AS (INSERT INTO backfill.job (name, table_name, column_name, column_type)
	VALUES ('twin', 'alice.items', 'x', 'text'), ('twin', 'alice.items', 'x', 'text') ON CONFLICT (name) DO NOTHING RETURNING id) SELECT count(*) FROM i; ROLLBACK"

# Deleted while it is repeated: the row that has passed unchecked must not stay
sql -U alice main "UPDATE backfill.job SET wanted = 'cancel' WHERE id = $ours"
coproc deleting { psql_at main -U alice -Atq; }
deleter=$!
echo "BEGIN; DELETE FROM backfill.job WHERE id = $ours RETURNING 'deleted';" >&"${deleting[1]}"
read -r seen <&"${deleting[0]}"
expect_equal "a job is being deleted" deleted "$seen"
psql_at main -U alice -v VERBOSITY=verbose -Atq -c "${migration/items/nowhere}" >"$WORK/repeated" 2>&1 &
repeater=$!
wait_until 20 "the repeated INSERT waits for the name" "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid')"
echo "COMMIT;" >&"${deleting[1]}"
eval "exec ${deleting[1]}>&-"
wait "$deleter"
wait "$repeater" || true
expect_match "the INSERT is to be run again" '40001: a job named .ours. was deleted.*Run the INSERT again' "$(<"$WORK/repeated")"
expect_sql "no unchecked row stays" 0 "SELECT count(*) FROM backfill.job WHERE table_oid IS NULL"

# A hostile search_path: what is found on it may mislead only the submitter's own names
sql main "CREATE SCHEMA evil AUTHORIZATION alice; GRANT USAGE ON SCHEMA evil TO PUBLIC; CREATE TABLE public.spoils (who text, what text); GRANT INSERT ON public.spoils TO PUBLIC"
sql -U alice main <<'SQL'
CREATE FUNCTION evil.spring(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.spoils VALUES (current_user, $1); RETURN $1; END $$;
CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.spring('= text'); RETURN true; END $$;
CREATE FUNCTION evil.same(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.spring('= name'); RETURN true; END $$;
CREATE FUNCTION evil.same(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.spring('= oid'); RETURN true; END $$;
CREATE FUNCTION evil.same("char", "char") RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.spring('= char'); RETURN true; END $$;
CREATE FUNCTION evil.less(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.spring('< time'); RETURN true; END $$;
CREATE FUNCTION evil.plus(timestamptz, interval) RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.spring('+ time'); RETURN $1; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.same);
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.same);
CREATE OPERATOR evil.= ("leftarg" = "char", "rightarg" = "char", FUNCTION = evil.same);
CREATE OPERATOR evil.!~ (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.same);
CREATE OPERATOR evil.~ (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
CREATE OPERATOR evil.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.less);
CREATE OPERATOR evil.+ (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = evil.plus);
CREATE FUNCTION evil.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT 'alice.items'::regclass WHERE evil.spring('to_regclass') IS NOT NULL $$;
CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT evil.spring('format') $$;
CREATE FUNCTION evil.format(text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT evil.spring('format') $$;
CREATE FUNCTION evil.format(text, name, name) RETURNS text LANGUAGE sql AS $$ SELECT evil.spring('format') $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz WHERE evil.spring('now') IS NOT NULL $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz WHERE evil.spring('clock') IS NOT NULL $$;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT evil.spring($1) $$;
CREATE FUNCTION evil.quote_ident(text) RETURNS text LANGUAGE sql AS $$ SELECT evil.spring($1) $$;
CREATE FUNCTION evil.pg_has_role(name, oid, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true WHERE evil.spring('has_role') IS NOT NULL $$;
CREATE TABLE evil.job (LIKE backfill.job); CREATE TABLE evil.pg_class (oid oid);
CREATE DOMAIN evil.text AS pg_catalog.text; CREATE DOMAIN evil.oid AS pg_catalog.oid;
SQL
expect_sql "the trap works at all" t "SET search_path = evil, pg_catalog; SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text"
sql main "TRUNCATE public.spoils"
hostile="SET search_path = evil, pg_catalog, public;"
expect_sql "a job asked for on a hostile path is as it should be" 'shop_owner|public.orders|h|25|evil, pg_catalog, public, pg_temp' -U shop_owner "$hostile
	INSERT INTO backfill.job (name, table_name, column_name, column_type, \"collation\", value) VALUES ('h', 'orders', 'h', 'pg_catalog.text', 'C', 'lower(email)')
	RETURNING requested_by, table_name, column_name, type_oid, search_path"
expect_error "an unknown type there" 42704 'type shoe does not exist' -U shop_owner "$hostile
	INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('i', 'orders', 'i', 'shoe')"
expect_error "an unknown table there" 42P01 'table nothing does not exist' -U shop_owner "$hostile
	INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('i', 'nothing', 'i', 'text')"
expect_error "another's table there" 42501 'may not add a column to table evil.job' -U shop_owner "$hostile
	INSERT INTO backfill.job (name, table_name, column_name, column_type) VALUES ('i', 'job', 'i', 'text')"
expect_sql "steering it there" pause -U shop_owner "$hostile UPDATE backfill.job SET wanted = 'pause', priority = 3 WHERE id = (SELECT max(id) FROM backfill.job) RETURNING wanted"
expect_error "calling there" 55000 'is at no hold' -U shop_owner "$hostile SELECT backfill.proceed(max(id)) FROM backfill.job"
expect_error "waiting there" 57014 'did not reach stage done in time' -U shop_owner "$hostile CALL backfill.wait_for('h', 'done', interval '0')"
expect_sql "looking there" "t|t|0" -U boss "$hostile
	SELECT (SELECT count(*) > 0 FROM backfill.history('h')), backfill.as_sql(max(id)) IS NOT NULL, backfill.purge('1 day') FROM backfill.status"
expect_sql "nothing sprang the trap" "" "SELECT * FROM public.spoils"
expect_equal "an install there is fine" "" "$(PGOPTIONS='-c search_path=evil,pg_catalog' control_install)"
expect_sql "and sprang nothing" "" "SELECT * FROM public.spoils"
