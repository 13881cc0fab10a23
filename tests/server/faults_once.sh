#!/usr/bin/env bash
# --once gives up on a database that cannot be served; meanwhile, what holds the horizon makes the fill one pass.
# shellcheck disable=SC2119 # what the library may take, a test need not give
# shellcheck source=tests/server/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/server/faults_lib.sh
. "$(dirname "$0")/faults_lib.sh"

slow_fill main
daemon_install
as_server tee "$WORK/gone.yaml" >/dev/null <<-YAML
	databases:
	  - {name: gone, conninfo: "host=$WORK/nowhere dbname=shop user=backfilld"}
	  - name: shop
	    conninfo: "$(conninfo main backfilld)"
	    logins: [{roles: [shop_owner], conninfo: "$(conninfo main backfilld_shop)"}]
	http: "off"
YAML
binary=$(daemon_binary)
become_server "$binary" --config "$WORK/gone.yaml" --once </dev/null >"$WORK/gone.log" 2>&1 &
echo $! >"$WORK/pids/gone"

# Half of each page is free for HOT updates only while old versions can be taken away.
sql -U shop_owner main "CREATE TABLE wide (id int PRIMARY KEY, body text); CREATE INDEX ON wide (body);
	INSERT INTO wide SELECT g, md5(g::text) FROM generate_series(1, 60000) g; VACUUM ANALYZE wide"
session_open old main
session_do old "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class" >/dev/null
daemon_start
sql -U shop_owner main "INSERT INTO backfill.job (name, table_name, column_name, column_type, value) VALUES ('wide', 'wide', 'c', 'text', 'upper(body)')"
wait_until 20 "an event tells that something holds the horizon" "SELECT count(*) > 0 FROM backfill.event WHERE kind = 'passes' AND detail ~ 'horizon'"
ok "an event tells that something holds the horizon"
job_reaches wide "done" 30
expect_sql "windows were filled in one pass then" t "SELECT count(*) > 0 FROM backfill.event WHERE kind = 'window' AND detail ~ 'in 1 passes'"
expect_sql "every row has its value" 0 "SELECT count(*) FROM wide WHERE c IS DISTINCT FROM upper(body)"
session_do old "COMMIT" >/dev/null
daemon_stop

status=0
wait_for 45 "--once gives up" bash -c "! kill -0 $(cat "$WORK/pids/gone") 2>/dev/null"
wait "$(cat "$WORK/pids/gone")" || status=$?
expect_equal "--once gives up on a database that cannot be served, with status 1" 1 "$status"
# logged REGEX: when it said so first, in milliseconds since 1970.
logged() {
	date -u -d "$(grep -m 1 "$1" "$WORK/gone.log" | cut -d ' ' -f 1-3)" +%s%3N
}
took=$(($(logged ' giving up ') - $(logged ' started as ')))
check "after $took ms" test "$took" -gt 0 -a "$took" -le 35000
check "saying which and why" grep -q "giving up (--once): database gone is not served: .*No such file" "$WORK/gone.log"
